// SPDX-License-Identifier: Apache-2.0

// Package store says what it means to keep edges: the Store interface, the
// values that go in and come out, and the errors that callers branch on.
//
// A batch is one window of one node, or a part of one. Its records are kept at
// two levels: as they came, for hours (pods), and folded to workloads, for
// weeks (edges). The catalogue keeps of every folded edge when it was first
// and last seen, and by which programs, for ever. So does the [Register], what
// was found and what people decided about it. Engines live in folders below this one; package
// storetest is the suite that each of them passes.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// The errors that callers branch on, with errors.Is.
var (
	ErrFull    = errors.New("store full")                    // nothing of the batch was kept; a retry may succeed
	ErrTooOld  = errors.New("older than the store keeps")    // it would be dropped at once
	ErrClosed  = errors.New("store closed")                  // for good
	ErrBusy    = errors.New("store busy")                    // the caller's context ended first; a retry may succeed
	ErrInvalid = errors.New("batch or query that cannot be") // the caller's fault
	ErrDamaged = errors.New("store file damaged")            // the error names the file
	ErrNewer   = errors.New("store file of a newer version") // the error names both versions
	ErrLocked  = errors.New("store in use by another process")
)

// Batch is what one node saw in one window, or a part of it. Cluster, Node,
// Epoch and Sequence name it.
type Batch struct {
	Cluster  string
	Node     string
	Epoch    string
	Sequence uint64
	Window   flow.Window
	Records  []flow.Record // windows of the records are ignored: they are the batch's
	Losses   Losses
	Coverage Coverage
}

// Losses counts what was not recorded, by cause. All are counts since the
// batch before.
type Losses struct {
	MapFull       uint64 `json:"mapFull"`       // packets of flows that found no room in the kernel's map
	RingFull      uint64 `json:"ringFull"`      // events that found no room
	Unattributed  uint64 `json:"unattributed"`  // edges whose local end is no known pod
	Unparsed      uint64 `json:"unparsed"`      // packets whose headers could not be read
	Detached      uint64 `json:"detached"`      // interfaces that could not be watched
	SpoolOverflow uint64 `json:"spoolOverflow"` // batches that the agent had to throw away
	Refused       uint64 `json:"refused"`       // edges that the recommender would not take
}

// Add sums two counts.
func (l Losses) Add(o Losses) Losses {
	return Losses{
		MapFull: l.MapFull + o.MapFull, RingFull: l.RingFull + o.RingFull, Unattributed: l.Unattributed + o.Unattributed,
		Unparsed: l.Unparsed + o.Unparsed, Detached: l.Detached + o.Detached,
		SpoolOverflow: l.SpoolOverflow + o.SpoolOverflow, Refused: l.Refused + o.Refused,
	}
}

// IsZero says whether nothing was lost.
func (l Losses) IsZero() bool { return l == Losses{} }

// Coverage says what a node's agent watched.
type Coverage struct {
	PodsKnown   int      `json:"podsKnown"`
	PodsWatched int      `json:"podsWatched"`
	AttachMode  string   `json:"attachMode"`
	Missing     []string `json:"missing,omitempty"` // kernel features that were asked for and not found
}

// Query selects. Times are rounded outward to the store's resolution.
type Query struct {
	Cluster   string        // empty for all clusters, folded together
	Namespace string        // empty for all; else edges with an end in it
	Workload  flow.Workload // zero for all; else edges with it at an end
	From      time.Time     // in; zero for the beginning
	To        time.Time     // out; zero for the end
	// NewSince leaves of the catalogue what was first seen at it or later; zero
	// for all. Other questions ignore it.
	NewSince time.Time
}

// Catalogued is an entry of the catalogue, at workload level.
type Catalogued struct {
	Edge      flow.Edge `json:"edge"`
	FirstSeen time.Time `json:"firstSeen"` // start of the first window that it was in
	LastSeen  time.Time `json:"lastSeen"`  // end of the last
	Client    Programs  `json:"client"`    // that opened it, as far as they are known
	Server    Programs  `json:"server"`    // that served it
}

// NodeCoverage is what is known of one node over a query's time.
type NodeCoverage struct {
	Cluster   string        `json:"cluster"`
	Node      string        `json:"node"`
	FirstSeen time.Time     `json:"firstSeen"` // start of the node's first window in the query's time
	LastSeen  time.Time     `json:"lastSeen"`  // end of its last
	Covered   time.Duration `json:"covered"`   // sum of its windows; less than LastSeen-FirstSeen where there are gaps
	Batches   uint64        `json:"batches"`
	// Connections are those that the node recorded, each at its local end, beside
	// what Losses counts: the share that was lost is exact for each node.
	Connections uint64   `json:"connections"`
	Losses      Losses   `json:"losses"`   // sum
	Coverage    Coverage `json:"coverage"` // of the last window
}

// Store keeps edges. Implementations are safe for concurrent use.
type Store interface {
	// Append keeps a batch, all of it or nothing; it is on disk when Append
	// returns. A batch that was kept before is a duplicate, and changes
	// nothing. Errors: ErrFull, ErrTooOld, ErrInvalid, ErrBusy, ErrClosed, and
	// those of the engine.
	Append(ctx context.Context, b Batch) (duplicate bool, err error)

	// Edges gives the records of the query's time, one an edge, folded with
	// [Fold]; Window is the time in which it was seen. Sorted by [Compare].
	Edges(ctx context.Context, q Query) ([]flow.Record, error)

	// Pods gives the records as they came, for as long as the store keeps
	// them: one a window and pod, sorted by window.
	Pods(ctx context.Context, q Query) ([]flow.Record, error)

	// Series gives the records of one edge (which is folded first), one for
	// each bucket of the store's resolution in which it was seen, in order.
	Series(ctx context.Context, q Query, e flow.Edge) ([]flow.Record, error)

	// Catalogue gives the edges that were seen at any time from q.From to
	// q.To, sorted by [Compare].
	Catalogue(ctx context.Context, q Query) ([]Catalogued, error)

	// Coverage gives one entry a node that sent anything in the query's time,
	// sorted by cluster and name. Namespace is ignored.
	Coverage(ctx context.Context, q Query) ([]NodeCoverage, error)

	// Close waits for what is being written and gives the files back.
	Close() error
}
