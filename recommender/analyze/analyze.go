// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/policy"
)

// Analyze folds the records, judges every edge, counts the use of every
// allowance and states findings. An error means that the input is unusable;
// what could not be known is in Report.Notes.
func Analyze(in Input) (*Report, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	in.stage("putting flows together")
	x := NewIndex(in.Snapshot)
	var u *uses
	var beside sync.WaitGroup
	beside.Go(func() { u = x.uses(in.Engine) })
	folded, seen := x.fold(in.Records)
	edges := folded.edges()
	h := x.newHistory(in, folded, edges)
	h.sightings = seen
	seen.await(in)
	beside.Wait()
	who := x.roll(folded, NewCrowds(x, in.Engine, policy.NewKinship(in.Engine)))
	x.judge(in, edges, folded, who, h)
	in.stage("counting use")
	r := &Report{Window: period(in), Learning: h.learning.Seconds(), Edges: edges, Notes: []string{}}
	beside.Go(func() { r.Readiness = x.readiness(in, edges, folded, h) })
	u.count(edges, folded, who)
	beside.Wait()
	in.stage("looking for findings")
	r.Findings = x.findings(in.Engine, u, edges, folded, who, r.Readiness, r.Window)
	r.Usage, r.Totals = u.entries(), u.sumsUp()
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
	r.Notes = append(r.Notes, emptyNotes(in)...)
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

// maxUnwatched bounds how many nodes a note names.
const maxUnwatched = 6

// emptyNotes says what a window without traffic, or without anybody who
// watched, means.
func emptyNotes(in Input) []string {
	var notes, never, partly []string
	for _, c := range in.Coverage {
		switch {
		case c.Share <= 0:
			never = append(never, c.Node)
		case c.Share < 1:
			partly = append(partly, fmt.Sprintf("%s (%s)", c.Node, Percent(c.Share)))
		}
	}
	slices.Sort(never)
	slices.Sort(partly)
	switch {
	case len(in.Records) > 0:
	case len(in.Coverage) > 0 && len(never) == len(in.Coverage):
		notes = append(notes, "No flow was recorded in this window, and no agent watched: nothing can be said about use, and nothing is called unused.")
	default:
		notes = append(notes, "No flow was recorded in this window: nothing can be said about use, and nothing is called unused.")
	}
	if len(never) > 0 && len(never) < len(in.Coverage) {
		notes = append(notes, fmt.Sprintf("In this window nobody watched %s; what only runs there was not seen.", List(never, maxUnwatched)))
	}
	if len(partly) > 0 {
		notes = append(notes, fmt.Sprintf("Watched for a part of this window only: %s.", List(partly, maxUnwatched)))
	}
	return notes
}
