// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
	"github.com/netcinch/netcinch/recommender/store"
)

// Bounds of the views that are kept beside the current one, and of the grid
// that relative times are put on so that they can be shared.
const (
	keptViews = 6
	timeGrid  = 10 * time.Second
)

// views computes what is known, and keeps it: the current view of all time,
// and a few of the spans that were asked for.
type views struct {
	options  Options
	cluster  string
	boot     string // tells this process's views from another's
	past     past
	snapshot func() *cluster.Snapshot
	extra    []cluster.Problem // of the flow files
	// terms gives what was decided and how far workloads are learnt; nil for
	// nothing.
	terms func(context.Context, time.Time) (analyze.Options, error)

	asked singleflight.Group
	slots chan struct{} // bounds how many are computed at once

	mu      sync.RWMutex
	version uint64
	current *api.View
	spans   []*api.View // of the current version, the newest last
	failure string
	world   *world
}

// world is what follows from a snapshot alone.
type world struct {
	snapshot *cluster.Snapshot
	engine   *policy.Engine
	index    *analyze.Index
	problems []cluster.Problem
}

// follow compiles a snapshot's policies: of a snapshot after another one only
// what the change touches.
func follow(known *world, s *cluster.Snapshot, o policy.Options) (*policy.Engine, []cluster.Problem) {
	if known == nil {
		return policy.Compile(s, o)
	}
	return known.engine.Next(s)
}

// worldOf compiles the policies of the newest snapshot, once for each.
func (v *views) worldOf() *world {
	s := v.snapshot()
	v.mu.RLock()
	known := v.world
	v.mu.RUnlock()
	if known != nil && known.snapshot == s {
		return known
	}
	engine, problems := follow(known, s, v.options.Policies)
	w := &world{snapshot: s, engine: engine, index: analyze.NewIndex(s)}
	w.problems = slices.Concat(s.Problems, problems, v.extra)
	v.mu.Lock()
	v.world = w
	v.mu.Unlock()
	return w
}

// renew computes the current view anew, and gives it with the one before.
func (v *views) renew(ctx context.Context) (fresh, before *api.View, err error) {
	v.mu.RLock()
	version := v.version + 1
	v.mu.RUnlock()
	fresh, err = v.compute(ctx, api.Span{}, version)
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.failure = err.Error()
		return nil, nil, err
	}
	before = v.current
	v.version, v.current, v.spans, v.failure = version, fresh, nil, ""
	return fresh, before, nil
}

// of gives the view of a span; computed now where nobody asked before.
func (v *views) of(ctx context.Context, s api.Span) (*api.View, error) {
	s.Cluster = "" // these views are all of one
	s.From, s.To = s.From.Truncate(timeGrid), s.To.Truncate(timeGrid)
	v.mu.RLock()
	current, version := v.current, v.version
	kept := v.kept(s)
	v.mu.RUnlock()
	switch {
	case current == nil:
		return nil, api.ErrNotReady
	case s.From.IsZero() && s.To.IsZero():
		return current, nil
	case kept != nil:
		return kept, nil
	}
	key := fmt.Sprint(version, s.From.Unix(), s.To.Unix(), s.Traffic)
	done := v.asked.DoChan(key, func() (any, error) {
		v.slots <- struct{}{}
		defer func() { <-v.slots }()
		// Others may wait for it too: whoever asked first may go away.
		return v.compute(context.WithoutCancel(ctx), s, version)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		view, ok := r.Val.(*api.View)
		if !ok {
			return nil, fmt.Errorf("computing a view: got %T", r.Val)
		}
		v.keep(view)
		return view, nil
	}
}

// kept needs the lock.
func (v *views) kept(s api.Span) *api.View {
	for _, one := range v.spans {
		if one.Span.From.Equal(s.From) && one.Span.To.Equal(s.To) && (s.Traffic || !one.Span.Traffic) {
			return one
		}
	}
	return nil
}

func (v *views) keep(view *api.View) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if view.Version != v.version || v.kept(view.Span) != nil {
		return
	}
	v.spans = append(v.spans, view)
	if len(v.spans) > keptViews {
		v.spans = v.spans[1:]
	}
}

func (v *views) compute(ctx context.Context, s api.Span, version uint64) (*api.View, error) {
	w := v.worldOf()
	q := store.Query{Cluster: v.cluster, From: s.From, To: s.To}
	records, err := v.past.Records(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("reading what was seen: %w", err)
	}
	catalogue, err := v.past.Catalogue(ctx, store.Query{Cluster: v.cluster})
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	coverage, err := v.past.Coverage(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("reading the coverage: %w", err)
	}
	options, err := v.decided(ctx)
	if err != nil {
		return nil, err
	}
	input := analyze.Input{
		Snapshot: w.snapshot, Engine: w.engine, Records: records, Options: options, Live: !v.options.files(),
	}
	for i := range catalogue {
		known := &catalogue[i]
		input.Catalogue = append(input.Catalogue, analyze.Known{
			Edge: known.Edge, FirstSeen: known.FirstSeen, LastSeen: known.LastSeen, Programs: pathsOf(known.Client),
		})
	}
	input.Coverage = coverageOf(coverage)
	report, err := analyze.Analyze(input)
	if err != nil {
		return nil, err
	}
	var advice []recommend.Recommendation
	if !s.Traffic {
		advice, err = recommend.Build(recommend.Input{Snapshot: w.snapshot, Report: report, Engine: w.engine, Policy: v.options.Policies})
	}
	if err != nil {
		return nil, err
	}
	return &api.View{
		Version: version, Key: fmt.Sprintf("%s-%s-%d-%d-%d", v.boot, v.cluster, version, s.From.Unix(), s.To.Unix()),
		Cluster: v.cluster, Computed: v.options.Now().UTC(), Span: s, Reading: v.options.Policies,
		Snapshot: w.snapshot, Engine: w.engine, Index: w.index, Problems: w.problems,
		Input: input, Report: report, Recommendations: advice, Coverage: coverage, Catalogue: catalogue,
	}, nil
}

// decided gives the options of an analysis that goes by what people decided.
func (v *views) decided(ctx context.Context) (o analyze.Options, err error) {
	if v.terms != nil {
		o, err = v.terms(ctx, v.options.Now())
	}
	o.Learning = v.options.Learning
	return o, err
}

// pathsOf lists the executables of programs.
func pathsOf(p store.Programs) []string {
	var out []string
	for _, program := range p.Seen {
		out = append(out, program.Path)
	}
	return out
}

// coverageOf says in the words of the analysis what each node missed.
func coverageOf(nodes []store.NodeCoverage) []analyze.NodeCoverage {
	var from, to time.Time
	for i := range nodes {
		if from.IsZero() || nodes[i].FirstSeen.Before(from) {
			from = nodes[i].FirstSeen
		}
		if nodes[i].LastSeen.After(to) {
			to = nodes[i].LastSeen
		}
	}
	whole := to.Sub(from)
	var out []analyze.NodeCoverage
	for i := range nodes {
		n := &nodes[i]
		share := 1.0
		if whole > 0 {
			share = min(1, n.Covered.Seconds()/whole.Seconds())
		}
		l := n.Losses
		out = append(out, analyze.NodeCoverage{
			Node: n.Node, Share: share,
			Connections: n.Connections,
			Lost:        l.MapFull + l.RingFull + l.Unattributed + l.Unparsed + l.Detached + l.SpoolOverflow + l.Refused,
		})
	}
	return out
}

// status gives what the views know of themselves.
func (v *views) status() (failure string, current *api.View) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.failure, v.current
}
