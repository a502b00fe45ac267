// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"time"
)

// Analyze folds the records, judges every edge, counts the use of every
// allowance and states findings. An error means that the input is unusable;
// what could not be known is in Report.Notes.
func Analyze(in Input) (*Report, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	x := NewIndex(in.Snapshot)
	folded := x.fold(in.Records)
	h := x.newHistory(in, folded)
	u := x.uses(in.Engine)
	edges := x.edges(in, folded, h)
	u.count(edges)
	r := &Report{Window: period(in), Learning: h.learning.Seconds(), Edges: edges, Notes: []string{}}
	r.Readiness = x.readiness(in, edges, folded, h)
	r.Findings = x.findings(in.Engine, u, edges, r.Readiness, r.Window)
	r.Usage = u.entries()
	for i := range edges {
		if edges[i].Conflict != "" {
			r.Conflicts++
		}
	}
	r.note(x, in)
	return r, nil
}

// period is the window that the report speaks of.
func period(in Input) Window {
	w := Window{From: in.Window.Start, To: in.Window.End}
	var first, last time.Time
	for i := range in.Records {
		r := &in.Records[i]
		if !r.Window.Start.IsZero() {
			earliest(&first, r.Window.Start)
		}
		if r.Window.End.After(last) {
			last = r.Window.End
		}
	}
	if w.From.IsZero() {
		w.From = first
	}
	if w.To.IsZero() {
		w.To = last
	}
	return w
}

// note says what the analysis could not know.
func (r *Report) note(x *Index, in Input) {
	if len(in.Records) == 0 {
		r.Notes = append(r.Notes, "No flow was recorded in this window: nothing can be said about use.")
	}
	unknown, guessed := 0, 0
	for i := range r.Edges {
		if r.Edges[i].Verdict.State == StateUnknown {
			unknown++
		}
		if r.Edges[i].Guessed {
			guessed++
		}
	}
	if unknown > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%s have an end that is not in the manifests or the cluster any more; they have no verdict.", Plural(unknown, "edge")))
	}
	if guessed > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("Of %s the direction was guessed from the port numbers.", Plural(guessed, "edge")))
	}
	for _, p := range x.snapshot.Problems {
		if p.Ref.Name != "" {
			r.Notes = append(r.Notes, fmt.Sprintf("%s was left out: %s.", p.Ref, p.Message))
		}
	}
	var lost uint64
	for _, c := range in.Coverage {
		lost += c.Lost
	}
	if lost > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d flows were lost while recording; what they were is not known.", lost))
	}
}
