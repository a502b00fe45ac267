// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strconv"

	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// Delta is what changes between two policy sets, exactly. A connection is in
// Added when the new set allows it and the old does not, in Removed the other
// way round. What is allowed whatever the policies (own node, loopback) is in
// neither, though its pods may be named in a cell.
type Delta struct {
	Added   []Cell
	Removed []Cell
}

// Empty says whether both policy sets allow the same.
func (d Delta) Empty() bool { return len(d.Added) == 0 && len(d.Removed) == 0 }

// Compare gives the exact difference of two engines over the same pods, nodes
// and namespaces. Engines over different pods cannot be compared; the delta then
// has one cell each way that says so, so that nobody takes it for proof.
func Compare(old, new *Engine) Delta {
	old, new = aligned(old, new)
	if why := old.top.differs(new.top); why != "" {
		return Delta{Added: []Cell{{Text: why}}, Removed: []Cell{{Text: why}}}
	}
	c := comparison{old: old, new: new}
	in := c.changed(Ingress)
	out := c.changed(Egress)
	all := old.top.everyEnd()
	c.pairs(all, true, in, false)
	c.pairs(out, false, all.Minus(in), true)
	return Delta{Added: old.cells(c.added), Removed: old.cells(c.removed)}
}

// aligned gives engines that number ends alike, where they stand on the same
// pods: an engine that followed another one keeps that one's numbers.
func aligned(old, new *Engine) (*Engine, *Engine) {
	if old.top.differs(new.top) == "" || (old.top.fresh && new.top.fresh) {
		return old, new
	}
	return old.renumbered(), new.renumbered()
}

func (e *Engine) renumbered() *Engine {
	if e.top.fresh || e.swapped {
		return e
	}
	out, _ := Compile(e.snapshot, e.options)
	return out
}

// differs says why two topologies are not the same; "" where they are.
func (t *topology) differs(o *topology) string {
	if t == o {
		return ""
	}
	same := slices.EqualFunc(t.ends, o.ends, func(a, b end) bool {
		if a.isNode() || b.isNode() {
			return a.isNode() == b.isNode() && a.addr == b.addr
		}
		p, q := &t.snapshot.Pods[a.pod], &o.snapshot.Pods[b.pod]
		return a.addr == b.addr && p.Namespace == q.Namespace && p.Name == q.Name
	})
	if !same {
		return "the two policy sets stand on different pods or nodes and cannot be compared"
	}
	return ""
}

type comparison struct {
	old, new       *Engine
	added, removed []cell
}

// changed gives the ends at which the policies that apply are not the same.
func (c *comparison) changed(d Direction) bits.Set {
	type both struct{ old, new int32 }
	known := map[both]bool{}
	same := newSameness(c.old.top, c.new.top)
	var out bits.Set
	for n := range c.old.top.everyEnd().All {
		pair := both{c.old.group[d][n], c.new.group[d][n]}
		equal, ok := known[pair]
		if !ok {
			equal = same.groups(&c.old.groups[d][pair.old], &c.new.groups[d][pair.new], d)
			known[pair] = equal
		}
		if !equal {
			out.Add(n)
		}
	}
	return out
}

// pairs compares every source with every destination of two universes, class
// by class. Pairs of two outside addresses are nobody's.
func (c *comparison) pairs(from bits.Set, fromOutside bool, to bits.Set, toOutside bool) {
	if (from.Empty() && !fromOutside) || to.Empty() && !toOutside || (from.Empty() && to.Empty()) {
		return
	}
	engines := []*Engine{c.old, c.new}
	sources := classes(engines, Egress, from, fromOutside, to)
	destinations := classes(engines, Ingress, to, toOutside, from)
	for i := range sources {
		for k := range destinations {
			c.pair(&sources[i], &destinations[k])
		}
	}
}

func (c *comparison) pair(from, to *class) {
	before, after := c.old.between(from, to), c.new.between(from, to)
	if more := after.Minus(before); !more.Empty() {
		c.added = append(c.added, cellOf(from, to, more))
	}
	if less := before.Minus(after); !less.Empty() {
		c.removed = append(c.removed, cellOf(from, to, less))
	}
}

// alwaysAll says whether every pair of the two classes is allowed whatever the
// policies.
func (t *topology) alwaysAll(from, to *class) bool {
	if from.outside != nil || to.outside != nil {
		return false
	}
	for a := range from.ends.All {
		for b := range to.ends.All {
			if !t.always(int32(a), int32(b)) {
				return false
			}
		}
	}
	return true
}

// classes cuts a universe so that no rule of any engine tells members of one
// class apart, neither as the end that policies of direction d apply to nor as
// the other end of those at the opposite universe.
func classes(engines []*Engine, d Direction, universe bits.Set, outside bool, opposite bits.Set) []class {
	t := engines[0].top
	s := newSplitter(len(t.ends), universe)
	s.byKey(func(n int) string {
		e := &t.ends[n]
		return strconv.Itoa(int(e.family)) + strconv.FormatBool(e.isNode())
	})
	var remotes []*peer
	for _, e := range engines {
		s.byKey(func(n int) string { return strconv.Itoa(int(e.group[d][n])) })
		for _, p := range e.clausePeers(d, universe, func(c *clause) *peer { return c.local }) {
			s.by(p.ends)
		}
		remotes = append(remotes, e.clausePeers(1-d, opposite, func(c *clause) *peer { return c.peer })...)
		if d == Ingress {
			s.byKey(func(n int) string { return portsKey(e.top.ends[n].ports) })
		}
	}
	for _, p := range remotes {
		s.by(p.ends)
	}
	out := s.classes(t)
	if outside {
		out = append(out, t.outsideClasses(remotes)...)
	}
	return out
}

// portsKey tells ends with different named ports apart.
func portsKey(ports []namedPort) string {
	key := make([]byte, 0, 8*len(ports))
	for _, p := range ports {
		key = append(key, byte(p.name), byte(p.name>>8), byte(p.name>>16), byte(p.protocol), byte(p.port), byte(p.port>>8))
	}
	return string(key)
}

// clausePeers collects, once each, one side of all clauses that apply to some
// end of the universe in the direction.
func (e *Engine) clausePeers(d Direction, universe bits.Set, side func(*clause) *peer) []*peer {
	groups := map[int32]bool{}
	for n := range universe.All {
		groups[e.group[d][n]] = true
	}
	policies := map[*compiled]bool{}
	seen := map[*peer]bool{nil: true}
	var out []*peer
	for g := range groups {
		for _, t := range e.groups[d][g].tiers {
			for _, p := range t.policies {
				if policies[p] {
					continue
				}
				policies[p] = true
				for i := range p.rules[d] {
					for k := range p.rules[d][i].clauses {
						if x := side(&p.rules[d][i].clauses[k]); !seen[x] {
							seen[x] = true
							out = append(out, x)
						}
					}
				}
			}
		}
	}
	return out
}
