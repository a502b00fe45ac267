// SPDX-License-Identifier: Apache-2.0

package selector

import "github.com/netcinch/netcinch/recommender/policy/bits"

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
