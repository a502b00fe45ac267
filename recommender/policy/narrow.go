// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// Shift is a set of connections that one engine allows and another does not:
// everyone in From with everyone in To on each of Points.
type Shift struct {
	From, To ShiftSide
	Points   l4.Set
}

// ShiftSide is one side of a shift: pods and nodes, or outside addresses.
type ShiftSide struct {
	top     *topology
	ends    bits.Set
	outside *outsideSpan
}

// Pods calls yield with the index in Snapshot.Pods of each pod, some of them
// twice where they have two addresses.
func (s ShiftSide) Pods(yield func(int) bool) {
	for n := range s.ends.All {
		if i := s.top.ends[n].pod; i >= 0 && !yield(int(i)) {
			return
		}
	}
}

// Owners calls yield with the owner of each pod, by index in Snapshot.Pods, once
// for pods of one owner that stand side by side.
func (s ShiftSide) Owners(owner []int32, yield func(int32) bool) {
	of := func(n int) int32 {
		if i := s.top.ends[n].pod; i >= 0 {
			return owner[i]
		}
		return -1
	}
	for n := s.ends.Next(0); n >= 0; {
		own := of(n)
		if own >= 0 && !yield(own) {
			return
		}
		for n++; n < len(s.top.ends) && own >= 0 && of(n) == own; {
			n++
		}
		n = s.ends.Next(n)
	}
}

// Nodes calls yield with the name of each node, or its address where it has no
// name.
func (s ShiftSide) Nodes(yield func(string) bool) {
	for n := range s.ends.All {
		if e := &s.top.ends[n]; e.isNode() && !yield(s.top.nodeText(e)) {
			return
		}
	}
}

// Outside says which outside addresses are meant; "" for none.
func (s ShiftSide) Outside() string {
	if s.outside == nil {
		return ""
	}
	return outsideText(*s.outside)
}

// Compare gives what changes from one engine to another, as the function of
// that name does, exactly; but it asks class by class and leaves out what no
// changed policy touches, so that it can be asked for each of many small
// changes. Both engines must be among those that the kinship was made of, or
// have policies of those only.
func (k *Kinship) Compare(old, changed *Engine) (added, removed []Shift) {
	c := shifts{k: k, old: old, new: changed}
	in, out := c.touched(Ingress), c.touched(Egress)
	all := k.top.everyEnd()
	c.side(Ingress, in, all.Minus(out))
	c.side(Egress, out, all.Minus(in))
	c.both(out, in)
	return c.added, c.removed
}

type shifts struct {
	k              *Kinship
	old, new       *Engine
	added, removed []Shift
}

// touched gives the ends at which not the same policies apply.
func (c *shifts) touched(d Direction) bits.Set {
	var out bits.Set
	before, after := c.old.group[d], c.new.group[d]
	if &before[0] == &after[0] {
		return out
	}
	differ := func(n int) bool {
		x, y := c.old.groups[d][before[n]].tiers, c.new.groups[d][after[n]].tiers
		return len(x) != len(y) || len(x) > 0 && &x[0] != &y[0] && !sameTiers(x, y)
	}
	if c.new.base == c.old { // a swap knows what it changed
		for _, n := range c.new.room[d].changed {
			if differ(int(n)) {
				out.Add(int(n))
			}
		}
		return out
	}
	for n := range before {
		if differ(n) {
			out.Add(n)
		}
	}
	return out
}

func sameTiers(a, b []*groupTier) bool {
	return slices.EqualFunc(a, b, func(x, y *groupTier) bool {
		return x == y || x.tier == y.tier && slices.Equal(x.policies, y.policies)
	})
}

// side compares at ends whose policies of one direction changed, for remote
// ends whose policies of the other did not. The latter are asked only about
// what changed at the former.
func (c *shifts) side(d Direction, local, remote bits.Set) {
	for _, l := range c.k.within(local) {
		peers := c.peers(d, &l.member)
		for _, part := range c.k.parts(remote, peers) {
			c.part(d, l, part)
		}
		for _, o := range c.k.outsideParts(peers) {
			c.outside(d, l, &o)
		}
	}
}

// within gives the classes of a set that is made of classes.
func (k *Kinship) within(set bits.Set) []kinClass {
	var out []kinClass
	done := map[int32]bool{}
	for n := range set.All {
		if i := k.of[n]; !done[i] {
			done[i] = true
			out = append(out, k.classes[i])
		}
	}
	return out
}

// peers lists, once each, whom the rules at an end of either engine name.
func (c *shifts) peers(d Direction, at *endpoint) []*peer {
	var out []*peer
	for _, e := range []*Engine{c.old, c.new} {
		for _, t := range e.groups[d][e.group[d][at.end]].tiers {
			for _, p := range t.policies {
				for i := range p.rules[d] {
					for k := range p.rules[d][i].clauses {
						if x := p.rules[d][i].clauses[k].peer; x != nil {
							out = append(out, x)
						}
					}
				}
			}
		}
	}
	return out
}

