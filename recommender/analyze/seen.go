// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// history says since when what is known.
type history struct {
	start, end time.Time // of all observation
	learning   time.Duration
	first      map[Party]time.Time // first edge of each workload
	spoken     map[habit]time.Time // first time of each habit that is more than one edge
	accepted   map[string]bool
	excluded   map[string]bool
	usual      map[habit]bool      // habits of which an edge is accepted
	learnt     map[Party]time.Time // when a workload's learning period ends
	sightings  *sightings
}

// habit is an edge in the sense in which it can be new.
type habit key

// EdgeID gives the identity of an edge.
func EdgeID(client, server Party, protocol flow.Protocol, port uint16) string {
	return key{client, server, protocol, port}.id()
}

func habitOf(k key) habit {
	return habit{client: k.client.Habitual(), server: k.server.Habitual(), protocol: k.protocol, port: k.port}
}

// many says whether a habit may be that of several edges.
func (k *key) many() bool {
	vague := func(p *Party) bool { return p.Kind == PartyNode || p.Kind == PartyOutside && p.DNS != "" }
	return vague(&k.client) || vague(&k.server)
}

// Habitual gives the party in the sense in which an edge with it can be new:
// all nodes are one, and an outside name stands for all of its addresses.
func (p Party) Habitual() Party {
	switch {
	case p.Kind == PartyNode:
		return Party{Kind: PartyNode}
	case p.Kind == PartyOutside && p.DNS != "":
		return Party{Kind: PartyOutside, DNS: p.DNS}
	}
	return p
}

// newHistory dates every folded edge by the catalogue.
func (x *Index) newHistory(in Input, f *foldings, edges []Edge) *history {
	h := &history{
		learning: in.Options.learning(), first: map[Party]time.Time{}, spoken: map[habit]time.Time{},
		accepted: map[string]bool{}, excluded: map[string]bool{}, usual: map[habit]bool{}, learnt: map[Party]time.Time{},
	}
	for _, id := range in.Options.Accepted {
		h.accepted[id] = true
	}
	for _, id := range in.Options.Excluded {
		h.excluded[id] = true
	}
	for _, c := range in.Catalogue {
		w := flow.Window{Start: c.FirstSeen, End: c.LastSeen}
		k := key{x.party(c.Edge.Client, w), x.party(c.Edge.Server, w), c.Edge.Protocol, c.Edge.Port}
		if i := f.find(&k); i >= 0 {
			widen(&edges[i].First, &edges[i].Last, c.FirstSeen, c.LastSeen)
			edges[i].Processes = append(edges[i].Processes, c.Programs...)
		}
		h.note(&k, c.FirstSeen, c.LastSeen)
	}
	for i := range edges {
		e := &edges[i]
		h.note(&key{e.Client, e.Server, e.Number, e.Port}, e.First, e.Last)
	}
	if in.Window.End.After(h.end) {
		h.end = in.Window.End
	}
	x.learn(h, in.Options.Closed)
	return h
}

func (h *history) note(k *key, first, last time.Time) {
	if last.After(h.end) {
		h.end = last
	}
	if first.IsZero() {
		return
	}
	earliest(&h.start, first)
	for _, p := range []*Party{&k.client, &k.server} {
		if p.Kind != PartyWorkload {
			continue
		}
		if at, ok := h.first[*p]; !ok || first.Before(at) {
			h.first[*p] = first
		}
	}
	if !k.many() {
		return
	}
	habit := habitOf(*k)
	if at, ok := h.spoken[habit]; !ok || first.Before(at) {
		h.spoken[habit] = first
	}
	if len(h.accepted) > 0 && !h.usual[habit] && (h.accepted[k.id()] || h.accepted[key(habit).id()]) {
		h.usual[habit] = true
	}
}

func earliest(t *time.Time, u time.Time) {
	if t.IsZero() || u.Before(*t) {
		*t = u
	}
}

// learn says for each workload when its learning period ends. It begins when
// the workload was there and watched: with the first observation at all, or
// when its first pod started, unless it was seen before that pod (a rollout).
// A CronJob is learnt for two of its periods at least. Where a baseline is kept,
// it says when it was closed.
func (x *Index) learn(h *history, closed map[flow.Workload]time.Time) {
	for _, w := range x.order {
		p := PartyOf(w)
		at, kept := closed[w]
		switch {
		case !kept:
			at = h.since(p, x).Add(max(h.learning, 2*x.period(w)))
		case at.IsZero():
			at = h.end.Add(forEver)
		}
		h.learnt[p] = at
	}
}

// forEver is longer than any history.
const forEver = 100 * 365 * 24 * time.Hour

func (h *history) since(p Party, x *Index) time.Time {
	begun := h.start
	var started time.Time
	for _, pod := range x.pods[p.Workload()] {
		if pod.Started.IsZero() {
			return begun
		}
		earliest(&started, pod.Started)
	}
	if first := h.first[p]; !first.IsZero() {
		earliest(&started, first)
	}
	if started.After(begun) {
		return started
	}
	return begun
}

// period is the longest time between two runs of a CronJob; 0 for other kinds
// and for schedules that are not understood.
func (x *Index) period(w flow.Workload) time.Duration {
	wl := x.workloads[w]
	if wl == nil || wl.Schedule == "" {
		return 0
	}
	if d, ok := x.periods[wl.Schedule]; ok {
		return d
	}
	d, err := Period(wl.Schedule)
	if err != nil {
		d = 0
	}
	x.periods[wl.Schedule] = d
	return d
}

// unseen says whether an edge first appeared when both of its ends had been
// learnt, or was there and taught nothing, and is let through now. Nodes and
// outside addresses count as learnt.
func (h *history) unseen(k *folded, id string, through bool) bool {
	switch {
	case h.accepted[id]:
		return false
	case through && h.isExcluded(k, id):
		return true
	}
	at := k.first
	if k.many() {
		habit := habitOf(k.key)
		if h.usual[habit] {
			return false
		}
		at = h.spoken[habit]
	}
	return !at.IsZero() && h.isLearnt(k.client, at) && h.isLearnt(k.server, at) &&
		(k.client.Kind == PartyWorkload || k.server.Kind == PartyWorkload)
}

func (h *history) isExcluded(k *folded, id string) bool {
	return h.excluded[id] || len(h.excluded) > 0 && k.many() && h.excluded[key(habitOf(k.key)).id()]
}

func (h *history) isLearnt(p Party, at time.Time) bool {
	if p.Kind != PartyWorkload {
		return true
	}
	end, known := h.learnt[p]
	if !known { // gone from the snapshot: what is known is when it first spoke
		end = h.first[p].Add(h.learning)
	}
	return !at.Before(end)
}
