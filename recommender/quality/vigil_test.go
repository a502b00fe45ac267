// SPDX-License-Identifier: Apache-2.0

package quality

import (
	"testing"
	"time"
)

// mostFalse is how many alerts may wake somebody without a cause, for each
// 1,000 workloads and day, in the week after three weeks of learning.
const mostFalse = 1.0

// mostWorkloads is how many a topology may have that is measured again and again.
const mostWorkloads = 100

// tally sums up what was told without an attack.
type tally struct{ days, firstDays, late, first, held float64 }

func (n *tally) add(v *Vigil) {
	n.days += v.Settled * float64(v.Workloads)
	n.firstDays += (v.Days - v.Settled) * float64(v.Workloads)
	n.late += float64(len(v.FalseLate))
	n.first += float64(len(v.False) - len(v.FalseLate))
	n.held += float64(v.Held)
}

// TestAttacks measures detection and time to alert; on one topology in a plain
// test run, on all of them with -seeds.
func TestAttacks(t *testing.T) {
	topologies := []Topology{Boutique()}
	if *seeds > 0 {
		topologies = Topologies()
	}
	for _, top := range topologies {
		v, err := Watch(top, 0, 24*time.Hour, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Attacks) != len(attacks) {
			t.Fatalf("%s: %d of %d attacks were made", top.Name, len(v.Attacks), len(attacks))
		}
		checkAttacks(t, v)
	}
}

// TestFalseAlerts measures what wakes somebody without an attack; of all
// topologies with -seeds.
func TestFalseAlerts(t *testing.T) {
	topologies, n, periods := []Topology{Boutique()}, 1, []time.Duration{21 * 24 * time.Hour}
	if *seeds > 0 {
		topologies, n, periods = Topologies(), *seeds, []time.Duration{24 * time.Hour, 7 * 24 * time.Hour, 21 * 24 * time.Hour}
	}
	sums := make([]tally, len(periods))
	for _, top := range topologies {
		for seed := range uint64(n) {
			for i, learning := range periods {
				if len(top.Workloads) > mostWorkloads && (seed > 0 || i > 0) {
					continue // it takes minutes
				}
				v, err := Watch(top, seed, learning, false)
				if err != nil {
					t.Fatal(err)
				}
				sums[i].add(v)
				for _, text := range v.False {
					t.Logf("%s, seed %d, learnt %s: without an attack: %s", v.Topology, seed, learning, text)
				}
			}
		}
	}
	for i, s := range sums {
		rate := 1000 * s.late / s.days
		t.Logf("learnt %s: false alerts per 1,000 workloads and day: %.2f in the last week (%.0f in %.0f workload days), %.2f before (%.0f in %.0f); held and told to nobody: %.0f",
			periods[i], rate, s.late, s.days, 1000*s.first/s.firstDays, s.first, s.firstDays, s.held)
		if periods[i] > 14*24*time.Hour && rate >= mostFalse {
			t.Errorf("%.2f false alerts per 1,000 workloads and day, want less than %g", rate, mostFalse)
		}
	}
}

// mostTold is how often one attack may wake somebody.
const mostTold = 2

func checkAttacks(t *testing.T, v *Vigil) {
	t.Helper()
	for _, d := range v.Attacks {
		t.Logf("%s: %s: told after %s as %v, %d in all", v.Topology, d.Name, d.After, d.Kinds, d.Told)
		if d.After < 0 || d.After > 5*time.Minute {
			t.Errorf("%s: %s: told after %s", v.Topology, d.Name, d.After)
		}
		if d.Told > mostTold {
			t.Errorf("%s: %s: somebody was woken %d times for one thing", v.Topology, d.Name, d.Told)
		}
	}
}
