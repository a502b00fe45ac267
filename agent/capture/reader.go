// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// Kinds of ring buffer event, as in bpf/flow.h.
const (
	eventOverflow4 = 1
	eventOverflow6 = 2
	eventDNS       = 3
	eventSegment   = 4
)

// reader empties the ring buffer: packets that found no room in the flow map
// are folded here until the next drain, DNS answers go to a channel.
type reader struct {
	ring    *ringbuf.Reader
	options Options
	clock   clock
	answers chan DNSAnswer
	done    chan struct{}

	mu        sync.Mutex
	overflow4 map[key4]flow4
	overflow6 map[key6]flow6
	lost      Count
	taken     Count // packets that came out of the ring: folded or lost

	streams              streams // only the reading goroutine uses them
	dnsLost, dnsUnparsed atomic.Uint64
	dnsTaken             atomic.Uint64
	failed               atomic.Pointer[error] // why reading ended, if not by Close
}

// err is why nothing is read any more; nil while all is well.
func (r *reader) err() error {
	if failed := r.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

func newReader(events *ebpf.Map, o Options, c clock) (*reader, error) {
	ring, err := ringbuf.NewReader(events)
	if err != nil {
		return nil, fmt.Errorf("opening the ring buffer: %w", err)
	}
	r := &reader{
		ring: ring, options: o, clock: c,
		answers:   make(chan DNSAnswer, o.DNSBuffer),
		done:      make(chan struct{}),
		overflow4: make(map[key4]flow4),
		overflow6: make(map[key6]flow6),
		streams:   make(streams),
	}
	return r, nil
}

// longAgo is a deadline for what is there already.
var longAgo = time.Unix(1, 0)

// empty takes what the ring holds at present. Call it before run.
func (r *reader) empty() error {
	r.ring.SetDeadline(longAgo)
	defer r.ring.SetDeadline(time.Time{})
	var event ringbuf.Record
	for {
		err := r.ring.ReadInto(&event)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the ring buffer: %w", err)
		}
		if len(event.RawSample) >= 8 {
			r.take(event.RawSample)
		}
	}
}

// tookAll is what came out of the ring.
func (r *reader) tookAll() Told {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Told{r.taken.Packets, r.taken.Bytes, r.dnsTaken.Load()}
}

// learnt is how many DNS answers came out of the ring and do not wait in the
// channel.
func (r *reader) learnt() uint64 {
	n := r.dnsTaken.Load()
	return n - min(n, uint64(len(r.answers)))
}

// Close ends the reading, which must have begun, and waits for it.
func (r *reader) Close() error {
	err := r.ring.Close()
	<-r.done
	return err
}

func (r *reader) run() {
	defer close(r.done)
	defer close(r.answers)
	var event ringbuf.Record
	for {
		err := r.ring.ReadInto(&event)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			err = fmt.Errorf("reading the ring buffer: %w", err)
			r.failed.Store(&err)
			return
		}
		if len(event.RawSample) >= 8 {
			r.take(event.RawSample)
		}
	}
}

func (r *reader) take(event []byte) {
	switch binary.NativeEndian.Uint32(event) {
	case eventOverflow4:
		if len(event) == 8+len(key4{})+len(flow4{}) {
			r.mu.Lock()
			fold(r, r.overflow4, key4(event[8:]), flow4(event[8+len(key4{}):]))
			r.mu.Unlock()
		}
	case eventOverflow6:
		if len(event) == 8+len(key6{})+len(flow6{}) {
			r.mu.Lock()
			fold(r, r.overflow6, key6(event[8:]), flow6(event[8+len(key6{}):]))
			r.mu.Unlock()
		}
	case eventDNS:
		r.takeDNS(event)
		r.dnsTaken.Add(1)
	case eventSegment:
		r.takeSegment(event)
		r.dnsTaken.Add(1)
	}
}

// fold adds one packet to its flow's.
func fold[K key, V value](r *reader, flows map[K]V, k K, v V) {
	packet := reading{key: keyBytes(&k), value: valueBytes(&v)}
	count := difference(packet.tx()+packet.rx(), 0)
	r.taken.Packets += count.Packets
	r.taken.Bytes += count.Bytes
	whole, known := flows[k]
	if !known && len(flows) >= r.options.MaxOverflow {
		r.lost.Packets += count.Packets
		r.lost.Bytes += count.Bytes
		return
	}
	if !known {
		flows[k] = v
		return
	}
	w := reading{key: packet.key, value: valueBytes(&whole)}
	binary.NativeEndian.PutUint64(w.value, w.tx()+packet.tx())
	binary.NativeEndian.PutUint64(w.value[8:], w.rx()+packet.rx())
	binary.NativeEndian.PutUint32(w.value[20:], packet.last())
	binary.NativeEndian.PutUint32(w.value[24:], w.state()|packet.state())
	flows[k] = whole
}

// overflowed reports the folded flows and forgets them. It gives what had come
// out of the ring by then.
func (r *reader) overflowed(p *pass) (taken Count) {
	r.mu.Lock()
	taken = r.taken
	flows4, flows6 := r.overflow4, r.overflow6
	if len(flows4)+len(flows6) > 0 {
		r.overflow4, r.overflow6 = make(map[key4]flow4), make(map[key6]flow6)
	}
	r.mu.Unlock()
	for k, v := range flows4 {
		p.give(reading{key: k[:], value: v[:]}, seen{})
	}
	for k, v := range flows6 {
		p.give(reading{key: k[:], value: v[:]}, seen{})
	}
	return taken
}
