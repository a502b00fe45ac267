// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// goodCoverage is the Good–Turing coverage from which evidence counts as
// stable: 19 of 20 sightings of anything are of something already known.
const goodCoverage = 0.95

// readiness says for each workload how far its evidence can be trusted.
func (x *Index) readiness(in Input, edges []Edge, f *foldings, h *history) []Readiness {
	touching := f.touching()
	missed := x.losses(in, f)
	bins := f.bins(f.marks)
	out := make([]Readiness, 0, len(x.order))
	for _, w := range x.order {
		p := PartyOf(w)
		var own []int32
		if n := f.numberOf(&p); n >= 0 {
			own = touching[n]
		}
		r := Readiness{Workload: p, Since: h.since(p, x), Edges: len(own), Period: x.period(w).Seconds(), Reasons: []string{}, Caveats: []string{}}
		if r.Since.IsZero() || h.end.Before(r.Since) {
			r.Observed = 0
		} else {
			r.Observed = h.end.Sub(r.Since).Seconds()
		}
		r.sight(edges, own, len(bins))
		if period := x.period(w); period > 0 {
			r.Runs = runs(f.binsOf(own), period)
		}
		missed.lose(x, &r, w)
		r.unnamed(p, edges, own)
		r.judge(h.learning)
		r.lifecycle(x, f, h)
		out = append(out, r)
	}
	return out
}

// touching lists the numbers of the edges of each workload, ascending.
func (f *foldings) touching() [][]int32 {
	count := make([]int32, len(f.parties))
	visit := func(do func(party, edge int32)) {
		for i := range f.len() {
			from, to := f.ends(i)
			if f.parties[from].Kind == PartyWorkload {
				do(from, int32(i))
			}
			if to != from && f.parties[to].Kind == PartyWorkload {
				do(to, int32(i))
			}
		}
	}
	visit(func(party, _ int32) { count[party]++ })
	out := make([][]int32, len(f.parties))
	for p, n := range count {
		if n > 0 {
			out[p] = make([]int32, 0, n)
		}
	}
	visit(func(party, edge int32) { out[party] = append(out[party], edge) })
	return out
}

// bins lists the windows, ascending, of the records of some marks.
func (f *foldings) bins(marks ...[]mark) []int64 {
	known := map[int64]bool{}
	last := int64(0)
	for _, list := range marks {
		for i := range list {
			if bin := f.records[list[i].record].Window.Start.UnixNano(); bin != last || len(known) == 0 {
				known[bin], last = true, bin
			}
		}
	}
	return slices.Sorted(maps.Keys(known))
}

// binsOf lists the windows in which some of the edges were seen.
func (f *foldings) binsOf(edges []int32) []int64 {
	marks := make([][]mark, 0, len(edges))
	for _, i := range edges {
		marks = append(marks, f.of(int(i)))
	}
	return f.bins(marks...)
}

// runs counts the runs of a CronJob: stretches of time bins in which it was
// seen, a quarter of its period or more apart.
func runs(bins []int64, period time.Duration) int {
	n, last := 0, int64(0)
	for _, b := range bins {
		if n == 0 || b-last >= int64(period/4) {
			n++
		}
		last = b
	}
	return n
}

// sight computes the Good–Turing estimate over time bins. Where all records
// were folded to one bin, connections stand in for bins.
func (r *Readiness) sight(edges []Edge, own []int32, bins int) {
	for _, i := range own {
		e := &edges[i]
		n := e.Bins
		if bins < 2 {
			n = int(min(max(e.Counters.Connections, 1), 1<<30))
		}
		r.Sightings += n
		if n == 1 {
			r.Single++
		}
		if e.First.After(r.Newest) {
			r.Newest = e.First
		}
	}
	if r.Sightings > 0 {
		r.Coverage = 1 - float64(r.Single)/float64(r.Sightings)
	}
}

// unnamed says which edges have an outside end whose address nobody knows: no
// rule can be made for them, so that a policy made of the rest would cut them.
func (r *Readiness) unnamed(p Party, edges []Edge, own []int32) {
	names := set{}
	n := 0
	for _, i := range own {
		far := &edges[i].Server
		if far.Kind == PartyWorkload && *far == p {
			far = &edges[i].Client
		}
		if far.Kind == PartyOutside && !far.IP.IsValid() {
			n++
			names.add(far.String())
		}
	}
	if n > 0 {
		r.Reasons = append(r.Reasons, fmt.Sprintf("it has %s with %s, whose addresses the records do not tell", Plural(n, "edge"), List(names.sorted(), 3)))
	}
}

// judge sums up. The order is that of what a person has to wait for.
func (r *Readiness) judge(learning time.Duration) {
	waits := len(r.Reasons) > 0
	if r.Lost > 0 {
		r.Reasons = append(r.Reasons, fmt.Sprintf("%s lost on its nodes, %s of all there", lostText(r.Lost), Percent(r.LostShare)))
		waits = waits || r.LostShare > goodLoss
	}
	if r.Edges > 0 && r.Coverage < goodCoverage {
		r.Reasons = append(r.Reasons, fmt.Sprintf("coverage is %s (of %d sightings, %d were of edges seen once only)", Percent(r.Coverage), r.Sightings, r.Single))
	}
	waits = waits || r.Edges > 0 && r.Coverage < goodCoverage
	late := r.Observed < learning.Seconds()
	if late {
		r.Reasons = append(r.Reasons, fmt.Sprintf("observed for %s of %s", Span(seconds(r.Observed)), Span(learning)))
	}
	cron := r.Uncovered()
	if cron {
		r.Reasons = append(r.Reasons, fmt.Sprintf("its schedule runs every %s at the longest; observed for %s, two periods are needed", Span(seconds(r.Period)), Span(seconds(r.Observed))))
	}
	switch {
	case r.Edges == 0:
		r.State = ReadySilent
		r.Reasons = append([]string{"no traffic was seen"}, r.Reasons...)
	case late || cron:
		r.State = ReadyLearning
	case waits:
		r.State = ReadyStabilising
	default:
		r.State = ReadyReady
	}
}

// Uncovered says whether a CronJob's schedule has not been covered: what its
// next run does nobody has seen. False for other kinds.
func (r *Readiness) Uncovered() bool {
	return r.Period > 0 && r.Observed < 2*r.Period && r.Runs < 2
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Span writes a duration as people do: "3 days", "2 h 5 min", "40 s".
func Span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	case d >= time.Hour:
		if m := int(d % time.Hour / time.Minute); m > 0 {
			return fmt.Sprintf("%d h %d min", int(d/time.Hour), m)
		}
		return fmt.Sprintf("%d h", int(d/time.Hour))
	case d >= time.Minute:
		if s := int(d % time.Minute / time.Second); s > 0 {
			return fmt.Sprintf("%d min %d s", int(d/time.Minute), s)
		}
		return fmt.Sprintf("%d min", int(d/time.Minute))
	default:
		return fmt.Sprintf("%d s", int(d/time.Second))
	}
}
