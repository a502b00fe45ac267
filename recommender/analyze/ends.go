// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"net/netip"
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Ends gives the peers that a party stands for: its pods, its addresses. A
// dual-stack pod is there once for each address.
func (x *Index) Ends(p Party) []policy.Peer {
	switch p.Kind {
	case PartyWorkload:
		if x.onHost(p) {
			return x.hostEnds(p)
		}
		var peers []policy.Peer
		for _, pod := range x.pods[p.Workload()] {
			peers = append(peers, addressed(pod)...)
		}
		return peers
	case PartyNode:
		if p.IP.IsValid() {
			return []policy.Peer{{Addr: p.IP}}
		}
		var peers []policy.Peer
		if n := x.nodes[p.Name]; n != nil {
			for _, a := range n.Addresses {
				peers = append(peers, policy.Peer{Addr: a})
			}
		}
		return peers
	case PartyOutside:
		if p.IP.IsValid() {
			return []policy.Peer{{Addr: p.IP, DNS: p.DNS}}
		}
	}
	return nil
}

func addressed(pod *cluster.Pod) []policy.Peer {
	if len(pod.IPs) < 2 {
		return []policy.Peer{{Pod: pod}}
	}
	peers := make([]policy.Peer, len(pod.IPs))
	for i, a := range pod.IPs {
		peers[i] = policy.Peer{Pod: pod, Addr: a}
	}
	return peers
}

// hostEnds gives the addresses of the nodes that a hostNetwork workload runs
// on: policies see the node. Where none is known its pods stand for them.
func (x *Index) hostEnds(p Party) []policy.Peer {
	var peers []policy.Peer
	seen := map[netip.Addr]bool{}
	for _, pod := range x.pods[p.Workload()] {
		addrs := slices.Clone(pod.IPs)
		if n := x.nodes[pod.Node]; n != nil {
			addrs = append(addrs, n.Addresses...)
		}
		for _, a := range addrs {
			if !seen[a] {
				seen[a] = true
				peers = append(peers, policy.Peer{Addr: a})
			}
		}
	}
	if len(peers) == 0 {
		for _, pod := range x.pods[p.Workload()] {
			peers = append(peers, policy.Peer{Pod: pod})
		}
	}
	return peers
}

// Pairs calls visit with each pair of ends that can talk: of the same address
// family where both have addresses.
func Pairs(from, to []policy.Peer, visit func(from, to policy.Peer)) {
	for _, a := range from {
		for _, b := range to {
			if speak(a, b) {
				visit(a, b)
			}
		}
	}
}

// speak says whether two ends have an address family in common.
func speak(a, b policy.Peer) bool {
	v4a, v6a := families(a)
	v4b, v6b := families(b)
	return v4a && v4b || v6a && v6b
}

func families(p policy.Peer) (v4, v6 bool) {
	if p.Addr.IsValid() {
		return p.Addr.Is4(), p.Addr.Is6()
	}
	if p.Pod == nil || len(p.Pod.IPs) == 0 {
		return true, true
	}
	for _, a := range p.Pod.IPs {
		v4, v6 = v4 || a.Is4(), v6 || a.Is6()
	}
	return v4, v6
}

func endText(p policy.Peer) string {
	if p.Pod != nil {
		return p.Pod.Namespace + "/" + p.Pod.Name
	}
	return p.Addr.String()
}
