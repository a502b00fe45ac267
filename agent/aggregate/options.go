// SPDX-License-Identifier: Apache-2.0

//go:build linux

package aggregate

import (
	"errors"
	"fmt"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/recommender/wire"
)

// The bounds that an agent runs with.
const (
	DefaultWait       = 2 * time.Minute // an API server may be away for a while
	DefaultMaxEdges   = 32_768
	DefaultMaxWaiting = 32_768
	DefaultMaxNames   = 32_768
)

// Options are an aggregator's bounds and what it tells others.
type Options struct {
	Wait       time.Duration    // how long the edges of a window wait for their pod, from the window's end
	MaxEdges   int              // edges of the open window in memory; beyond it a part is emitted early, nothing is lost
	MaxWaiting int              // edges that wait for their pod; beyond it the oldest are unattributed
	MaxNames   int              // DNS names in memory, all slots together; beyond it names are not learnt, and counted
	Clock      func() time.Time // never nil

	// Identify says which pod a slot is, or the program there where several
	// pods share its interface. It is asked when edges are emitted.
	Identify func(slot capture.Slot, program owner.Program) (wire.PodKey, bool)
	// Complete adds to an edge that is emitted what is known of its pod; nil for
	// nothing.
	Complete func(slot capture.Slot, program owner.Program, e *wire.Edge)
	// Emit takes the edges; the slice is reused afterwards.
	Emit func(Part)

	// Program says which program is at a record's local end; nil where nobody
	// knows.
	Program func(r *capture.Record) owner.Program
	// Listens says whether a record's local end listens on its port, and
	// whether that is known; nil where nobody knows.
	Listens func(r *capture.Record) (listens, known bool)
	// Resolve says of a record that nothing answered what became of it; nil
	// where nobody knows.
	Resolve func(r *capture.Record)
}

// DefaultOptions gives the bounds; Clock, Identify and Emit remain to be set.
func DefaultOptions() Options {
	return Options{Wait: DefaultWait, MaxEdges: DefaultMaxEdges, MaxWaiting: DefaultMaxWaiting, MaxNames: DefaultMaxNames}
}

func (o Options) validate() error {
	if o.Clock == nil || o.Identify == nil || o.Emit == nil {
		return errors.New("aggregate: Clock, Identify and Emit must be set")
	}
	if o.MaxEdges <= 0 || o.MaxWaiting <= 0 || o.MaxNames <= 0 {
		return fmt.Errorf("aggregate: MaxEdges is %d, MaxWaiting %d, MaxNames %d: each must be positive", o.MaxEdges, o.MaxWaiting, o.MaxNames)
	}
	return nil
}

// Window is a closed time bucket: Start is in it, End is not.
type Window struct {
	Start time.Time
	End   time.Time
}

// Part is edges of one window; a window may come in several.
type Part struct {
	Window Window
	Edges  []wire.Edge
	Late   bool // waited for a pod: the window's main part went out before
}

// Counts are the aggregator's own, cumulative.
type Counts struct {
	Records      uint64 // taken in
	Edges        uint64 // emitted
	Unattributed uint64 // edges whose slot never became a known pod
	NamesFull    uint64 // DNS names that found no room
}
