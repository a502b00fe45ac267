// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// TestLossIsAShare: what was lost counts against what was recorded on the same
// node. A little of much leaves a workload ready, and is said all the same.
func TestLossIsAShare(t *testing.T) {
	const each = 10_000 // connections an hour, for ten hours
	s := load(t, deployment("a", "x", "10.0.0.1", "10.0.0.2"), deployment("a", "y", "10.0.0.3"), nodeN1)
	for _, c := range []struct {
		name string
		lost uint64
		want ReadyState
	}{
		{"nothing", 0, ReadyReady},
		{"one", 1, ReadyReady},
		{"as much as may be", 100, ReadyReady},
		{"more than that", 102, ReadyStabilising},
		{"as much as was seen", 10 * each, ReadyStabilising},
	} {
		var records []flow.Record
		for h := range 10 {
			records = append(records, record(hour(h), pod("a", "x"), pod("a", "y"), 80, each))
		}
		in := Input{
			Snapshot: s, Records: records, Options: Options{Learning: 6 * time.Hour},
			Coverage: []NodeCoverage{{Node: "n1", Share: 1, Lost: c.lost}},
		}
		share := float64(c.lost) / float64(10*each+c.lost)
		for _, r := range analyse(t, in).Readiness {
			if r.State != c.want || math.Abs(r.LostShare-share) > 1e-12 || math.Abs(r.Coverage-(1-share)) > 1e-12 {
				t.Errorf("%s: %s is %s, lost %g, coverage %g; want %s, %g, %g", c.name, r.Workload, r.State, r.LostShare, r.Coverage, c.want, share, 1-share)
			}
			if said := strings.Contains(strings.Join(r.Reasons, "; "), "lost on its nodes"); said != (c.lost > 0) {
				t.Errorf("%s: %s gives the reasons %q", c.name, r.Workload, r.Reasons)
			}
		}
	}
}

func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{
		0: "0 %", 1: "100 %", 0.5: "50 %", 0.994: "99 %", 0.999: "99.9 %", 0.99999: "99.999 %", 0.9999999: "more than 99.999 %",
		0.004: "0.4 %", 0.00001: "0.001 %", 0.0000001: "less than 0.001 %",
	} {
		if got := Percent(share); got != want {
			t.Errorf("%g: got %q, want %q", share, got, want)
		}
	}
}

// TestNodesTellWhatTheyRecorded: where nodes tell how much they recorded, a
// loss is a share of that, whatever the records of its workloads say.
func TestNodesTellWhatTheyRecorded(t *testing.T) {
	for _, address := range []string{"10.0.0.1", "fd00::1"} {
		s := load(t, deployment("a", "x", address), deployment("a", "y", "10.0.0.3", "fd00::3"), nodeN1)
		in := Input{
			Snapshot: s, Records: []flow.Record{record(hour(0), pod("a", "x"), pod("a", "y"), 80, 10)},
			Coverage: []NodeCoverage{{Node: "n1", Share: 1, Lost: 100, Connections: 900}, {Node: "n2", Share: 1}},
		}
		for _, r := range analyse(t, in).Readiness {
			if r.LostShare != 0.1 {
				t.Errorf("%s: lost %g, want 0.1", r.Workload, r.LostShare)
			}
		}
	}
}

// TestProgramsOfTheCatalogue are told of edges of which the records tell none.
func TestProgramsOfTheCatalogue(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1", "fd00::1"), deployment("a", "y", "10.0.0.3"))
	named := record(hour(0), pod("a", "x"), pod("a", "y"), 81, 1)
	named.Edge.Client.Process = "/bin/now"
	in := Input{Snapshot: s, Records: []flow.Record{record(hour(0), pod("a", "x"), pod("a", "y"), 80, 1), named}}
	for _, r := range in.Records {
		in.Catalogue = append(in.Catalogue, Known{Edge: r.Edge, FirstSeen: hour(0).Start, LastSeen: hour(0).End, Programs: []string{"/bin/b", "/bin/a", "/bin/b"}})
	}
	r := analyse(t, in)
	for port, want := range map[uint16]string{80: "/bin/a /bin/b", 81: "/bin/now"} {
		if got := strings.Join(edgeTo(t, r, port).Processes, " "); got != want {
			t.Errorf("port %d: got %s, want %s", port, got, want)
		}
	}
}
