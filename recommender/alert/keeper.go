// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// Keeper keeps the alerts and baselines of one cluster in mind. It is safe for
// concurrent use.
type Keeper struct {
	cluster string
	options Options

	mu        sync.Mutex
	records   map[string]*record
	baselines map[flow.Workload]*Baseline
	silences  []Silence // that have not ended
	stamp     uint64    // grows with every change
	looked    bool
	last      time.Time         // of the last look, also of the one before a restart
	passed    map[string]bool   // alerts that were over before anybody looked
	saved     map[string]uint64 // sum of each row as it was last given out
}

// record is an alert with what is kept beside it.
type record struct {
	Alert      Alert     `json:"alert"`
	Told       int       `json:"told"`    // revision that the notifier has
	Open       bool      `json:"open"`    // somebody was told that it fires, and not that it ended
	ToldAt     time.Time `json:"toldAt"`  // when somebody was first told, in the present run
	Streak     int       `json:"streak"`  // returns within a day of each other
	Weight     int       `json:"weight"`  // of the severity that was told
	EditsOf    string    `json:"editsOf"` // what the edits were made for
	identities []string
	group      *group // of the last look; nil where it had no sign
}

// New gives a keeper that goes on from what was saved. Rows that are not a
// keeper's are passed over; one that cannot be read is an error.
func New(cluster string, o Options, saved []store.Finding) (*Keeper, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	k := &Keeper{cluster: cluster, options: o.withDefaults(), records: map[string]*record{}, baselines: map[flow.Workload]*Baseline{}, saved: map[string]uint64{}, passed: map[string]bool{}}
	for i := range saved {
		if err := k.restore(&saved[i]); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Look takes in one analysis. What changed is to be saved (Unsaved) and told
// (Untold) by the caller.
func (k *Keeper) Look(in Input) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stamp++
	l := k.newLook(&in)
	l.learn()
	l.detect()
	groups := l.groups()
	k.silences = silences(in.Trail, k.cluster, in.clock())
	for id, rec := range k.records {
		rec.group = groups[id]
	}
	for id, g := range groups {
		if rec := k.records[id]; rec == nil && k.raises(l, id, g) {
			k.records[id] = &record{Alert: Alert{ID: id, Cluster: k.cluster, Kind: g.kind}, group: g}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(k.records)) {
		k.follow(l, k.records[id])
	}
	k.hold(l)
	k.edit(l)
	k.forget(in.Now)
	k.looked, k.last = true, in.Now
}

// lateFor is how late an agent's records may come after a restart and still be
// told of.
const lateFor = 6 * time.Hour

// raises says whether signs make a new alert: they go on, or they came since
// the last look, also while nobody looked. What was over before the first look
// of all is history.
func (k *Keeper) raises(l *look, id string, g *group) bool {
	switch {
	case g.open || k.options.History || l.Now.Sub(g.last) < k.options.Resolve:
		return true
	case k.passed[id]:
		return false
	case !k.looked && (k.last.IsZero() || g.first.Before(k.last.Add(-lateFor))):
		k.passed[id] = true
		return false
	}
	return true
}

// mostEdits bounds how many alerts get their edits in one look: each takes the
// making of advice. The others get theirs in the next.
const mostEdits = 8

// edit gives alerts that somebody is woken for the edits that go with them.
func (k *Keeper) edit(l *look) {
	made, policies := 0, policySum(l.Snapshot)
	for _, id := range slices.Sorted(maps.Keys(k.records)) {
		r := k.records[id]
		info, _ := Info(r.Alert.Kind)
		if r.group == nil || !info.Edges || r.Alert.Status != Firing || r.Alert.Held != "" || made == mostEdits {
			continue
		}
		var ids []string
		for _, e := range r.Alert.Edges {
			ids = append(ids, e.ID)
		}
		about := identity(append(ids, policies)...)
		if r.EditsOf == about {
			continue
		}
		made++
		narrowing, accept, err := l.Edits(ids)
		if err != nil {
			narrowing, accept = nil, &Edit{Text: "The edit could not be made: " + err.Error()}
		}
		r.Alert.Narrowing, r.Alert.Accept, r.EditsOf = narrowing, accept, about
	}
}

// policySum changes when a policy does.
func policySum(s *cluster.Snapshot) string {
	h := fnv.New64a()
	for i := range s.Policies {
		_, _ = h.Write([]byte(s.Policies[i].Ref.String())) // never fails
		_, _ = h.Write(s.Policies[i].Source.YAML)
	}
	return fmt.Sprint(h.Sum64())
}

// follow moves one alert on.
func (k *Keeper) follow(l *look, rec *record) {
	a, g := &rec.Alert, rec.group
	if g == nil {
		k.quieten(l, rec)
		return
	}
	quiet := rec.quiet(k.options.Resolve, l.quietFor(g.client))
	lasts := g.open || l.Now.Sub(g.last) < quiet
	began := a.Raised.IsZero()
	again := !began && (a.Status == Resolved || a.Status == Accepted || a.Status == Rejected)
	d, decided := l.decided[a.ID]
	decided = decided && (g.rejected || len(g.identities) == 0)
	switch {
	case g.rejected || decided && d.Verdict == store.Rejected:
		k.describe(l, rec)
		rec.end(Rejected, cmp.Or(a.Ended, d.At, l.Now))
		rec.decide(d)
	case decided && d.Verdict == store.Accepted && !d.At.Before(a.Raised):
		rec.end(Accepted, d.At)
		rec.decide(d)
	case !lasts && !began:
		k.describe(l, rec)
		if !again {
			rec.end(Resolved, g.last)
		}
	default:
		if again {
			rec.comeAgain(l.Now)
		}
		if began || again {
			a.Raised, a.Started, a.Ended, a.Decision = l.Now, g.first, time.Time{}, nil
			if again && !a.LastSeen.IsZero() && g.first.Before(a.LastSeen) {
				a.Started = l.Now
			}
		}
		k.describe(l, rec)
		a.Status = Firing
	}
}

// quieten moves on an alert of which there is no sign any more: it was
// accepted or rejected, or it went away.
func (k *Keeper) quieten(l *look, rec *record) {
	a := &rec.Alert
	if a.Status != Firing && a.Status != Silenced {
		return
	}
	d, decided := l.decided[a.ID]
	switch {
	case decided && d.Verdict == store.Accepted:
		rec.end(Accepted, d.At)
		rec.decide(d)
	case decided && d.Verdict == store.Rejected:
		rec.end(Rejected, d.At)
		rec.decide(d)
	case len(a.Edges) > 0 && !slices.ContainsFunc(a.Edges, func(e Edge) bool { return !l.accepted(e.ID) }):
		d = l.decided[a.Edges[0].ID]
		rec.end(Accepted, d.At)
		rec.decide(d)
	case a.Kind == CaptureGap || a.Kind == ReadinessLost || a.Kind == UnknownImage || l.Now.Sub(a.LastSeen) >= rec.quiet(k.options.Resolve, l.quietFor(a.Client)):
		rec.end(Resolved, a.LastSeen)
	}
}

func (r *record) end(s Status, at time.Time) {
	if r.Alert.Status != s || r.Alert.Ended.IsZero() {
		r.Alert.Ended = at
	}
	r.Alert.Status, r.Alert.Held, r.Alert.With = s, "", ""
}

func (r *record) decide(d store.Decision) {
	if d.ID != "" {
		r.Alert.Decision = &Decided{ID: d.ID, By: d.By, At: d.At, Until: d.Until, Reason: d.Reason}
	}
}

// comeAgain damps: each return within a day doubles the quiet that the next
// end needs.
func (r *record) comeAgain(now time.Time) {
	r.Alert.Returns++
	r.Streak++
	if now.Sub(r.Alert.Ended) > day {
		r.Streak = 0
	}
	r.ToldAt = time.Time{}
}

const mostDoublings = 5

func (r *record) quiet(least, period time.Duration) time.Duration {
	d := least << min(r.Streak, mostDoublings)
	d = min(d, max(day, least))
	if period > 0 {
		d = max(d, period+period/4)
	}
	return d
}

// forgetAfter is for how long an alert that ended is kept.
const forgetAfter = 90 * day

func (k *Keeper) forget(now time.Time) {
	maps.DeleteFunc(k.records, func(_ string, r *record) bool {
		a := &r.Alert
		return !r.Open && r.Told >= a.Revision && a.Status == Resolved && now.Sub(a.Ended) > forgetAfter
	})
}

// Stamp changes whenever an alert or a baseline may have; 0 before the first
// look.
func (k *Keeper) Stamp() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.looked {
		return 0
	}
	return k.stamp
}

// Alerts gives all alerts, those that fire first, then by rank and time.
func (k *Keeper) Alerts() []Alert {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]Alert, 0, len(k.records))
	for _, r := range k.records {
		out = append(out, r.Alert)
	}
	slices.SortFunc(out, func(a, b Alert) int {
		return cmp.Or(statusOrder(a.Status)-statusOrder(b.Status), b.Rank-a.Rank, b.LastSeen.Compare(a.LastSeen), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func statusOrder(s Status) int {
	return slices.Index([]Status{Firing, Silenced, Rejected, Accepted, Resolved}, s)
}

// Alert gives one alert; false where there is none of that identity.
func (k *Keeper) Alert(id string) (Alert, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := k.records[id]; r != nil {
		return r.Alert, true
	}
	return Alert{}, false
}

// Untold gives the alerts whose last revision the notifier does not have, the
// oldest change first.
func (k *Keeper) Untold() []Alert {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Alert
	for _, r := range k.records {
		if r.Alert.Revision > r.Told {
			out = append(out, r.Alert)
		}
	}
	slices.SortFunc(out, func(a, b Alert) int {
		return cmp.Or(a.Changed.Compare(b.Changed), b.Rank-a.Rank, cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Told notes that the notifier has these alerts, as they were given.
func (k *Keeper) Told(alerts []Alert) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range alerts {
		if r := k.records[alerts[i].ID]; r != nil {
			r.Told = max(r.Told, alerts[i].Revision)
		}
	}
}
