// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"slices"
	"testing"

	"github.com/netcinch/netcinch/recommender/flow"
)

func TestBothEndsAreNotDoubled(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1", "10.0.0.2"), deployment("a", "y", "10.0.0.3"))
	at := func(name string) flow.Endpoint { e := pod("a", "x"); e.Pod = name; return e }
	both := record(hour(0), at("x-0"), pod("a", "y"), 80, 5)
	both.ByServer = flow.Counters{Connections: 5, BytesSent: 50}
	// The same connections told by two records, one by each end's agent.
	client, server := record(hour(1), at("x-0"), pod("a", "y"), 80, 7), record(hour(1), at("x-0"), pod("a", "y"), 80, 0)
	server.ByServer = flow.Counters{Connections: 7, BytesSent: 70}
	server.Edge.Server.Process = "/bin/y"
	// Only the server's end is watched.
	unwatched := record(hour(1), at("x-1"), pod("a", "y"), 80, 0)
	unwatched.ByServer = flow.Counters{Connections: 3, BytesSent: 30}

	r := analyse(t, Input{Snapshot: s, Records: []flow.Record{both, client, server, unwatched}})
	e := edgeTo(t, r, 80)
	if len(r.Edges) != 1 || e.Counters.Connections != 15 || e.Counters.BytesSent != 150 {
		t.Errorf("got %d edges, %+v; want one with 15 connections and 150 bytes", len(r.Edges), e.Counters)
	}
	if e.ByClient.Connections != 12 || e.ByServer.Connections != 15 || e.Outcomes.Established != 15 {
		t.Errorf("by client %d, by server %d, established %d; want 12, 15, 15", e.ByClient.Connections, e.ByServer.Connections, e.Outcomes.Established)
	}
	if e.Bins != 2 || !e.First.Equal(hour(0).Start) || !e.Last.Equal(hour(1).End) {
		t.Errorf("bins %d, %s to %s", e.Bins, e.First, e.Last)
	}
}

func TestConflictsAreCountedAndShown(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "fd00::3"))
	for _, c := range []struct {
		name               string
		client, server     uint64
		atClient, atServer flow.Outcome
		want               string
		connections        uint64
	}{
		{"same", 100, 100, flow.Established, flow.Established, "", 100},
		{"astride a window", 100, 95, flow.Established, flow.Established, "", 100},
		{"one end only", 100, 0, flow.Established, flow.Established, "", 100},
		{"counts", 100, 50, flow.Established, flow.Established, "the client's end counted 100 connections, the server's end 50", 100},
		{"outcome", 10, 10, flow.Unanswered, flow.Established, "only the server's end saw connections come about (10)", 10},
	} {
		a, b := record(hour(0), pod("a", "x"), pod("a", "y"), 80, c.client), record(hour(0), pod("a", "x"), pod("a", "y"), 80, 0)
		a.Edge.Outcome, b.Edge.Outcome = c.atClient, c.atServer
		b.ByServer.Connections = c.server
		r := analyse(t, Input{Snapshot: s, Records: []flow.Record{a, b}})
		e := edgeTo(t, r, 80)
		wantCount := 0
		if c.want != "" {
			wantCount = 1
		}
		if e.Conflict != c.want || r.Conflicts != wantCount || len(findings(r, FindingConflict)) != wantCount {
			t.Errorf("%s: %q, counted %d, found %v; want %q", c.name, e.Conflict, r.Conflicts, findings(r, FindingConflict), c.want)
		}
		if e.Counters.Connections != c.connections {
			t.Errorf("%s: %d connections, want %d", c.name, e.Counters.Connections, c.connections)
		}
	}
}

func TestParties(t *testing.T) {
	s := load(t, nodeN1, deployment("a", "x", "10.0.0.1", "fd00::1"))
	s.Pods[0].Started = hour(5).Start
	index := NewIndex(s)
	for _, c := range []struct {
		name string
		e    flow.Endpoint
		want string
	}{
		{"workload", pod("a", "x"), "a/x"},
		{"workload without kind", flow.Endpoint{Workload: flow.Workload{Namespace: "a", Name: "x"}}, "a/x"},
		{"pod by name", flow.Endpoint{Workload: flow.Workload{Namespace: "a"}, Pod: "x-1"}, "a/x"},
		{"pod that is gone", flow.Endpoint{Workload: flow.Workload{Namespace: "a"}, Pod: "old-1"}, "a/old-1"},
		{"address of a pod", outside("fd00::1", ""), "a/x"},
		{"address that a pod owned only later", outside("10.0.0.1", ""), "10.0.0.1"},
		{"address of a node", outside("192.168.0.1", ""), "node n1"},
		{"IPv6 address of a node", outside("fd00:1::1", ""), "node n1"},
		{"node", flow.Endpoint{Node: "n1"}, "node n1"},
		{"outside", outside("203.0.113.1", "x.example"), "x.example (203.0.113.1)"},
		{"IPv4 in IPv6", outside("::ffff:203.0.113.1", ""), "203.0.113.1"},
	} {
		if got := index.party(c.e, hour(0)).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestOrderOfRecordsChangesNothing(t *testing.T) {
	s := load(t, nodeN1, deployment("a", "x", "10.0.0.1"), deployment("a", "y", "10.0.0.3"), networkPolicy("a", "{}", "[{ports: [{port: 80}, {port: 81}]}]"))
	records := []flow.Record{
		record(hour(0), pod("a", "x"), pod("a", "y"), 80, 1), record(hour(1), pod("a", "x"), pod("a", "y"), 80, 2),
		record(hour(1), pod("a", "y"), pod("a", "x"), 99, 2), record(hour(1), pod("a", "y"), outside("2001:db8::1", ""), 99, 2),
	}
	first := analyse(t, Input{Snapshot: s, Records: slices.Clone(records)})
	slices.Reverse(records)
	second := analyse(t, Input{Snapshot: s, Records: records})
	if a, b := text(t, first), text(t, second); a != b {
		t.Errorf("got\n%s\nand\n%s", a, b)
	}
}
