// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

func TestUsage(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "10.0.0.2"), deployment("b", "z", "10.0.0.3"),
		networkPolicy("b", "{}", "[{from: [{namespaceSelector: {}}], ports: [{port: 80}, {port: 81}]}, {from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: x}}}], ports: [{port: 80}]}]"))
	r := analyse(t, Input{Snapshot: s, Records: []flow.Record{
		record(hour(0), pod("a", "x"), pod("b", "z"), 80, 5), record(hour(3), pod("a", "y"), pod("b", "z"), 80, 2),
	}})
	type row struct {
		rule, port  int
		state       UseState
		hits, alone uint64
		peers       []string
	}
	want := []row{
		{0, 0, UsePartly, 7, 2, []string{"a/x", "a/y"}},
		{0, 1, UseUnused, 0, 0, []string{}},
		{1, 0, UseRedundant, 5, 0, []string{"a/x"}},
	}
	if len(r.Usage) != len(want) {
		t.Fatalf("got %+v", r.Usage)
	}
	for i, w := range want {
		u := r.Usage[i]
		if u.Allowance.Rule != w.rule || u.Allowance.Port != w.port || u.State != w.state || u.Hits != w.hits || u.AloneHits != w.alone || !slices.Equal(u.Peers, w.peers) || !slices.Equal(u.Subjects, []string{"b/z"}) {
			t.Errorf("got %+v\nwant %+v", u, w)
		}
	}
	if !r.Usage[0].LastHit.Equal(hour(3).End) || len(r.Usage[2].CoveredBy) != 1 {
		t.Errorf("last hit %s, covered by %v", r.Usage[0].LastHit, r.Usage[2].CoveredBy)
	}
}

// TestUnusedIsStatedOnce: at the widest scope that is true.
func TestUnusedIsStatedOnce(t *testing.T) {
	use := []flow.Record{record(hour(0), pod("a", "x"), pod("b", "z"), 80, 5)}
	for _, c := range []struct {
		name, rules string
		scopes      []Scope
	}{
		{"policy", "[{ports: [{port: 81}, {port: 82}]}, {ports: [{port: 83}]}]", []Scope{ScopePolicy}},
		{"rule", "[{ports: [{port: 80}]}, {ports: [{port: 81}, {port: 82}]}]", []Scope{ScopeRule}},
		{"port", "[{from: [{namespaceSelector: {}}], ports: [{port: 80}, {port: 81}]}]", []Scope{ScopePort}},
		{"peer", "[{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: x}}}, {podSelector: {}}], ports: [{port: 80}]}]", []Scope{ScopePeer}},
		{"none", "[{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: x}}}], ports: [{port: 80}]}]", nil},
	} {
		s := load(t, deployment("a", "x", "10.0.0.1"), deployment("b", "z", "10.0.0.3"), networkPolicy("b", "{}", c.rules))
		var got []Scope
		for _, f := range analyse(t, Input{Snapshot: s, Records: use}).Findings {
			if f.Kind == FindingUnused {
				got = append(got, f.Scope)
				if f.File != "test.yaml" || f.Line == 0 || f.Policy == nil || f.Policy.Name != "p" || len(f.Evidence) < 3 {
					t.Errorf("%s: %+v", c.name, f)
				}
			}
		}
		if !slices.Equal(got, c.scopes) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.scopes)
		}
	}
}

// TestIdentitiesOfFindings: they stay when rules before them come and go, and
// tell apart two rules that say the same.
func TestIdentitiesOfFindings(t *testing.T) {
	ids := func(rules string) []string {
		s := load(t, deployment("a", "x", "10.0.0.1"), deployment("b", "z", "10.0.0.3"), networkPolicy("b", "{}", rules))
		var out []string
		for _, f := range analyse(t, Input{Snapshot: s, Records: []flow.Record{record(hour(0), pod("a", "x"), pod("b", "z"), 80, 5)}}).Findings {
			if f.Kind == FindingUnused {
				out = append(out, f.ID)
			}
		}
		return out
	}
	before, after := ids("[{ports: [{port: 80}]}, {ports: [{port: 443}]}]"), ids("[{ports: [{port: 443}]}, {ports: [{port: 80}]}]")
	if len(before) != 1 || !slices.Equal(before, after) {
		t.Errorf("got %v and %v", before, after)
	}
	if twins := ids("[{ports: [{port: 80}]}, {ports: [{port: 443}]}, {ports: [{port: 443}]}]"); len(twins) != 2 || twins[0] == twins[1] {
		t.Errorf("two rules that say the same: %v", twins)
	}
}

func TestReadiness(t *testing.T) {
	s := load(t, nodeN1, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "10.0.0.2"), deployment("a", "idle", "10.0.0.3"))
	steady := func(hours int) []flow.Record {
		var out []flow.Record
		for h := range hours {
			out = append(out, record(hour(h), pod("a", "x"), pod("a", "y"), 80, 5))
		}
		return out
	}
	state := func(in Input, name string) Readiness {
		in.Snapshot, in.Options.Learning = s, 6*time.Hour
		for _, r := range analyse(t, in).Readiness {
			if r.Workload.String() == name {
				return r
			}
		}
		t.Fatalf("no readiness of %s", name)
		return Readiness{}
	}
	for _, c := range []struct {
		name     string
		in       Input
		workload string
		want     ReadyState
		coverage float64
	}{
		{"steady", Input{Records: steady(10)}, "a/x", ReadyReady, 1},
		{"too short", Input{Records: steady(5)}, "a/x", ReadyLearning, 1},
		{"silent", Input{Records: steady(10)}, "a/idle", ReadySilent, 0},
		{"many things once", Input{Records: append(steady(10), record(hour(9), pod("a", "x"), outside("203.0.113.1", ""), 1, 1), record(hour(9), pod("a", "x"), outside("2001:db8::1", ""), 1, 1))}, "a/x", ReadyStabilising, 1 - 2.0/12},
		{"loss", Input{Records: steady(10), Coverage: []NodeCoverage{{Node: "n1", Share: 1, Lost: 3}}}, "a/x", ReadyStabilising, 1 - 3.0/53},
		{"gaps", Input{Records: steady(10), Coverage: []NodeCoverage{{Node: "n1", Share: 0.5}}}, "a/x", ReadyStabilising, 1},
		{"loss elsewhere", Input{Records: steady(10), Coverage: []NodeCoverage{{Node: "n2", Share: 0.1, Lost: 9}}}, "a/x", ReadyReady, 1},
		{"one bin only", Input{Records: []flow.Record{record(flow.Window{Start: dawn, End: hour(9).End}, pod("a", "x"), pod("a", "y"), 80, 4), record(flow.Window{Start: dawn, End: hour(9).End}, pod("a", "x"), pod("a", "y"), 81, 1)}}, "a/x", ReadyStabilising, 1 - 1.0/5},
	} {
		got := state(c.in, c.workload)
		if got.State != c.want || math.Abs(got.Coverage-c.coverage) > 1e-12 || (got.State == ReadyReady) != (len(got.Reasons) == 0) {
			t.Errorf("%s: %s, coverage %g, %v; want %s, %g", c.name, got.State, got.Coverage, got.Reasons, c.want, c.coverage)
		}
	}
}

func TestInputIsJudged(t *testing.T) {
	for name, in := range map[string]Input{
		"no snapshot": {}, "no engine": {Snapshot: &cluster.Snapshot{}},
		"negative learning": {Snapshot: &cluster.Snapshot{}, Engine: nil, Options: Options{Learning: -1}},
	} {
		if r, err := Analyze(in); err == nil {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}
