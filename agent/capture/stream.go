// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"
)

// Bounds of the DNS answers over TCP that are put together at a time.
const (
	maxStreams    = 128
	maxStream     = 2 + 1<<16 // one message with its length
	maxPending    = 16        // segments that came before their turn
	streamTimeout = 10 * time.Second
)

// dnsSegment is the length of struct dns_segment of bpf/flow.h, behind the
// header of the event.
const dnsSegment = 24

// streamKey is a TCP connection to a resolver, as its local end sees it.
type streamKey struct {
	slot   Slot
	port   uint16 // as in the packet
	remote [16]byte
}

// segment is a part of a stream.
type segment struct {
	sequence uint32
	payload  []byte
}

// stream is a message that has not come whole yet. Between two messages a
// connection has none: the next segment begins one.
type stream struct {
	next    uint32 // sequence of the first byte that is missing
	bytes   []byte
	pending []segment // that came too early, in order
	at      time.Time
}

type streams map[streamKey]*stream

// takeSegment handles struct dns_event with struct dns_segment and a part of
// the stream.
func (r *reader) takeSegment(event []byte) {
	if len(event) <= dnsHeader+dnsSegment {
		return
	}
	now := r.clock.read()
	k := streamKey{slot: Slot(binary.NativeEndian.Uint32(event[4:])), port: binary.BigEndian.Uint16(event[dnsHeader+4:])}
	copy(k.remote[:], event[dnsHeader+8:])
	payload := event[dnsHeader+dnsSegment:]
	if length := int(binary.NativeEndian.Uint32(event[8:])) - dnsSegment; length >= 0 && length < len(payload) {
		payload = payload[:length]
	}
	s := segment{binary.NativeEndian.Uint32(event[dnsHeader:]), payload}
	lost := r.streams.take(k, s, now.wall, func(message []byte) {
		r.tell(message, k.slot, now.at(binary.NativeEndian.Uint32(event[12:])))
	})
	r.dnsLost.Add(uint64(lost))
}

// take adds a segment to its stream, and gives each message that is whole by
// it. It says how many messages are given up.
func (all streams) take(k streamKey, s segment, now time.Time, whole func([]byte)) (lost int) {
	t := all[k]
	if t == nil {
		if len(all) >= maxStreams {
			lost = all.expire(now)
		}
		if len(all) >= maxStreams {
			return lost + 1
		}
		t = &stream{next: s.sequence}
		all[k] = t
	}
	t.at = now
	if !t.add(s) {
		delete(all, k)
		return lost + 1
	}
	t.give(whole)
	if len(t.bytes) == 0 && len(t.pending) == 0 {
		delete(all, k)
	}
	return lost
}

// expire gives up what has waited too long.
func (all streams) expire(now time.Time) (lost int) {
	for k, t := range all {
		if now.Sub(t.at) > streamTimeout {
			delete(all, k)
			lost++
		}
	}
	return lost
}

// add takes in a segment and those that waited for it; false where there are
// too many or too much.
func (t *stream) add(s segment) bool {
	if ahead := int32(s.sequence - t.next); ahead > 0 {
		if len(t.pending) >= maxPending {
			return false
		}
		s.payload = slices.Clone(s.payload) // the event is reused
		at, _ := slices.BinarySearchFunc(t.pending, s, func(a, b segment) int {
			return cmp.Compare(int32(a.sequence-b.sequence), 0)
		})
		t.pending = slices.Insert(t.pending, at, s)
		return true
	}
	t.append(s)
	for len(t.pending) > 0 && int32(t.pending[0].sequence-t.next) <= 0 {
		t.append(t.pending[0])
		t.pending = t.pending[1:]
	}
	// Messages are taken out as they become whole: more than one whole message
	// and the beginning of the next is nothing that a resolver sends.
	return len(t.bytes) <= 2*maxStream
}

// append adds what a segment has that is not there yet.
func (t *stream) append(s segment) {
	seen := t.next - s.sequence
	if seen >= uint32(len(s.payload)) {
		return // came before
	}
	t.bytes = append(t.bytes, s.payload[seen:]...)
	t.next += uint32(len(s.payload)) - seen
}

// give takes whole messages out. Each follows its length.
func (t *stream) give(whole func([]byte)) {
	for len(t.bytes) >= 2 {
		length := 2 + int(binary.BigEndian.Uint16(t.bytes))
		if len(t.bytes) < length {
			return
		}
		whole(t.bytes[2:length])
		t.bytes = t.bytes[length:]
	}
}
