// SPDX-License-Identifier: Apache-2.0

//go:build linux

package aggregate

import (
	"net/netip"
	"unique"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/recommender/wire"
)

// text is a string that takes one word in a key and compares in one step.
type text struct{ handle unique.Handle[string] }

func makeText(s string) text {
	if s == "" {
		return text{}
	}
	return text{unique.Make(s)}
}

func (t text) String() string {
	if t == (text{}) {
		return ""
	}
	return t.handle.Value()
}

// edgeKey is what flows are folded to. All of it is plain bytes and words, so
// that hashing is one pass. Addresses are in 16-byte form, IPv4 as ::ffff:a.b.c.d.
type edgeKey struct {
	local, remote, dialled [16]byte // dialled is all zero for none
	dns, reason            text
	program                owner.Program
	slot                   capture.Slot
	dialledPort, port      uint16
	protocol               uint8 // IANA number
	flags                  uint8 // wire.EdgeFlag
	outcome                wire.Outcome
	_                      uint8
}

func (k edgeKey) localIsClient() bool {
	return wire.EdgeFlag(k.flags)&wire.EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT != 0
}

func (k edgeKey) edge(pod wire.PodKey, c wire.Counts) wire.Edge {
	e := wire.Edge{
		EdgeKey: wire.EdgeKey{
			Pod: pod, Local: unfold(k.local), Remote: unfold(k.remote),
			Protocol: k.protocol, Port: k.port, Flags: wire.EdgeFlag(k.flags), Outcome: k.outcome,
			Reason: k.reason.String(), DNS: k.dns.String(), Process: k.program.Path(),
			Container: k.program.Container(),
		},
		Counts: c,
	}
	if k.dialled != ([16]byte{}) {
		e.Dialled = netip.AddrPortFrom(unfold(k.dialled), k.dialledPort)
	}
	return e
}

func unfold(a [16]byte) netip.Addr { return netip.AddrFrom16(a).Unmap() }

func add(a, b wire.Counts) wire.Counts {
	return wire.Counts{
		Connections: a.Connections + b.Connections,
		BytesSent:   a.BytesSent + b.BytesSent, BytesReceived: a.BytesReceived + b.BytesReceived,
		PacketsSent: a.PacketsSent + b.PacketsSent, PacketsReceived: a.PacketsReceived + b.PacketsReceived,
	}
}
