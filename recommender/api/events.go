// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// ViewEvent says that something was recomputed.
type ViewEvent struct {
	Cluster         string `json:"cluster"`
	Version         uint64 `json:"version"`
	Edges           int    `json:"edges"`
	Findings        int    `json:"findings"`
	Recommendations int    `json:"recommendations"`
}

// ViewEventOf is the event of a new view.
func ViewEventOf(v *View) ViewEvent {
	return ViewEvent{Cluster: v.Cluster, Version: v.Version, Edges: len(v.Report.Edges), Findings: len(v.Report.Findings), Recommendations: offered(v)}
}

// AlertEventOf is the event of a finding that was not there before.
func AlertEventOf(v *View, f *analyze.Finding) any { return findingOf(v, f) }

// The kinds of event.
const (
	EventView  = "view"
	EventAlert = "alert"
)

// beat is how often a quiet stream says that it is there, and how long a
// reader may take for one write.
const beat = 15 * time.Second

func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	q, err := s.question(r)
	if err != nil {
		return err
	}
	// A browser sends the header when it comes back by itself; a page that opens
	// the stream anew cannot set headers.
	missed, stream, complete := s.hub.listen(cmp.Or(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("lastEventId")))
	defer s.hub.leave(stream)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	var first strings.Builder
	first.WriteString("retry: 2000\n\n")
	if !complete {
		// What was missed is not known: the newest view says it all.
		if v, err := s.source.View(r.Context(), Span{Cluster: q.span.Cluster}); err == nil {
			data, err := json.Marshal(ViewEventOf(v))
			if err != nil {
				return err
			}
			fmt.Fprintf(&first, "event: %s\ndata: %s\n\n", EventView, data)
		}
	}
	for _, e := range missed {
		first.WriteString(s.format(e))
	}
	s.stream(w, r, out, first.String(), stream)
	return nil
}

func (s *Server) format(e event) string {
	return fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", s.hub.id(e.number), e.kind, e.data)
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request, out *http.ResponseController, text string, stream chan event) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		if err := out.SetWriteDeadline(s.now().Add(2 * beat)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case e, ok := <-stream:
			if !ok {
				return
			}
			text = s.format(e)
		case <-tick.C:
			text = ": still here\n\n"
		case <-r.Context().Done():
			return
		}
	}
}
