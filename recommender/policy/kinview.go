// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"sync"

	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// views are how one engine sees the classes of a kinship, by direction.
type views struct {
	once  [2]sync.Once
	views [2]view
}

// view parts the classes by what an engine's policies of one direction say of
// them: workloads with the same rules are many, and are then asked for once.
type view struct {
	blocks []block
	nodes  []int32 // classes of nodes, which are asked for one by one
}

// block is pods whose policies of one direction say the same.
type block struct {
	table   *table // nil: no policy applies
	ends    bits.Set
	classes []int32
}

// view gives the view of one of the engines that the kinship was made of; nil
// for others.
func (k *Kinship) view(e *Engine, d Direction) *view {
	v := k.seen[e]
	if v == nil {
		return nil
	}
	v.once[d].Do(func() { v.views[d] = k.look(e, d) })
	return &v.views[d]
}

func (k *Kinship) look(e *Engine, d Direction) view {
	var out view
	known := map[uint64][]int{}
	for i := range k.classes {
		c := &k.classes[i]
		if k.top.ends[c.member.end].isNode() {
			out.nodes = append(out.nodes, int32(i))
			continue
		}
		t := e.tableOf(d, e.group[d][c.member.end])
		sum := t.sum()
		at := slices.IndexFunc(known[sum], func(n int) bool { return out.blocks[n].table.alike(t) })
		if at < 0 {
			known[sum] = append(known[sum], len(out.blocks))
			out.blocks = append(out.blocks, block{table: t, ends: c.ends, classes: []int32{int32(i)}})
			continue
		}
		b := &out.blocks[known[sum][at]]
		b.ends, b.classes = b.ends.Union(c.ends), append(b.classes, int32(i))
	}
	return out
}

// tableOf gives a group's table, which it makes where there is none; nil where
// no policy applies.
func (e *Engine) tableOf(d Direction, g int32) *table {
	if len(e.groups[d][g].tiers) == 0 {
		return nil
	}
	t := e.table(d, g)
	if t == nil {
		t = e.tabulate(d, g)
		e.tables[d][g].Store(t)
	}
	return t
}

// sum is the same for tables that are alike.
func (t *table) sum() uint64 {
	var sum uint64
	if t == nil {
		return sum
	}
	for i := range t.cells {
		sum = t.cells[i].ends.Sum(sum + uint64(t.starts[i]))
	}
	return sum
}

// alike says whether two tables let the same ends through. One that is walked
// is like itself only.
func (t *table) alike(o *table) bool {
	if t == nil || o == nil || t == o {
		return t == o
	}
	return slices.Equal(t.starts, o.starts) && slices.EqualFunc(t.cells, o.cells, func(a, b crowd) bool {
		return !a.walk && !b.walk && a.whole == b.whole && a.ends.Equal(b.ends)
	})
}

// shares are remote ends by what they let through.
type shares []share

type share struct {
	ends   bits.Set
	points l4.Set
}

// of gives the ends that let so much through, within a part.
func (s *shares) of(left l4.Set, part bits.Set) *bits.Set {
	at := slices.IndexFunc(*s, func(o share) bool { return slices.Equal(o.points, left) })
	if at < 0 {
		at = len(*s)
		*s = append(*s, share{points: left, ends: part.Span()})
	}
	return &(*s)[at].ends
}

// refine keeps of what changed at one end what the other end lets through.
func (c *shifts) refine(d Direction, l kinClass, part bits.Set, points l4.Set, f family, into *[]Shift) {
	if points.Empty() {
		return
	}
	var found shares
	if v := c.k.view(c.old, 1-d); v != nil && !c.k.top.ends[l.member.end].isNode() {
		own := c.own(l)
		for i := range v.blocks {
			c.block(d, &l, part, own, points, f, &v.blocks[i], &found)
		}
		for _, i := range v.nodes {
			c.class(d, &l, part, points, f, i, &found)
		}
	} else {
		for i := range c.k.classes {
			c.class(d, &l, part, points, f, int32(i), &found)
		}
	}
	for _, s := range found {
		if s.ends.Empty() {
			continue // its own class only
		}
		from, to := ends(d, ShiftSide{top: c.k.top, ends: l.ends}, ShiftSide{top: c.k.top, ends: s.ends})
		*into = append(*into, Shift{From: from, To: to, Points: s.points})
	}
}

// own gives the classes with which all connections of a class of pods are
// allowed whatever the policies: those of the pod that it is.
func (c *shifts) own(l kinClass) bits.Set {
	var out bits.Set
	pod, lone := c.k.top.lonePod(l.ends)
	if !lone {
		return out
	}
	for n := range pod.All {
		if same := c.k.classes[c.k.of[n]].ends; c.k.top.alwaysPairs(l.ends, same) {
			out.Include(same)
		}
	}
	return out
}

// block refines by pods whose policies say the same, all at once. own is left
// out.
func (c *shifts) block(d Direction, l *kinClass, part, own bits.Set, points l4.Set, f family, b *block, into *shares) {
	left := points
	if b.table != nil {
		var known bool
		if left, known = b.table.through(points, l.member.end); !known {
			for _, i := range b.classes {
				c.class(d, l, part, points, f, i, into)
			}
			return
		}
	}
	if left.Empty() || !b.ends.Intersects(part) {
		return
	}
	into.of(left, part).IncludeBoth(b.ends, part, own)
}

// class refines by one class.
func (c *shifts) class(d Direction, l *kinClass, part bits.Set, points l4.Set, f family, i int32, into *shares) {
	remote := &c.k.classes[i]
	if !part.Has(int(remote.member.end)) {
		return
	}
	if from, to := ends(d, l, remote); c.k.top.alwaysPairs(from.ends, to.ends) {
		return
	}
	if left := c.through(1-d, l, remote, points, f); !left.Empty() {
		into.of(left, part).Include(remote.ends)
	}
}

// through gives what the other end's policies, which did not change, let pass.
func (c *shifts) through(d Direction, l, remote *kinClass, points l4.Set, f family) l4.Set {
	// d is the direction that remote's policies speak of.
	t := c.old.tableOf(d, c.old.group[d][remote.member.end])
	if t == nil {
		return points
	}
	if left, known := t.through(points, l.member.end); known {
		return left
	}
	from, to := ends(d, &remote.member, &l.member)
	return points.Intersect(c.old.permits(d, from, to, f))
}
