// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"

	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// cell is a set of connections: every source with every destination on every
// point. Pairs of different families are not connections, so a cell may hold
// the IPv4 and the IPv6 side of the same pods.
type cell struct {
	from, to span
	points   l4.Set
}

// span is one side of a cell.
type span struct {
	ends    bits.Set
	outside []outsideSpan
}

// outsideSpan is outside addresses, asked for by some names.
type outsideSpan struct {
	set   *netipx.IPSet
	names nameSet
}

func cellOf(from, to *class, points l4.Set) cell {
	return cell{spanOf(from), spanOf(to), points}
}

func spanOf(c *class) span {
	if c.outside != nil {
		return span{outside: []outsideSpan{{c.outside, c.names}}}
	}
	return span{ends: c.ends}
}

func (s *span) key() string {
	var b strings.Builder
	b.WriteString(s.ends.Key())
	for _, o := range s.outside {
		b.WriteByte('|')
		b.WriteString(o.names.key())
		b.WriteByte('|')
		for _, r := range o.set.Ranges() {
			b.WriteString(r.String())
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func (s *span) union(o span) span {
	out := span{ends: s.ends.Union(o.ends), outside: slices.Clone(s.outside)}
	for _, x := range o.outside {
		i := slices.IndexFunc(out.outside, func(y outsideSpan) bool { return y.names.key() == x.names.key() })
		if i < 0 {
			out.outside = append(out.outside, x)
			continue
		}
		var b netipx.IPSetBuilder
		b.AddSet(out.outside[i].set)
		b.AddSet(x.set)
		if set, err := b.IPSet(); err == nil {
			out.outside[i].set = set
		}
	}
	slices.SortFunc(out.outside, func(a, b outsideSpan) int { return strings.Compare(a.names.key(), b.names.key()) })
	return out
}

func pointsKey(s l4.Set) string {
	key := make([]byte, 0, 8*len(s))
	for _, i := range s {
		key = append(key, byte(i.First), byte(i.First>>8), byte(i.First>>16), byte(i.Last), byte(i.Last>>8), byte(i.Last>>16))
	}
	return string(key)
}

// joined merges cells that differ on one side only, so that people read few:
// first sources, then destinations, then the two families. Pods and outside
// addresses stay apart.
func (t *topology) joined(cells []cell) []cell {
	for i := range cells {
		t.withoutSelf(&cells[i])
	}
	kind := func(s *span) string { return string(rune('0' + min(1, len(s.outside)))) }
	cells = merge(cells, func(c *cell) string { return pointsKey(c.points) + kind(&c.from) + c.to.key() }, func(a *cell, b cell) { a.from = a.from.union(b.from) })
	cells = merge(cells, func(c *cell) string { return pointsKey(c.points) + kind(&c.to) + c.from.key() }, func(a *cell, b cell) { a.to = a.to.union(b.to) })
	for i := range cells {
		cells[i].from.anyName()
		cells[i].to.anyName()
	}
	cells = t.acrossFamilies(cells, func(c *cell) string { return t.membersKey(c.to.ends) + t.addresslessKey(c.from.ends) })
	return t.acrossFamilies(cells, func(c *cell) string { return t.membersKey(c.from.ends) + t.addresslessKey(c.to.ends) })
}

// withoutSelf takes a lone pod out of the other side, since its traffic to
// itself is no policy's.
func (t *topology) withoutSelf(c *cell) {
	if own, lone := t.lonePod(c.to.ends); lone && !c.from.ends.Minus(own).Empty() {
		c.from.ends = c.from.ends.Minus(own)
	}
	if own, lone := t.lonePod(c.from.ends); lone && !c.to.ends.Minus(own).Empty() {
		c.to.ends = c.to.ends.Minus(own)
	}
}

// lonePod gives all ends of the pod that the set's ends are all of.
func (t *topology) lonePod(ends bits.Set) (own bits.Set, lone bool) {
	pod := int32(-1)
	for n := range ends.All {
		if e := &t.ends[n]; e.isNode() || (pod >= 0 && e.pod != pod) {
			return bits.Set{}, false
		}
		pod = t.ends[n].pod
	}
	if pod < 0 {
		return bits.Set{}, false
	}
	return bits.Range(int(t.firstEnd[pod]), int(t.firstEnd[pod]+t.endCount[pod])), true
}

// acrossFamilies joins an IPv4 cell and an IPv6 cell of the same points and key.
// That adds no connection: what is new is pairs of two families, and the keys
// see to it that pods without address are in both cells or in none.
func (t *topology) acrossFamilies(cells []cell, key func(*cell) string) []cell {
	type half struct {
		key    string
		family family
	}
	index := map[half]int{}
	var out []cell
	for _, c := range cells {
		f, pure := t.cellFamily(&c)
		if !pure {
			out = append(out, c)
			continue
		}
		k := pointsKey(c.points) + key(&c)
		other := half{k, family4 + family6 - f}
		if i, ok := index[other]; ok {
			out[i].from, out[i].to = out[i].from.union(c.from), out[i].to.union(c.to)
			delete(index, other)
			continue
		}
		index[half{k, f}] = len(out)
		out = append(out, c)
	}
	return out
}

func (t *topology) membersKey(ends bits.Set) string {
	return bits.Of(t.members(ends)...).Key() + "\x00"
}

func (t *topology) addresslessKey(ends bits.Set) string {
	var out bits.Set
	for n := range ends.All {
		if t.ends[n].family == familyAny {
			out.Add(n)
		}
	}
	return out.Key() + "\x00"
}

// cellFamily gives the one family of a cell's ends; not pure where there are
// both, or none, or outside addresses.
func (t *topology) cellFamily(c *cell) (f family, pure bool) {
	if len(c.from.outside)+len(c.to.outside) > 0 {
		return familyAny, false
	}
	for _, ends := range []bits.Set{c.from.ends, c.to.ends} {
		for n := range ends.All {
			switch own := t.ends[n].family; {
			case own == familyAny:
			case f == familyAny:
				f = own
			case f != own:
				return familyAny, false
			}
		}
	}
	return f, f != familyAny
}

// members numbers the pods and nodes of ends, whatever their addresses.
func (t *topology) members(ends bits.Set) []int {
	var out []int
	for n := range ends.All {
		e := &t.ends[n]
		switch {
		case !e.isNode():
			out = append(out, int(e.pod))
		case e.node >= 0:
			out = append(out, len(t.snapshot.Pods)+int(e.node))
		default:
			out = append(out, len(t.snapshot.Pods)+len(t.nodeNames)+n)
		}
	}
	return out
}

func merge(cells []cell, key func(*cell) string, join func(*cell, cell)) []cell {
	index := map[string]int{}
	var out []cell
	for _, c := range cells {
		k := key(&c)
		if i, ok := index[k]; ok {
			join(&out[i], c)
			continue
		}
		index[k] = len(out)
		out = append(out, c)
	}
	return out
}

// anyName joins classes of names over the same addresses that together are all
// names: what a pattern leaves out of the rest comes back with the pattern.
func (s *span) anyName() {
	for i := range s.outside {
		rest := &s.outside[i]
		if rest.names.pattern != "" {
			continue
		}
		rest.names.not = slices.DeleteFunc(slices.Clone(rest.names.not), func(pattern string) bool {
			k := slices.IndexFunc(s.outside, func(o outsideSpan) bool {
				return o.names.pattern == pattern && o.set != nil && o.set.Equal(rest.set)
			})
			if k >= 0 {
				s.outside[k].set = nil
			}
			return k >= 0
		})
	}
	s.outside = slices.DeleteFunc(s.outside, func(o outsideSpan) bool { return o.set == nil })
}
