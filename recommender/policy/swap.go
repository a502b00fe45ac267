// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"sync/atomic"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Swaps makes engines that are one engine but for policies of another. It is
// safe for use by several goroutines.
type Swaps struct {
	base, other     *Engine
	inBase, inOther map[cluster.Ref][]*compiled
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
	out.policies = exchanged(e.policies, gone, come)
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
		out.group[d], out.groups[d] = e.regrouped(d, gone, come)
		out.tables[d] = make([]atomic.Pointer[table], len(out.groups[d]))
		for g := range e.tables[d] {
			out.tables[d][g].Store(e.tables[d][g].Load())
		}
		for g := len(e.tables[d]); g < len(out.tables[d]); g++ {
			out.tables[d][g].Store(walked) // a table is not worth the while
		}
	}
	out.index, out.declared, out.members = e.index, e.declared, e.members
	return out
}

// walked is the table of a group whose rules are walked.
var walked = &table{starts: []uint32{0}, cells: []crowd{{walk: true}}}

// exchanged gives a list of policies, in order, without some and with others.
func exchanged(list, gone, come []*compiled) []*compiled {
	out := make([]*compiled, 0, len(list)+len(come))
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
func (e *Engine) regrouped(d Direction, gone, come []*compiled) ([]int32, []group) {
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
	numbers, groups := slices.Clone(e.group[d]), slices.Clip(e.groups[d])
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
				groups = append(groups, grouped(exchanged(groups[c.from].flat(), gone, here)))
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
