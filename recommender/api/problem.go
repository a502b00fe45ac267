// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// problem is an error as a body, RFC 9457. It is the error of every handler
// that has something to say to the caller.
type problem struct {
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Parameter string `json:"parameter,omitempty"`
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

func problemf(status int, format string, args ...any) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// wrong says that a parameter or a field of the body is at fault.
func wrong(parameter, format string, args ...any) *problem {
	p := problemf(http.StatusBadRequest, format, args...)
	p.Parameter = parameter
	return p
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, ErrNotReady):
		w.Header().Set("Retry-After", "1")
		p = problemf(http.StatusServiceUnavailable, "The first view is being computed; ask again in a second.")
	case errors.Is(err, context.Canceled):
		return // nobody is there any more
	case errors.Is(err, errUnjudged):
		s.log.ErrorContext(r.Context(), "finding out who asks and what they may see", "route", r.URL.Path, "error", err)
		w.Header().Set("Retry-After", "5")
		p = problemf(http.StatusServiceUnavailable, "The API server cannot be asked what you may see; try again in a moment.")
	case veilOf(r.Context()) != nil:
		s.log.ErrorContext(r.Context(), "answering a request", "route", r.URL.Path, "error", err)
		p = problemf(http.StatusInternalServerError, "This could not be answered; the recommender's log says why.")
	default:
		s.log.ErrorContext(r.Context(), "answering a request", "route", r.URL.Path, "error", err)
		p = problemf(http.StatusInternalServerError, "%v", err)
	}
	body, err := json.Marshal(p) // made of what the caller sees, and of their own words
	if err != nil {
		s.log.ErrorContext(r.Context(), "writing a problem", "error", err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	w.WriteHeader(p.Status)
	s.write(w, r, body)
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, body []byte) {
	if _, err := w.Write(body); err != nil {
		s.log.DebugContext(r.Context(), "writing an answer", "error", err)
	}
}
