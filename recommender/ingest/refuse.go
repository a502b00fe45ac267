// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/wire"
)

// refusal is an error of which the reason is known.
type refusal struct {
	reason wire.Reason
	err    error
}

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

var statuses = map[wire.Reason]int{
	wire.ReasonMalformed:       http.StatusBadRequest,
	wire.ReasonUnauthenticated: http.StatusUnauthorized,
	wire.ReasonForbidden:       http.StatusForbidden,
	wire.ReasonMethod:          http.StatusMethodNotAllowed,
	wire.ReasonVersion:         http.StatusConflict,
	wire.ReasonTooLarge:        http.StatusRequestEntityTooLarge,
	wire.ReasonMediaType:       http.StatusUnsupportedMediaType,
	wire.ReasonFuture:          http.StatusUnprocessableEntity,
	wire.ReasonTooOld:          http.StatusUnprocessableEntity,
	wire.ReasonImplausible:     http.StatusUnprocessableEntity,
	wire.ReasonUnknownCluster:  http.StatusUnprocessableEntity,
	wire.ReasonForeignPod:      http.StatusUnprocessableEntity,
	wire.ReasonBusy:            http.StatusServiceUnavailable,
	wire.ReasonUnavailable:     http.StatusServiceUnavailable,
	wire.ReasonFull:            http.StatusInsufficientStorage,
}

// reasonOf says why. What nobody foresaw is "unavailable": the agent keeps the
// batch and tries again.
func reasonOf(err error) wire.Reason {
	if r, ok := errors.AsType[refusal](err); ok {
		return r.reason
	}
	for _, known := range []struct {
		err    error
		reason wire.Reason
	}{
		{wire.ErrVersion, wire.ReasonVersion},
		{wire.ErrTooLarge, wire.ReasonTooLarge},
		{wire.ErrImplausible, wire.ReasonImplausible},
		{wire.ErrMalformed, wire.ReasonMalformed},
		{ErrUnauthenticated, wire.ReasonUnauthenticated},
		{ErrForbidden, wire.ReasonForbidden},
		{store.ErrFull, wire.ReasonFull},
		{store.ErrTooOld, wire.ReasonTooOld},
		{store.ErrInvalid, wire.ReasonMalformed},
		{store.ErrBusy, wire.ReasonBusy},
		{io.ErrUnexpectedEOF, wire.ReasonMalformed},
	} {
		if errors.Is(err, known.err) {
			return known.reason
		}
	}
	return wire.ReasonUnavailable
}

// refuse answers with a problem, counts it, and logs it now and then.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	reason := reasonOf(err)
	status := statuses[reason]
	h.metrics.batches.WithLabelValues(string(reason)).Inc()
	if h.quiet.allows(reason) {
		h.options.Logger.WarnContext(r.Context(), "refusing a batch", "reason", reason, "status", status, "remote", r.RemoteAddr, "error", err)
	}
	detail := err.Error()
	if reason == wire.ReasonUnavailable && !errors.Is(err, context.Canceled) {
		detail = "the batch could not be stored, try again; the recommender's log says why"
	}
	w.Header().Set("Content-Type", wire.ProblemType)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "2")
	case http.StatusInsufficientStorage:
		w.Header().Set("Retry-After", "30")
	}
	w.WriteHeader(status)
	problem := wire.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Reason: reason}
	if err := json.NewEncoder(w).Encode(problem); err != nil {
		h.options.Logger.DebugContext(r.Context(), "answering with a problem", "error", err)
	}
}

// quiet keeps a flood of refusals out of the log: each reason is logged at
// most every ten seconds. The counters have them all.
type quiet struct {
	mu   sync.Mutex
	last map[wire.Reason]*rate.Sometimes
}

func newQuiet() *quiet { return &quiet{last: map[wire.Reason]*rate.Sometimes{}} }

func (q *quiet) allows(reason wire.Reason) (allowed bool) {
	q.mu.Lock()
	s := q.last[reason]
	if s == nil {
		s = &rate.Sometimes{First: 3, Interval: 10 * time.Second}
		q.last[reason] = s
	}
	q.mu.Unlock()
	s.Do(func() { allowed = true })
	return allowed
}

// countingReader counts what was read.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
