// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/store"
)

// noteEvery is how often a finding that lasts is noted again.
const noteEvery = 10 * time.Minute

// noter enters a cluster's findings into the register.
type noter struct {
	register store.Register
	last     map[string]time.Time // when each finding was noted
}

func newNoter(p past) *noter {
	register, ok := p.(store.Register)
	if !ok {
		return nil
	}
	return &noter{register: register, last: map[string]time.Time{}}
}

// note enters what is new in a view, and what was not noted for a while.
func (n *noter) note(ctx context.Context, v *api.View) error {
	if n == nil {
		return nil
	}
	var findings []store.Finding
	for i := range v.Report.Findings {
		f := &v.Report.Findings[i]
		if at, ok := n.last[f.ID]; !ok || v.Computed.Sub(at) >= noteEvery {
			findings = append(findings, store.Finding{
				Cluster: v.Cluster, ID: f.ID, Kind: string(f.Kind), Subject: subject(f), FirstSeen: v.Computed, LastSeen: v.Computed,
			})
		}
	}
	if _, err := n.register.Note(ctx, findings); err != nil {
		return fmt.Errorf("noting the findings: %w", err)
	}
	for i := range findings {
		n.last[findings[i].ID] = v.Computed
	}
	return nil
}

// subject is what findings are grouped by: the first workload, else the policy,
// else the namespace.
func subject(f *analyze.Finding) string {
	switch {
	case len(f.Workloads) > 0:
		return f.Workloads[0]
	case f.Policy != nil:
		return f.Policy.Namespace + "/" + f.Policy.Name
	default:
		return f.Namespace
	}
}
