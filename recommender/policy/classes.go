// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// class is ends, or outside addresses, that no policy in question tells apart.
// What holds for one of its members holds for all.
type class struct {
	ends    bits.Set
	outside *netipx.IPSet // for a class of outside addresses; ends is then empty
	names   nameSet       // with outside: the DNS names that the class is limited to
	member  endpoint      // one member
	family  family
}

// splitter cuts a universe of ends into classes, step by step.
type splitter struct {
	of    []int32 // class of each end; -1 outside the universe
	count int32
}

func newSplitter(size int, universe bits.Set) *splitter {
	s := &splitter{of: make([]int32, size), count: 1}
	for i := range s.of {
		s.of[i] = -1
	}
	for n := range universe.All {
		s.of[n] = 0
	}
	return s
}

// by parts every class into its members in the set and those that are not.
func (s *splitter) by(set bits.Set) {
	moved := map[int32]int32{}
	for n := range set.All {
		from := s.of[n]
		if from < 0 {
			continue
		}
		to, ok := moved[from]
		if !ok {
			to = s.count
			s.count++
			moved[from] = to
		}
		s.of[n] = to
	}
}

// byKey parts every class by a key of its members.
func (s *splitter) byKey(key func(end int) string) {
	type part struct {
		class int32
		key   string
	}
	moved := map[part]int32{}
	for n, from := range s.of {
		if from < 0 {
			continue
		}
		p := part{from, key(n)}
		to, ok := moved[p]
		if !ok {
			to = s.count
			s.count++
			moved[p] = to
		}
		s.of[n] = to
	}
}

// classes lists what came out, in the order of each class's first end.
func (s *splitter) classes(t *topology) []class {
	index := map[int32]int{}
	var out []class
	for n, c := range s.of {
		if c < 0 {
			continue
		}
		i, ok := index[c]
		if !ok {
			i = len(out)
			index[c] = i
			out = append(out, class{member: endpoint{end: int32(n), addr: t.ends[n].addr}, family: t.ends[n].family})
		}
		out[i].ends.Add(n)
	}
	return out
}

// outsideClasses cuts the addresses that no pod or node owns by the peers in
// question, and each piece by the DNS names that the peers know.
func (t *topology) outsideClasses(peers []*peer) []class {
	var sets []*netipx.IPSet
	var patterns []string
	for _, p := range peers {
		if p.outside != nil {
			sets = append(sets, p.outside)
		}
		patterns = append(patterns, p.names...)
	}
	names := nameClasses(patterns)
	var out []class
	for _, set := range t.addressClasses(sets) {
		for _, n := range names {
			first := set.Ranges()[0].From()
			out = append(out, class{
				outside: set, names: n, family: familyOf(first),
				member: endpoint{end: -1, addr: first, name: strings.Replace(n.pattern, "*", "netcinch-any", 1)},
			})
		}
	}
	return out
}

// nameSet is the DNS names under a pattern and under none of others. Without
// pattern it is all names, and no name, but the others.
type nameSet struct {
	pattern string
	not     []string // sorted
}

func (n nameSet) key() string { return n.pattern + "!" + strings.Join(n.not, "!") }

// nameClasses cuts all names by the patterns. Patterns are nested or apart, so
// there is one class for each of them and one for the rest.
func nameClasses(patterns []string) []nameSet {
	slices.Sort(patterns)
	patterns = slices.Compact(patterns)
	out := []nameSet{{not: patterns}}
	for _, p := range patterns {
		n := nameSet{pattern: p}
		whole := peer{names: []string{p}}
		for _, other := range patterns {
			if other != p && whole.hasName(strings.Replace(other, "*", "netcinch-any", 1)) {
				n.not = append(n.not, other)
			}
		}
		out = append(out, n)
	}
	return out
}

// addressClasses cuts both families' address space at every bound of the sets
// and joins the pieces that lie in the same sets.
func (t *topology) addressClasses(sets []*netipx.IPSet) []*netipx.IPSet {
	starts := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	for _, s := range sets {
		for _, r := range s.Ranges() {
			starts = append(starts, r.From())
			if next := r.To().Next(); next.IsValid() {
				starts = append(starts, next)
			}
		}
	}
	slices.SortFunc(starts, netip.Addr.Compare) // IPv4 before IPv6
	starts = slices.Compact(starts)
	pieces := newSplitter(len(starts), bits.Range(0, len(starts)))
	pieces.byKey(func(i int) string { return string(rune('0' + familyOf(starts[i]))) })
	for _, s := range sets {
		var in bits.Set
		for _, r := range s.Ranges() {
			i, _ := slices.BinarySearchFunc(starts, r.From(), netip.Addr.Compare)
			for ; i < len(starts) && starts[i].Compare(r.To()) <= 0; i++ {
				in.Add(i)
			}
		}
		pieces.by(in)
	}
	builders := map[int32]*netipx.IPSetBuilder{}
	var order []int32
	for i, c := range pieces.of {
		if builders[c] == nil {
			builders[c] = &netipx.IPSetBuilder{}
			order = append(order, c)
		}
		t.addUnowned(builders[c], starts, i)
	}
	var out []*netipx.IPSet
	for _, c := range order {
		if set, err := builders[c].IPSet(); err == nil && len(set.Ranges()) > 0 {
			out = append(out, set)
		}
	}
	return out
}

// addUnowned adds the i-th piece without the addresses of pods and nodes.
func (t *topology) addUnowned(b *netipx.IPSetBuilder, starts []netip.Addr, i int) {
	last := lastAddress(starts[i])
	if i+1 < len(starts) && familyOf(starts[i+1]) == familyOf(starts[i]) {
		last = starts[i+1].Prev()
	}
	b.AddRange(netipx.IPRangeFrom(starts[i], last))
	n, _ := slices.BinarySearchFunc(t.sorted, starts[i], func(n int32, a netip.Addr) int { return t.ends[n].addr.Compare(a) })
	for ; n < len(t.sorted) && t.ends[t.sorted[n]].addr.Compare(last) <= 0; n++ {
		b.Remove(t.ends[t.sorted[n]].addr)
	}
}

func lastAddress(a netip.Addr) netip.Addr {
	return netipx.RangeOfPrefix(netip.PrefixFrom(a, 0).Masked()).To()
}
