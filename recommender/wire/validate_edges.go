// SPDX-License-Identifier: Apache-2.0

package wire

import "github.com/netcinch/netcinch/recommender/flow"

// indexes are the columns that point into a table, with the table's size.
type indexes struct {
	column string
	values []uint32
	size   int
	table  string
	need   need
}

// need is what a column of indexes must have.
type need uint8

const (
	maybe    need = iota // an entry for each edge, which may be 0 (none)
	required             // an entry for each edge, other than 0
	optional             // as maybe, or no entries at all: added to the contract later
)

func (b *Batch) indexes() []indexes {
	e := b.GetEdges()
	return []indexes{
		{"edges.pod", e.GetPod(), len(b.Pods), "pod", maybe},
		{"edges.local", e.GetLocal(), len(b.Addresses), "address", required},
		{"edges.remote", e.GetRemote(), len(b.Addresses), "address", required},
		{"edges.dialled", e.GetDialled(), len(b.Addresses), "address", maybe},
		{"edges.reason", e.GetReason(), len(b.Strings), "string", maybe},
		{"edges.dns", e.GetDns(), len(b.Strings), "string", maybe},
		{"edges.process", e.GetProcess(), len(b.Strings), "string", maybe},
		{"edges.container", e.GetContainer(), len(b.Strings), "string", optional},
	}
}

// numbers are the columns of small numbers, with the largest that fits.
func (b *Batch) numbers() []numbers {
	e := b.GetEdges()
	return []numbers{
		{"edges.dialled_port", e.GetDialledPort(), 0, 65535},
		{"edges.protocol", e.GetProtocol(), 0, 255}, // 0 is IPv6 hop-by-hop: odd, but a number
		{"edges.port", e.GetPort(), 0, 65535},
		{"edges.flags", e.GetFlags(), 0, uint32(edgeFlags)},
		{"edges.outcome", e.GetOutcome(), 0, uint32(Dropped)},
	}
}

type numbers struct {
	column    string
	values    []uint32
	low, high uint32
}

// counts are the counter columns.
func (b *Batch) counts() []counts {
	e := b.GetEdges()
	return []counts{
		{"edges.connections", e.GetConnections()},
		{"edges.bytes_sent", e.GetBytesSent()},
		{"edges.bytes_received", e.GetBytesReceived()},
		{"edges.packets_sent", e.GetPacketsSent()},
		{"edges.packets_received", e.GetPacketsReceived()},
	}
}

type counts struct {
	column string
	values []uint64
}

// checkColumns wants every column to be as long as edges.port.
func checkColumns(b *Batch) error {
	n := len(b.GetEdges().GetPort())
	if n > MaxEdges {
		return tooLarge("edges.port", "has %d entries, at most %d", n, MaxEdges)
	}
	differs := func(column string, got int) error {
		if got == n {
			return nil
		}
		return malformed(column, -1, "has %d entries, edges.port has %d", got, n)
	}
	for _, c := range b.indexes() {
		if c.need == optional && len(c.values) == 0 {
			continue
		}
		if err := differs(c.column, len(c.values)); err != nil {
			return err
		}
	}
	for _, c := range b.numbers() {
		if err := differs(c.column, len(c.values)); err != nil {
			return err
		}
	}
	for _, c := range b.counts() {
		if err := differs(c.column, len(c.values)); err != nil {
			return err
		}
	}
	if marks := len(b.GetEdges().GetMarks()); marks > 0 {
		return differs("edges.marks", marks)
	}
	return nil
}

// checkEdges judges the entries; the columns are known to be of one length.
func checkEdges(b *Batch) error {
	for _, c := range b.indexes() {
		for i, v := range c.values {
			if int(v) >= c.size {
				return malformed(c.column, i, "%s %d of %d", c.table, v, c.size)
			}
			if c.need == required && v == 0 {
				return malformed(c.column, i, "%s 0 (none), want an address", c.table)
			}
		}
	}
	for _, c := range b.numbers() {
		for i, v := range c.values {
			if v < c.low || v > c.high {
				return malformed(c.column, i, "is %d, want %d to %d", v, c.low, c.high)
			}
		}
	}
	for _, c := range b.counts() {
		for i, v := range c.values {
			if v > MaxCount {
				return implausible(c.column, i, "is %d, at most %d", v, uint64(MaxCount))
			}
		}
	}
	e := b.GetEdges()
	for i := range e.GetPort() {
		if err := checkEdge(b, e, i); err != nil {
			return err
		}
	}
	return nil
}

// checkEdge judges what one edge's columns say together.
func checkEdge(b *Batch, e *Edges, i int) error {
	local, remote := len(b.Addresses[e.Local[i]]), len(b.Addresses[e.Remote[i]])
	if local != remote {
		return malformed("edges.remote", i, "is an address of %d bytes, the local one has %d", remote, local)
	}
	if e.Port[i] != 0 && !flow.Protocol(e.Protocol[i]).HasPorts() {
		return malformed("edges.port", i, "is %d, protocol %v has no ports", e.Port[i], flow.Protocol(e.Protocol[i]))
	}
	if e.Dialled[i] == 0 && e.DialledPort[i] != 0 {
		return malformed("edges.dialled_port", i, "is %d without an address", e.DialledPort[i])
	}
	if n := len(b.Strings[e.Dns[i]]); n > MaxName {
		return malformed("edges.dns", i, "has %d bytes, at most %d", n, MaxName)
	}
	if len(e.Container) > 0 {
		if n := len(b.Strings[e.Container[i]]); n > MaxName {
			return malformed("edges.container", i, "has %d bytes, at most %d", n, MaxName)
		}
	}
	if err := checkBytes("edges.bytes_sent", i, e.BytesSent[i], e.PacketsSent[i]); err != nil {
		return err
	}
	return checkBytes("edges.bytes_received", i, e.BytesReceived[i], e.PacketsReceived[i])
}

func checkBytes(column string, i int, bytes, packets uint64) error {
	if bytes/MaxBytesPerPacket > packets || (packets == 0 && bytes > 0) {
		return implausible(column, i, "is %d in %d packets", bytes, packets)
	}
	return nil
}
