// SPDX-License-Identifier: Apache-2.0

package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/netcinch/netcinch/recommender/store"
)

// ledger is a register in memory: where all is read from files, what is decided
// holds until the recommender ends.
type ledger struct {
	mu       sync.Mutex
	findings map[store.Subject]store.Finding
	trail    []store.Decision
}

var _ store.Register = (*ledger)(nil)

// Note implements store.Register.
func (l *ledger) Note(_ context.Context, findings []store.Finding) (fresh []string, err error) {
	for i := range findings {
		if err = findings[i].Validate(); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.findings == nil {
		l.findings = map[store.Subject]store.Finding{}
	}
	for _, f := range findings {
		at := store.Subject{Cluster: f.Cluster, Finding: f.ID}
		was, known := l.findings[at]
		if !known {
			fresh = append(fresh, f.ID)
		} else if was.FirstSeen.Before(f.FirstSeen) {
			f.FirstSeen = was.FirstSeen
		}
		l.findings[at] = f
	}
	return fresh, nil
}

// Findings implements store.Register.
func (l *ledger) Findings(_ context.Context, q store.FindingQuery) (out []store.Finding, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.findings {
		if (q.Cluster == "" || q.Cluster == f.Cluster) && (len(q.IDs) == 0 || slices.Contains(q.IDs, f.ID)) && !f.LastSeen.Before(q.Since) {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b store.Finding) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// Decide implements store.Register.
func (l *ledger) Decide(_ context.Context, d store.Decision) error {
	if err := d.Validate(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.ContainsFunc(l.trail, func(have store.Decision) bool { return have.ID == d.ID }) {
		return fmt.Errorf("%w: decision %q is in the trail already", store.ErrInvalid, d.ID)
	}
	l.trail = append(l.trail, d)
	return nil
}

// Decisions implements store.Register.
func (l *ledger) Decisions(_ context.Context, q store.DecisionQuery) (out []store.Decision, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.trail {
		if (q.Cluster == "" || q.Cluster == d.Cluster) && (q.Finding == "" || q.Finding == d.Finding) {
			out = append(out, d)
		}
	}
	return out, nil
}
