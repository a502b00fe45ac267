// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"net/netip"

	"github.com/netcinch/netcinch/recommender/flow"
)

// neighbour is another cluster of the same recommender.
type neighbour struct {
	name     string
	resolver Resolver
}

// elsewhere says who had an address that the own cluster does not know, by what
// the others know: "cluster/namespace/name" of a workload, "cluster/name" of a
// node. Where more than one of them had it (clusters often share ranges that
// are not routed between them) nobody can tell, and it says nothing.
func elsewhere(others []neighbour, addr netip.Addr, w flow.Window) string {
	found := ""
	for _, o := range others {
		owner := ownerIn(o.resolver, addr, w)
		if !owner.known {
			continue
		}
		if found != "" {
			return ""
		}
		switch e := owner.endpoint; e.Kind() {
		case flow.KindPod:
			found = o.name + "/" + e.Workload.String()
		case flow.KindNode:
			found = o.name + "/" + e.Node
		case flow.KindOutside:
		}
	}
	return found
}
