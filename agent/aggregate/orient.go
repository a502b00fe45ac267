// SPDX-License-Identifier: Apache-2.0

//go:build linux

package aggregate

import (
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/recommender/wire"
)

// orient turns a record to the client's point of view: who is the client, the
// server's port after any DNAT, and the counts as sent and received by the
// client. The name is left for later.
func orient(r *capture.Record) (edgeKey, wire.Counts) {
	client, guessed := clientIsLocal(r)
	k := edgeKey{
		slot: r.Slot, local: r.Local.As16(), remote: r.Remote.As16(),
		protocol: r.Protocol, outcome: outcomeOf(r.Outcome), reason: makeText(r.Reason),
	}
	var flags wire.EdgeFlag
	if guessed {
		flags |= wire.EdgeFlag_EDGE_FLAG_GUESSED
	}
	if r.SourceRewritten {
		flags |= wire.EdgeFlag_EDGE_FLAG_SOURCE_REWRITTEN
	}
	c := wire.Counts{Connections: r.Connections}
	if client {
		flags |= wire.EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT
		serverOf(r, &k)
		c.BytesSent, c.PacketsSent = r.Tx.Bytes, r.Tx.Packets
		c.BytesReceived, c.PacketsReceived = r.Rx.Bytes, r.Rx.Packets
	} else {
		k.port = r.LocalPort
		if r.Source.IsValid() {
			k.remote = r.Source.Addr().As16()
		}
		c.BytesSent, c.PacketsSent = r.Rx.Bytes, r.Rx.Packets
		c.BytesReceived, c.PacketsReceived = r.Tx.Bytes, r.Tx.Packets
	}
	if !HasPorts(k.protocol) {
		k.port = 0
	}
	k.flags = uint8(flags)
	return k, c
}

// serverOf sets the server as a local client reached it: the backend after
// DNAT where conntrack told, with the virtual address as dialled; else the
// address and port in the packet.
func serverOf(r *capture.Record, k *edgeKey) {
	k.port = r.RemotePort
	if r.Dialled.IsValid() {
		k.dialled, k.dialledPort = r.Dialled.Addr().As16(), r.Dialled.Port()
	}
	if !r.Backend.IsValid() {
		return
	}
	if !r.Dialled.IsValid() && (r.Backend.Addr() != r.Remote || r.Backend.Port() != r.RemotePort) {
		k.dialled, k.dialledPort = r.Remote.As16(), r.RemotePort
	}
	k.remote, k.port = r.Backend.Addr().As16(), r.Backend.Port()
}

// resolve has listening sockets say who began a flow where no packet and no
// conntrack did: who listens on its port is the server. One whose port nobody
// listens on is taken for the client, which remains a guess: its listener may
// be gone.
func (a *Aggregator) resolve(r *capture.Record) {
	if a.Listens == nil || (!r.Guessed && r.Initiator != capture.InitiatorUnknown) {
		return
	}
	switch listens, known := a.Listens(r); {
	case listens:
		r.Initiator, r.Guessed = capture.InitiatorRemote, false
	case known:
		r.Initiator, r.Guessed = capture.InitiatorLocal, true
	}
}

// clientIsLocal says which end began the flow. Capture knows it from the SYN,
// the first datagram or conntrack, resolve from listeners. Where none could
// tell, the end with the lower port is taken for the server, and that is a
// guess; where ports don't tell either, the end that sent more in this drain is
// taken for the client.
func clientIsLocal(r *capture.Record) (client, guessed bool) {
	switch r.Initiator {
	case capture.InitiatorLocal:
		return true, r.Guessed
	case capture.InitiatorRemote:
		return false, r.Guessed
	case capture.InitiatorUnknown:
	}
	if r.LocalPort != r.RemotePort {
		return r.LocalPort > r.RemotePort, true
	}
	return r.Tx.Packets >= r.Rx.Packets, true
}

// HasPorts says whether the header of a protocol (IANA number) carries ports.
func HasPorts(protocol uint8) bool {
	switch protocol {
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_SCTP, unix.IPPROTO_UDPLITE:
		return true
	}
	return false
}

func outcomeOf(o capture.Outcome) wire.Outcome {
	switch o {
	case capture.Established:
		return wire.Established
	case capture.Refused:
		return wire.Refused
	case capture.Unanswered:
		return wire.Unanswered
	case capture.Dropped:
		return wire.Dropped
	}
	return wire.Established
}
