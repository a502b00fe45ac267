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
	// with Alone they are all that is in force. Without are taken away.
	Policies []cluster.Object
	Alone    bool
	Without  []cluster.Ref
	// Against, where it is not nil, takes the place of the policies in force as
	// what Policies are compared with, in the same way.
	Against []cluster.Object
	// Namespace limits the replay to edges with an end in it; empty for all.
	Namespace string
	Policy    policy.Options
}

// Replay says which past connections the policies would have denied, and which
// denied ones they would have let through. An error means that the input is
// unusable; policies that are not understood are in the report's notes.
func Replay(in ReplayInput) (*ReplayReport, error) {
	if in.Input.Snapshot == nil {
		return nil, errors.New("replaying: no snapshot of the cluster was given")
	}
	base := in.Input
	var notes []string
	if in.Against != nil {
		base.Snapshot, base.Engine, notes = in.put(in.Against, nil)
	} else if base.Engine == nil {
		base.Engine, _ = policy.Compile(base.Snapshot, in.Policy)
	}
	before, err := analyze.Analyze(base)
	if err != nil {
		return nil, fmt.Errorf("replaying on what is compared with: %w", err)
	}
	changed := in.Input
	var more []string
	changed.Snapshot, changed.Engine, more = in.put(in.Policies, in.Without)
	after, err := analyze.Analyze(changed)
	if err != nil {
		return nil, fmt.Errorf("replaying on the given policies: %w", err)
	}
	r := compareReports(before, after, in.Namespace)
	for _, note := range append(notes, more...) {
		if !slices.Contains(r.Notes, note) {
			r.Notes = append(r.Notes, note)
		}
	}
	return r, nil
}

// put gives the snapshot with policies, its engine, and what of them is not
// understood.
func (in *ReplayInput) put(policies []cluster.Object, without []cluster.Ref) (*cluster.Snapshot, *policy.Engine, []string) {
	bare := *in.Input.Snapshot
	if in.Alone {
		bare.Policies = nil
	}
	bare.Policies = slices.DeleteFunc(slices.Clone(bare.Policies), func(o cluster.Object) bool { return slices.Contains(without, o.Ref) })
	next := With(&bare, policies...)
	engine, problems := policy.Compile(next, in.Policy)
	var notes []string
	for _, p := range problems {
		notes = append(notes, fmt.Sprintf("%s is not understood and was left out: %s: %s.", p.Ref, p.Field, p.Message))
	}
	return next, engine, notes
}

// compareReports pairs the edges of two analyses of the same records.
func compareReports(before, after *analyze.Report, namespace string) *ReplayReport {
	r := &ReplayReport{Window: before.Window, Denied: []Replayed{}, Allowed: []Replayed{}, Hit: []Hit{}, Readiness: []WorkloadState{}, Notes: replayNotes(before)}
	was := map[string]*analyze.Edge{}
	for i := range before.Edges {
		was[before.Edges[i].ID] = &before.Edges[i]
	}
	for i := range after.Edges {
		now := &after.Edges[i]
		old := was[now.ID]
		if old == nil || namespace != "" && now.Client.Namespace != namespace && now.Server.Namespace != namespace {
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
	r.hits()
	r.Readiness = readinessOf(before, after, namespace)
	return r
}

// readinessOf gives the readiness of the workloads at the ends of what is
// replayed.
func readinessOf(before, after *analyze.Report, namespace string) []WorkloadState {
	concerned := map[analyze.Party]bool{}
	for i := range after.Edges {
		e := &after.Edges[i]
		if namespace == "" || e.Client.Namespace == namespace || e.Server.Namespace == namespace {
			concerned[e.Client], concerned[e.Server] = true, true
		}
	}
	out := []WorkloadState{}
	for i := range before.Readiness {
		if r := &before.Readiness[i]; concerned[r.Workload] && (namespace == "" || r.Workload.Namespace == namespace) {
			out = append(out, stateOf(r))
		}
	}
	return out
}

// replayNotes are the notes of the analysis, in the words of a replay.
func replayNotes(before *analyze.Report) []string {
	notes := slices.Clone(before.Notes)
	if text := ConflictNote(before); text != "" {
		notes = append(notes, text)
	}
	if len(before.Edges) == 0 && len(notes) > 0 {
		notes[0] = "No flow was recorded in this window: nothing was held against the policies, so that nothing is denied says nothing."
	}
	return notes
}

// ConflictNote counts the edges of which the two ends tell different things, and
// names some; empty where they agree.
func ConflictNote(r *analyze.Report) string {
	var names []string
	for i := range r.Edges {
		if e := &r.Edges[i]; e.Conflict != "" {
			names = append(names, fmt.Sprintf("%s → %s %s", e.Client, e.Server, analyze.PortText(e.Number, e.Port)))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("The two ends of %s tell different things (%s): netcinch unused says what.", analyze.Plural(len(names), "edge"), analyze.List(names, 5))
}

// hits sums up whose connections would have failed.
func (r *ReplayReport) hits() {
	at := map[string]int{}
	for i := range r.Denied {
		d := &r.Denied[i]
		who := d.Client.String()
		n, ok := at[who]
		if !ok {
			n = len(r.Hit)
			at[who] = n
			r.Hit = append(r.Hit, Hit{Who: who})
		}
		r.Hit[n].Edges++
		r.Hit[n].Connections += d.Connections
	}
	slices.SortStableFunc(r.Hit, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Who, b.Who))
	})
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
