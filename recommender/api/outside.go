// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/netip"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// How many bare outside addresses and outside names are drawn one by one; more
// are grouped, by prefix and by domain.
const (
	maxAddresses = 12
	maxNames     = 24
)

// outsideNames says as what the outside parties of edges are drawn: by the
// party the workload of another cluster that it is, the domain or the prefix
// that stands for it. Those that are not in it stand for themselves.
func outsideNames(edges []*analyze.Edge, elsewhere map[netip.Addr]string) map[analyze.Party]string {
	names := map[analyze.Party]string{}
	bare, named := map[analyze.Party]bool{}, map[string][]analyze.Party{}
	for _, e := range edges {
		for _, p := range []analyze.Party{e.Client, e.Server} {
			switch {
			case p.Kind != analyze.PartyOutside:
			case elsewhere[p.IP] != "":
				names[p] = elsewhere[p.IP]
			case p.DNS != "":
				named[p.DNS] = append(named[p.DNS], p)
			case p.IP.IsValid():
				bare[p] = true
			}
		}
	}
	byPrefix(bare, names)
	byDomain(named, names)
	return names
}

// byPrefix takes the longest prefixes of a ladder that give few enough groups.
func byPrefix(bare map[analyze.Party]bool, names map[analyze.Party]string) {
	if len(bare) <= maxAddresses {
		return
	}
	for _, bits := range [][2]int{{24, 64}, {16, 48}, {8, 32}, {0, 0}} {
		groups := map[string]bool{}
		for p := range bare {
			names[p] = prefixOf(p.IP, bits).String()
			groups[names[p]] = true
		}
		if len(groups) <= maxAddresses {
			return
		}
	}
}

func prefixOf(addr netip.Addr, bits [2]int) netip.Prefix {
	n := bits[0]
	if addr.Is6() {
		n = bits[1]
	}
	return netip.PrefixFrom(addr.WithZone(""), n).Masked()
}

// byDomain puts names under the longest common domains that give few enough
// groups; what is alone in its domain keeps its name.
func byDomain(named map[string][]analyze.Party, names map[analyze.Party]string) {
	if len(named) <= maxNames {
		return
	}
	for _, labels := range []int{3, 2, 1, 0} {
		members := map[string]int{}
		for name := range named {
			members[domainOf(name, labels)]++
		}
		for name, parties := range named {
			group := domainOf(name, labels)
			for _, p := range parties {
				delete(names, p)
				if members[group] > 1 {
					names[p] = group
				}
			}
		}
		if len(members) <= maxNames {
			return
		}
	}
}

// domainOf gives *.example.com for the last labels of a name.
func domainOf(name string, labels int) string {
	parts := strings.Split(name, ".")
	if len(parts) <= labels {
		return name
	}
	if labels == 0 {
		return "*"
	}
	return "*." + strings.Join(parts[len(parts)-labels:], ".")
}

// elsewhereOf says of outside addresses who had them in another cluster, as
// cluster/namespace/name; the last that was told counts.
func elsewhereOf(views ...*View) map[netip.Addr]string {
	out := map[netip.Addr]string{}
	for _, v := range views {
		for i := range v.Input.Records {
			e := &v.Input.Records[i].Edge
			if e.Client.Elsewhere != "" {
				out[e.Client.IP.Unmap()] = e.Client.Elsewhere
			}
			if e.Server.Elsewhere != "" {
				out[e.Server.IP.Unmap()] = e.Server.Elsewhere
			}
		}
	}
	return out
}
