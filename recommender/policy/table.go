// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// table answers for one group of ends in one direction: for each interval of
// points, the peers that all of its tiers together allow. One binary search and
// one bit then stand for any number of policies, tiers and actions.
type table struct {
	starts []uint32 // ascending from 0; the last interval ends at l4.Max
	cells  []crowd  // by interval
	names  bool     // rules name DNS domains: the rules are walked where the client asked for a name
}

// crowd is a set of peers.
type crowd struct {
	ends    bits.Set
	outside *netipx.IPSet // nil: none
	whole   bool          // everyone there is, whatever the other fields say
	walk    bool          // not known here: the rules are to be walked
}

// at gives the peers allowed at a point.
func (t *table) at(point uint32) *crowd {
	low, high := 0, len(t.starts)
	for high-low > 1 {
		if middle := int(uint(low+high) >> 1); t.starts[middle] <= point {
			low = middle
		} else {
			high = middle
		}
	}
	return &t.cells[low]
}

// has says whether a peer is in a crowd that is known; the peer is an end or
// has an address.
func (c *crowd) has(x *endpoint) bool {
	switch {
	case c.whole:
		return true
	case x.end >= 0:
		return c.ends.Has(int(x.end))
	default:
		return c.outside != nil && c.outside.Contains(x.addr)
	}
}

func (c *crowd) empty() bool {
	return !c.whole && c.ends.Empty() && (c.outside == nil || len(c.outside.Ranges()) == 0)
}

// explicit spells a whole crowd out.
func (c crowd) explicit(ends int) crowd {
	if !c.whole {
		return c
	}
	return crowd{ends: bits.Range(0, ends), outside: everywhere}
}

var everywhere = func() *netipx.IPSet {
	var none netipx.IPSetBuilder
	none.Complement()
	all, _ := none.IPSet() // a builder without input does not fail
	return all
}()

// crowds computes with crowds over a number of ends.
type crowds struct{ ends int }

func (crowds) union(a, b crowd) crowd {
	if a.whole || b.whole {
		return crowd{whole: true}
	}
	return crowd{ends: a.ends.Union(b.ends), outside: combined(a.outside, b.outside, (*netipx.IPSetBuilder).AddSet)}
}

func (u crowds) minus(a, b crowd) crowd {
	switch {
	case b.whole:
		return crowd{}
	case b.empty():
		return a
	}
	a = a.explicit(u.ends)
	out := crowd{ends: a.ends.Minus(b.ends)}
	if a.outside != b.outside {
		out.outside = combined(a.outside, b.outside, (*netipx.IPSetBuilder).RemoveSet)
	}
	return out
}

func (crowds) intersect(a, b crowd) crowd {
	switch {
	case a.whole:
		return b
	case b.whole:
		return a
	}
	out := crowd{ends: a.ends.Intersect(b.ends)}
	if a.outside != nil && b.outside != nil {
		out.outside = combined(a.outside, b.outside, (*netipx.IPSetBuilder).Intersect)
	}
	return out
}

// combined applies a builder's operation to two sets; nil stands for none.
func combined(a, b *netipx.IPSet, operation func(*netipx.IPSetBuilder, *netipx.IPSet)) *netipx.IPSet {
	if b == nil {
		return a
	}
	var builder netipx.IPSetBuilder
	if a != nil {
		builder.AddSet(a)
	}
	operation(&builder, b)
	set, _ := builder.IPSet() // only invalid input fails, and these are sets
	return set
}
