// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"iter"
	"net/netip"
	"time"
)

// Header gives the batch's name and window, times in UTC.
func (b *Batch) Header() Header {
	return Header{
		Cluster: b.GetCluster(), Node: b.GetNode(), Epoch: b.GetEpoch(), Sequence: b.GetSequence(),
		Start: time.Unix(0, b.GetStartUnixNano()).UTC(), End: time.Unix(0, b.GetEndUnixNano()).UTC(),
	}
}

// Len is the number of edges.
func (b *Batch) Len() int { return len(b.GetEdges().GetPort()) }

// All gives every edge with its place in the columns. The batch must have
// passed [Validate]: what does not, may panic.
func (b *Batch) All() iter.Seq2[int, Edge] {
	return func(yield func(int, Edge) bool) {
		addresses, pods := b.addressValues(), b.podValues()
		c := b.GetEdges()
		for i := range b.Len() {
			e := Edge{
				EdgeKey: EdgeKey{
					Pod: pods[c.Pod[i]], Local: addresses[c.Local[i]], Remote: addresses[c.Remote[i]],
					Protocol: uint8(c.Protocol[i]), Port: uint16(c.Port[i]),
					Flags: EdgeFlag(c.Flags[i]), Outcome: Outcome(c.Outcome[i]),
					Reason: b.Strings[c.Reason[i]], DNS: b.Strings[c.Dns[i]], Process: b.Strings[c.Process[i]],
				},
				Counts: Counts{
					Connections: c.Connections[i],
					BytesSent:   c.BytesSent[i], BytesReceived: c.BytesReceived[i],
					PacketsSent: c.PacketsSent[i], PacketsReceived: c.PacketsReceived[i],
				},
			}
			if c.Dialled[i] != 0 {
				e.Dialled = netip.AddrPortFrom(addresses[c.Dialled[i]], uint16(c.DialledPort[i]))
			}
			if len(c.Container) > 0 {
				e.Container = b.Strings[c.Container[i]]
			}
			if len(c.Marks) > 0 {
				e.Marks = EdgeMark(c.Marks[i]) & edgeMarks
			}
			if !yield(i, e) {
				return
			}
		}
	}
}

// addressValues gives the address table as values, IPv4 unmapped.
func (b *Batch) addressValues() []netip.Addr {
	values := make([]netip.Addr, len(b.Addresses))
	for i, raw := range b.Addresses {
		if a, ok := netip.AddrFromSlice(raw); ok {
			values[i] = a.Unmap()
		}
	}
	return values
}

func (b *Batch) podValues() []PodKey {
	values := make([]PodKey, len(b.Pods))
	for i, p := range b.Pods {
		values[i] = PodKey{Namespace: b.Strings[p.GetNamespace()], Name: b.Strings[p.GetName()], UID: b.Strings[p.GetUid()]}
	}
	return values
}
