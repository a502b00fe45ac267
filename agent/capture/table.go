// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// batch is how many flows one look-up asks for: large enough that the system
// call costs nothing a flow, small enough that the buffers stay below 0.5 MiB.
const batch = 4096

// seen is what has been reported of a flow.
type seen struct {
	tx, rx uint64
	opened uint32
}

// table is one flow map and what has been reported of its entries.
//
// Invariant: an entry leaves the map only by look-up-and-delete, and the value
// that this returns is the last one reported. So what was counted between the
// batch look-up and the deletion is not lost. What could be is a packet whose
// program holds the entry at the very nanoseconds of its deletion, and only
// entries without a packet for seconds, or whose programs are detached, are
// deleted.
type table[K key, V value] struct {
	flows *ebpf.Map
	live  uint32 // entries found by the last pass

	// seen says where in reports a flow's last report is: one look-up serves to
	// read it and to write it.
	seen    map[K]uint32
	reports []seen
	vacant  []uint32 // of reports
	// settled is the tick before which all counts have been reported, but for
	// flows held back. It trails the last whole pass by a second, more than a
	// program can take between reading the tick and counting.
	settled  uint32
	hasRound bool // settled is set

	keys      []K
	values    []V
	lastKey   *K // of look-up-and-delete; on the heap once, not for each call
	lastValue *V
}

func newTable[K key, V value](flows *ebpf.Map) *table[K, V] {
	return &table[K, V]{
		flows:     flows,
		seen:      make(map[K]uint32),
		keys:      make([]K, batch),
		values:    make([]V, batch),
		lastKey:   new(K),
		lastValue: new(V),
	}
}

// pass is one drain: what holds for all entries of it.
type pass struct {
	options *Options
	moment  moment
	retired map[Slot]struct{}
	all     bool
	emit    func(Record)
}

func (t *table[K, V]) pass(ctx context.Context, p *pass) error {
	pressed := t.live > t.flows.MaxEntries()/4*3
	t.live = 0
	var cursor ebpf.MapBatchCursor
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("draining the flow map: %w", err)
		}
		n, err := t.flows.BatchLookup(&cursor, t.keys, t.values, nil)
		end := errors.Is(err, ebpf.ErrKeyNotExist)
		if err != nil && !end {
			return fmt.Errorf("draining the flow map: %w", err)
		}
		for i := range n {
			if err := t.visit(p, &t.keys[i], &t.values[i], pressed); err != nil {
				return err
			}
		}
		t.live += uint32(n)
		if end {
			t.settled = p.moment.ticks - uint32(time.Second/p.moment.tick)
			t.hasRound = true
			return nil
		}
	}
}

func (t *table[K, V]) visit(p *pass, k *K, v *V, pressed bool) error {
	r := reading{key: keyBytes(k), value: valueBytes(v)}
	if _, gone := p.retired[r.slot()]; gone || p.over(r, pressed) {
		return t.remove(p, k)
	}
	if t.hasRound && int32(r.last()-t.settled) < 0 && !r.undecided() {
		return nil // an idle flow, reported
	}
	t.report(p, k, r)
	return nil
}

// report gives what is new since the last report, unless it had better wait.
func (t *table[K, V]) report(p *pass, k *K, r reading) {
	now := r.seen()
	at, known := t.seen[*k]
	if !known {
		if !p.all && r.undecided() && p.moment.age(r.first()) < p.options.Patience {
			return
		}
		t.seen[*k] = t.keep(now)
		p.emit(r.record(p.moment, seen{}))
		return
	}
	before := t.reports[at]
	if now == before {
		return
	}
	t.reports[at] = now
	p.emit(r.record(p.moment, before))
}

// keep gives a report a place.
func (t *table[K, V]) keep(s seen) uint32 {
	if n := len(t.vacant); n > 0 {
		at := t.vacant[n-1]
		t.vacant = t.vacant[:n-1]
		t.reports[at] = s
		return at
	}
	t.reports = append(t.reports, s)
	return uint32(len(t.reports) - 1)
}

// remove takes an entry out and reports the last of it.
func (t *table[K, V]) remove(p *pass, k *K) error {
	*t.lastKey = *k
	if err := t.flows.LookupAndDelete(t.lastKey, t.lastValue); err != nil {
		return fmt.Errorf("taking a flow out of the flow map: %w", err)
	}
	var before seen
	at, known := t.seen[*k]
	if known {
		before = t.reports[at]
		t.vacant = append(t.vacant, at)
		delete(t.seen, *k)
	}
	r := reading{key: keyBytes(k), value: valueBytes(t.lastValue)}
	if !known || r.seen() != before {
		p.emit(r.record(p.moment, before))
	}
	return nil
}

// over says whether a flow has come to its end.
func (p *pass) over(r reading, pressed bool) bool {
	return p.moment.age(r.last()) > p.idle(r, pressed)
}

func (p *pass) idle(r reading, pressed bool) time.Duration {
	switch {
	case r.hasConnections() && r.isClosed():
		return p.options.ClosedIdle
	case pressed:
		return p.options.PressedIdle
	case r.hasConnections() && !r.undecided():
		return p.options.StreamIdle
	default:
		return p.options.DatagramIdle
	}
}
