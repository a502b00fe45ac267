// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"encoding/binary"
	"net/netip"
)

// The shapes of bpf/flow.h, as bytes: batch look-ups copy straight into slices
// of arrays, and of nothing else.
type (
	key4  [16]byte
	key6  [40]byte
	flow4 [48]byte
	flow6 [72]byte
)

type key interface{ key4 | key6 }

type value interface{ flow4 | flow6 }

func keyBytes[K key](k *K) []byte {
	switch k := any(k).(type) {
	case *key4:
		return k[:]
	case *key6:
		return k[:]
	}
	return nil
}

func valueBytes[V value](v *V) []byte {
	switch v := any(v).(type) {
	case *flow4:
		return v[:]
	case *flow6:
		return v[:]
	}
	return nil
}

// Bits of a flow's state, as in bpf/flow.h.
const (
	startedLocal = 1 << (16 + iota)
	startedRemote
	trackedLocal
	trackedRemote
	firstLocal
	firstRemote
	_ // conntrack was asked
	destRewritten
	sourceRewritten
	refusedByRemote
	refusedByLocal
	fragment
	sent
	received
)

const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolICMPv6 = 58
	protocolSCTP   = 132

	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04

	// ephemeral is where the ports begin that Linux gives to clients.
	ephemeral = 32768
)

// reading is one entry as it was read: struct key4 or key6, and flow4 or flow6,
// of bpf/flow.h. Numbers are in the machine's byte order, addresses and ports
// in the network's.
type reading struct{ key, value []byte }

func (r reading) tx() uint64    { return binary.NativeEndian.Uint64(r.value) }
func (r reading) rx() uint64    { return binary.NativeEndian.Uint64(r.value[8:]) }
func (r reading) last() uint32  { return binary.NativeEndian.Uint32(r.value[20:]) }
func (r reading) state() uint32 { return binary.NativeEndian.Uint32(r.value[24:]) }

func (r reading) slotProtocol() uint32 { return binary.NativeEndian.Uint32(r.key[len(r.key)-4:]) }

func (r reading) addressLength() int { return (len(r.key) - 8) / 2 }

func (r reading) local() netip.Addr { return address(r.key[:r.addressLength()]) }

func (r reading) remote() netip.Addr {
	return address(r.key[r.addressLength() : 2*r.addressLength()])
}

func (r reading) localPort() uint16 {
	return binary.BigEndian.Uint16(r.key[2*r.addressLength():])
}

func (r reading) remotePort() uint16 {
	return binary.BigEndian.Uint16(r.key[2*r.addressLength()+2:])
}

// peer and dialled are struct nat4's and nat6's.
func (r reading) peer() netip.AddrPort { return r.translated(0) }

func (r reading) dialled() netip.AddrPort { return r.translated(1) }

func (r reading) translated(i int) netip.AddrPort {
	n := r.addressLength()
	nat := r.value[32:]
	return netip.AddrPortFrom(address(nat[i*n:(i+1)*n]), binary.BigEndian.Uint16(nat[2*n+2*i:]))
}

// owner is who began the flow at the local end, as in struct nat4 and nat6.
func (r reading) owner() uint32 {
	return binary.NativeEndian.Uint32(r.value[32+2*r.addressLength()+4:])
}

func address(b []byte) netip.Addr {
	if len(b) == 4 {
		return netip.AddrFrom4([4]byte(b))
	}
	return netip.AddrFrom16([16]byte(b))
}
