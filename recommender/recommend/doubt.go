// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// doubt says what policies that are not understood make uncertain: nothing is
// recommended about them, by name, and what is about the workloads that they
// may select is not ready.
func (w *world) doubt(all []Recommendation) []Recommendation {
	for i := range w.report.Findings {
		f := &w.report.Findings[i]
		if f.Kind != analyze.FindingNotUnderstood {
			continue
		}
		why := f.Title
		if len(f.Evidence) > 0 {
			why = strings.TrimSuffix(f.Evidence[0], ".")
		}
		for k := range all {
			all[k].uncertain(f.Workloads, why)
		}
		if f.Policy == nil || !w.input.Scope.touches(f.Policy.Cluster(), f.Workloads) {
			continue
		}
		r := Recommendation{
			ID: identity("not understood", f.ID), Kind: KindNone, Title: fmt.Sprintf("Tighten %s", f.Policy.Cluster()), Namespace: f.Namespace,
			Workloads: append([]string{}, f.Workloads...), Policy: *f.Policy, File: f.File, Line: f.Line,
			Changes: []Change{}, Evidence: append([]string{}, f.Evidence...), Proof: emptyProof(),
			Withheld: "it is not understood, so nothing is said about it: " + why,
		}
		r.Readiness, _ = w.states(r.Workloads)
		all = append(all, r)
	}
	return all
}

// uncertain makes a recommendation not ready where it is about any of some
// workloads.
func (r *Recommendation) uncertain(workloads []string, why string) {
	if r.Withheld != "" || !slices.ContainsFunc(r.Workloads, func(name string) bool { return slices.Contains(workloads, name) }) {
		return
	}
	r.Ready = false
	r.Evidence = append(slices.Clone(r.Evidence), why+".")
	for i := range r.Readiness {
		s := &r.Readiness[i]
		if slices.Contains(workloads, s.Workload) {
			s.Reasons = append(slices.Clone(s.Reasons), why)
		}
	}
}
