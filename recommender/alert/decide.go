// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/store"
)

// Order is what somebody decides.
type Order struct {
	Verdict store.Verdict // Accepted, Rejected or Reopened
	By      string        // who, in the words of the authenticator
	Reason  string        // in the person's own words
	At      time.Time
	Until   time.Time     // end of an acceptance; zero for ever
	NewID   func() string // gives identities for the trail
}

// ErrNoAlert says that there is no alert of an identity.
var ErrNoAlert = errors.New("there is no such alert")

// mostDecisions bounds how many edges one decision speaks of.
const mostDecisions = 2000

// shown is what stands in the trail beside a decision about an alert.
type shown struct {
	Alert    string           `json:"alert"`
	Kind     Kind             `json:"kind"`
	Severity analyze.Severity `json:"severity"`
	Title    string           `json:"title"`
	Evidence []string         `json:"evidence"`
	Edges    []string         `json:"edges,omitempty"`
	Edit     *Edit            `json:"edit,omitempty"`
}

// Decide gives the entries of the trail that go with a decision about an
// alert: one for the alert, with what was shown, and one for each edge, program
// or image that it is about. The caller writes them all and hands them to
// Decided.
func (k *Keeper) Decide(id string, o Order) ([]store.Decision, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.records[id]
	if r == nil {
		return nil, ErrNoAlert
	}
	if strings.TrimSpace(o.Reason) == "" {
		return nil, errors.New("a decision needs a reason")
	}
	a := &r.Alert
	about := r.about()
	if len(about) > mostDecisions {
		return nil, fmt.Errorf("it is about %d connections, more than the %d that one decision may speak of; silence it, and repair the cause", len(about), mostDecisions)
	}
	detail := shown{Alert: a.ID, Kind: a.Kind, Severity: a.Severity, Title: a.Title, Evidence: a.Evidence}
	for _, e := range a.Edges {
		detail.Edges = append(detail.Edges, e.ID)
	}
	switch o.Verdict { //nolint:exhaustive // the others edit nothing
	case store.Accepted:
		detail.Edit = a.Accept
	case store.Rejected:
		detail.Edit = a.Narrowing
	}
	text, err := json.Marshal(detail)
	if err != nil {
		return nil, fmt.Errorf("writing the decision about alert %s: %w", id, err)
	}
	entry := func(finding string, detail json.RawMessage) store.Decision {
		return store.Decision{
			ID: o.NewID(), Cluster: k.cluster, Finding: finding, Verdict: o.Verdict, By: o.By, At: o.At, Until: o.Until, Reason: o.Reason, Detail: detail,
		}
	}
	out := []store.Decision{entry(a.ID, text)}
	of, err := json.Marshal(map[string]string{"alert": a.ID})
	if err != nil {
		return nil, fmt.Errorf("writing the decision about alert %s: %w", id, err)
	}
	for _, one := range about {
		out = append(out, entry(one, of))
	}
	for i := range out {
		if err := out[i].Validate(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// about are the identities that a decision has to name. Before the first look
// after a start those that were kept with the alert stand in.
func (r *record) about() []string {
	out := slices.Clone(r.identities)
	if len(out) == 0 {
		for _, e := range r.Alert.Edges {
			switch r.Alert.Kind {
			case NewProcess, Shell:
				for _, p := range r.Alert.Processes {
					out = append(out, identity("program", e.ID, p))
				}
			case UnseenInside, UnseenOutside, UnseenName, PolicyGap, DeniedBurst, DeniedSlow, Risky, APIServer, PortScan, FanOut:
				out = append(out, e.ID)
			case DNSVolume, UnknownImage, CaptureGap, ReadinessLost:
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Decided shows decisions in the alerts at once; the next look goes by the
// trail.
func (k *Keeper) Decided(decisions []store.Decision, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stamp++
	for i := range decisions {
		d := &decisions[i]
		if strings.HasPrefix(d.Finding, silencePrefix) {
			k.hush(d)
			continue
		}
		r := k.records[d.Finding]
		if r == nil {
			continue
		}
		switch d.Verdict {
		case store.Accepted:
			r.end(Accepted, d.At)
			r.decide(*d)
			k.grow(&r.Alert, d)
		case store.Rejected:
			r.end(Rejected, d.At)
			r.decide(*d)
		case store.Reopened:
			r.Alert.Status, r.Alert.Decision, r.Alert.Ended = Firing, nil, time.Time{}
		case store.Silenced:
		}
		r.revise(now)
	}
}

// hush begins or ends a silence.
func (k *Keeper) hush(d *store.Decision) {
	id := strings.TrimPrefix(d.Finding, silencePrefix)
	k.silences = slices.DeleteFunc(slices.Clone(k.silences), func(s Silence) bool { return s.ID == id })
	k.silences = append(k.silences, silences([]store.Decision{*d}, k.cluster, d.At)...)
	for _, r := range k.records {
		if r.Alert.Status == Firing {
			r.silence(k.silencedBy(&r.Alert))
			r.revise(d.At)
		}
	}
}

// grow makes a new version of the baselines whose edges were accepted.
func (k *Keeper) grow(a *Alert, d *store.Decision) {
	var done []*Baseline
	for _, e := range a.Edges {
		b := k.baselines[owner(e.Client, e.Server)]
		if b != nil && !b.Closed.IsZero() && !slices.Contains(done, b) {
			b.change(d.At, d.By, cut("accepted: "+a.Title))
			done = append(done, b)
		}
	}
}

// Silence gives the entry of the trail that begins a silence.
func (k *Keeper) Silence(s Silence, newID func() string) (store.Decision, error) {
	if err := s.Check(s.At); err != nil {
		return store.Decision{}, err
	}
	s.ID = strings.ToLower(newID()[:16])
	match := s
	match.Decision, match.By, match.Reason, match.At, match.Until = "", "", "", time.Time{}, time.Time{}
	text, err := json.Marshal(match)
	if err != nil {
		return store.Decision{}, fmt.Errorf("writing a silence: %w", err)
	}
	d := store.Decision{
		ID: newID(), Cluster: k.cluster, Finding: silencePrefix + s.ID, Verdict: store.Silenced, By: s.By, At: s.At, Until: s.Until, Reason: s.Reason, Detail: text,
	}
	return d, d.Validate()
}

// EndSilence gives the entry of the trail that ends one before its time.
func (k *Keeper) EndSilence(id string, o Order) (store.Decision, error) {
	d := store.Decision{ID: o.NewID(), Cluster: k.cluster, Finding: silencePrefix + id, Verdict: store.Reopened, By: o.By, At: o.At, Reason: o.Reason}
	return d, d.Validate()
}
