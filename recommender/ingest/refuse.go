// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/netcinch/netcinch/recommender/auth"
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

// blamed is an error of a sender whose name is known.
type blamed struct {
	sender string
	err    error
}

func (b blamed) Error() string { return b.err.Error() }
func (b blamed) Unwrap() error { return b.err }

// Of what is audited the log gets for each reason and sender the first three,
// then one every ten seconds; the counters have them all.
const (
	quietEach  = 0.1
	quietBurst = 3
)

// audit writes into the log what somebody should be able to look up later: who
// was refused, and why.
func (h *Handler) audit(r *http.Request, message string, reason wire.Reason, sender string, more ...any) {
	who := sender
	if who == "" {
		who = auth.HostOf(r.RemoteAddr)
	}
	if !h.quiet.Allow(string(reason) + " " + who) {
		return
	}
	level := slog.LevelWarn
	if reason == resultDuplicate {
		level = slog.LevelInfo
	}
	values := append([]any{slog.Bool("audit", true), slog.Any("reason", reason), slog.String("sender", sender), slog.String("remote", r.RemoteAddr)}, more...)
	h.options.Logger.Log(r.Context(), level, message, values...) //nolint:sloglint // both callers give a constant
}

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
	sender := ""
	if b, ok := errors.AsType[blamed](err); ok {
		sender = b.sender
	}
	h.audit(r, "refusing a batch", reason, sender, "status", status, "error", err)
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
