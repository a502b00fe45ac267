// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"cmp"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/agent/podmap"
	"github.com/netcinch/netcinch/recommender/wire"
)

// complete says of an edge which container its program runs in, by the name
// that the pod's status has for it, and whether it is a probe.
func (o *Observer) complete(slot capture.Slot, program owner.Program, e *wire.Edge) {
	if o.Pods == nil {
		return
	}
	var pod podmap.Pod
	var known bool
	if o.node.has(slot) {
		pod, known = o.registry.ByUID(program.PodUID())
	} else {
		pod, known = o.registry.Identify(slot)
	}
	if known {
		e.Container = cmp.Or(pod.Containers[e.Container], e.Container)
	}
	if o.isProbe(pod, e) {
		e.Marks |= wire.EdgeMark_EDGE_MARK_PROBE
	}
}

// isProbe says whether the node asks here whether a pod on it is well: its own
// address dials a port that a probe in the pod's spec has. A pod on the node's
// network that dials the same port looks the same from here. It is told at the
// pod's end alone: what the node sends to its pods is not seen at the node's.
func (o *Observer) isProbe(pod podmap.Pod, e *wire.Edge) bool {
	if e.LocalIsClient() || e.Guessed() || e.Protocol != unix.IPPROTO_TCP || !slices.Contains(pod.Probes, e.Port) {
		return false
	}
	// Whether others are behind the node's address, connection tracking tells.
	return !e.SourceRewritten() && o.ofThisNode(e.Remote) && o.tellsSources()
}

func (o *Observer) ofThisNode(address netip.Addr) bool {
	_, own := slices.BinarySearchFunc(o.node.own, address, netip.Addr.Compare)
	return own
}

// tellsSources says whether a client whose address was rewritten to the node's
// can be told from the node.
func (o *Observer) tellsSources() bool {
	if o.tracked != nil {
		return true
	}
	return !slices.ContainsFunc(o.collector.Missing(), func(m feature.Missing) bool { return m.Feature == feature.Conntrack.Name })
}
