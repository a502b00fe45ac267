// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/wire"
)

// The shape of the fleet: pods of a node, peers of a pod, pods of a workload,
// and how many of the peers those share.
const (
	podsPerNode = 30
	peersPerPod = 20
	replicas    = 3
	sharedPeers = 10
)

const clusterName = "load"

// fleet is a cluster of so many nodes; all of it follows from the number.
type fleet struct {
	nodes int
	start time.Time // before everything
}

func (f fleet) pods() int         { return f.nodes * podsPerNode }
func (f fleet) workloads() int    { return f.pods() / replicas }
func (f fleet) node(i int) string { return "node-" + strconv.Itoa(i) }

func (f fleet) workload(pod int) flow.Workload {
	w := pod % f.workloads()
	return flow.Workload{Namespace: "ns-" + strconv.Itoa(w%97), Kind: "Deployment", Name: "workload-" + strconv.Itoa(w)}
}

func (f fleet) podName(pod int) string {
	return fmt.Sprintf("%s-%08x-%d", f.workload(pod).Name, uint32(pod)*2654435761, pod)
}

func (f fleet) address(pod int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(pod >> 16), byte(pod >> 8), byte(pod)})
}

// peer is the pod that a pod's peer of a number is.
func (f fleet) peer(pod, number int) int {
	w, replica := pod%f.workloads(), pod/f.workloads()
	target := w*7 + number*131 + 1
	if number >= sharedPeers {
		target = w*11 + number*171 + replica*37 + 3
	}
	return target%f.workloads() + replica*f.workloads()
}

// snapshot is the cluster as the recommender knows it.
func (f fleet) snapshot() *cluster.Snapshot {
	s := &cluster.Snapshot{Taken: f.start}
	for i := range f.nodes {
		s.Nodes = append(s.Nodes, cluster.Node{Name: f.node(i), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)})}})
	}
	for p := range f.pods() {
		s.Pods = append(s.Pods, cluster.Pod{
			Namespace: f.workload(p).Namespace, Name: f.podName(p), UID: "uid-" + strconv.Itoa(p), Node: f.node(p / podsPerNode),
			IPs: []netip.Addr{f.address(p)}, Workload: f.workload(p), Started: f.start,
		})
	}
	return s
}

// batch is what a node's agent sends of a window.
func (f fleet) batch(node int, epoch string, sequence uint64, start, end time.Time) ([]byte, error) {
	b := wire.NewBuilder(wire.Header{Cluster: clusterName, Node: f.node(node), Epoch: epoch, Sequence: sequence, Start: start, End: end})
	for pod := node * podsPerNode; pod < (node+1)*podsPerNode; pod++ {
		for n := range peersPerPod {
			k := uint64(1 + (pod+n+int(sequence))%7)
			err := b.Add(wire.Edge{
				EdgeKey: wire.EdgeKey{
					Pod:   wire.PodKey{Namespace: f.workload(pod).Namespace, Name: f.podName(pod), UID: "uid-" + strconv.Itoa(pod)},
					Local: f.address(pod), Remote: f.address(f.peer(pod, n)), Protocol: uint8(flow.TCP), Port: uint16(8000 + n),
					Flags: wire.EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT, Process: "/usr/bin/" + f.workload(pod).Name,
				},
				Counts: wire.Counts{Connections: k, BytesSent: 400 * k, BytesReceived: 2000 * k, PacketsSent: 6 * k, PacketsReceived: 5 * k},
			})
			if err != nil {
				return nil, err
			}
		}
	}
	b.SetCoverage(&wire.Coverage{PodsKnown: podsPerNode, PodsWatched: podsPerNode, AttachMode: "tcx-pod"})
	return wire.Encode(b.Batch())
}
