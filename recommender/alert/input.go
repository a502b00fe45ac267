// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
	"github.com/netcinch/netcinch/recommender/store"
)

// Input is what is known at one moment. All of it is of one cluster.
type Input struct {
	Now             time.Time
	Clock           time.Time // that decisions are dated by, where Now is the end of a recording; zero for Now
	Snapshot        *cluster.Snapshot
	Engine          *policy.Engine
	Index           *analyze.Index
	Report          *analyze.Report // of all that is kept
	Recommendations []recommend.Recommendation
	// Recent are the records of the last hour, as fine as they are kept.
	Recent    []flow.Record
	Catalogue []store.Catalogued
	Coverage  []store.NodeCoverage // of all that is kept
	Trail     []store.Decision     // in the order in which it was written
	Live      bool                 // agents report: who does not is missed
}

// look is one evaluation: the input, and what is worked out once for all
// detectors.
type look struct {
	*Input
	options   Options
	cluster   string
	edges     map[string]*analyze.Edge
	byKey     map[edgeKey]*analyze.Edge
	ready     map[flow.Workload]*analyze.Readiness
	baselines map[flow.Workload]*Baseline
	decided   map[string]store.Decision // in force, by identity
	classes   map[string]class          // of edges, by identity
	clients   map[portOf]int            // known client workloads of a server's port
	recent    []seen
	signals   []signal
}

// edgeKey tells edges apart without making their identity.
type edgeKey struct {
	client, server analyze.Party
	protocol       flow.Protocol
	port           uint16
}

// portOf is a port of a server.
type portOf struct {
	server   analyze.Party
	protocol flow.Protocol
	port     uint16
}

// seen is a recent record with the edge that it is of.
type seen struct {
	*flow.Record
	edge *analyze.Edge
}

func (k *Keeper) newLook(in *Input) *look {
	l := &look{
		Input: in, options: k.options, cluster: k.cluster, edges: map[string]*analyze.Edge{}, byKey: map[edgeKey]*analyze.Edge{},
		ready: map[flow.Workload]*analyze.Readiness{}, baselines: k.baselines, decided: map[string]store.Decision{},
		clients: map[portOf]int{}, classes: map[string]class{},
	}
	for i := range in.Report.Edges {
		e := &in.Report.Edges[i]
		l.edges[e.ID] = e
		l.byKey[edgeKey{e.Client, e.Server, e.Number, e.Port}] = e
		if !e.Unseen && e.Client.Kind == analyze.PartyWorkload && e.Teaches {
			l.clients[portOf{e.Server, e.Number, e.Port}]++
		}
	}
	for i := range in.Report.Readiness {
		r := &in.Report.Readiness[i]
		l.ready[r.Workload.Workload()] = r
	}
	for s, d := range store.InForce(in.Trail, in.clock()) {
		if s.Cluster == k.cluster {
			l.decided[s.Finding] = d
		}
	}
	for i := range in.Recent {
		r := &in.Recent[i]
		if e := l.edgeOf(r.Edge, r.Window); e != nil {
			l.recent = append(l.recent, seen{r, e})
		}
	}
	l.classify()
	return l
}

func (in *Input) clock() time.Time {
	if in.Clock.IsZero() {
		return in.Now
	}
	return in.Clock
}

// edgeOf finds the edge of the report that a record is of.
func (l *look) edgeOf(e flow.Edge, w flow.Window) *analyze.Edge {
	return l.byKey[edgeKey{l.Index.Party(e.Client, w), l.Index.Party(e.Server, w), e.Protocol, e.Port}]
}

// closed gives the baseline of a party where it is closed; nil else.
func (l *look) closed(p analyze.Party) *Baseline {
	if b := l.baselines[p.Workload()]; b != nil && !b.Closed.IsZero() {
		return b
	}
	return nil
}

func (l *look) accepted(identity string) bool { return l.decided[identity].Verdict == store.Accepted }

func (l *look) rejected(identity string) bool { return l.decided[identity].Verdict == store.Rejected }
