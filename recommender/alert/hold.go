// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// hold decides who is woken: not for what is silenced, what another alert
// tells, what is of no weight, and what is over the day's budget.
func (k *Keeper) hold(l *look) {
	var firing []*record
	for _, r := range k.records {
		if r.Alert.Status == Firing {
			firing = append(firing, r)
		}
	}
	slices.SortFunc(firing, func(a, b *record) int {
		return cmp.Or(b.Alert.Rank-a.Alert.Rank, a.Alert.Started.Compare(b.Alert.Started), cmp.Compare(a.Alert.ID, b.Alert.ID))
	})
	k.tellTogether(firing)
	for _, r := range firing {
		r.Alert.Decision = nil
		r.silence(k.silencedBy(&r.Alert))
	}
	spent := k.spent(l.Now)
	for _, r := range firing {
		a := &r.Alert
		if a.Status != Firing || a.Held != "" {
			continue
		}
		if a.Severity == analyze.SeverityInfo {
			a.Held = "for the record only"
			continue
		}
		if r.ToldAt.IsZero() && spent >= k.limit(a.Severity) {
			a.Held = fmt.Sprintf("over the budget of %d a day; it is told tomorrow if it still goes on", k.options.Budget)
			continue
		}
		if r.ToldAt.IsZero() {
			r.ToldAt = l.Now
			spent++
		}
	}
	for _, r := range k.records {
		r.revise(l.Now)
	}
}

func (r *record) silence(s *Silence) {
	if s != nil {
		r.Alert.Status, r.Alert.Held = Silenced, ""
		r.Alert.Decision = &Decided{ID: s.Decision, By: s.By, At: s.At, Until: s.Until, Reason: s.Reason}
	}
}

// limit is how much of the budget alerts of a severity may use up.
func (k *Keeper) limit(s analyze.Severity) int {
	if s == analyze.SeverityHigh {
		return 2 * k.options.Budget
	}
	return k.options.Budget - k.options.Budget/4
}

// spent counts the alerts that somebody was told of today.
func (k *Keeper) spent(now time.Time) (n int) {
	today := now.UTC().Truncate(day)
	for _, r := range k.records {
		if !r.ToldAt.IsZero() && !r.ToldAt.UTC().Before(today) {
			n++
		}
	}
	return n
}

// Spent gives how many alerts were told today, and how many may be.
func (k *Keeper) Spent(now time.Time) (spent, budget int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.spent(now), k.options.Budget
}

// revise makes a new revision where there is something to tell: it began to
// fire, became graver, or ended after it was told.
func (r *record) revise(now time.Time) {
	a := &r.Alert
	tells := a.Status == Firing && a.Held == ""
	switch {
	case tells && !r.Open:
		r.Open = true
	case tells && r.Open && weight(a.Severity) > r.Weight:
	case !tells && r.Open && a.Status != Firing:
		r.Open = false
	default:
		return
	}
	r.Weight = weight(a.Severity)
	a.Revision++
	a.Changed = now
}

// tellTogether lets one alert stand for others of the same cause: a scan for
// the connections that it made, a shell for the connections that it opened, and
// any alert of a workload for its lost readiness.
func (k *Keeper) tellTogether(firing []*record) {
	for _, r := range firing {
		a, g := &r.Alert, r.group
		if g == nil {
			continue
		}
		for _, other := range firing {
			if other != r && other.group != nil && other.Alert.With == "" && stands(other, r) {
				a.With, a.Held = other.Alert.ID, "told with: "+other.Alert.Title
				break
			}
		}
	}
}

// stands says whether one alert stands for another.
func stands(one, other *record) bool {
	a, b := &one.Alert, &other.Alert
	if b.Kind == ReadinessLost {
		info, _ := Info(a.Kind)
		return info.Edges && slices.ContainsFunc(a.Workloads, func(w string) bool { return slices.Contains(b.Workloads, w) })
	}
	if order(a.Kind) >= order(b.Kind) || len(other.group.edges) == 0 {
		return false
	}
	for _, e := range other.group.edges {
		if !slices.Contains(one.group.edges, e) {
			return false
		}
	}
	return true
}

// order says which alert tells of an edge that several are about: the lower.
func order(k Kind) int {
	switch k {
	case Risky, APIServer:
		return 0
	case FanOut:
		return 1
	case PortScan:
		return 2
	case Shell:
		return 3
	case UnseenInside, UnseenOutside, UnseenName, PolicyGap, DeniedBurst, DeniedSlow, NewProcess, DNSVolume:
		return 4
	case UnknownImage, CaptureGap, ReadinessLost:
	}
	return 5
}
