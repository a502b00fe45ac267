// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// connections visits every pair of one family with a few protocols and ports.
func connections(d *policytest.Dice, s *cluster.Snapshot, visit func(Connection)) {
	peers := d.Peers(s)
	for _, a := range peers {
		for _, b := range peers {
			if a.Addr.IsValid() && b.Addr.IsValid() && a.Addr.Is4() != b.Addr.Is4() || (a.Pod == nil && b.Pod == nil) {
				continue
			}
			from, to := Peer{Pod: a.Pod, Addr: a.Addr, DNS: a.DNS}, Peer{Pod: b.Pod, Addr: b.Addr, DNS: b.DNS}
			for _, port := range []uint16{53, 80, 81, 9999} {
				visit(Connection{From: from, To: to, Protocol: policytest.Pick(d, flow.TCP, flow.UDP, flow.SCTP), Port: port, ICMPType: -1, ICMPCode: -1})
			}
			visit(Connection{From: from, To: to, Protocol: policytest.Pick(d, flow.ICMP, flow.ICMPv6), ICMPType: policytest.Pick[int16](d, 8, 128, 3)})
			visit(Connection{From: from, To: to, Protocol: policytest.Pick[flow.Protocol](d, 47, 51)})
		}
	}
}
