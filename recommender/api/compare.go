// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// How an edge changed since the earlier window.
const (
	changeNew     = "new"
	changeGone    = "gone"
	changeChanged = "changed"
	changeSame    = "same"
)

// By how much the rate of connections has to differ for an edge to have
// changed; fewer connections than the floor say nothing about a rate.
const (
	changedFactor = 2
	changedFloor  = 10
)

type compareBody struct {
	Window window       `json:"window"`
	Counts changeCounts `json:"counts"`
}

type changeCounts struct {
	New     int `json:"new"`
	Gone    int `json:"gone"`
	Changed int `json:"changed"`
	Same    int `json:"same"`
}

func (d *drawing) counts() changeCounts {
	return changeCounts{New: d.changes[changeNew], Gone: d.changes[changeGone], Changed: d.changes[changeChanged], Same: d.changes[changeSame]}
}

// before gives the view of the earlier window that the request compares with;
// nil where it does not.
func (s *Server) before(r *http.Request, q question) (*View, error) {
	values := r.URL.Query()
	if !values.Has("beforeFrom") && !values.Has("beforeTo") {
		return nil, nil
	}
	now := s.source.Now()
	from, err := moment("beforeFrom", values.Get("beforeFrom"), now)
	if err != nil {
		return nil, err
	}
	to, err := moment("beforeTo", values.Get("beforeTo"), now)
	if err != nil {
		return nil, err
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return nil, wrong("beforeFrom", "It is not before the end of the earlier window (%s).", to.Format(time.RFC3339))
	}
	return s.source.View(r.Context(), Span{Cluster: q.span.Cluster, From: from, To: to, Traffic: true})
}

// compare says of every drawn edge how it changed, and draws those that are gone.
func (d *drawing) compare(before *View) {
	earlier := map[string]*analyze.Edge{}
	then := d.chosen(before)
	for _, e := range then {
		earlier[e.ID] = e
	}
	scale := hours(d.view) / hours(before)
	drawn := map[string]bool{}
	for i := range d.edges {
		e := &d.edges[i]
		drawn[e.ID] = true
		e.Change = changeNew
		if old := earlier[e.ID]; old != nil {
			e.Earlier = old.Counters.Connections
			e.Change = changeOf(e, old, scale)
		}
		d.changes[e.Change]++
	}
	noise := noiseOf(before)
	for _, e := range then {
		if drawn[e.ID] {
			continue
		}
		gone := d.line(e, noise[e.ID])
		gone.Change, gone.Earlier, gone.Connections, gone.Bytes = changeGone, gone.Connections, 0, 0
		d.edges = append(d.edges, gone)
		d.changes[changeGone]++
	}
}

// changeOf compares verdicts, and rates where there is enough to compare; scale
// is how much longer the present window is.
func changeOf(e *graphEdge, old *analyze.Edge, scale float64) string {
	if state, denied := stateOf(old); state != e.State || denied != e.Denied {
		return changeChanged
	}
	now, then := float64(e.Connections), float64(old.Counters.Connections)*scale
	if max(now, then) >= changedFloor && max(now, then) >= changedFactor*min(now, then) {
		return changeChanged
	}
	return changeSame
}

// hours is how long a view looks at what was seen; never nothing.
func hours(v *View) float64 {
	w, seen := windowOf(v), v.Report.Window
	from, to := w.From, w.To
	if !seen.From.IsZero() && seen.From.After(from) {
		from = seen.From
	}
	if !seen.To.IsZero() && seen.To.Before(to) {
		to = seen.To
	}
	return max(to.Sub(from).Hours(), 1.0/3600)
}
