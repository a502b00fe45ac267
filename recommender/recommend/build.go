// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// maxMoves bounds how many demands are moved from atoms that turned out to be
// superfluous. Each is moved once at most.
const maxMoves = 1000

// Build makes every recommendation that the evidence supports, proves each, and
// withholds what it cannot prove. The result is sorted by namespace and policy.
func Build(in Input) ([]Recommendation, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	w := newWorld(in)
	all := w.search()
	for i := range all {
		all[i].finish()
	}
	if in.DefaultDeny {
		companions, err := w.companions(all)
		if err != nil {
			return nil, err
		}
		all = append(all, companions...)
	}
	all = w.doubt(all)
	if in.Format == CalicoStaged {
		all = w.stage(all)
	}
	slices.SortStableFunc(all, compareRecommendations)
	return all, nil
}

// search looks for a set of recommendations that all hold, together and one by
// one. Where one fails its policy stays as it is, which others may then lean
// on, so the search begins again without it.
type search struct {
	*owners
	moved   moves
	fresh   []Recommendation
	made    map[cluster.Ref]*tightened // by policy in force
	dirty   map[cluster.Ref]bool       // policies in force to make again
	touched map[cluster.Ref]bool
	frozen  map[string]bool
	decoded map[string]decodedManifest // by identity
}

type decodedManifest struct {
	text   string
	object cluster.Object
	extra  []cluster.Object
	err    error
}

// gathering is everything that a round offers, applied.
type gathering struct {
	all      []Recommendation
	offered  []*Recommendation
	objects  map[cluster.Ref]cluster.Object
	extra    []cluster.Object // what comes with them
	further  map[cluster.Ref][]cluster.Ref
	engine   *policy.Engine
	problems map[cluster.Ref]cluster.Problem
	crowds   *analyze.Crowds // as the policies see them that are in force and that are offered
	kinship  *policy.Kinship
	swaps    *policy.Swaps
	atoms    []policy.Allowance
	needed   map[policy.AllowanceID]bool
	asked    *questions
}

func (g *gathering) offers(ref cluster.Ref) bool { _, ok := g.objects[ref]; return ok }

func (w *world) search() []Recommendation {
	s := &search{
		owners: w.survey(), moved: moves{}, fresh: w.newPolicies(), made: map[cluster.Ref]*tightened{}, dirty: map[cluster.Ref]bool{},
		touched: map[cluster.Ref]bool{}, frozen: map[string]bool{}, decoded: map[string]decodedManifest{},
	}
	for i := range w.snapshot.Policies {
		s.dirty[w.snapshot.Policies[i].Ref] = true
	}
	var withheld []Recommendation
	for {
		s.make()
		g := s.gather()
		if s.reassign(g) {
			continue
		}
		failed := s.proveAll(g)
		if len(failed) == 0 {
			for _, r := range standing(g.all) {
				r.showHeld()
			}
			return append(g.all, withheld...)
		}
		for _, r := range failed {
			s.frozen[r.ID] = true
			withheld = append(withheld, *r)
		}
	}
}

// newPolicies makes what is new, and sees to it that what comes with policies
// changes nothing by itself: a network set may be what somebody else's
// selector has waited for.
func (w *world) newPolicies() []Recommendation {
	if w.input.Format == ClusterWide {
		return w.guardPolicies()
	}
	list := w.freshPolicies()
	if w.input.Format.isCalico() && w.input.Scope.speaksOf(policy.Ingress) && len(w.input.Scope.Namespaces)+len(w.input.Scope.Workloads) == 0 {
		list = append(list, w.hostPolicies()...)
	}
	var sets []cluster.Object
	for i := range list {
		for _, text := range list[i].further {
			if o, err := decodeAny([]byte(text)); err == nil {
				sets = append(sets, o)
			}
		}
	}
	if len(sets) == 0 || w.inline {
		return list
	}
	engine, _ := w.engine.With(policy.Edit{Put: sets})
	if added, removed := policy.NewKinship(w.engine, engine).Compare(w.engine, engine); len(added)+len(removed) == 0 {
		return list
	}
	w.inline = true
	return w.newPolicies()
}

// finish joins the documents of a recommendation.
func (r *Recommendation) finish() {
	if r.Withheld != "" || r.Kind == KindTighten {
		return
	}
	for _, text := range r.further {
		r.After += "---\n" + text
	}
	r.further = nil
	r.Diff = PatchNew(diffName("", r.Policy.Cluster()), r.After)
}

// make narrows the policies that are dirty.
func (s *search) make() {
	s.assign(s.moved)
	var dirty []*cluster.Object
	for i := range s.snapshot.Policies {
		if o := &s.snapshot.Policies[i]; s.dirty[o.Ref] {
			dirty = append(dirty, o)
		}
	}
	made := make([]*tightened, len(dirty))
	parallel(len(dirty), s.progress("narrowing policies", len(dirty), func(i int) { made[i] = s.tighten(dirty[i]) }))
	for i, o := range dirty {
		if s.made[o.Ref] = made[i]; made[i] == nil {
			delete(s.made, o.Ref)
		}
	}
	clear(s.dirty)
}