// parts cuts ends so that no peer tells members of one part apart.
func (k *Kinship) parts(ends bits.Set, peers []*peer) []bits.Set {
	var out []bits.Set
	for _, kind := range k.kinds {
		if part := kind.Intersect(ends); !part.Empty() {
			out = append(out, part)
		}
	}
	done := map[*peer]bool{}
	for _, p := range peers {
		if done[p] || p.ends.Empty() {
			continue
		}
		done[p] = true
		for i, n := 0, len(out); i < n; i++ {
			inside := out[i].Intersect(p.ends)
			if inside.Empty() {
				continue
			}
			rest := out[i].Minus(p.ends)
			if rest.Empty() {
				continue
			}
			out[i] = inside
			out = append(out, rest)
		}
	}
	return out
}

// ends puts a local and a remote end in the order of a connection.
func ends[T any](d Direction, local, remote T) (from, to T) {
	if d == Ingress {
		return remote, local
	}
	return local, remote
}

// part compares one class with a part of the remote ends.
func (c *shifts) part(d Direction, l kinClass, part bits.Set) {
	member := c.k.member(part)
	from, to := ends(d, &l.member, &member.member)
	if !l.family.meets(member.family) {
		return
	}
	f := l.family
	if f == familyAny {
		f = member.family
	}
	before, after := c.old.permits(d, from, to, f), c.new.permits(d, from, to, f)
	if slices.Equal(before, after) {
		return
	}
	c.refine(d, l, part, after.Minus(before), f, &c.added)
	c.refine(d, l, part, before.Minus(after), f, &c.removed)
}

func (k *Kinship) member(part bits.Set) *kinClass {
	for n := range part.All {
		return &k.classes[k.of[n]]
	}
	return nil
}

// alwaysPairs says whether every connection of two sets is allowed whatever
// the policies.
func (t *topology) alwaysPairs(from, to bits.Set) bool {
	for a := range from.All {
		for b := range to.All {
			if !t.always(int32(a), int32(b)) {
				return false
			}
		}
	}
	return true
}

// outside compares one class with outside addresses, where no policies apply.
func (c *shifts) outside(d Direction, l kinClass, o *outsidePart) {
	f := familyOf(o.member.addr)
	if !l.family.meets(f) {
		return
	}
	from, to := ends(d, &l.member, &o.member)
	before, after := c.old.permits(d, from, to, f), c.new.permits(d, from, to, f)
	if slices.Equal(before, after) {
		return
	}
	for _, s := range []struct {
		points l4.Set
		into   *[]Shift
	}{{after.Minus(before), &c.added}, {before.Minus(after), &c.removed}} {
		if s.points.Empty() {
			continue
		}
		from, to := ends(d, ShiftSide{top: c.k.top, ends: l.ends}, ShiftSide{top: c.k.top, outside: o.span()})
		*s.into = append(*s.into, Shift{From: from, To: to, Points: s.points})
	}
}

// both compares ends whose egress changed with ends whose ingress did.
func (c *shifts) both(out, in bits.Set) {
	for _, from := range c.k.within(out) {
		for _, to := range c.k.within(in) {
			if !from.family.meets(to.family) || c.k.top.alwaysPairs(from.ends, to.ends) {
				continue
			}
			a, b := class{ends: from.ends, member: from.member, family: from.family}, class{ends: to.ends, member: to.member, family: to.family}
			before, after := c.old.between(&a, &b), c.new.between(&a, &b)
			s := Shift{From: ShiftSide{top: c.k.top, ends: from.ends}, To: ShiftSide{top: c.k.top, ends: to.ends}}
			if s.Points = after.Minus(before); !s.Points.Empty() {
				c.added = append(c.added, s)
			}
			if s.Points = before.Minus(after); !s.Points.Empty() {
				c.removed = append(c.removed, s)
			}
		}
	}
}

// through gives which of some points are allowed with a remote end; known is
// false where the table can't tell.
func (t *table) through(points l4.Set, remote int32) (left l4.Set, known bool) {
	all, none := true, true
	for _, p := range points {
		for at := t.cell(p.First); at < len(t.starts) && t.starts[at] <= p.Last; at++ {
			cell := &t.cells[at]
			if cell.walk {
				return nil, false
			}
			in := cell.whole || cell.ends.Has(int(remote))
			all, none = all && in, none && !in
		}
	}
	switch {
	case all:
		return points, true
	case none:
		return nil, true
	}
	return t.cut(points, remote), true
}

// cut gives which of some points are allowed with a remote end, where no cell
// is walked.
func (t *table) cut(points l4.Set, remote int32) l4.Set {
	var in []l4.Interval
	for _, p := range points {
		for at := t.cell(p.First); at < len(t.starts) && t.starts[at] <= p.Last; at++ {
			if cell := &t.cells[at]; !cell.whole && !cell.ends.Has(int(remote)) {
				continue
			}
			last := uint32(l4.Max)
			if at+1 < len(t.starts) {
				last = t.starts[at+1] - 1
			}
			in = append(in, l4.Interval{First: max(p.First, t.starts[at]), Last: min(p.Last, last)})
		}
	}
	return l4.Of(in...)
}

// cell gives the number of the cell that a point lies in.
func (t *table) cell(point uint32) int {
	at, found := slices.BinarySearch(t.starts, point)
	if !found {
		at--
	}
	return at
}
