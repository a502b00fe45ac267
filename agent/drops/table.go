// SPDX-License-Identifier: Apache-2.0

//go:build linux

package drops

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxDrops = 32768
	keep     = time.Minute // that a pair was dropped is known for as long
	// begin is how long drops of a pair add up: its flow is held back for a
	// while before it is read first. Later they are those of one reading.
	begin = 20 * time.Second
)

// dropKey is struct drop of bpf/drops.h.
type dropKey [44]byte

// drop is what was dropped between two ends since the last reading.
type drop struct {
	pair
	reason  uint32
	atNode  bool
	begins  bool
	packets uint64
	bytes   uint64
}

// pair is a sender and a receiver.
type pair struct {
	source, target netip.AddrPort
	protocol       uint8
}

func dropOf(k *dropKey, v *[16]byte) drop {
	end := func(address, port []byte) netip.AddrPort {
		n := 16
		if k[41] == 4 {
			n = 4
		}
		a, _ := netip.AddrFromSlice(address[:n]) // 4 or 16 bytes
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(port))
	}
	return drop{
		pair:   pair{end(k[0:16], k[32:34]), end(k[16:32], k[34:36]), k[40]},
		reason: binary.NativeEndian.Uint32(k[36:]), atNode: k[42] != 0, begins: k[43] != 0,
		packets: binary.NativeEndian.Uint64(v[:]), bytes: binary.NativeEndian.Uint64(v[8:]),
	}
}

// plain cuts the common beginning off the kernel's name of a reason.
func plain(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "SKB_DROP_REASON_"), "SKB_")
}

func (t *Tracker) reason(r uint32) string {
	if name, ok := t.reasons[r]; ok {
		return name
	}
	return fmt.Sprintf("REASON_%d", r) // a module's own
}

// entry is the drops of a pair within the time that they are kept. Where there
// were several reasons it is the one of most packets.
type entry struct {
	reason  uint32
	most    uint64 // packets of that reason
	packets uint64
	first   time.Time
	last    time.Time
}

// half is one end of pairs. The other end is told where it is the only one:
// what a client dialled may have been rewritten before it was dropped.
type half struct {
	end      netip.AddrPort
	protocol uint8
}

type other struct {
	end     netip.AddrPort
	several bool
	last    time.Time
}

type table struct {
	pairs    map[pair]entry
	bySource map[half]other
	byTarget map[half]other
	attempts []drop // to pods, since the last reading
	begun    map[pair]time.Time
	full     uint64
}

func newTable() table {
	return table{
		pairs: make(map[pair]entry), bySource: make(map[half]other), byTarget: make(map[half]other), begun: make(map[pair]time.Time),
	}
}

func (t *table) expire(now time.Time) {
	t.attempts = t.attempts[:0]
	for k, e := range t.pairs {
		if now.Sub(e.last) > keep {
			delete(t.pairs, k)
		} else if now.Sub(e.first) > begin {
			e.packets, e.most = 0, 0
			t.pairs[k] = e
		}
	}
	for _, index := range []map[half]other{t.bySource, t.byTarget} {
		for k, o := range index {
			if now.Sub(o.last) > keep {
				delete(index, k)
			}
		}
	}
	for k, at := range t.begun {
		if now.Sub(at) > keep {
			delete(t.begun, k)
		}
	}
}

// add takes in a drop. It gives the packets for which there was no room.
func (t *table) add(d drop, now time.Time) (lost uint64) {
	e, known := t.pairs[d.pair]
	if !known && len(t.pairs) >= maxDrops {
		t.full += d.packets
		return d.packets
	}
	if !known {
		e.first = now
	}
	e.packets += d.packets
	e.last = now
	if d.packets >= e.most {
		e.reason, e.most = d.reason, d.packets
	}
	t.pairs[d.pair] = e
	note(t.bySource, half{d.source, d.protocol}, d.target, now)
	note(t.byTarget, half{d.target, d.protocol}, d.source, now)
	if d.atNode {
		t.attempts = append(t.attempts, d)
	}
	return 0
}

func note(index map[half]other, k half, end netip.AddrPort, now time.Time) {
	o, known := index[k]
	index[k] = other{end: end, several: known && (o.several || o.end != end), last: now}
}

// isDatagram: its packets do not tell whether one begins a flow.
func isDatagram(protocol uint8) bool {
	return protocol == unix.IPPROTO_UDP || protocol == unix.IPPROTO_UDPLITE
}