// gather applies everything that is offered now.
func (s *search) gather() *gathering {
	g := &gathering{objects: map[cluster.Ref]cluster.Object{}, further: map[cluster.Ref][]cluster.Ref{}}
	for i := range s.snapshot.Policies {
		if t := s.made[s.snapshot.Policies[i].Ref]; t != nil && t.changed && !s.frozen[t.ID] {
			g.all = append(g.all, t.Recommendation)
		}
	}
	for _, r := range s.fresh {
		if !s.frozen[r.ID] {
			g.all = append(g.all, r)
		}
	}
	s.decode(g)
	g.offered = standing(g.all)
	s.apply(g)
	g.atoms = g.engine.Atoms()
	g.needed = s.needed(g)
	return g
}

// apply makes the engines of what is offered.
func (w *world) apply(g *gathering) {
	put := slices.Clone(g.extra)
	for _, r := range g.offered {
		put = append(put, g.objects[r.Policy.Cluster()])
	}
	g.engine, g.problems = w.engine, map[cluster.Ref]cluster.Problem{}
	if len(put) > 0 {
		engine, problems := w.engine.With(policy.Edit{Put: put})
		g.engine = engine
		for _, p := range problems {
			g.problems[p.Ref] = p
		}
	}
	g.kinship = policy.NewKinship(w.engine, g.engine)
	g.crowds = analyze.NewCrowds(w.index, w.engine, g.kinship)
	g.swaps = policy.NewSwaps(w.engine, g.engine)
}

// decode reads back what is offered; what the API server would not take is
// withheld.
func (s *search) decode(g *gathering) {
	list := standing(g.all)
	read := make([]decodedManifest, len(list))
	parallel(len(list), func(i int) {
		r := list[i]
		if d, known := s.decoded[r.ID]; known && d.text == r.After {
			read[i] = d
			return
		}
		if t := s.made[r.Policy.Cluster()]; t != nil && r.Kind == KindTighten && t.read.text == r.After {
			read[i] = t.read
			read[i].object.Source.File, read[i].object.Source.Line = r.File, r.Line
			return
		}
		o, err := decode(r.Policy.Cluster(), []byte(r.After))
		o.Source.File, o.Source.Line = r.File, r.Line
		read[i] = decodedManifest{text: r.After, object: o, err: err}
		for _, text := range r.further {
			extra, err := decodeAny([]byte(text))
			read[i].extra, read[i].err = append(read[i].extra, extra), cmp.Or(read[i].err, err)
		}
	})
	for i, r := range list {
		s.decoded[r.ID] = read[i]
		if err := read[i].err; err != nil {
			r.withhold(fmt.Sprintf("the manifest would not be taken: %v", err))
			continue
		}
		g.objects[r.Policy.Cluster()] = read[i].object
		g.extra = append(g.extra, read[i].extra...)
		for _, o := range read[i].extra {
			g.further[r.Policy.Cluster()] = append(g.further[r.Policy.Cluster()], o.Ref)
		}
	}
}

// proveAll proves what is offered and withholds what fails, which it returns.
// Failures that are a policy's own come first: what fails only because of
// others may hold once those are gone.
func (s *search) proveAll(g *gathering) []*Recommendation {
	parallel(len(g.offered), s.progress("proving", len(g.offered), func(i int) { s.prove(g, g.offered[i]) }))
	failed := s.failing(g.offered)
	if len(failed) == 0 {
		s.proveNeeded(g)
		failed = s.failing(g.offered)
	}
	return failed
}

// failing withholds what does not hold.
func (w *world) failing(offered []*Recommendation) []*Recommendation {
	var failed []*Recommendation
	for _, r := range offered {
		if !r.Proof.Holds {
			r.withhold("the proof fails: " + r.Proof.failure())
			failed = append(failed, r)
		}
	}
	return failed
}

func standing(all []Recommendation) []*Recommendation {
	var out []*Recommendation
	for i := range all {
		if all[i].Withheld == "" {
			out = append(out, &all[i])
		}
	}
	return out
}

func (r *Recommendation) withhold(why string) {
	r.Withheld, r.After, r.Diff = why, "", ""
}

func (p Proof) failure() string {
	for _, s := range p.Statements {
		if !s.Holds {
			return s.Text
		}
	}
	return "unknown"
}

func identity(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

func emptyProof() Proof {
	return Proof{Statements: []Statement{}, Lost: []Cell{}, Opened: []Cell{}, Closed: []Cell{}, Held: []HeldEdge{}, Superfluous: []string{}}
}
