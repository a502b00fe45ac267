// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// aspect is a part of the world besides the ends that a fact may hang on.
type aspect uint8

const (
	hangsOnSets aspect = 1 << iota // network sets and the addresses of host endpoints
	hangsOnHosts
	hangsOnTiers
	hangsOnProfiles
	hangsOnServices
)

// fact is something about the world that policies are compiled from: which ends
// a selector selects, what a tier's order is. It knows how to look again, so
// that after a change only policies are compiled anew of which a fact changed.
type fact struct {
	hangs aspect
	// ends looks at some ends, each by itself; nil where the fact is text.
	ends func(t *topology, within bits.Set) bits.Set
	set  bits.Set
	// text looks at the whole world of the aspects.
	text  func(c *compiler) string
	value string
}

// unit is what came of one object, and the facts that it was compiled from.
type unit struct {
	object   *cluster.Object
	policies []*compiled
	problems []cluster.Problem
	left     []left
	forwards []forward
	uses     []*fact
}

// selection gives the ends that a function selects, once for each key. The
// function judges each end by itself.
func (c *compiler) selection(key string, hangs aspect, ends func(*topology, bits.Set) bits.Set) bits.Set {
	f := c.top.facts[key]
	if f == nil {
		f = &fact{hangs: hangs, ends: ends, set: ends(c.top, c.top.all)}
		c.top.facts[key] = f
	}
	c.use(f)
	return f.set
}

// asked gives a fact that is text, once for each key.
func (c *compiler) asked(key string, hangs aspect, text func(*compiler) string) {
	f := c.top.facts[key]
	if f == nil {
		f = &fact{hangs: hangs, text: text, value: text(c)}
		c.top.facts[key] = f
	}
	c.use(f)
}

func (c *compiler) use(f *fact) {
	if c.unit != nil && !slices.Contains(c.unit.uses, f) {
		c.unit.uses = append(c.unit.uses, f)
	}
}

// refresh looks at every fact again after a change: at the ends that were
// touched, or at all of it where an aspect that it hangs on changed. It leaves
// the facts of the old world alone, and gives those that are no longer true.
func (c *compiler) refresh(facts map[string]*fact, touched bits.Set, changed aspect) map[*fact]bool {
	stale := map[*fact]bool{}
	c.top.facts = make(map[string]*fact, len(facts))
	for key, f := range facts {
		now := f.again(c, touched, changed)
		if now != f {
			stale[f] = true
		}
		c.top.facts[key] = now
	}
	return stale
}

func (f *fact) again(c *compiler, touched bits.Set, changed aspect) *fact {
	next := *f
	switch {
	case f.text != nil:
		if f.hangs&changed == 0 {
			return f
		}
		if next.value = f.text(c); next.value == f.value {
			return f
		}
	case f.hangs&changed != 0:
		if next.set = f.ends(c.top, c.top.all); next.set.Equal(f.set) {
			return f
		}
	default:
		now := f.ends(c.top, touched.Intersect(c.top.all))
		if now.Equal(f.set.Intersect(touched)) {
			return f
		}
		next.set = f.set.Minus(touched).Union(now)
	}
	return &next
}
