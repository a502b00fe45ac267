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
