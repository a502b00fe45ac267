// SPDX-License-Identifier: Apache-2.0

// Package l4 holds exact sets of protocol and port. A point is a protocol
// number with 16 bits that depend on it: the port for TCP, UDP, SCTP and
// UDPLite, type and code for ICMP and ICMPv6, nothing for the rest. All points
// lie on one line, protocol after protocol, and a Set is a list of intervals
// on it.
package l4

import (
	"slices"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Interval is the points from First to Last, both included.
type Interval struct{ First, Last uint32 }

// Set is intervals in ascending order that neither touch nor overlap. The zero
// value is empty. Operations return new sets.
type Set []Interval

// Max is the last point there is.
const Max = 0xFF_FFFF

// Point gives the place of a protocol's port (or ICMP type<<8|code) on the line.
func Point(p flow.Protocol, port uint16) uint32 { return uint32(p)<<16 | uint32(port) }

// Ports gives the points of a protocol from port first to last.
func Ports(p flow.Protocol, first, last uint16) Interval {
	return Interval{Point(p, first), Point(p, last)}
}

// All is every protocol and port that a connection can have. Port 0 of the
// protocols that have ports is left out: nothing can be dialled there, and a
// rule for 1–65535 says the same as one for any port.
func All() Set {
	s := Set{{0, Max}}
	for _, p := range []flow.Protocol{flow.TCP, flow.UDP, flow.SCTP, flow.UDPLite} {
		s = s.Minus(Set{Ports(p, 0, 0)})
	}
	return s
}

// Of makes a set of intervals in any order.
func Of(intervals ...Interval) Set {
	in := slices.Clone(intervals)
	slices.SortFunc(in, func(a, b Interval) int { return int(a.First) - int(b.First) })
	var out Set
	for _, i := range in {
		out = out.push(i)
	}
	return out
}

// push appends an interval that starts no earlier than the last one.
func (s Set) push(i Interval) Set {
	if n := len(s); n > 0 && i.First <= s[n-1].Last+1 {
		s[n-1].Last = max(s[n-1].Last, i.Last)
		return s
	}
	return append(s, i)
}

// Empty says whether nothing is in the set.
func (s Set) Empty() bool { return len(s) == 0 }

// Has says whether the point is in the set.
func (s Set) Has(point uint32) bool {
	for _, i := range s {
		if point <= i.Last {
			return point >= i.First
		}
	}
	return false
}

// Equal says whether both hold the same points.
func (s Set) Equal(o Set) bool { return slices.Equal(s, o) }

// Within says whether every point of s is in o.
func (s Set) Within(o Set) bool { return s.Minus(o).Empty() }

// Union gives what is in either set.
func (s Set) Union(o Set) Set {
	if len(s) == 0 {
		return o
	}
	if len(o) == 0 {
		return s
	}
	out := make(Set, 0, len(s)+len(o))
	a, b := s, o
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || (len(a) > 0 && a[0].First <= b[0].First) {
			out, a = out.push(a[0]), a[1:]
		} else {
			out, b = out.push(b[0]), b[1:]
		}
	}
	return out
}

// Intersect gives what is in both sets.
func (s Set) Intersect(o Set) Set {
	var out Set
	for a, b := s, o; len(a) > 0 && len(b) > 0; {
		first, last := max(a[0].First, b[0].First), min(a[0].Last, b[0].Last)
		if first <= last {
			out = append(out, Interval{first, last})
		}
		if a[0].Last < b[0].Last {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// Minus gives what is in s and not in o.
func (s Set) Minus(o Set) Set {
	if len(s) == 0 || len(o) == 0 {
		return s
	}
	var out Set
	for _, i := range s {
		for len(o) > 0 && o[0].Last < i.First {
			o = o[1:]
		}
		first := i.First
		for k := 0; k < len(o) && o[k].First <= i.Last; k++ {
			if o[k].First > first {
				out = append(out, Interval{first, o[k].First - 1})
			}
			first = o[k].Last + 1
		}
		if first <= i.Last {
			out = append(out, Interval{first, i.Last})
		}
	}
	return out
}
