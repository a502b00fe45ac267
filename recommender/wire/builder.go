// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"
	"net/netip"
	"time"
)

// Header names a batch and its window.
type Header struct {
	Cluster  string
	Node     string
	Epoch    string
	Sequence uint64
	Start    time.Time // in the window
	End      time.Time // out of the window
}

// PodKey is a pod of the sending node; the zero value is the node itself.
type PodKey struct {
	Namespace string
	Name      string
	UID       string
}

// Outcome is what became of the connections of an edge, as a number.
type Outcome uint8

// The outcomes.
const (
	Established Outcome = iota
	Refused
	Unanswered
	Dropped
)

// EdgeKey is one edge as an agent saw it from its own end; it is comparable
// and can serve as the key that an agent folds to.
type EdgeKey struct {
	Pod      PodKey         // the local end; zero for the node itself
	Local    netip.Addr     // address of the local end
	Remote   netip.Addr     // address of the other end, after DNAT where it is known
	Dialled  netip.AddrPort // virtual address that the client dialled; zero for none
	Protocol uint8          // IANA number
	Port     uint16         // server port, after DNAT; 0 where the protocol has none
	Flags    EdgeFlag       // bits
	Outcome  Outcome
	Reason   string // drop reason
	DNS      string // the name that the local end asked for
	Process  string // executable at the local end
	// Container is the one that the process runs in, by its name in the pod, else
	// by the id that the runtime gives it; empty for none, and where none is known.
	Container string
	Marks     EdgeMark // bits
}

// Probe says whether the node asks here whether a pod on it is well.
func (k EdgeKey) Probe() bool { return k.Marks&EdgeMark_EDGE_MARK_PROBE != 0 }

// LocalIsClient says whether the local end opened the connections.
func (k EdgeKey) LocalIsClient() bool { return k.Flags&EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT != 0 }

// Guessed says whether who is the client was guessed.
func (k EdgeKey) Guessed() bool { return k.Flags&EdgeFlag_EDGE_FLAG_GUESSED != 0 }

// SourceRewritten says whether the client's address was rewritten on the way.
func (k EdgeKey) SourceRewritten() bool { return k.Flags&EdgeFlag_EDGE_FLAG_SOURCE_REWRITTEN != 0 }

// Counts are counted from the client's point of view, whichever end is local.
type Counts struct {
	Connections     uint64 // that began within the window
	BytesSent       uint64 // client to server
	BytesReceived   uint64
	PacketsSent     uint64
	PacketsReceived uint64
}

// Edge is one entry of a batch as a value.
type Edge struct {
	EdgeKey
	Counts
}

// Builder collects edges into one batch. It is not safe for concurrent use.
type Builder struct {
	batch     *Batch
	strings   map[string]uint32
	addresses map[netip.Addr]uint32
	pods      map[PodKey]uint32
}

// NewBuilder starts a batch. Losses and coverage are set on the batch itself,
// by [Builder.SetLosses] and [Builder.SetCoverage].
func NewBuilder(h Header) *Builder {
	b := &Builder{
		batch: &Batch{
			Version: Version, Cluster: h.Cluster, Node: h.Node, Epoch: h.Epoch, Sequence: h.Sequence,
			StartUnixNano: h.Start.UnixNano(), EndUnixNano: h.End.UnixNano(),
			Strings: []string{""}, Addresses: [][]byte{{}}, Pods: []*Pod{{}},
			Edges: &Edges{}, Losses: &Losses{}, Coverage: &Coverage{},
		},
		strings:   map[string]uint32{"": 0},
		addresses: map[netip.Addr]uint32{{}: 0},
		pods:      map[PodKey]uint32{{}: 0},
	}
	return b
}

// SetLosses sets what was not recorded in the window.
func (b *Builder) SetLosses(l *Losses) { b.batch.Losses = l }

