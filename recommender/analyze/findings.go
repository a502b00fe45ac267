// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// finder collects findings.
type finder struct {
	*Index
	uses     *uses
	edges    []Edge
	ready    map[string]*Readiness // by namespace/name
	window   Window
	blind    bool // nothing was recorded: nobody can say what is used
	engine   *policy.Engine
	findings []Finding

	reaches   map[policy.AllowanceID]*policy.Reached
	reachedBy map[*policy.Reached][]string // their workloads, sorted
	traffic   map[string][]int32           // edges by workload
	cron      []string                     // CronJobs whose schedule is not covered, sorted
	unread    map[string][]string          // what is not understood, by workload that it may apply to
	subjects  map[cluster.Ref][]string     // workloads by policy
	idle      []string                     // room for workloads that did not use a peer
}

// findings states everything that the report says, most severe first.
func (x *Index) findings(engine *policy.Engine, u *uses, edges []Edge, folded *foldings, r *roll, ready []Readiness, w Window) []Finding {
	f := &finder{
		Index: x, engine: engine, uses: u, edges: edges, ready: map[string]*Readiness{}, window: w, blind: len(edges) == 0,
		findings: []Finding{}, reaches: engine.Reaches(), reachedBy: map[*policy.Reached][]string{},
		unread: map[string][]string{}, traffic: map[string][]int32{},
	}
	for i := range ready {
		name := ready[i].Workload.String()
		f.ready[name] = &ready[i]
		if ready[i].Uncovered() {
			f.cron = append(f.cron, name)
		}
	}
	for n, own := range folded.touching() {
		if len(own) > 0 {
			f.traffic[r.names[n]] = merge(f.traffic[r.names[n]], own)
		}
	}
	f.notUnderstood()
	f.ofPolicies()
	f.ofOrder()
	f.ofEdges()
	f.number()
	return sorted(f.findings)
}

// merge joins edges of workloads of one name.
func merge(a, b []int32) []int32 {
	if len(a) == 0 {
		return b
	}
	both := slices.Concat(a, b)
	slices.Sort(both)
	return slices.Compact(both)
}

// sorted puts findings in the order in which people read them.
func sorted(list []Finding) []Finding {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	rank := map[Severity]int{SeverityHigh: 0, SeverityMedium: 1, SeverityLow: 2, SeverityInfo: 3}
	slices.SortFunc(order, func(i, k int) int {
		a, b := &list[i], &list[k]
		return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Title, b.Title), cmp.Compare(a.ID, b.ID), cmp.Compare(i, k))
	})
	out := make([]Finding, len(list))
	for at, i := range order {
		out[at] = list[i]
	}
	return out
}

// spread has findings about each of n things made on every processor, and keeps
// them in the order of those.
func (f *finder) spread(n int, find func(f *finder, i int)) {
	found := make([][]Finding, n)
	shared(n, func() func(int) {
		own := *f
		own.reachedBy, own.idle = map[*policy.Reached][]string{}, nil
		return func(i int) {
			own.findings = nil
			find(&own, i)
			found[i] = own.findings
		}
	})
	f.findings = append(f.findings, slices.Concat(found...)...)
}

// number tells findings apart that say the same of two rules.
func (f *finder) number() {
	told := make(map[string]bool, len(f.findings))
	for i := range f.findings {
		n := &f.findings[i]
		for copies := 1; told[n.ID]; copies++ {
			n.ID = identity(n.ID, fmt.Sprint(copies))
		}
		told[n.ID] = true
	}
}

// add completes a finding and keeps it. ids are the allowances that it is about.
func (f *finder) add(n Finding, ids ...policy.AllowanceID) {
	if n.Workloads == nil {
		n.Workloads = []string{}
	}
	if n.Allowances == nil {
		n.Allowances = []Allowance{}
	}
	n.Reservations = append([]string{}, n.Reservations...)
	if !n.Kind.structural() {
		n.Reservations = append(n.Reservations, f.unripe(n.Workloads)...)
	}
	if n.Kind == FindingUnused || n.Kind == FindingPartlyUsed {
		n.Reservations = append(n.Reservations, f.schedules(ids)...)
	}
	if n.Scope != ScopeEdge {
		n.Reservations = append(n.Reservations, f.doubts(n.Workloads)...)
	}
	n.Ready = len(n.Reservations) == 0
	f.findings = append(f.findings, n)
}

// structural says whether a finding follows from the policies alone, whatever
// the traffic.
func (k FindingKind) structural() bool {
	return k == FindingSelectsNothing || k == FindingShadowed || k == FindingAmbiguous || k == FindingNotUnderstood
}

// unripe names workloads about which too little is known.
func (f *finder) unripe(workloads []string) []string {
	var out []string
	for _, w := range workloads {
		if r := f.ready[w]; r != nil && r.State != ReadyReady {
			out = append(out, fmt.Sprintf("%s is %s: %s", w, r.State, strings.Join(r.Reasons, "; ")))
		}
	}
	return out
}

// doubts names what is not understood and may apply to workloads.
func (f *finder) doubts(workloads []string) []string {
	if len(f.unread) == 0 {
		return nil
	}
	texts := set{}
	for _, w := range workloads {
		for _, text := range f.unread[w] {
			texts.add(text)
		}
	}
	return texts.sorted()
}

// schedules names the CronJobs that allowances said to be unused reach, and
// that have not run twice in the time that was seen: their next run may use it.
func (f *finder) schedules(ids []policy.AllowanceID) []string {
	if len(f.cron) == 0 {
		return nil
	}
	names := set{}
	for _, id := range ids {
		may, _ := f.workloads(id)
		for _, name := range f.cron {
			if _, ok := slices.BinarySearch(may, name); ok {
				names.add(fmt.Sprintf("%s could use it, and has not run twice yet", name))
			}
		}
	}
	return names.sorted()
}

// workloads gives those that may be the other end of an allowance, sorted;
// anyone says that it is open to every address.
func (f *finder) workloads(id policy.AllowanceID) (names []string, anyone bool) {
	r := f.reaches[id]
	if r == nil {
		return nil, false
	}
	known, ok := f.reachedBy[r]
	if !ok {
		known = f.workloadsOf(r.Pods)
		f.reachedBy[r] = known
	}
	return known, r.Anyone
}

// workloadsOf names the workloads of pods that live, sorted.
func (x *Index) workloadsOf(pods []int) []string {
	seen := map[*string]bool{} // pods of a workload share the text of its name
	names := []string{}
	for _, i := range pods {
		if p := &x.snapshot.Pods[i]; !p.Finished {
			if name := x.names[workloadOf(p)]; name != nil && !seen[name] {
				seen[name] = true
				names = append(names, *name)
			}
		}
	}
	return sortUnique(names)
}

// period says which time a finding speaks of.
func (f *finder) period() string {
	return fmt.Sprintf("in the %s from %s to %s", Span(f.window.To.Sub(f.window.From)), Moment(f.window.From), Moment(f.window.To))
}

// Moment writes a time as people read it, in UTC.
func Moment(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// Plural gives "1 connection", "3 connections".
func Plural[N int | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// List gives "a", "a and b", "a, b and 3 more", naming at most limit.
func List(names []string, limit int) string {
	switch {
	case len(names) == 0:
		return "nothing"
	case len(names) == 1:
		return names[0]
	case len(names) > limit:
		return strings.Join(names[:limit], ", ") + fmt.Sprintf(" and %d more", len(names)-limit)
	default:
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
}
