// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"slices"

	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// Kinship says which ends no policy of some engines tells apart: two peers of
// one Kin get the same answers with any third, other than what is allowed
// whatever the policies (see Engine.Always). It is read only once made.
type Kinship struct {
	top     *topology
	of      []int32 // class of each end
	classes []kinClass
	kinds   []bits.Set // all ends, by family and whether they are nodes'
	starts  []netip.Addr
	pieces  []int32  // class of the outside addresses from each start on, from -2 downwards
	names   []string // domain names that some policy knows
	owned   []netipx.IPRange
	seen    map[*Engine]*views
}

type kinClass struct {
	ends   bits.Set
	member endpoint
	family family
}

// Kin is what policies know of a peer. It is comparable.
type Kin struct {
	class int32  // of ends from 0; of outside addresses from -2 downwards; -1 where nothing is known
	name  string // the name asked for, where some policy has names
}

// NewKinship compares all ends as the engines see them. The engines must stand
// on the same topology, as those that With and Swap give; there must be one.
func NewKinship(engines ...*Engine) *Kinship {
	t := engines[0].top
	k := &Kinship{top: t, seen: map[*Engine]*views{}}
	s := newSplitter(len(t.ends), t.everyEnd())
	k.kinds = t.kinds()
	k.owned = t.ownedRuns()
	for _, set := range k.kinds {
		s.by(set)
	}
	s.byNumber(portNumbers(t))
	var outside []*netipx.IPSet
	seen := map[*peer]bool{nil: true}
	see := func(p *peer) {
		if seen[p] {
			return
		}
		seen[p] = true
		s.by(p.ends)
		k.names = append(k.names, p.names...)
		if p.outside != nil {
			outside = append(outside, p.outside)
		}
	}
	for _, e := range engines {
		k.seen[e] = &views{}
		for d := range e.group {
			s.byNumber(e.group[d])
			for _, p := range e.inForce() {
				for i := range p.rules[d] {
					for c := range p.rules[d][i].clauses {
						see(p.rules[d][i].clauses[c].peer)
						see(p.rules[d][i].clauses[c].local)
					}
				}
			}
		}
	}
	k.number(s)
	k.cut(outside)
	return k
}

// kinds parts all ends by family and by whether they are nodes'.
func (t *topology) kinds() []bits.Set {
	var sets [6]bits.Set
	for n := range t.everyEnd().All {
		i := int(t.ends[n].family)
		if t.ends[n].isNode() {
			i += 3
		}
		sets[i].Add(n)
	}
	var out []bits.Set
	for _, set := range sets {
		if !set.Empty() {
			out = append(out, set)
		}
	}
	return out
}

// portNumbers numbers the lists of named ports of all ends.
func portNumbers(t *topology) []int32 {
	known := map[string]int32{}
	out := make([]int32, len(t.ends))
	for n := range t.ends {
		key := portsKey(t.ends[n].ports)
		number, ok := known[key]
		if !ok {
			number = int32(len(known))
			known[key] = number
		}
		out[n] = number
	}
	return out
}

// byNumber parts every class by a number of its members.
func (s *splitter) byNumber(number []int32) {
	moved := map[[2]int32]int32{}
	for n, from := range s.of {
		if from < 0 {
			continue
		}
		part := [2]int32{from, number[n]}
		to, ok := moved[part]
		if !ok {
			to = s.count
			s.count++
			moved[part] = to
		}
		s.of[n] = to
	}
}

// number counts the classes in the order of their first ends.
func (k *Kinship) number(s *splitter) {
	t := k.top
	k.of = make([]int32, len(s.of))
	known := map[int32]int32{}
	for n, c := range s.of {
		if c < 0 {
			k.of[n] = -1
			continue
		}
		i, ok := known[c]
		if !ok {
			i = int32(len(k.classes))
			known[c] = i
			k.classes = append(k.classes, kinClass{member: endpoint{end: int32(n), addr: t.ends[n].addr}, family: t.ends[n].family})
		}
		k.of[n] = i
		k.classes[i].ends.Add(n)
	}
}

// cut parts both families' addresses by the sets.
func (k *Kinship) cut(sets []*netipx.IPSet) {
	k.starts = bounds(sets)
	s := newSplitter(len(k.starts), bits.Range(0, len(k.starts)))
	for _, set := range sets {
		s.by(covered(k.starts, set))
	}
	k.pieces = make([]int32, len(s.of))
	for i, c := range s.of {
		k.pieces[i] = -2 - c
	}
	slices.Sort(k.names)
	k.names = slices.Compact(k.names)
}

// bounds gives where some set begins or ends, IPv4 first.
func bounds(sets []*netipx.IPSet) []netip.Addr {
	starts := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	for _, s := range sets {
		for _, r := range s.Ranges() {
			starts = append(starts, r.From())
			if next := r.To().Next(); next.IsValid() {
				starts = append(starts, next)
			}
		}
	}
	slices.SortFunc(starts, netip.Addr.Compare)
	return slices.Compact(starts)
}

// covered gives the pieces, by the number of their start, that lie in a set.
func covered(starts []netip.Addr, set *netipx.IPSet) bits.Set {
	var in bits.Set
	for _, r := range set.Ranges() {
		i, _ := slices.BinarySearchFunc(starts, r.From(), netip.Addr.Compare)
		for ; i < len(starts) && starts[i].Compare(r.To()) <= 0; i++ {
			in.Add(i)
		}
	}
	return in
}

// Of gives the kin of a peer. A dual-stack pod without address is taken by its
// first.
func (k *Kinship) Of(p Peer) Kin {
	at := k.top.resolve(&p, familyAny)
	switch {
	case at.end >= 0:
		return Kin{class: k.of[at.end]}
	case !at.addr.IsValid():
		return Kin{class: -1, name: at.name}
	}
	i, found := slices.BinarySearchFunc(k.starts, at.addr, netip.Addr.Compare)
	if !found {
		i--
	}
	out := Kin{class: k.pieces[i]}
	if at.addr.Is6() { // the pieces of both families may share a class
		out.class = k.pieces[i]*2 - 1
	} else {
		out.class = k.pieces[i] * 2
	}
	if len(k.names) > 0 {
		out.name = at.name
	}
	return out
}

// Always says whether a connection is allowed whatever the policies: a pod's
// traffic to itself, and a node's to its own pods.
func (e *Engine) Always(c Connection) bool {
	q := e.query(&c)
	return q.always
}
