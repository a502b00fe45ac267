// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// outsidePart is outside addresses that no peer in question tells apart.
type outsidePart struct {
	ranges []netipx.IPRange
	names  nameSet
	member endpoint
}

func (o *outsidePart) span() *outsideSpan {
	var b netipx.IPSetBuilder
	for _, r := range o.ranges {
		b.AddRange(r)
	}
	set, err := b.IPSet()
	if err != nil {
		return &outsideSpan{set: &netipx.IPSet{}, names: o.names}
	}
	return &outsideSpan{set: set, names: o.names}
}

// outsideParts cuts the addresses that no pod or node owns by the peers. The
// ranges of a part may have addresses of pods and nodes in them, which are not
// meant.
func (k *Kinship) outsideParts(peers []*peer) []outsidePart {
	var sets []*netipx.IPSet
	var patterns []string
	done := map[*peer]bool{}
	for _, p := range peers {
		if done[p] {
			continue
		}
		done[p] = true
		if p.outside != nil {
			sets = append(sets, p.outside)
		}
		patterns = append(patterns, p.names...)
	}
	starts := bounds(sets)
	s := newSplitter(len(starts), bits.Range(0, len(starts)))
	for i, a := range starts {
		if a.Is6() {
			s.of[i] = 1
		}
	}
	s.count = 2
	for _, set := range sets {
		s.by(covered(starts, set))
	}
	parts := make([]outsidePart, s.count)
	for i, c := range s.of {
		last := lastAddress(starts[i])
		if i+1 < len(starts) && familyOf(starts[i+1]) == familyOf(starts[i]) {
			last = starts[i+1].Prev()
		}
		parts[c].ranges = append(parts[c].ranges, netipx.IPRangeFrom(starts[i], last))
	}
	names := nameClasses(patterns)
	var out []outsidePart
	for _, p := range parts {
		addr := k.unowned(p.ranges)
		if !addr.IsValid() {
			continue
		}
		for _, n := range names {
			p.names = n
			p.member = endpoint{end: -1, addr: addr, name: anyNameOf(n)}
			out = append(out, p)
		}
	}
	return out
}

// unowned finds an address of ranges that no pod or node has.
func (k *Kinship) unowned(ranges []netipx.IPRange) netip.Addr {
	for _, r := range ranges {
		a := r.From()
		if i, found := slices.BinarySearchFunc(k.owned, a, func(run netipx.IPRange, a netip.Addr) int {
			switch {
			case run.To().Compare(a) < 0:
				return -1
			case run.From().Compare(a) > 0:
				return 1
			}
			return 0
		}); found {
			a = k.owned[i].To().Next()
		}
		if a.IsValid() && a.Compare(r.To()) <= 0 && a.BitLen() == r.From().BitLen() {
			return a
		}
	}
	return netip.Addr{}
}

// ownedRuns gives the addresses of pods and nodes as runs, ascending.
func (t *topology) ownedRuns() []netipx.IPRange {
	var out []netipx.IPRange
	for _, n := range t.sorted {
		a := t.ends[n].addr
		if last := len(out) - 1; last >= 0 && (out[last].To() == a || out[last].To().Next() == a) {
			out[last] = netipx.IPRangeFrom(out[last].From(), a)
			continue
		}
		out = append(out, netipx.IPRangeFrom(a, a))
	}
	return out
}

// anyNameOf is a name that stands for all of a class.
func anyNameOf(n nameSet) string { return strings.Replace(n.pattern, "*", "netcinch-any", 1) }
