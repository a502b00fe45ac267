// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// finder collects findings.
type finder struct {
	*Index
	uses     *uses
	edges    []Edge
	ready    map[string]*Readiness // by namespace/name
	window   Window
	engine   Judge
	told     map[string]bool // identities
	findings []Finding
}

// findings states everything that the report says, most severe first.
func (x *Index) findings(engine Judge, u *uses, edges []Edge, ready []Readiness, w Window) []Finding {
	f := &finder{Index: x, engine: engine, uses: u, edges: edges, ready: map[string]*Readiness{}, window: w, told: map[string]bool{}, findings: []Finding{}}
	for i := range ready {
		f.ready[ready[i].Workload.String()] = &ready[i]
	}
	f.ofPolicies()
	f.ofEdges()
	slices.SortStableFunc(f.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(severityOrder(a.Severity), severityOrder(b.Severity)), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Title, b.Title), cmp.Compare(a.ID, b.ID))
	})
	return f.findings
}

func severityOrder(s Severity) int {
	return slices.Index([]Severity{SeverityHigh, SeverityMedium, SeverityLow, SeverityInfo}, s)
}

// add completes a finding and keeps it.
func (f *finder) add(n Finding) {
	if n.Workloads == nil {
		n.Workloads = []string{}
	}
	if n.Allowances == nil {
		n.Allowances = []Allowance{}
	}
	n.Reservations = []string{}
	for _, w := range n.Workloads {
		r := f.ready[w]
		if r == nil || r.State == ReadyReady {
			continue
		}
		n.Reservations = append(n.Reservations, fmt.Sprintf("%s is %s: %s", w, r.State, strings.Join(r.Reasons, "; ")))
	}
	for copies := 1; f.told[n.ID]; copies++ { // two rules that say the same
		n.ID = identity(n.ID, fmt.Sprint(copies))
	}
	f.told[n.ID] = true
	n.Reservations = append(n.Reservations, f.schedules(n.Kind, n.Allowances)...)
	n.Ready = len(n.Reservations) == 0
	f.findings = append(f.findings, n)
}

// schedules names the CronJobs that an allowance said to be unused reaches, and
// that have not run twice in the time that was seen: their next run may use it.
func (f *finder) schedules(kind FindingKind, allowances []Allowance) []string {
	if kind != FindingUnused && kind != FindingPartlyUsed {
		return nil
	}
	names := set{}
	for _, u := range f.uses.all {
		if !slices.Contains(allowances, u.entry.Allowance) {
			continue
		}
		pods, _ := f.engine.Reach(u.allowance.ID)
		for _, i := range pods {
			name := workloadOf(&f.snapshot.Pods[i]).String()
			if r := f.ready[name]; r != nil && r.Uncovered() {
				names.add(fmt.Sprintf("%s could use it, and has not run twice yet", name))
			}
		}
	}
	return names.sorted()
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
