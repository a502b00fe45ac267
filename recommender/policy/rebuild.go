// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// rebuild makes an engine out of another one and what changed.
type rebuild struct {
	compiler
	before  *Engine
	engine  *Engine
	touched bits.Set // ends that are not what they were
	dropped map[*compiled]bool
	made    []*compiled
	had     [2][]int32 // numbers of groups in the engine before
}

func (e *Engine) rebuild(top *topology, s *cluster.Snapshot) *rebuild {
	r := &rebuild{before: e, dropped: map[*compiled]bool{}}
	r.compiler = compiler{top: top, options: e.options, tiers: maps.Clone(e.tiers), calico: e.calico, units: map[cluster.Ref]*unit{}}
	r.engine = &Engine{top: top, options: e.options, calico: e.calico, snapshot: s, units: maps.Clone(e.units)}
	return r
}

// drop takes out what came of an object.
func (r *rebuild) drop(ref cluster.Ref) {
	u := r.engine.units[ref]
	if u == nil {
		return
	}
	for _, p := range u.policies {
		r.dropped[p] = true
	}
	delete(r.engine.units, ref)
}

// staleUnits looks at the world again, and finds what is to be compiled again:
// units of which a fact changed, and those with doubts, which may be gone.
func (r *rebuild) staleUnits(changed aspect) map[cluster.Ref]bool {
	stale := r.refresh(r.before.top.facts, r.touched, changed)
	out := map[cluster.Ref]bool{}
	for ref, u := range r.engine.units {
		if len(u.problems)+len(u.left) > 0 || slices.ContainsFunc(u.uses, func(f *fact) bool { return stale[f] }) {
			out[ref] = true
		}
	}
	return out
}

// done puts the engine together.
func (r *rebuild) done() (*Engine, []cluster.Problem) {
	e := r.engine
	e.tiers = r.tiers
	e.effort = Effort{Policies: len(r.units), Ends: r.touched.Len()}
	for ref, u := range r.units {
		e.units[ref] = u
		r.made = append(r.made, u.policies...)
	}
	slices.SortFunc(r.made, comparePolicies)
	e.policies = merged(slices.DeleteFunc(slices.Clone(r.before.policies), func(p *compiled) bool { return r.dropped[p] }), r.made)
	for _, d := range []Direction{Egress, Ingress} {
		r.regroup(d)
	}
	e.lookup = newLookup(e)
	if e.top == r.before.top {
		e.inherit(&r.before.lookup, r.had)
	}
	return e, e.collect()
}

// merged joins two lists that are in order.
func merged(a, b []*compiled) []*compiled {
	if len(b) == 0 {
		return a
	}
	out := make([]*compiled, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if comparePolicies(a[0], b[0]) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// strand is the policies that apply to ends that are treated alike: those that
// were kept of a group, and one that was made after the strand's parent.
type strand struct {
	parent int32
	group  int32 // of the engine before, where there is no parent; -1 for none
	made   *compiled
}

// regroup sorts out which policies apply to the ends that the change could
// mean something to. All others stay in their groups.
func (r *rebuild) regroup(d Direction) {
	size := len(r.top.ends)
	was := r.before.group[d]
	group := make([]int32, size)
	copy(group, was)
	for n := len(was); n < size; n++ {
		group[n] = -1
	}
	strands, of := r.strands(d, group)
	groups := slices.Clone(r.before.groups[d])
	number := map[int32]int32{}
	for n, l := range of {
		to, ok := number[l]
		if !ok {
			to = r.groupOf(d, strands, l, &groups)
			number[l] = to
		}
		group[n] = to
	}
	r.engine.effort.Groups += len(number)
	r.engine.group[d], r.engine.groups[d], r.had[d] = compacted(group, groups, r.top)
}

// strands follows each end concerned through the policies that were made.
func (r *rebuild) strands(d Direction, group []int32) (strands []strand, of map[int]int32) {
	concerned := r.touched.Intersect(r.top.all)
	for p := range r.dropped {
		if p.applies[d] {
			concerned = concerned.Union(p.subject)
		}
	}
	for _, p := range r.made {
		if p.applies[d] {
			concerned = concerned.Union(p.subject)
		}
	}
	of = map[int]int32{}
	start := map[int32]int32{}
	for n := range concerned.Intersect(r.top.all).All {
		l, ok := start[group[n]]
		if !ok {
			l = int32(len(strands))
			strands = append(strands, strand{parent: -1, group: group[n]})
			start[group[n]] = l
		}
		of[n] = l
	}
	for _, p := range r.made {
		if !p.applies[d] {
			continue
		}
		child := map[int32]int32{}
		for n := range p.subject.All {
			l, ok := child[of[n]]
			if !ok {
				l = int32(len(strands))
				strands = append(strands, strand{parent: of[n], made: p})
				child[of[n]] = l
			}
			of[n] = l
		}
	}
	return strands, of
}

// groupOf finds or makes the group of a strand.
func (r *rebuild) groupOf(d Direction, strands []strand, at int32, groups *[]group) int32 {
	var made []*compiled
	for ; strands[at].parent >= 0; at = strands[at].parent {
		made = append(made, strands[at].made)
	}
	slices.Reverse(made)
	var kept []*compiled
	total := 0
	if g := strands[at].group; g >= 0 {
		for _, t := range r.before.groups[d][g].tiers {
			total += len(t.policies)
			for _, p := range t.policies {
				if !r.dropped[p] {
					kept = append(kept, p)
				}
			}
		}
		if len(made) == 0 && len(kept) == total {
			return g
		}
	}
	*groups = append(*groups, grouped(merged(kept, made)))
	return int32(len(*groups) - 1)
}

// compacted drops groups that no end is in any more, and says which number each
// had. Numbers that no end has are in a group without policies.
func compacted(numbers []int32, groups []group, t *topology) (of []int32, kept []group, had []int32) {
	to := make([]int32, len(groups))
	none := false
	for n, g := range numbers {
		if !t.all.Has(n) {
			none = true
			continue
		}
		if to[g] == 0 {
			kept, had = append(kept, groups[g]), append(had, g)
			to[g] = int32(len(kept))
		}
		numbers[n] = to[g] - 1
	}
	if none {
		for n := range numbers {
			if !t.all.Has(n) {
				numbers[n] = int32(len(kept))
			}
		}
		kept, had = append(kept, group{}), append(had, -1)
	}
	return numbers, kept, had
}

// inherit takes over the tables of groups that an engine over the same topology
// had under other numbers.
func (l *lookup) inherit(before *lookup, had [2][]int32) {
	l.index, l.declared = before.index, before.declared
	for _, d := range []Direction{Egress, Ingress} {
		for g, was := range had[d] {
			if was >= 0 && int(was) < len(before.tables[d]) {
				l.tables[d][g].Store(before.tables[d][was].Load())
			}
		}
	}
}
