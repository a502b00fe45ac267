// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"slices"
	"testing"

	"github.com/netcinch/netcinch/recommender/flow"
)

// TestTotals: what several allowances let through counts once, and as alone
// where nothing outside the part allowed it.
func TestTotals(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "fd00::2", "fd00::3"), deployment("b", "z", "10.0.0.3", "fd00::9"),
		networkPolicy("b", "{}", "[{from: [{namespaceSelector: {}}, {namespaceSelector: {}, podSelector: {matchLabels: {app: x}}}], ports: [{port: 80}, {port: 81}]}, {from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: x}}}], ports: [{port: 80}]}]"))
	r := analyse(t, Input{Snapshot: s, Records: []flow.Record{
		record(hour(0), pod("a", "x"), pod("b", "z"), 80, 5), record(hour(3), pod("a", "y"), pod("b", "z"), 81, 2),
	}})
	want := []string{
		"policy NetworkPolicy b/p: partly-used 7 alone 7 by [b/z] with [a/x a/y]",
		"rule ingress rule 1: partly-used 7 alone 2 by [b/z] with [a/x a/y]",
		"rule ingress rule 2: redundant 5 alone 0 by [b/z] with [a/x]",
	}
	var got []string
	for _, x := range r.Totals {
		text := fmt.Sprintf("%s %s: %s %d alone %d by %v with %v", x.Scope, x.Text, x.State, x.Hits, x.AloneHits, x.UsedBy, x.Peers)
		got = append(got, text)
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("no %q", w)
		}
	}
	for _, x := range r.Totals {
		switch {
		case x.Scope == ScopePort && x.Rule == 0 && x.Port == 1 && (x.Hits != 2 || x.AloneHits != 2 || !x.LastHit.Equal(hour(3).End)):
			t.Errorf("port 81: %+v", x)
		case x.Scope == ScopePeer && x.Rule == 0 && x.Peer == 0 && (x.Hits != 7 || x.AloneHits != 2):
			t.Errorf("first peer: %+v", x)
		case x.Scope == ScopePeer && x.Rule == 0 && x.Peer == 1 && (x.Hits != 5 || x.AloneHits != 0):
			t.Errorf("second peer: %+v", x)
		}
	}
	if len(r.Totals) != 1+2+3+3 {
		t.Errorf("got %d totals: %q", len(r.Totals), got)
	}
}

func TestOneEndThatSawNothingIsAConflict(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "fd00::3"), deployment("a", "w", "10.0.0.9"))
	told := func(h int, from, to string, port uint16, client, server uint64) flow.Record {
		r := record(hour(h), pod("a", from), pod("a", to), port, client)
		r.ByServer = flow.Counters{Connections: server}
		return r
	}
	for _, c := range []struct {
		name    string
		records []flow.Record
		want    string
	}{
		{"the server was watched", []flow.Record{told(0, "x", "y", 80, 9, 0), told(0, "w", "y", 81, 1, 1)}, "the client's end saw 9 connections come about; the server's end was watched and saw none"},
		{"the client was watched", []flow.Record{told(0, "x", "y", 80, 0, 9), told(0, "x", "w", 81, 1, 1)}, "the server's end saw 9 connections come about; the client's end was watched and saw none"},
		{"the server was watched at another time", []flow.Record{told(0, "x", "y", 80, 9, 0), told(1, "w", "y", 81, 1, 1)}, ""},
		{"one connection may lie astride", []flow.Record{told(0, "x", "y", 80, 1, 0), told(0, "w", "y", 81, 1, 1)}, ""},
		{"the server was not watched", []flow.Record{told(0, "x", "y", 80, 9, 0), told(0, "w", "y", 81, 1, 0)}, ""},
	} {
		r := analyse(t, Input{Snapshot: s, Records: c.records})
		if e := edgeTo(t, r, 80); e.Conflict != c.want || (r.Conflicts == 1) != (c.want != "") || len(findings(r, FindingConflict)) != r.Conflicts {
			t.Errorf("%s: %q, %d counted; want %q", c.name, e.Conflict, r.Conflicts, c.want)
		}
	}
}

func TestLifecycle(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "fd00::3"))
	x := &s.Pods[0]
	var records []flow.Record
	for h := range 40 {
		from := pod("a", "x")
		from.Pod = "x-7bc5d4f9b6-bcdfg"
		if h < 20 {
			from.Pod = "x-6c5d4f9b67-zzzzz"
		}
		records = append(records, record(hour(h), from, pod("a", "y"), 80, 5))
	}
	state := func() Readiness { return analyse(t, Input{Snapshot: s, Records: records}).Readiness[0] }
	if r := state(); r.Lifecycle || r.State != ReadyReady || len(r.Caveats) != 0 {
		t.Errorf("no start is known: %+v", r)
	}
	x.Started = dawn.Add(-1)
	records = records[20:]
	if r := state(); !r.Lifecycle || r.Starts != 1 || r.Rollouts != 0 { // a pod of another name was there
		t.Errorf("started before: %+v", r)
	}
	x.Name = "x-7bc5d4f9b6-bcdfg"
	if r := state(); r.Starts != 0 || len(r.Caveats) != 1 || r.Caveats[0] != "no start and no rollout of it was seen: what it needs only then is not known" {
		t.Errorf("nothing seen: %+v", r)
	}
	x.Started = hour(30).Start
	x.Labels = map[string]string{"app": "x", "pod-template-hash": "8bc5d4f9b6"}
	if r := state(); r.Starts != 1 || r.Rollouts != 1 || len(r.Caveats) != 0 {
		t.Errorf("a rollout: %+v", r)
	}
	records = append(records, record(hour(39), pod("a", "x"), pod("a", "y"), 99, 1))
	if r := state(); len(r.Caveats) != 1 || r.Caveats[0] != "its newest edge is 1 h old" {
		t.Errorf("a young edge: %+v", r.Caveats)
	}
	for name, want := range map[string]string{"x-7bc5d4f9b6-bcdfg": "7bc5d4f9b6", "x-0": "", "x-7bc5d4f9b6": "", "x-backup-28391040-abcde": "", "y-7bc5d4f9b6-bcdfg": "", "x-7bc5d4f9b6-abcde": ""} {
		if got := revisionInName(PartyOf(flow.Workload{Namespace: "a", Kind: "Deployment", Name: "x"}), name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestUnknownAddressesAreNotReady: a policy made of the rest would cut them.
func TestUnknownAddressesAreNotReady(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "fd00::3", "10.0.0.3"))
	var records []flow.Record
	for h := range 30 {
		records = append(records, record(hour(h), pod("a", "x"), flow.Endpoint{DNS: "public.calico.invalid"}, 443, 2), record(hour(h), pod("a", "y"), pod("a", "y"), 80, 2))
	}
	r := analyse(t, Input{Snapshot: s, Records: records})
	if x := r.Readiness[0]; x.State != ReadyStabilising || !slices.Contains(x.Reasons, "it has 1 edge with public.calico.invalid, whose addresses the records do not tell") {
		t.Errorf("%+v", x)
	}
	if y := r.Readiness[1]; y.State != ReadyReady {
		t.Errorf("%+v", y)
	}
}
