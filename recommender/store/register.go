// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Register keeps what was found and what people decided about it, for ever:
// no retention takes it away. Implementations are safe for concurrent use, and
// have on disk what they have taken when they return.
type Register interface {
	// Note enters findings as they stand now. The first sight of each stays,
	// the last moves on, the detail is replaced. It gives the identities that
	// were never there before, in the order given; all are noted or none.
	// Errors: ErrInvalid, ErrFull, ErrClosed, and those of the engine.
	Note(ctx context.Context, findings []Finding) (fresh []string, err error)

	// Findings gives what the query selects, by cluster and identity.
	Findings(ctx context.Context, q FindingQuery) ([]Finding, error)

	// Decide appends to the audit trail. An identity that is there already, with
	// the same content, is a repetition and changes nothing; with another
	// content it is ErrInvalid. Nothing in the trail is ever changed.
	Decide(ctx context.Context, d Decision) error

	// Decisions gives the trail, in the order in which it was written.
	Decisions(ctx context.Context, q DecisionQuery) ([]Decision, error)
}

// Finding is what an analysis found, as the register keeps it.
type Finding struct {
	Cluster   string          `json:"cluster"`
	ID        string          `json:"id"`      // the same for the same thing in every analysis
	Kind      string          `json:"kind"`    // in the words of package analyze
	Subject   string          `json:"subject"` // what it is grouped by, such as the workload: namespace/name
	FirstSeen time.Time       `json:"firstSeen"`
	LastSeen  time.Time       `json:"lastSeen"` // behind the newest analysis where it is no longer found
	Detail    json.RawMessage `json:"detail,omitempty"`
}

// FindingQuery selects findings.
type FindingQuery struct {
	Cluster string    // empty for all
	IDs     []string  // empty for all
	Since   time.Time // those last seen at it or later; zero for all
}

// Verdict is what was decided.
type Verdict string

// The verdicts. Reopened takes back what was decided before; Silenced holds
// back, without deciding, until it ends.
const (
	Accepted Verdict = "accepted"
	Rejected Verdict = "rejected"
	Reopened Verdict = "reopened"
	Silenced Verdict = "silenced"
)

// Decision is an entry of the audit trail: who decided what, when and why.
type Decision struct {
	ID      string          `json:"id"` // chosen by the caller, so that a retry is known: 16 bytes of text or more
	Cluster string          `json:"cluster"`
	Finding string          `json:"finding"` // identity of the finding that it is about; of the edge, where it is to hold for an unseen edge
	Verdict Verdict         `json:"verdict"`
	By      string          `json:"by"` // who, in the words of the authenticator
	At      time.Time       `json:"at"`
	Until   time.Time       `json:"until,omitzero"`   // end, out of it; zero for ever
	Reason  string          `json:"reason"`           // in the person's own words
	Detail  json.RawMessage `json:"detail,omitempty"` // what was shown: evidence, the edit that goes with it
}

// DecisionQuery selects from the trail.
type DecisionQuery struct {
	Cluster string // empty for all
	Finding string // empty for all
}

// Bounds of one entry, in bytes.
const (
	MaxName    = 1 << 10 // of an identity, a kind, a subject, a person
	MaxReason  = 4 << 10
	MaxDetail  = 64 << 10
	minEntryID = 16
)

// Validate says what is wrong with a finding, as ErrInvalid.
func (f Finding) Validate() error {
	switch {
	case f.Cluster == "" || f.ID == "" || f.Kind == "":
		return fmt.Errorf("%w: a finding without cluster, identity or kind: %q, %q, %q", ErrInvalid, f.Cluster, f.ID, f.Kind)
	case f.FirstSeen.IsZero() || f.LastSeen.Before(f.FirstSeen):
		return fmt.Errorf("%w: finding %s: first seen %v, last seen %v", ErrInvalid, f.ID, f.FirstSeen, f.LastSeen)
	}
	return cmp.Or(tooLong("finding "+f.ID, MaxName, f.Cluster, f.ID, f.Kind, f.Subject), wrongDetail("finding "+f.ID, f.Detail))
}

// Validate says what is wrong with a decision, as ErrInvalid.
func (d Decision) Validate() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: decision %q: %s", ErrInvalid, d.ID, fmt.Sprintf(format, args...))
	}
	switch {
	case len(d.ID) < minEntryID:
		return wrong("its identity has %d bytes, want %d or more", len(d.ID), minEntryID)
	case d.Cluster == "" || d.Finding == "":
		return wrong("it names no cluster or no finding")
	case d.Verdict != Accepted && d.Verdict != Rejected && d.Verdict != Reopened && d.Verdict != Silenced:
		return wrong("verdict %q, want %s, %s, %s or %s", d.Verdict, Accepted, Rejected, Reopened, Silenced)
	case d.Verdict == Silenced && d.Until.IsZero():
		return wrong("a silence without an end")
	case d.By == "":
		return wrong("it does not say who decided")
	case d.Reason == "":
		return wrong("it gives no reason")
	case d.At.IsZero():
		return wrong("it does not say when")
	case !d.Until.IsZero() && !d.Until.After(d.At):
		return wrong("it ends at %s, before it begins", d.Until.Format(time.RFC3339))
	case len(d.Reason) > MaxReason:
		return wrong("a reason of %d bytes, at most %d", len(d.Reason), MaxReason)
	}
	return cmp.Or(tooLong("decision "+d.ID, MaxName, d.ID, d.Cluster, d.Finding, d.By), wrongDetail("decision "+d.ID, d.Detail))
}

func tooLong(what string, limit int, texts ...string) error {
	for _, t := range texts {
		if len(t) > limit {
			return fmt.Errorf("%w: %s: a name of %d bytes, at most %d", ErrInvalid, what, len(t), limit)
		}
	}
	return nil
}

func wrongDetail(what string, detail json.RawMessage) error {
	if len(detail) > MaxDetail {
		return fmt.Errorf("%w: %s: a detail of %d bytes, at most %d", ErrInvalid, what, len(detail), MaxDetail)
	}
	if len(detail) > 0 && !json.Valid(detail) {
		return fmt.Errorf("%w: %s: its detail is no JSON", ErrInvalid, what)
	}
	return nil
}

// InForce gives what holds at a time: of each finding the last decision of the
// trail, unless that has ended or reopened it.
func InForce(trail []Decision, at time.Time) map[Subject]Decision {
	last := map[Subject]Decision{}
	for _, d := range trail {
		s := Subject{d.Cluster, d.Finding}
		if d.At.After(at) {
			continue
		}
		if delete(last, s); d.Verdict != Reopened && (d.Until.IsZero() || d.Until.After(at)) {
			last[s] = d
		}
	}
	return last
}

// Subject is what a decision is about.
type Subject struct{ Cluster, Finding string }

// ErrTampered says that the trail is not as it was written.
var ErrTampered = errors.New("audit trail is not as it was written")
