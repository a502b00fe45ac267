// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/netcinch/netcinch/agent/probe"
	"github.com/netcinch/netcinch/bpf"
)

// seen is what has been reported of a flow.
type seen struct {
	tx, rx uint64
	opened uint32
}

// markSize is the size of struct mark of bpf/flow.h: tx, rx, opened,
// generation.
const markSize = 24

// table is the flow map of one address family. What has been reported of its
// entries is kept beside them by the program that reads them, so that nothing
// is looked up for a flow here.
type table struct {
	drain *probe.Drain
	key   int    // size of struct key4 or key6
	value int    // of struct flow and nat4 or nat6
	live  uint32 // entries left by the last pass
}

func newTable(d *probe.Drain, key, value int) *table {
	return &table{drain: d, key: key, value: value}
}

// pass is one drain: what holds for all entries of it.
type pass struct {
	options    *Options
	moment     moment
	committed  uint32
	generation uint32
	retiring   bool // entries of slots that are detached may be left
	all        bool
	emit       func(*Record)
	record     Record // the one that is given

	retired uint32 // entries found of such slots
}

// pass has the program tell what is new, turn by turn until nothing is left.
func (t *table) pass(ctx context.Context, p *pass) (err error) {
	if t.live == 0 && t.drain.Empty() {
		return nil
	}
	defer func() { err = errors.Join(err, t.drain.Rest()) }()
	turn := t.turn(p)
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("draining the flow map: %w", err)
		}
		told, err := t.drain.Turn(&turn)
		if err != nil {
			return fmt.Errorf("draining the flow map: %w", err)
		}
		for ; len(told) > 0; told = told[t.drain.Size:] {
			t.report(p, told)
		}
		if turn.Left == 0 {
			t.live = turn.Live
			p.retired += turn.Retired
			return nil
		}
	}
}

func (t *table) turn(p *pass) bpf.FlowTurn {
	o := p.options
	ticks := func(d time.Duration) uint32 { return uint32(d / p.moment.tick) }
	turn := bpf.FlowTurn{
		Now: p.moment.ticks, Committed: p.committed, Generation: p.generation, Patience: ticks(o.Patience),
		Closed: ticks(o.ClosedIdle), Datagram: ticks(o.DatagramIdle), Stream: ticks(o.StreamIdle),
	}
	if t.live > t.drain.MaxFlows/4*3 {
		turn.Datagram, turn.Stream = ticks(o.PressedIdle), ticks(o.PressedIdle)
	}
	if p.all {
		turn.Everything = 1
	}
	if p.retiring {
		turn.Retiring = 1
	}
	return turn
}

// report gives what one struct drained4 or drained6 tells: key, flow, nat, and
// what was told before.
func (t *table) report(p *pass, told []byte) {
	at := t.key + t.value
	before := told[at : at+markSize]
	p.give(reading{key: told[:t.key], value: told[t.key:at]}, seen{
		tx: binary.NativeEndian.Uint64(before), rx: binary.NativeEndian.Uint64(before[8:]), opened: binary.NativeEndian.Uint32(before[16:]),
	})
}

// give gives what a reading has more than the report before it.
func (p *pass) give(r reading, before seen) {
	r.fill(&p.record, p.moment, before)
	p.emit(&p.record)
}

// rollBack forgets what a process before this one was told and did not make
// durable.
func (t *table) rollBack(committed uint32) error {
	if _, err := t.drain.Turn(&bpf.FlowTurn{Committed: committed, Rollback: 1}); err != nil {
		return fmt.Errorf("going back to what was reported: %w", err)
	}
	return nil
}
