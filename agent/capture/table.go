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
	seen  map[K]seen
	live  uint32 // entries found by the last pass

	keys      []K
	values    []V
	lastKey   *K // of look-up-and-delete; on the heap once, not for each call
	lastValue *V
}

func newTable[K key, V value](flows *ebpf.Map) *table[K, V] {
	return &table[K, V]{
		flows:     flows,
		seen:      make(map[K]seen),
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
			return nil
		}
	}
}

func (t *table[K, V]) visit(p *pass, k *K, v *V, pressed bool) error {
	r := reading{key: keyBytes(k), value: valueBytes(v)}
	if _, gone := p.retired[r.slot()]; gone || p.over(r, pressed) {
		return t.remove(p, k)
	}
	t.report(p, k, r)
	return nil
}

// report gives what is new since the last report, unless it had better wait.
func (t *table[K, V]) report(p *pass, k *K, r reading) {
	before, known := t.seen[*k]
	now := seen{tx: r.tx(), rx: r.rx(), opened: r.opened()}
	if known && now == before {
		return
	}
	if !known && !p.all && r.undecided() && p.moment.age(r.first()) < p.options.Patience {
		return
	}
	t.seen[*k] = now
	p.emit(r.record(p.moment, before))
}

// remove takes an entry out and reports the last of it.
func (t *table[K, V]) remove(p *pass, k *K) error {
	*t.lastKey = *k
	err := t.flows.LookupAndDelete(t.lastKey, t.lastValue)
	if err != nil {
		return fmt.Errorf("taking a flow out of the flow map: %w", err)
	}
	before, known := t.seen[*k]
	delete(t.seen, *k)
	r := reading{key: keyBytes(k), value: valueBytes(t.lastValue)}
	if now := (seen{tx: r.tx(), rx: r.rx(), opened: r.opened()}); !known || now != before {
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
