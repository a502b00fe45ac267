// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
	"github.com/netcinch/netcinch/recommender/store"
)

// ErrNotReady says that the first view is still being computed.
var ErrNotReady = errors.New("the first view is being computed")

// Span is the time that a request looks at; zero ends are open.
type Span struct {
	Cluster  string // empty for the first
	From, To time.Time
	// Traffic asks for what was seen and how it is judged alone: the view may come
	// without recommendations, which take longer than all the rest.
	Traffic bool
}

// View is what is known at one moment about one span. It is never changed
// once made.
type View struct {
	Version  uint64 // grows with every recomputation
	Key      string // differs whenever anything in the view may differ
	Cluster  string
	Computed time.Time
	Span     Span

	Snapshot        *cluster.Snapshot
	Engine          *policy.Engine
	Index           *analyze.Index
	Problems        []cluster.Problem // of the snapshot, the policies and the flow files
	Input           analyze.Input     // what the report was made of, for replays
	Report          *analyze.Report
	Recommendations []recommend.Recommendation
	Reading         policy.Options // how the policies are read
	Coverage        []store.NodeCoverage
	Catalogue       []store.Catalogued // of all time, with the programs at both ends

	idleOnce sync.Once // for idle
	idle     []idle
}

// Status is how the recommender is doing.
type Status struct {
	Cluster  string
	Clusters []string // all that there are, the first one first
	Release  string
	Live     bool // there is an ingest port
	Started  time.Time
	Sources  []string // where objects and flows come from
	Ingest   string   // address that agents send to
	Learning time.Duration
	Kept     Span   // oldest and newest window
	Failure  string // why the last recomputation failed; empty after a good one
}

// Source is what the routes read. Its methods are called by many goroutines.
type Source interface {
	// View gives the view of a span; ErrNotReady before the first.
	View(ctx context.Context, s Span) (*View, error)
	// Status is that of a cluster, the first one's for the empty name; of one
	// that is not there only Clusters is known.
	Status(cluster string) Status
	// Now is the moment that durations count back from: the clock's, or the end
	// of what was recorded where all is read from files.
	Now() time.Time
}
