// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"slices"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Side gives the verdict at one end in the words of the report, with the file
// and line of each step.
func (x *Index) Side(d policy.DirectionVerdict) Side { return x.side(d) }

// Bin is what was counted on one edge in one window, both ends merged.
type Bin struct {
	Window   flow.Window
	Counters Counters
	Outcomes Outcomes
}

// Series gives of the records that one edge of the report was folded from (its
// ID) one bin a window, oldest first.
func (x *Index) Series(records []flow.Record, id string) []Bin {
	windows := map[flow.Window]*folded{}
	wanted := map[key]bool{}
	for i := range records {
		r := &records[i]
		k := key{x.party(r.Edge.Client, r.Window), x.party(r.Edge.Server, r.Window), r.Edge.Protocol, r.Edge.Port}
		is, known := wanted[k]
		if !known {
			is = k.id() == id
			wanted[k] = is
		}
		if !is {
			continue
		}
		f := windows[r.Window]
		if f == nil {
			f = &folded{key: k}
			windows[r.Window] = f
		}
		f.add(r)
	}
	bins := make([]Bin, 0, len(windows))
	for w, f := range windows {
		sum := f.sum(always)
		bins = append(bins, Bin{Window: w, Counters: countersOf(sum.merged), Outcomes: sum.outcomes})
	}
	slices.SortFunc(bins, func(a, b Bin) int { return a.Window.Start.Compare(b.Window.Start) })
	return bins
}
