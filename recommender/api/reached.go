// SPDX-License-Identifier: Apache-2.0

package api

import (
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// maxReached is how many workloads at the other end of an allowance are named.
const maxReached = 60

// Reached is whom an allowance is for at its other end, used or not.
type Reached struct {
	Reach       []string `json:"reach"`       // workloads, as namespace/name
	ReachTotal  int      `json:"reachTotal"`  // of them, where reach was cut short
	ReachAnyone bool     `json:"reachAnyone"` // the rule leaves the peer open
}

// uses is what is known of some policies' allowances.
type uses struct {
	usage  map[analyze.Ref][]*analyze.Usage
	totals map[analyze.Ref][]analyze.Total
	ids    map[analyze.Allowance]policy.AllowanceID
	names  map[*policy.Reached]*Reached
	all    map[policy.AllowanceID]*policy.Reached
}

func usesOf(v *View, objects []*cluster.Object) *uses {
	wanted := map[analyze.Ref]bool{}
	for _, o := range objects {
		wanted[analyze.RefOf(o.Ref)] = true
	}
	u := &uses{usage: map[analyze.Ref][]*analyze.Usage{}, totals: map[analyze.Ref][]analyze.Total{}, names: map[*policy.Reached]*Reached{}}
	for i := range v.Report.Usage {
		if one := &v.Report.Usage[i]; wanted[one.Allowance.Policy] {
			u.usage[one.Allowance.Policy] = append(u.usage[one.Allowance.Policy], one)
		}
	}
	for _, t := range v.Report.Totals {
		if wanted[t.Policy] {
			u.totals[t.Policy] = append(u.totals[t.Policy], t)
		}
	}
	return u
}

// reach says of allowances whom they are for.
func (u *uses) reach(v *View, allowances []usageBody) {
	if u.all == nil {
		u.all, u.ids = v.Engine.Reaches(), map[analyze.Allowance]policy.AllowanceID{}
		for id := range u.all {
			u.ids[analyze.AllowanceOf(id)] = id
		}
	}
	for i := range allowances {
		reached := u.all[u.ids[allowances[i].Allowance]]
		if reached == nil {
			continue
		}
		if u.names[reached] == nil {
			u.names[reached] = named(v, reached)
		}
		allowances[i].Reached = u.names[reached]
	}
}

func named(v *View, reached *policy.Reached) *Reached {
	b := &Reached{Reach: []string{}, ReachAnyone: reached.Anyone}
	seen := map[string]bool{}
	for _, i := range reached.Pods {
		pod := &v.Snapshot.Pods[i]
		name := pod.Workload.String()
		if pod.Finished || pod.Workload.IsZero() || seen[name] {
			continue
		}
		seen[name] = true
		if b.ReachTotal++; b.ReachTotal <= maxReached {
			b.Reach = append(b.Reach, name)
		}
	}
	return b
}

// notesOf are the findings about how a policy is written: parts that select
// nothing, that are never asked, that are not understood.
func notesOf(v *View, o *cluster.Object) []noteBody {
	var out []noteBody
	ref := analyze.RefOf(o.Ref)
	for i := range v.Report.Findings {
		f := &v.Report.Findings[i]
		if f.Policy == nil || *f.Policy != ref {
			continue
		}
		switch f.Kind {
		case analyze.FindingSelectsNothing, analyze.FindingShadowed, analyze.FindingAmbiguous, analyze.FindingNotUnderstood:
			out = append(out, noteBody{Kind: f.Kind, Text: f.Title, Finding: f.ID, ManifestLine: lineIn(o, f.Line)})
		case analyze.FindingUnused, analyze.FindingRedundant, analyze.FindingPartlyUsed, analyze.FindingUnseen, analyze.FindingDenied, analyze.FindingRisky,
			analyze.FindingConflict: // the use of each allowance says these
		}
	}
	return out
}