// SetCoverage sets what was watched in the window.
func (b *Builder) SetCoverage(c *Coverage) { b.batch.Coverage = c }

// Len is the number of edges so far.
func (b *Builder) Len() int { return len(b.batch.Edges.Port) }

// Full says whether the next edge, or its strings or pod, may not fit: the
// rest of the window goes into a batch of the next sequence number.
func (b *Builder) Full() bool {
	return b.Len() >= MaxEdges || len(b.batch.Strings) > MaxStrings-7 || len(b.batch.Pods) >= MaxPods
}

// Add appends one edge. It refuses, leaving the batch as it was, an edge that
// [Validate] would refuse. Free text is made to fit first: bytes that are not
// UTF-8 become U+FFFD, what is too long is cut, DNS names become lower case
// without the final dot.
func (b *Builder) Add(e Edge) error {
	if b.Full() {
		return fmt.Errorf("adding an edge: %w: the batch is full at %d edges", ErrTooLarge, b.Len())
	}
	e.EdgeKey = e.normal()
	if err := e.check(b.Len()); err != nil {
		return fmt.Errorf("adding an edge: %w", err)
	}
	c := b.batch.Edges
	c.Pod = append(c.Pod, b.pod(e.Pod))
	c.Local = append(c.Local, b.address(e.Local))
	c.Remote = append(c.Remote, b.address(e.Remote))
	c.Dialled = append(c.Dialled, b.address(e.Dialled.Addr()))
	c.DialledPort = append(c.DialledPort, uint32(e.Dialled.Port()))
	c.Protocol = append(c.Protocol, uint32(e.Protocol))
	c.Port = append(c.Port, uint32(e.Port))
	c.Flags = append(c.Flags, uint32(e.Flags))
	c.Outcome = append(c.Outcome, uint32(e.Outcome))
	c.Reason = append(c.Reason, b.text(e.Reason))
	c.Dns = append(c.Dns, b.text(e.DNS))
	c.Process = append(c.Process, b.text(e.Process))
	c.Container = appendLate(c.Container, b.Len()-1, b.text(e.Container))
	c.Marks = appendLate(c.Marks, b.Len()-1, uint32(e.Marks))
	c.Connections = append(c.Connections, e.Connections)
	c.BytesSent = append(c.BytesSent, e.BytesSent)
	c.BytesReceived = append(c.BytesReceived, e.BytesReceived)
	c.PacketsSent = append(c.PacketsSent, e.PacketsSent)
	c.PacketsReceived = append(c.PacketsReceived, e.PacketsReceived)
	return nil
}

// appendLate appends the value of the i-th edge to a column that stays empty
// until an edge has one.
func appendLate(column []uint32, i int, value uint32) []uint32 {
	if value == 0 && len(column) == 0 {
		return nil
	}
	return append(append(column, make([]uint32, i-len(column))...), value)
}

// Batch gives the batch, ready for [Encode]. The builder must not be used
// after it.
func (b *Builder) Batch() *Batch { return b.batch }

func (b *Builder) text(s string) uint32 {
	i, ok := b.strings[s]
	if !ok {
		i = uint32(len(b.batch.Strings))
		b.strings[s] = i
		b.batch.Strings = append(b.batch.Strings, s)
	}
	return i
}

func (b *Builder) address(a netip.Addr) uint32 {
	i, ok := b.addresses[a]
	if !ok {
		i = uint32(len(b.batch.Addresses))
		b.addresses[a] = i
		b.batch.Addresses = append(b.batch.Addresses, a.AsSlice())
	}
	return i
}

func (b *Builder) pod(k PodKey) uint32 {
	i, ok := b.pods[k]
	if !ok {
		i = uint32(len(b.batch.Pods))
		b.pods[k] = i
		b.batch.Pods = append(b.batch.Pods, &Pod{
			Namespace: b.text(k.Namespace), Name: b.text(k.Name), Uid: b.text(k.UID),
		})
	}
	return i
}
