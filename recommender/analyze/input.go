// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"errors"
	"fmt"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// DefaultLearning is how long a workload is learnt before a new edge of it
// counts as unseen.
const DefaultLearning = 24 * time.Hour

// Input is everything that an analysis looks at.
type Input struct {
	Snapshot *cluster.Snapshot
	Engine   *policy.Engine // for the policies in force
	// Records are the traffic. Each distinct Window is a time bin: where the
	// caller can, it gives several bins rather than one folded over all time,
	// since coverage is estimated over bins.
	Records []flow.Record
	// Catalogue says when an edge was first and last seen in all of history.
	// Edges that are not in it have the windows of their records.
	Catalogue []Known
	// Window is the period that Records cover. Zero: the span of the records.
	Window flow.Window
	// Coverage is what was lost, by node. Nil: not known, taken as no loss.
	Coverage []NodeCoverage
	// Live says that records are still coming in: what an end has told of the
	// newest window may not be all.
	Live    bool
	Options Options
	// Progress, where given, is told how far the work is: a stage in words, and
	// how much of it is done, of 0 where that is not known; it is called by
	// several goroutines.
	Progress func(stage string, done, of int)
}

func (in *Input) stage(name string) {
	if in.Progress != nil {
		in.Progress(name, 0, 0)
	}
}

// Known is an entry of the catalogue.
type Known struct {
	Edge      flow.Edge
	FirstSeen time.Time
	LastSeen  time.Time
	// Programs are the executables that opened it, where they are known. They are
	// told of edges of which the records tell none.
	Programs []string
}

// NodeCoverage is what an agent missed on its node within the window.
type NodeCoverage struct {
	Node  string
	Share float64 // share of the window's time in which the agent reported, 0 to 1
	Lost  uint64  // flows and records counted as lost
	// Connections are those that the node recorded. Where no node tells, those of
	// a workload are shared out over its pods.
	Connections uint64
}

// Options tune an analysis. The zero value is good.
type Options struct {
	// Learning is how long a workload is learnt; 0 means DefaultLearning.
	Learning time.Duration
	// Accepted are the identities of unseen edges that somebody accepted, or of
	// habits (EdgeID of Habitual parties). One edge with an outside name, or with
	// a node, stands for the name's other addresses, and for the other nodes.
	Accepted []string
	// Excluded are the identities of edges, or habits, that were there while their ends were
	// learnt and still teach nothing: policies denied them then, or somebody
	// rejected them. Where policies let them through they are unseen.
	Excluded []string
	// Closed says when the baseline of each workload was closed: an edge that
	// first appeared later is unseen. A zero time says that the baseline is open
	// still. Workloads that are not in it are learnt for the learning period.
	Closed map[flow.Workload]time.Time
}

func (o Options) learning() time.Duration {
	if o.Learning == 0 {
		return DefaultLearning
	}
	return o.Learning
}

func (in Input) validate() error {
	switch {
	case in.Snapshot == nil:
		return errors.New("analysing: no snapshot of the cluster was given")
	case in.Engine == nil:
		return errors.New("analysing: no policy engine was given")
	case in.Options.Learning < 0:
		return fmt.Errorf("analysing: learning period %s is negative; give 0 for %s", in.Options.Learning, DefaultLearning)
	}
	return nil
}
