// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"sync"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Swaps makes engines that are one engine but for policies of another. It is
// safe for use by several goroutines.
type Swaps struct {
	base, other     *Engine
	inBase, inOther map[cluster.Ref][]*compiled
	spares          [2]sync.Pool // of *spare, by Direction
}

// spare is the memory of one direction of an engine that nobody asks any more:
// as the base has it, but for the ends that changed and the groups beyond.
type spare struct {
	group   []int32
	groups  []group
	changed []int32
}

// NewSwaps prepares to swap policies of base for those of other, which must
// stand on the same topology, as what With gives does.
func NewSwaps(base, other *Engine) *Swaps {
	return &Swaps{base: base, other: other, inBase: base.byRef(), inOther: other.byRef()}
}

func (e *Engine) byRef() map[cluster.Ref][]*compiled {
	out := make(map[cluster.Ref][]*compiled, len(e.inForce()))
	for _, p := range e.inForce() {
		out[p.ref()] = append(out[p.ref()], p)
	}
	return out
}

// Engine gives the base with the policies of some names as the other engine
// has them: in their place, beside the others, or gone where the other has
// none. Nothing is compiled, and only the ends that they select are touched.
// With takes what policies refer to, such as tiers and sets; this does not.
func (s *Swaps) Engine(refs ...cluster.Ref) *Engine {
	e := s.base
	var gone, come []*compiled
	for _, ref := range refs {
		gone = append(gone, s.inBase[ref]...)
		come = append(come, s.inOther[ref]...)
	}
	slices.SortStableFunc(come, comparePolicies)
	out := &Engine{top: e.top, options: e.options, calico: e.calico, tiers: s.other.tiers, snapshot: e.snapshot, units: e.units, swapped: true}
	out.exchange = &exchange{before: e, gone: gone, come: come}
	for _, l := range e.left {
		if !slices.Contains(refs, l.ref) {
			out.left = append(out.left, l)
		}
	}
	for _, l := range s.other.left {
		if slices.Contains(refs, l.ref) {
			out.left = append(out.left, l)
		}
	}
	for _, d := range []Direction{Egress, Ingress} {
		out.group[d], out.groups[d] = e.group[d], e.groups[d]
		if applying(d, gone) || applying(d, come) {
			out.room[d] = s.room(d)
			out.room[d].regroup(e, d, gone, come)
			out.group[d], out.groups[d] = out.room[d].group, out.room[d].groups
		}
		out.tables[d] = e.tables[d] // groups that are not touched keep their numbers
	}
	out.index, out.declared, out.members, out.base = e.index, e.declared, e.members, e
	return out
}

// Release takes back an engine that Engine made and that nobody asks any more:
// the next is made in its place. What was computed with it stays.
func (s *Swaps) Release(e *Engine) {
	for d, room := range e.room {
		if room != nil {
			s.spares[d].Put(room)
		}
	}
}

// room gives room for the groups of a direction, as the base has them.
func (s *Swaps) room(d Direction) *spare {
	r, _ := s.spares[d].Get().(*spare)
	if r == nil {
		return &spare{group: slices.Clone(s.base.group[d]), groups: slices.Clone(s.base.groups[d])}
	}
	for _, n := range r.changed {
		r.group[n] = s.base.group[d][n]
	}
	r.changed, r.groups = r.changed[:0], r.groups[:len(s.base.groups[d])]
	return r
}

func applying(d Direction, list []*compiled) bool {
	return slices.ContainsFunc(list, func(p *compiled) bool { return p.applies[d] })
}

// walked is the table of a group whose rules are walked.
var walked = &table{starts: []uint32{0}, cells: []crowd{{walk: true}}}

// table gives the table of a group; nil where it is not made yet. A group that a
// swap made has none of its own.
func (e *Engine) table(d Direction, g int32) *table {
	if int(g) >= len(e.tables[d]) {
		return walked // a table is not worth the while
	}
	return e.tables[d][g].Load()
}

// exchange is a swap of policies whose list nobody may ever ask for.
type exchange struct {
	before     *Engine
	gone, come []*compiled
	once       sync.Once
	list       []*compiled
}

// inForce lists the policies in the order of evaluation.
func (e *Engine) inForce() []*compiled {
	x := e.exchange
	if x == nil {
		return e.policies
	}
	x.once.Do(func() { x.list = exchanged(x.before.inForce(), x.gone, x.come) })
	return x.list
}

// exchanged gives a list of policies, in order, without some and with others.
func exchanged(list, gone, come []*compiled) []*compiled {
	out := append(make([]*compiled, 0, len(list)+len(come)), list...)
	for _, p := range gone {
		if at := slices.Index(out, p); at >= 0 {
			out = slices.Delete(out, at, at+1)
		}
	}
	for _, p := range come {
		at, _ := slices.BinarySearchFunc(out, p, comparePolicies)
		for at < len(out) && comparePolicies(out[at], p) == 0 {
			at++
		}
		out = slices.Insert(out, at, p)
	}
	return out
}

// regroup makes the groups of ends after an exchange. Groups that it does not
// touch keep their numbers.
func (r *spare) regroup(e *Engine, d Direction, gone, come []*compiled) {
	type change struct {
		from int32
		mask uint64
	}
	made := map[change]int32{}
	for _, p := range append(slices.Clone(gone), come...) {
		if !p.applies[d] {
			continue
		}
		for n := range p.subject.All {
			if r.group[n] != e.group[d][n] {
				continue // done with another policy
			}
			c := change{from: e.group[d][n]}
			var here []*compiled
			for i, q := range come {
				if q.applies[d] && q.subject.Has(n) {
					here = append(here, q)
					c.mask |= 1 << (i % 64)
				}
			}
			to, ok := made[c]
			if !ok || len(come) > 64 {
				to = int32(len(r.groups))
				made[c] = to
				r.groups = append(r.groups, grouped(exchanged(e.groups[d][c.from].flat(), gone, here)))
			}
			r.group[n] = to
			r.changed = append(r.changed, int32(n))
		}
	}
}

// flat lists a group's policies in order.
func (g *group) flat() []*compiled {
	var out []*compiled
	for _, t := range g.tiers {
		out = append(out, t.policies...)
	}
	return out
}
