// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"slices"

	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// addNodes gives every node address an end, then every hostNetwork pod the end
// of its node: such pods share the node's address, so nothing that decides
// from a packet can tell them from it.
func (t *topology) addNodes(before *topology) {
	for _, n := range t.snapshot.Nodes {
		t.nodeLabels[n.Name] = n.Labels
		for _, addr := range n.Addresses {
			t.nodeEnd(before, n.Name, addr.Unmap().WithZone(""))
		}
		if len(n.Addresses) == 0 {
			t.nodeEnd(before, n.Name, netip.Addr{})
		}
	}
	for i := range t.snapshot.Pods {
		p := &t.snapshot.Pods[i]
		if !p.HostNetwork {
			continue
		}
		first := int32(-1)
		for _, addr := range ownAddresses(p) {
			if n := t.nodeEnd(before, p.Node, addr); first < 0 {
				first = n
			}
		}
		t.firstEnd[i] = first
	}
}

// nodeEnd finds or makes the end of a node's address. Without address any end
// of the node serves.
func (t *topology) nodeEnd(before *topology, name string, addr netip.Addr) int32 {
	node := t.node(name)
	if n, ok := t.byAddr[addr]; ok && addr.IsValid() && t.ends[n].isNode() {
		return n
	}
	if own := t.endsOfNode[node]; !addr.IsValid() && len(own) > 0 {
		return own[0]
	}
	n := t.nodeSlot(before, nodeKey{name, addr})
	t.ends[n] = end{pod: -1, node: node, addr: addr, family: familyOf(addr)}
	t.nodeEnds.Add(int(n))
	if node >= 0 {
		t.endsOfNode[node] = append(t.endsOfNode[node], n)
	}
	if _, taken := t.byAddr[addr]; addr.IsValid() && !taken {
		t.byAddr[addr] = n
	}
	return n
}

// within gives the ends whose address is in the set.
func (t *topology) within(set *netipx.IPSet) bits.Set {
	var out bits.Set
	for _, r := range set.Ranges() {
		from, _ := slices.BinarySearchFunc(t.sorted, r.From(), func(n int32, a netip.Addr) int {
			return t.ends[n].addr.Compare(a)
		})
		for _, n := range t.sorted[from:] {
			if t.ends[n].addr.Compare(r.To()) > 0 {
				break
			}
			out.Add(int(n))
		}
	}
	return out
}

// everyEnd is the set of all ends.
func (t *topology) everyEnd() bits.Set { return t.all }

// addServices learns the virtual addresses, to warn those who ask about one.
func (t *topology) addServices() {
	for _, s := range t.snapshot.Services {
		for _, text := range append([]string{s.Spec.ClusterIP}, s.Spec.ClusterIPs...) {
			if addr, err := netip.ParseAddr(text); err == nil { // "None" and "" are not addresses
				t.services[addr] = s.Namespace + "/" + s.Name
			}
		}
	}
}
