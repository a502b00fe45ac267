// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"maps"

	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// Index answers which members of a universe a selector selects, by postings of
// label and value instead of a walk over all members.
type Index struct {
	all      bits.Set
	postings map[string]map[string]*bits.Set
}

// NewIndex makes an index over an empty universe.
func NewIndex() *Index { return &Index{postings: map[string]map[string]*bits.Set{}} }

// Add puts a member with its labels into the universe. Lower numbers first is
// cheapest. Labels of one member may come in several calls.
func (x *Index) Add(member int, labels map[string]string) {
	x.all.Add(member)
	for key, value := range labels {
		values := x.postings[key]
		if values == nil {
			values = map[string]*bits.Set{}
			x.postings[key] = values
		}
		set := values[value]
		if set == nil {
			set = &bits.Set{}
			values[value] = set
		}
		set.Add(member)
	}
}

// Edited gives the index after some members' labels changed, or members came or
// went. The functions give a member's labels before and after, and whether it
// was or is in the universe at all. The receiver stays as it is.
func (x *Index) Edited(members bits.Set, before, after func(int) (map[string]string, bool)) *Index {
	out := &Index{all: x.all.Minus(members), postings: maps.Clone(x.postings)}
	owned := map[string]bool{} // postings that out does not share
	change := func(key, value string, edit func(bits.Set) bits.Set) {
		if !owned[key] {
			owned[key] = true
			out.postings[key] = maps.Clone(out.postings[key])
			if out.postings[key] == nil {
				out.postings[key] = map[string]*bits.Set{}
			}
		}
		var was bits.Set
		if set := out.postings[key][value]; set != nil {
			was = *set
		}
		if now := edit(was); now.Empty() {
			delete(out.postings[key], value)
		} else {
			out.postings[key][value] = &now
		}
	}
	for n := range members.All {
		one := bits.Of(n)
		if labels, was := before(n); was {
			for key, value := range labels {
				change(key, value, func(s bits.Set) bits.Set { return s.Minus(one) })
			}
		}
		if labels, is := after(n); is {
			out.all = out.all.Union(one)
			for key, value := range labels {
				change(key, value, func(s bits.Set) bits.Set { return s.Union(one) })
			}
		}
	}
	return out
}

// All is the universe.
func (x *Index) All() bits.Set { return x.all }

// Select gives the members of within that the selector selects.
func (x *Index) Select(e *Expr, within bits.Set) bits.Set {
	switch e.Op {
	case True, Global:
		return within
	case Not:
		return within.Minus(x.Select(e.Parts[0], within))
	case And:
		for _, p := range e.Parts {
			within = x.Select(p, within)
		}
		return within
	case Or:
		var out bits.Set
		for _, p := range e.Parts {
			out = out.Union(x.Select(p, within))
		}
		return out
	case Ne, NotIn:
		return within.Minus(x.values(&Expr{Op: In, Key: e.Key, Values: e.Values}, within))
	case Has, Eq, In, Contains, StartsWith, EndsWith:
		return x.values(e, within)
	}
	return bits.Set{}
}

// values evaluates a test that holds only where the label is present.
func (x *Index) values(e *Expr, within bits.Set) bits.Set {
	var out bits.Set
	if e.Op == Eq || e.Op == In {
		for _, v := range e.Values {
			if set := x.postings[e.Key][v]; set != nil {
				out = out.Union(set.Intersect(within))
			}
		}
		return out
	}
	for value, set := range x.postings[e.Key] {
		if e.Op == Has || e.test(value) {
			out = out.Union(set.Intersect(within))
		}
	}
	return out
}
