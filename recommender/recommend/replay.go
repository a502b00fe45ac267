// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// ReplayInput says what to hold against which past.
type ReplayInput struct {
	Input analyze.Input
	// Policies are put in place of those of the same name and beside the others;
	// with Alone they are all that is in force.
	Policies []cluster.Object
	Alone    bool
	Policy   policy.Options
}

// Replay says which past connections the policies would have denied, and which
// denied ones they would have let through. An error means that the input is
// unusable; policies that are not understood are in the report's notes.
func Replay(in ReplayInput) (*ReplayReport, error) {
	if in.Input.Snapshot == nil {
		return nil, errors.New("replaying: no snapshot of the cluster was given")
	}
	next := With(in.Input.Snapshot, in.Policies...)
	if in.Alone {
		bare := *in.Input.Snapshot
		bare.Policies = nil
		next = With(&bare, in.Policies...)
	}
	engine, problems := policy.Compile(next, in.Policy)
	if in.Input.Engine == nil {
		in.Input.Engine, _ = policy.Compile(in.Input.Snapshot, in.Policy)
	}
	before, err := analyze.Analyze(in.Input)
	if err != nil {
		return nil, fmt.Errorf("replaying on the policies in force: %w", err)
	}
	changed := in.Input
	changed.Snapshot, changed.Engine = next, engine
	after, err := analyze.Analyze(changed)
	if err != nil {
		return nil, fmt.Errorf("replaying on the given policies: %w", err)
	}
	r := compareReports(before, after)
	for _, p := range problems {
		r.Notes = append(r.Notes, fmt.Sprintf("%s is not understood and was left out: %s: %s.", p.Ref, p.Field, p.Message))
	}
	return r, nil
}

// compareReports pairs the edges of two analyses of the same records.
func compareReports(before, after *analyze.Report) *ReplayReport {
	r := &ReplayReport{Window: before.Window, Denied: []Replayed{}, Allowed: []Replayed{}, Notes: slices.Clone(before.Notes)}
	was := map[string]*analyze.Edge{}
	for i := range before.Edges {
		was[before.Edges[i].ID] = &before.Edges[i]
	}
	for i := range after.Edges {
		now := &after.Edges[i]
		old := was[now.ID]
		if old == nil {
			continue
		}
		r.Edges++
		r.Connections += now.Counters.Connections
		switch worse := rank(now.Verdict.State) - rank(old.Verdict.State); {
		case worse > 0:
			r.Denied = append(r.Denied, replayed(old, now))
			r.DeniedConnections += now.Counters.Connections
		case worse < 0:
			r.Allowed = append(r.Allowed, replayed(old, now))
			r.AllowedConnections += now.Counters.Connections
		}
	}
	for _, list := range [][]Replayed{r.Denied, r.Allowed} {
		slices.SortStableFunc(list, func(a, b Replayed) int { return cmp.Compare(b.Connections, a.Connections) })
	}
	return r
}

// rank orders states by how much they let through.
func rank(s analyze.State) int {
	switch s {
	case analyze.StateAllowed:
		return 0
	case analyze.StateMixed:
		return 1
	case analyze.StateDenied:
		return 2
	case analyze.StateUnknown:
	}
	return 0
}

func replayed(old, now *analyze.Edge) Replayed {
	return Replayed{
		Edge: now.ID, Client: now.Client, Server: now.Server, Protocol: now.Protocol, Port: now.Port,
		Connections: now.Counters.Connections, First: now.First, Last: now.Last, Processes: now.Processes,
		Before: old.Verdict, After: now.Verdict,
	}
}
