// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// table answers a tier that only ever allows, as Kubernetes policies do: for
// each interval of points the union of all peers that are allowed there. One
// binary search and one bit then stand for any number of policies.
type table struct {
	usable bool
	starts []uint32 // ascending; the last interval ends at l4.Max
	peers  []*peer  // by interval; nil where everyone is allowed, nobody where none is
	rest   []*rule  // rules that a table cannot hold: limited by family, own side, name
	named  []*rule  // rules with ports by name too; their numbered ports are tabled
}

// tabled is a clause as far as a table holds it.
type tabled struct {
	peer   *peer
	points l4.Set
}

var nobody = &peer{}

// maxIntervals bounds a table's memory; beyond it the rules are walked.
const maxIntervals = 2048

// allows answers for one point.
func (t *table) allows(remote *endpoint, point uint32) bool {
	at, found := slices.BinarySearch(t.starts, point)
	if !found {
		at--
	}
	return at >= 0 && t.peers[at].has(remote)
}

// build makes the table of a tier's policies in one direction.
func (t *groupTier) build(d Direction) *table {
	out := &table{usable: true}
	var simple []tabled
	for _, p := range t.policies {
		for i := range p.rules[d] {
			r := &p.rules[d][i]
			switch {
			case r.action == ActionLog:
				continue
			case r.action != ActionAllow:
				return &table{}
			}
			if !r.simple() {
				out.rest = append(out.rest, r)
				continue
			}
			for k := range r.clauses {
				simple = append(simple, tabled{r.clauses[k].peer, r.clauses[k].numbered()})
			}
			if slices.ContainsFunc(r.clauses, func(c clause) bool { return c.named }) {
				out.named = append(out.named, r)
			}
		}
	}
	out.cut(simple)
	if len(out.starts) > maxIntervals {
		return &table{}
	}
	for i, start := range out.starts {
		out.peers[i] = unionOf(simple, start)
	}
	return out
}

// simple says whether a rule is nothing but peers and ports.
func (r *rule) simple() bool {
	return r.family == familyAny && r.maybe == "" && !slices.ContainsFunc(r.clauses, func(c clause) bool {
		return c.local != nil || (c.peer != nil && len(c.peer.names) > 0) ||
			slices.ContainsFunc(c.not, func(p port) bool { return p.name != 0 })
	})
}

// numbered gives the points of the ports that are not by name.
func (c *clause) numbered() l4.Set {
	if !c.named {
		return c.points
	}
	var in, out []l4.Interval
	for _, p := range c.ports {
		if p.name == 0 {
			in = append(in, p.interval)
		}
	}
	for _, p := range c.not {
		out = append(out, p.interval)
	}
	return l4.Of(in...).Minus(l4.Of(out...))
}

// cut finds the points at which the answer may change.
func (t *table) cut(clauses []tabled) {
	for _, c := range clauses {
		for _, i := range c.points {
			t.starts = append(t.starts, i.First)
			if i.Last < l4.Max {
				t.starts = append(t.starts, i.Last+1)
			}
		}
	}
	slices.Sort(t.starts)
	t.starts = slices.Compact(t.starts)
	t.peers = make([]*peer, len(t.starts))
}

// unionOf joins the peers of the clauses that allow a point.
func unionOf(clauses []tabled, point uint32) *peer {
	var ends bits.Set
	var seen []*peer
	var outside netipx.IPSetBuilder
	addresses := false
	for _, c := range clauses {
		if !c.points.Has(point) || slices.Contains(seen, c.peer) {
			continue
		}
		if c.peer == nil {
			return nil
		}
		seen = append(seen, c.peer)
		ends = ends.Union(c.peer.ends)
		if c.peer.outside != nil {
			outside.AddSet(c.peer.outside)
			addresses = true
		}
	}
	switch {
	case len(seen) == 0:
		return nobody
	case len(seen) == 1:
		return seen[0]
	}
	out := &peer{ends: ends}
	if addresses {
		out.outside, _ = outside.IPSet() // only invalid input fails, and these are sets
	}
	return out
}
