// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"slices"

	"go4.org/netipx"
)

// The shortest prefixes that outside addresses are put together in.
const (
	shortest4 = 16
	shortest6 = 48
)

// lossless writes outside addresses that fill a prefix as that prefix: it lets
// through what they do and nothing else.
func (f *fresh) lossless(b *book) {
	groups := map[string][]string{}
	for key, ports := range b.needs {
		if t := b.targets[key]; t.prefix.IsValid() && !t.isNode() {
			like := t.name + "\x00" + fmt.Sprint(sortedKeys(ports))
			groups[like] = append(groups[like], key)
		}
	}
	for _, like := range slices.Sorted(maps.Keys(groups)) {
		keys := groups[like]
		var all netipx.IPSetBuilder
		for _, key := range keys {
			all.AddPrefix(b.targets[key].prefix)
		}
		set, err := all.IPSet()
		if err != nil || len(keys) < 2 {
			continue
		}
		name, ports := b.targets[keys[0]].name, sortedKeys(b.needs[keys[0]])
		for _, p := range set.Prefixes() {
			for _, port := range ports {
				f.put(b, target{prefix: p, name: name, original: -1}, b.ports[port], 0)
			}
		}
	}
}

// prefixes writes neighbouring outside addresses as one prefix, where it holds
// no address of the cluster.
func (f *fresh) prefixes(b *book, budget int) []widening {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(b.needs)) {
		if t := b.targets[key]; t.prefix.IsValid() && !t.isNode() {
			keys = append(keys, key)
		}
	}
	var out []widening
	for i := range keys {
		for j := i + 1; j < len(keys) && len(out) < maxWidenings; j++ {
			prefix, ok := f.around(b.targets[keys[i]].prefix, b.targets[keys[j]].prefix)
			if !ok || !worth(prefix, budget, keys, b) {
				break // the next ones need a wider one still
			}
			within := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !prefix.Contains(b.targets[k].prefix.Addr()) })
			name := b.targets[within[0]].name
			if slices.ContainsFunc(within, func(k string) bool { return b.targets[k].name != name }) {
				name = ""
			}
			for _, ports := range portSets(b, within) {
				w := widening{text: fmt.Sprintf("%s instead of %d addresses", prefix, len(within))}
				for _, key := range ports {
					w.puts = append(w.puts, placed{target{prefix: prefix, name: name, original: -1}, b.ports[key]})
				}
				out = append(out, w)
			}
		}
	}
	return out
}

// worth says whether a prefix may fit the budget.
func worth(p netip.Prefix, budget int, keys []string, b *book) bool {
	left := addressCount(p)
	for _, k := range keys {
		if o := b.targets[k].prefix; p.Contains(o.Addr()) {
			left.Sub(left, addressCount(o))
		}
	}
	return left.Cmp(big.NewInt(int64(budget))) <= 0
}

func addressCount(p netip.Prefix) *big.Int {
	return new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
}

// around is the longest prefix that holds two; not one that is wider than
// anybody would write, or that holds an address of the cluster.
func (f *fresh) around(a, b netip.Prefix) (netip.Prefix, bool) {
	if a.Addr().BitLen() != b.Addr().BitLen() {
		return a, false
	}
	shortest := shortest4
	if a.Addr().Is6() {
		shortest = shortest6
	}
	for bits := min(a.Bits(), b.Bits()); bits >= shortest; bits-- {
		p := netip.PrefixFrom(a.Addr(), bits).Masked()
		if p.Contains(b.Addr()) {
			return p, !f.holdsCluster(p)
		}
	}
	return a, false
}

// holdsCluster says whether a prefix holds an address of a pod, a node or a
// Service: those are no outside addresses.
func (w *world) holdsCluster(p netip.Prefix) bool {
	i, found := slices.BinarySearchFunc(w.own, p.Addr(), netip.Addr.Compare)
	return found || i < len(w.own) && p.Contains(w.own[i])
}

func (w *world) ownAddresses() []netip.Addr {
	var out []netip.Addr
	for i := range w.snapshot.Pods {
		out = append(out, w.snapshot.Pods[i].IPs...)
	}
	for i := range w.snapshot.Nodes {
		out = append(out, w.snapshot.Nodes[i].Addresses...)
	}
	for _, s := range w.snapshot.Services {
		for _, text := range s.Spec.ClusterIPs {
			if a, err := netip.ParseAddr(text); err == nil {
				out = append(out, a)
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// rest gives the addresses of a prefix without some, as the fewest prefixes.
func rest(p netip.Prefix, without []netip.Prefix) []netip.Prefix {
	var b netipx.IPSetBuilder
	b.AddPrefix(p)
	for _, w := range without {
		b.RemovePrefix(w)
	}
	set, err := b.IPSet()
	if err != nil { // a prefix that is not valid, which none is
		return []netip.Prefix{p}
	}
	return set.Prefixes()
}
