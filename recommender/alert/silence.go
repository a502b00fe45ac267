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

// Silence holds alerts back until it ends. What it says nothing about matches
// all; at least one thing has to be said.
type Silence struct {
	ID       string           `json:"id"`
	Alert    string           `json:"alert,omitempty"` // identity
	Kind     Kind             `json:"kind,omitempty"`
	Severity analyze.Severity `json:"severity,omitempty"`
	// Namespace matches alerts with a workload in it, Workload (namespace/name)
	// those with it at an end.
	Namespace string `json:"namespace,omitempty"`
	Workload  string `json:"workload,omitempty"`

	Decision string    `json:"decision"` // that began it, in the audit trail
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
	Reason   string    `json:"reason"`
}

// silencePrefix marks decisions that are silences.
const silencePrefix = "silence:"

// longestSilence bounds a silence: what is forgotten has to come back.
const longestSilence = 365 * day

// Check says what is wrong with a silence that somebody asks for.
func (s *Silence) Check(now time.Time) error {
	_, known := Info(s.Kind)
	switch {
	case s.Alert == "" && s.Kind == "" && s.Severity == "" && s.Namespace == "" && s.Workload == "":
		return errors.New("a silence for everything is refused; name an alert, a kind, a severity, a namespace or a workload")
	case s.Kind != "" && !known:
		return fmt.Errorf("there is no kind %q; there are %s", s.Kind, kindNames())
	case s.Severity != "" && weight(s.Severity) > 4:
		return fmt.Errorf("there is no severity %q; there are high, medium, low and info", s.Severity)
	case s.Workload != "" && strings.Count(s.Workload, "/") != 1:
		return fmt.Errorf("workload %q: want namespace/name", s.Workload)
	case s.Until.IsZero():
		return errors.New("a silence needs an end; give a time, or a duration such as 2h")
	case !s.Until.After(now):
		return fmt.Errorf("its end, %s, is not ahead", s.Until.Format(time.RFC3339))
	case s.Until.Sub(now) > longestSilence:
		return errors.New("it would last longer than a year; accept the alert instead")
	case strings.TrimSpace(s.Reason) == "":
		return errors.New("a silence needs a reason")
	}
	return nil
}

func kindNames() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k.Kind))
	}
	return strings.Join(names, ", ")
}

// matches says whether a silence is for an alert.
func (s *Silence) matches(a *Alert) bool {
	in := func(w string) bool { return strings.HasPrefix(w, s.Namespace+"/") }
	return (s.Alert == "" || s.Alert == a.ID) && (s.Kind == "" || s.Kind == a.Kind) && (s.Severity == "" || s.Severity == a.Severity) &&
		(s.Namespace == "" || slices.ContainsFunc(a.Workloads, in)) && (s.Workload == "" || slices.Contains(a.Workloads, s.Workload))
}

func (k *Keeper) silencedBy(a *Alert) *Silence {
	for i := range k.silences {
		if k.silences[i].matches(a) {
			return &k.silences[i]
		}
	}
	return nil
}

// silences reads those that hold at a time from the trail, by their end.
func silences(trail []store.Decision, cluster string, at time.Time) []Silence {
	var out []Silence
	for subject, d := range store.InForce(trail, at) {
		id, ok := strings.CutPrefix(subject.Finding, silencePrefix)
		if !ok || subject.Cluster != cluster || d.Verdict != store.Silenced {
			continue
		}
		var s Silence
		if json.Unmarshal(d.Detail, &s) != nil {
			continue // the trail is chained: nobody else writes it
		}
		s.ID, s.Decision, s.By, s.At, s.Until, s.Reason = id, d.ID, d.By, d.At, d.Until, d.Reason
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Silence) int { return a.Until.Compare(b.Until) })
	return out
}

// Silences gives those that hold, the one that ends first first.
func (k *Keeper) Silences() []Silence {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.silences)
}
