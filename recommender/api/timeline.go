// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// maxTicks is how many bars a timeline has at most.
const maxTicks = 120

type timelineBody struct {
	Meta  meta   `json:"meta"`
	Items []tick `json:"items"`
}

// tick is one bar of the timeline.
type tick struct {
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Connections uint64    `json:"connections"`
	Failed      uint64    `json:"failed"` // refused, unanswered or dropped
	New         int       `json:"new"`    // edges that were seen for the first time
}

// timeline says how much there was when, for whoever picks a time to look at.
func (s *Server) timeline(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	return s.answerLazily(w, r, v.Key, func() any {
		return timelineBody{Meta: metaOf(v), Items: ticksOf(v, q.namespace)}
	})
}

func ticksOf(v *View, namespace string) []tick {
	records := v.Input.Records
	var from, to time.Time
	var finest time.Duration
	for i := range records {
		w := records[i].Window
		if from.IsZero() || w.Start.Before(from) {
			from = w.Start
		}
		if w.End.After(to) {
			to = w.End
		}
		if size := w.End.Sub(w.Start); size > 0 && (finest == 0 || size < finest) {
			finest = size
		}
	}
	if finest == 0 || !from.Before(to) {
		return nil
	}
	step := max(finest, (to.Sub(from)/maxTicks).Truncate(time.Second)+time.Second)
	out := make([]tick, int((to.Sub(from)+step-1)/step))
	for i := range out {
		out[i].Start, out[i].End = from.Add(time.Duration(i)*step).UTC(), from.Add(time.Duration(i+1)*step).UTC()
	}
	out[len(out)-1].End = to.UTC()
	at := func(t time.Time) *tick { return &out[min(int(t.Sub(from)/step), len(out)-1)] }
	for i := range records {
		r := &records[i]
		if !inNamespace(v, r, namespace) {
			continue
		}
		one := at(r.Window.Start)
		n := r.Counters().Connections
		one.Connections += n
		if r.Edge.Outcome != flow.Established {
			one.Failed += n
		}
	}
	for i := range v.Report.Edges {
		e := &v.Report.Edges[i]
		if touches(e, namespace) && !e.First.Before(from) && e.First.Before(to) {
			at(e.First).New++
		}
	}
	return out
}

func inNamespace(v *View, r *flow.Record, namespace string) bool {
	if namespace == "" {
		return true
	}
	client, server := v.Index.Parties(r)
	return client.Namespace == namespace || server.Namespace == namespace
}
