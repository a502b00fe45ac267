// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/binary"
	"slices"

	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// tabulator makes the table of one group in one direction.
type tabulator struct {
	engine    *Engine
	direction Direction
	group     int32
	lines     []line
	names     bool
}

// line is a clause as a table takes it; lines are in the order of evaluation.
type line struct {
	tier   int
	action Action
	peer   *peer
	points l4.Set
	walk   bool // whether it matches at its points hangs on more than the peer
}

// maxIntervals bounds a table's memory; beyond it the rules are walked.
const maxIntervals = 2048

func (e *Engine) tabulate(d Direction, group int32) *table {
	b := &tabulator{engine: e, direction: d, group: group}
	for i, t := range e.groups[d][group].tiers {
		for _, p := range t.policies {
			for k := range p.rules[d] {
				b.rule(i, &p.rules[d][k])
			}
		}
	}
	return b.table()
}

func (b *tabulator) rule(tier int, r *rule) {
	if r.action == ActionLog || r.maybe != "" {
		return // neither decides
	}
	for i := range r.clauses {
		c := &r.clauses[i]
		l := line{tier: tier, action: r.action, peer: c.peer, walk: r.family != familyAny}
		b.names = b.names || (c.peer != nil && len(c.peer.names) > 0)
		if c.local != nil {
			members := b.members()
			if !members.Intersects(c.local.ends) {
				continue
			}
			l.walk = l.walk || !members.Within(c.local.ends)
		}
		b.clause(l, c)
	}
}

func (b *tabulator) members() bits.Set { return b.engine.members[b.direction]()[b.group] }

// clause adds the lines of a clause: one for its ports by number, and one for
// each place where a port that it has by name is declared.
func (b *tabulator) clause(l line, c *clause) {
	if !c.named {
		b.add(l, c.points)
		return
	}
	if slices.ContainsFunc(c.not, func(p port) bool { return p.name != 0 }) {
		l.walk = true
		b.add(l, everything)
		return
	}
	b.add(l, c.numbered())
	not := intervals(c.not)
	for i := range c.ports {
		p := &c.ports[i]
		if p.name == 0 {
			continue
		}
		for _, place := range b.engine.declared()[p.name] {
			if place.protocol == p.protocol && !not.Has(place.point) {
				b.named(l, &place)
			}
		}
	}
}

// numbered gives the points of the ports that are by number, where none of
// those left out is by name.
func (c *clause) numbered() l4.Set { return intervals(c.ports).Minus(intervals(c.not)) }

func intervals(ports []port) l4.Set {
	var out []l4.Interval
	for i := range ports {
		if ports[i].name == 0 {
			out = append(out, ports[i].interval)
		}
	}
	return l4.Of(out...)
}

// named adds the line of a port by name at one place where it is declared. The
// name is the destination's: the peer's for egress, the group's own for ingress.
func (b *tabulator) named(l line, at *declaration) {
	switch {
	case b.direction == Egress && l.peer == nil:
		l.peer = &peer{ends: at.ends}
	case b.direction == Egress:
		l.peer = &peer{ends: at.ends.Intersect(l.peer.ends)}
	default:
		members := b.members()
		if !members.Intersects(at.ends) {
			return
		}
		l.walk = l.walk || !members.Within(at.ends)
	}
	b.add(l, l4.Set{{First: at.point, Last: at.point}})
}

func (b *tabulator) add(l line, points l4.Set) {
	if l.points = points; !points.Empty() {
		b.lines = append(b.lines, l)
	}
}

// table finds the intervals in which the answer is the same, and the answers.
func (b *tabulator) table() *table {
	starts := []uint32{0}
	for i := range b.lines {
		for _, p := range b.lines[i].points {
			starts = append(starts, p.First)
			if p.Last < l4.Max {
				starts = append(starts, p.Last+1)
			}
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	if len(starts) > maxIntervals {
		return &table{starts: []uint32{0}, cells: []crowd{{walk: true}}}
	}
	out := &table{names: b.names}
	known := map[string]crowd{}
	last := ""
	for i, lines := range b.within(starts) {
		key := linesKey(lines)
		if i > 0 && key == last {
			continue // as before
		}
		last = key
		cell, ok := known[key]
		if !ok {
			cell = b.fold(lines)
			known[key] = cell
		}
		out.starts = append(out.starts, starts[i])
		out.cells = append(out.cells, cell)
	}
	return out
}

// within lists for each interval the lines that hold in it, in order.
func (b *tabulator) within(starts []uint32) [][]int32 {
	out := make([][]int32, len(starts))
	for i := range b.lines {
		for _, p := range b.lines[i].points {
			at, _ := slices.BinarySearch(starts, p.First)
			for ; at < len(starts) && starts[at] <= p.Last; at++ {
				out[at] = append(out[at], int32(i))
			}
		}
	}
	return out
}

func linesKey(lines []int32) string {
	key := make([]byte, 0, 4*len(lines))
	for _, l := range lines {
		key = binary.LittleEndian.AppendUint32(key, uint32(l))
	}
	return string(key)
}

// fold evaluates the lines of an interval for all peers at once: the first that
// matches in a tier decides, and what is passed, or not matched in a tier whose
// default is to pass, goes on to the next.
func (b *tabulator) fold(lines []int32) crowd {
	if slices.ContainsFunc(lines, func(i int32) bool { return b.lines[i].walk }) {
		return crowd{walk: true}
	}
	sets := crowds{ends: len(b.engine.top.ends)}
	remaining, allowed := crowd{whole: true}, crowd{}
	for i, t := range b.engine.groups[b.direction][b.group].tiers {
		var passed crowd
		for len(lines) > 0 && b.lines[lines[0]].tier == i {
			run := b.run(lines)
			hit := sets.intersect(crowdOf(b.lines, lines[:run]), remaining)
			if run < len(lines) || t.tier.fallback == ActionPass { // else nothing asks for it
				remaining = sets.minus(remaining, hit)
			}
			switch b.lines[lines[0]].action {
			case ActionAllow:
				allowed = sets.union(allowed, hit)
			case ActionPass:
				passed = sets.union(passed, hit)
			case ActionDeny, ActionLog:
			}
			lines = lines[run:]
		}
		if t.tier.fallback != ActionPass {
			remaining = crowd{}
		}
		if remaining = sets.union(remaining, passed); remaining.empty() {
			return allowed
		}
	}
	return sets.union(allowed, remaining)
}

// run counts the lines at the front that are of one tier and one action, so
// that their order does not matter.
func (b *tabulator) run(lines []int32) int {
	first := &b.lines[lines[0]]
	for n, i := range lines {
		if l := &b.lines[i]; l.tier != first.tier || l.action != first.action {
			return n
		}
	}
	return len(lines)
}

// crowdOf joins the peers of lines.
func crowdOf(lines []line, which []int32) crowd {
	seen := map[*peer]bool{}
	var ends []bits.Set
	var outside []*netipx.IPSet
	for _, i := range which {
		p := lines[i].peer
		if p == nil {
			return crowd{whole: true}
		}
		if seen[p] {
			continue
		}
		seen[p] = true
		ends = append(ends, p.ends)
		if p.outside != nil {
			outside = append(outside, p.outside)
		}
	}
	out := crowd{ends: bits.UnionOf(ends...)}
	switch len(outside) {
	case 0:
	case 1:
		out.outside = outside[0]
	default:
		var builder netipx.IPSetBuilder
		for _, set := range outside {
			builder.AddSet(set)
		}
		out.outside, _ = builder.IPSet() // only invalid input fails, and these are sets
	}
	return out
}
