// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/netip"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// maxAddresses is how many bare outside addresses are drawn one by one; more
// are grouped by prefix.
const maxAddresses = 12

// outsideNames says as what the bare addresses are drawn where there are too
// many: by the id of the party the prefix that stands for it. Empty otherwise.
func outsideNames(v *View) map[string]string {
	bare := map[string]netip.Addr{}
	for i := range v.Report.Edges {
		for _, p := range []analyze.Party{v.Report.Edges[i].Client, v.Report.Edges[i].Server} {
			if p.Kind == analyze.PartyOutside && p.DNS == "" && p.IP.IsValid() {
				bare[partyID(p)] = p.IP
			}
		}
	}
	names := map[string]string{}
	if len(bare) <= maxAddresses {
		return names
	}
	// The longest prefixes of the ladder that give few enough groups.
	for _, bits := range [][2]int{{24, 64}, {16, 48}, {8, 32}} {
		groups := map[string]bool{}
		for id, addr := range bare {
			names[id] = prefixOf(addr, bits).String()
			groups[names[id]] = true
		}
		if len(groups) <= maxAddresses {
			break
		}
	}
	return names
}

func prefixOf(addr netip.Addr, bits [2]int) netip.Prefix {
	n := bits[0]
	if addr.Is6() {
		n = bits[1]
	}
	return netip.PrefixFrom(addr.WithZone(""), n).Masked()
}
