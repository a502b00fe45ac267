// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

func text(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestUnseen: x and y have been watched from hour 0, the learning period is 6
// hours, and the edge asked about first appears at hour 10.
func TestUnseen(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to flow.Endpoint
		before   []flow.Record
		started  int // hour in which z's pod started
		want     bool
	}{
		{"two that are known", pod("a", "x"), pod("a", "y"), nil, 0, true},
		{"another port", pod("a", "x"), pod("a", "y"), []flow.Record{record(hour(0), pod("a", "x"), pod("a", "y"), 81, 1)}, 0, true},
		{"known since the beginning", pod("a", "x"), pod("a", "y"), []flow.Record{record(hour(0), pod("a", "x"), pod("a", "y"), 80, 1)}, 0, false},
		{"outside", pod("a", "x"), outside("203.0.113.1", ""), nil, 0, true},
		{"outside over IPv6", pod("a", "w"), outside("2001:db8::1", ""), nil, 0, true},
		{"another address of a known name", pod("a", "x"), outside("203.0.113.2", "api.example"), []flow.Record{record(hour(1), pod("a", "x"), outside("203.0.113.1", "api.example"), 80, 1)}, 0, false},
		{"another node's probe", flow.Endpoint{Node: "n1"}, pod("a", "y"), []flow.Record{record(hour(1), flow.Endpoint{Node: "n0"}, pod("a", "y"), 80, 1)}, 0, false},
		{"a client that is new", pod("a", "z"), pod("a", "y"), nil, 9, false},
		{"a server that is new", pod("a", "x"), pod("a", "z"), nil, 9, false},
		{"a client that was quiet all the time", pod("a", "z"), pod("a", "y"), nil, 0, true},
	} {
		s := load(t, nodeN1, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "10.0.0.2"), deployment("a", "z", "10.0.0.3"), deployment("a", "w", "fd00::9"))
		for i := range s.Pods {
			if s.Pods[i].Name == "z-0" && c.started > 0 {
				s.Pods[i].Started = hour(c.started).Start
			}
		}
		records := append([]flow.Record{record(hour(0), pod("a", "x"), pod("a", "y"), 1, 1), record(hour(10), c.from, c.to, 80, 1)}, c.before...)
		in := Input{Snapshot: s, Records: records, Options: Options{Learning: 6 * time.Hour}}
		r := analyse(t, in)
		var found *Edge
		for i := range r.Edges {
			if r.Edges[i].Last.Equal(hour(10).End) {
				found = &r.Edges[i]
			}
		}
		if found.Unseen != c.want || found.Teaches == c.want || (len(findings(r, FindingUnseen)) == 1) != c.want {
			t.Errorf("%s: unseen %v, teaches %v, findings %v; want unseen %v", c.name, found.Unseen, found.Teaches, findings(r, FindingUnseen), c.want)
		}
		in.Options.Accepted = []string{found.ID}
		for _, e := range analyse(t, in).Edges {
			if e.ID == found.ID && (e.Unseen || !e.Teaches) {
				t.Errorf("%s: accepted, it is still held", c.name)
			}
		}
	}
}

// TestCatalogueDatesEdges: what the window shows first may be old.
func TestCatalogueDatesEdges(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "10.0.0.2"))
	edge := flow.Edge{Client: pod("a", "x"), Server: pod("a", "y"), Protocol: flow.TCP, Port: 80}
	in := Input{
		Snapshot: s, Records: []flow.Record{record(hour(100), pod("a", "x"), pod("a", "y"), 80, 1)}, Options: Options{Learning: time.Hour},
		Catalogue: []Known{
			{Edge: edge, FirstSeen: hour(0).Start, LastSeen: hour(100).End},
			{Edge: flow.Edge{Client: pod("a", "y"), Server: pod("a", "x"), Protocol: flow.TCP, Port: 9}, FirstSeen: hour(0).Start, LastSeen: hour(1).End},
		},
	}
	if e := edgeTo(t, analyse(t, in), 80); e.Unseen || !e.First.Equal(hour(0).Start) {
		t.Errorf("unseen %v, first seen %s; the catalogue knows it since %s", e.Unseen, e.First, hour(0).Start)
	}
	in.Catalogue[0].FirstSeen = hour(50).Start
	if e := edgeTo(t, analyse(t, in), 80); !e.Unseen {
		t.Error("first seen 49 hours after the learning period, it is not held as unseen")
	}
}

func TestDeniedTeachesNothing(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "10.0.0.2"), networkPolicy("a", "{matchLabels: {app: y}}", "[{from: [{podSelector: {matchLabels: {app: x}}}], ports: [{port: 80}]}]"))
	r := analyse(t, Input{Snapshot: s, Records: []flow.Record{record(hour(0), pod("a", "x"), pod("a", "y"), 80, 1), record(hour(0), pod("a", "x"), pod("a", "y"), 81, 4)}})
	if e := edgeTo(t, r, 80); e.Verdict.State != StateAllowed || !e.Teaches {
		t.Errorf("80: %s, teaches %v", e.Verdict.State, e.Teaches)
	}
	if e := edgeTo(t, r, 81); e.Verdict.State != StateDenied || e.Teaches || e.Verdict.Ingress.Why[0].Kind != StepNoMatch {
		t.Errorf("81: %s, teaches %v, why %+v", e.Verdict.State, e.Teaches, e.Verdict.Ingress.Why)
	}
	dropped := record(hour(0), pod("a", "x"), pod("a", "y"), 80, 1)
	dropped.Edge.Outcome = flow.Dropped
	if e := edgeTo(t, analyse(t, Input{Snapshot: s, Records: []flow.Record{dropped}}), 80); e.Teaches {
		t.Error("what the kernel dropped teaches")
	}
}

