// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"runtime"
	"testing"

	"github.com/netcinch/netcinch/recommender/flow"
)

// TestLateIsNoConflict: what an end has not told yet, or told before the time
// that was asked for, is no disagreement; what both have told is.
func TestLateIsNoConflict(t *testing.T) {
	type count struct {
		hour           int
		client, server uint64
	}
	for _, c := range []struct {
		name   string
		live   bool
		counts []count
		want   string
	}{
		{"the server's newest batch is not in", true, []count{{0, 5, 5}, {1, 5, 5}, {2, 50, 0}}, ""},
		{"the client's newest batch is not in", true, []count{{0, 5, 5}, {1, 5, 5}, {2, 0, 50}}, ""},
		{"a part of the newest batches is not in", true, []count{{0, 5, 5}, {1, 5, 5}, {2, 50, 20}}, ""},
		{"the server is two windows late", true, []count{{0, 5, 5}, {1, 40, 0}, {2, 50, 0}}, ""},
		{"a connection before the time asked for at one end", true, []count{{0, 1, 0}, {1, 0, 0}, {2, 0, 0}}, ""},
		{"the other end disagreed before", true, []count{{0, 50, 5}, {1, 5, 5}, {2, 5, 5}}, "the client's end counted 55 connections, the server's end 10"},
		{"a file has all there is", false, []count{{0, 5, 5}, {1, 50, 20}}, "the client's end counted 55 connections, the server's end 25"},
	} {
		for _, address := range []string{"10.0.0.3", "fd00::3"} {
			s := load(t, deployment("a", "x", "10.0.0.1", "fd00::1"), deployment("a", "y", address))
			var records []flow.Record
			for _, n := range c.counts {
				r := record(hour(n.hour), pod("a", "x"), pod("a", "y"), 80, n.client)
				if n.client == 0 {
					r.ByClient = flow.Counters{}
				}
				if n.server > 0 {
					r.ByServer = flow.Counters{Connections: n.server, PacketsSent: n.server}
				}
				if n.hour == 0 { // of earlier connections both ends tell that they go on
					r.ByClient.PacketsSent, r.ByServer.PacketsSent = 9, 9
				}
				records = append(records, r)
			}
			r := analyse(t, Input{Snapshot: s, Records: records, Live: c.live})
			if e := edgeTo(t, r, 80); e.Conflict != c.want {
				t.Errorf("%s, %s: got %q, want %q", c.name, address, e.Conflict, c.want)
			}
		}
	}
}

// TestSameBytesOnAnyProcessors: who works on what does not show.
func TestSameBytesOnAnyProcessors(t *testing.T) {
	s := load(t, nodeN1, deployment("a", "x", "10.0.0.1", "10.0.0.2"), deployment("a", "y", "fd00::3"), deployment("b", "z", "10.0.0.4"),
		networkPolicy("a", "{}", "[{from: [{podSelector: {}}], ports: [{port: 80}, {port: 81}]}, {ports: [{port: 80}]}]"))
	var records []flow.Record
	for i := range 3 * stretch { // so that every processor gets some
		from := pod("a", "x")
		if i%3 == 1 {
			from = pod("b", "z")
		}
		to := pod("a", "y")
		if i%5 == 1 {
			to = outside("203.0.113.7", "api.example")
		}
		records = append(records, record(hour(i%4), from, to, uint16(80+i), uint64(i)))
	}
	var want string
	for _, processors := range []int{1, 4, 2} {
		before := runtime.GOMAXPROCS(processors)
		got := text(t, analyse(t, Input{Snapshot: s, Records: records}))
		runtime.GOMAXPROCS(before)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%d processors say something else than one", processors)
		}
	}
}
