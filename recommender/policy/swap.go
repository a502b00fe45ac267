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
	spares          sync.Pool // of *spare
}

// spare is the memory of an engine that nobody asks any more.
type spare struct {
	policies []*compiled
	group    [2][]int32
	groups   [2][]group
}

// NewSwaps prepares to swap policies of base for those of other, which must
// stand on the same topology, as what With gives does.
func NewSwaps(base, other *Engine) *Swaps {
	return &Swaps{base: base, other: other, inBase: base.byRef(), inOther: other.byRef()}
}

func (e *Engine) byRef() map[cluster.Ref][]*compiled {
	out := make(map[cluster.Ref][]*compiled, len(e.policies))
	for _, p := range e.policies {
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
	room, _ := s.spares.Get().(*spare)
	if room == nil {
		room = &spare{}
	}
	out.policies = exchanged(room.policies, e.policies, gone, come)
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
		out.group[d], out.groups[d] = e.regrouped(d, room, gone, come)
		out.tables[d] = e.tables[d] // groups that are not touched keep their numbers
	}
	out.index, out.declared, out.members, out.base = e.index, e.declared, e.members, e
	return out
}

// Release takes back an engine that Engine made and that nobody asks any more:
// the next is made in its place. What was computed with it stays.
func (s *Swaps) Release(e *Engine) {
	room := &spare{policies: e.policies}
	for _, d := range []Direction{Egress, Ingress} {
		if !sameArray(e.group[d], s.base.group[d]) {
			room.group[d], room.groups[d] = e.group[d], e.groups[d]
		}
	}
	s.spares.Put(room)
}

func sameArray[T any](a, b []T) bool {
	return len(a) == 0 || len(b) > 0 && &a[0] == &b[0]
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

// exchanged gives a list of policies, in order, without some and with others, in
// the room given where that is large enough.
func exchanged(room, list, gone, come []*compiled) []*compiled {
	out := slices.Grow(room[:0], len(list)+len(come))
	for _, p := range list {
		if !slices.Contains(gone, p) {
			out = append(out, p)
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

// regrouped gives the groups of ends after an exchange. Groups that it does not
// touch keep their numbers.
func (e *Engine) regrouped(d Direction, room *spare, gone, come []*compiled) ([]int32, []group) {
	type change struct {
		from int32
		mask uint64
	}
	var touched []*compiled
	for _, p := range append(slices.Clone(gone), come...) {
		if p.applies[d] {
			touched = append(touched, p)
		}
	}
	if len(touched) == 0 {
		return e.group[d], e.groups[d]
	}
	numbers, groups := append(room.group[d][:0], e.group[d]...), append(room.groups[d][:0], e.groups[d]...)
	made := map[change]int32{}
	for _, p := range touched {
		for n := range p.subject.All {
			if numbers[n] != e.group[d][n] {
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
				to = int32(len(groups))
				made[c] = to
				groups = append(groups, grouped(exchanged(nil, groups[c.from].flat(), gone, here)))
			}
			numbers[n] = to
		}
	}
	return numbers, groups
}

// flat lists a group's policies in order.
func (g *group) flat() []*compiled {
	var out []*compiled
	for _, t := range g.tiers {
		out = append(out, t.policies...)
	}
	return out
}