func TestPodsOfOneWorkloadJudgedApart(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1", "10.0.0.2"), deployment("a", "y", "10.0.0.3"), networkPolicy("a", "{matchLabels: {app: y}}", "[{from: [{podSelector: {matchLabels: {slot: s0}}}]}]"))
	e := edgeTo(t, analyse(t, Input{Snapshot: s, Records: []flow.Record{record(hour(0), pod("a", "x"), pod("a", "y"), 80, 1)}}), 80)
	if e.Verdict.State != StateMixed || len(e.Verdict.Mixed) != 1 || e.Verdict.Mixed[0] != "a/x-1 → a/y-0" || !e.Teaches {
		t.Errorf("got %s %v, teaches %v", e.Verdict.State, e.Verdict.Mixed, e.Teaches)
	}
}

// TestBaselines: where a baseline is kept it says since when edges are unseen;
// what was there and taught nothing is unseen once it is let through.
func TestBaselines(t *testing.T) {
	x, y := flow.Workload{Namespace: "a", Kind: "Deployment", Name: "x"}, flow.Workload{Namespace: "a", Kind: "Deployment", Name: "y"}
	id := func(port uint16) string { return EdgeID(PartyOf(x), PartyOf(y), flow.TCP, port) }
	named := func(ip string) flow.Endpoint { return outside(ip, "api.example") }
	habit := EdgeID(PartyOf(x), Party{Kind: PartyOutside, DNS: "api.example"}, flow.TCP, 80)
	for _, c := range []struct {
		name    string
		options Options
		to      flow.Endpoint
		want    bool
	}{
		{"closed before", Options{Closed: map[flow.Workload]time.Time{x: hour(9).Start, y: hour(9).Start}}, pod("a", "y"), true},
		{"closed after", Options{Closed: map[flow.Workload]time.Time{x: hour(11).Start, y: hour(9).Start}}, pod("a", "y"), false},
		{"open at one end", Options{Closed: map[flow.Workload]time.Time{x: hour(9).Start, y: {}}}, pod("a", "y"), false},
		{"excluded while open", Options{Closed: map[flow.Workload]time.Time{x: {}, y: {}}, Excluded: []string{id(80)}}, pod("a", "y"), true},
		{"excluded and then accepted", Options{Accepted: []string{id(80)}, Excluded: []string{id(80)}}, pod("a", "y"), false},
		{"a name of which another address is accepted", Options{Accepted: []string{EdgeID(PartyOf(x), Party{Kind: PartyOutside, DNS: "api.example", IP: named("203.0.113.1").IP}, flow.TCP, 80)}}, named("203.0.113.2"), false},
		{"a name that is accepted as a habit", Options{Accepted: []string{habit}}, named("2001:db8::2"), false},
		{"a name of which an address of IPv6 is accepted, at another port", Options{Accepted: []string{EdgeID(PartyOf(x), Party{Kind: PartyOutside, DNS: "api.example", IP: named("2001:db8::1").IP}, flow.TCP, 81)}}, named("2001:db8::2"), true},
	} {
		s := load(t, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "10.0.0.2"))
		c.options.Learning = 6 * time.Hour
		in := Input{Snapshot: s, Options: c.options, Records: []flow.Record{
			record(hour(0), pod("a", "x"), pod("a", "y"), 1, 1), record(hour(10), pod("a", "x"), c.to, 80, 1),
			record(hour(10), pod("a", "x"), named("203.0.113.1"), 443, 1),
		}}
		if c.to.DNS != "" { // the address that was accepted was seen
			other := record(hour(10), pod("a", "x"), named("203.0.113.1"), 80, 1)
			in.Records = append(in.Records, other)
		}
		for _, e := range analyse(t, in).Edges {
			if e.Port == 80 && (e.Server.Name == c.to.Workload.Name && e.Server.IP == c.to.IP || c.to.DNS == "") && e.Unseen != c.want {
				t.Errorf("%s: %s unseen %v, want %v", c.name, e.Server, e.Unseen, c.want)
			}
		}
	}
}

// TestExcludedAndDenied: what policies deny is not unseen for having been
// excluded; it teaches nothing either way.
func TestExcludedAndDenied(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "10.0.0.2"), networkPolicy("a", "{matchLabels: {app: y}}", "[]"))
	id := EdgeID(PartyOf(flow.Workload{Namespace: "a", Kind: "Deployment", Name: "x"}), PartyOf(flow.Workload{Namespace: "a", Kind: "Deployment", Name: "y"}), flow.TCP, 80)
	in := Input{Snapshot: s, Records: []flow.Record{record(hour(0), pod("a", "x"), pod("a", "y"), 80, 1)}, Options: Options{Excluded: []string{id}}}
	if e := edgeTo(t, analyse(t, in), 80); e.Unseen || e.Teaches || e.ID != id {
		t.Errorf("denied and excluded: unseen %v, teaches %v, identity %s; want %s", e.Unseen, e.Teaches, e.ID, id)
	}
}
