// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
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

func (e ViewEvent) cluster() string { return e.Cluster }

// shown counts only what may be seen.
func (e ViewEvent) shown(part *View) (any, bool) { return ViewEventOf(part), true }

// AlertChange is the event of an alert that changed.
type AlertChange struct{ alert.Alert }

func (c AlertChange) cluster() string { return c.Cluster }

// shown gives the alert to who may see one of its workloads.
func (c AlertChange) shown(part *View) (any, bool) {
	names := namespaces(part)
	for _, w := range c.Workloads {
		if namespace, _, _ := strings.Cut(w, "/"); slices.Contains(names, namespace) {
			a := c.Alert
			a.Narrowing, a.Accept = nil, nil // manifests are written whole; the route knows which may be seen
			return a, true
		}
	}
	return nil, false
}

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
	// Who may see nothing hears nothing, not even that something happens.
	if whole, err := seesAll(r, q.span.Cluster); err != nil {
		return err
	} else if !whole {
		if _, err := s.source.View(r.Context(), Span{Cluster: q.span.Cluster}); err != nil {
			return err
		}
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
		first.WriteString(s.told(r, e))
	}
	s.stream(w, r, out, first.String(), stream)
	return nil
}

func (s *Server) format(e event) string {
	return fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", s.hub.id(e.number), e.kind, e.data)
}

// again judges the caller of a stream once more; nil where they are not let in
// any more.
func (s *Server) again(r *http.Request) *http.Request {
	who, err := s.admit(r)
	if err != nil {
		return nil
	}
	return withCaller(r, who)
}

// told gives what the caller is told of an event: all of it, a part, nothing
// (which is a comment, so that something is written).
func (s *Server) told(r *http.Request, e event) string {
	const nothing = ": \n\n"
	of := ""
	if e.about != nil {
		of = e.about.cluster()
	}
	if whole, err := seesAll(r, of); err != nil {
		return nothing
	} else if whole {
		return s.format(e)
	}
	part, err := s.source.View(r.Context(), Span{Cluster: of})
	h := veilOf(r.Context())
	if err != nil || h == nil || e.about == nil {
		return nothing
	}
	value, ok := e.about.shown(part)
	if !ok {
		return nothing
	}
	text, err := json.Marshal(filled(h.mask(value)))
	if err != nil {
		s.log.ErrorContext(r.Context(), "writing an event", "error", err)
		return nothing
	}
	e.data = text
	return s.format(e)
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
			// Who was let in when the stream began may have lost the right since.
			if r = s.again(r); r == nil {
				return
			}
			text = s.told(r, e)
		case <-tick.C:
			if r = s.again(r); r == nil {
				return
			}
			text = ": still here\n\n"
		case <-r.Context().Done():
			return
		}
	}
}
