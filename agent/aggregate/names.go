// SPDX-License-Identifier: Apache-2.0

//go:build linux

package aggregate

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
)

// How long a name stands for an address. The TTL says how long a resolver may
// use it; programs hold addresses longer, and a connection keeps its name for
// as long as it talks.
const (
	minNameLife  = time.Minute
	nameLifeUsed = 15 * time.Minute // after the last record of a flow that uses it
)

type nameKey struct {
	address netip.Addr
	slot    capture.Slot
}

type name struct {
	text    text
	expires time.Time
}

// names remembers which name each pod asked for to learn an address.
type names struct {
	entries map[nameKey]name
	limit   int
	full    uint64 // names that found no room
}

func newNames(limit int) *names { return &names{entries: make(map[nameKey]name), limit: limit} }

func (n *names) learn(a capture.DNSAnswer, now time.Time) {
	t := makeText(strings.ToLower(strings.TrimSuffix(a.Name, ".")))
	if t == (text{}) {
		return
	}
	at := a.At
	if at.IsZero() || at.After(now) {
		at = now
	}
	expires := at.Add(max(a.TTL, minNameLife))
	for _, address := range a.Addrs {
		k := nameKey{address.Unmap(), a.Slot}
		if _, known := n.entries[k]; !known && len(n.entries) >= n.limit {
			n.expire(now)
			if len(n.entries) >= n.limit {
				n.full++
				continue
			}
		}
		n.entries[k] = name{t, expires}
	}
}

// find gives the name that the slot's pod asked for, and keeps it alive while
// flows use it.
func (n *names) find(slot capture.Slot, address netip.Addr, now time.Time) text {
	if len(n.entries) == 0 {
		return text{}
	}
	k := nameKey{address.Unmap(), slot}
	e, ok := n.entries[k]
	if !ok || now.After(e.expires) {
		return text{}
	}
	// Written back only when it moves by a noticeable step.
	if kept := now.Add(nameLifeUsed); kept.Sub(e.expires) > nameLifeUsed/8 {
		e.expires = kept
		n.entries[k] = e
	}
	return e.text
}

func (n *names) expire(now time.Time) {
	for k, e := range n.entries {
		if now.After(e.expires) {
			delete(n.entries, k)
		}
	}
}

func (n *names) forget(slot capture.Slot) {
	for k := range n.entries {
		if k.slot == slot {
			delete(n.entries, k)
		}
	}
}

// appendState appends each name with what it stands for.
func (n *names) appendState(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(n.entries)))
	for k, e := range n.entries {
		b = binary.AppendUvarint(b, uint64(k.slot))
		address := k.address.As16()
		b = append(b, address[:]...)
		b = appendText(b, e.text.String())
		b = binary.AppendVarint(b, e.expires.UnixNano())
	}
	return b
}

// restore takes in names that were learnt before, as far as there is room.
func (n *names) restore(entries map[nameKey]name) {
	for k, e := range entries {
		if len(n.entries) >= n.limit {
			n.full++
			continue
		}
		n.entries[k] = e
	}
}
