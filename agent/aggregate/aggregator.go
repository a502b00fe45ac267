// SPDX-License-Identifier: Apache-2.0

//go:build linux

package aggregate

import (
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/recommender/wire"
)

// Aggregator folds records to the edges of the open window. It belongs to one
// goroutine.
type Aggregator struct {
	Options

	window  Window
	edges   map[edgeKey]wire.Counts
	waiting []waiting // oldest window first
	names   *names
	counts  Counts
	buffer  []wire.Edge // of the part being emitted
}

// New makes an aggregator. The error names the option that is missing.
func New(o Options) (*Aggregator, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Aggregator{
		Options: o, edges: make(map[edgeKey]wire.Counts), names: newNames(o.MaxNames),
	}, nil
}

// Begin opens a window. End is the planned end.
func (a *Aggregator) Begin(w Window) { a.window = w }

// Learn takes a DNS answer: later flows of that slot to one of its addresses
// carry the name.
func (a *Aggregator) Learn(answer capture.DNSAnswer) { a.names.learn(answer, a.Clock()) }

// Forget drops what was learnt about a slot that is gone for good.
func (a *Aggregator) Forget(slot capture.Slot) { a.names.forget(slot) }

// Counts gives the aggregator's own counters.
func (a *Aggregator) Counts() Counts {
	c := a.counts
	c.NamesFull = a.names.full
	return c
}

// Add folds one record into the open window. It keeps nothing of the record,
// allocates nothing where the edge is known, and sets the record's initiator,
// outcome and backend where others than capture tell them.
func (a *Aggregator) Add(r *capture.Record) {
	a.counts.Records++
	a.resolve(r)
	if a.Resolve != nil {
		a.Resolve(r)
	}
	k, c := orient(r)
	if c == (wire.Counts{}) {
		return
	}
	// Only a client asked for a name, and a service that was dialled by its
	// virtual address is known by that.
	if k.localIsClient() && k.dialled == ([16]byte{}) {
		k.dns = a.names.find(k.slot, unfold(k.remote), a.Clock())
	}
	if a.Program != nil {
		k.program = a.Program(r)
	}
	before, known := a.edges[k]
	if !known && len(a.edges) >= a.MaxEdges {
		a.emitOpen(false)
		before = wire.Counts{}
	}
	a.edges[k] = add(before, c)
}

// Close ends the open window at the given time, emits its edges, and those of
// earlier windows whose pod has become known.
func (a *Aggregator) Close(end time.Time) { a.close(end, false) }

// Finish closes the open window for the last time: what has no pod by now is
// unattributed.
func (a *Aggregator) Finish(end time.Time) { a.close(end, true) }

func (a *Aggregator) close(end time.Time, final bool) {
	if !end.After(a.window.Start) {
		end = a.window.Start.Add(1) // the clock was set back: no window is empty
	}
	now := a.Clock()
	a.window.End = end
	a.emitWaiting(now, final)
	a.emitOpen(final)
	a.names.expire(now)
}
