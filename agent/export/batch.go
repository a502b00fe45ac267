// SPDX-License-Identifier: Apache-2.0

package export

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/netcinch/netcinch/recommender/wire"
)

// Losses are what was not recorded since the last report, by cause.
type Losses struct {
	MapFull       uint64 // packets of flows that found no room
	RingFull      uint64 // events (names, sockets, tracked connections, drops) that found no room
	Unattributed  uint64 // edges whose local end is no known pod
	Unparsed      uint64 // packets whose headers could not be read
	Detached      uint64 // interfaces that could not be watched
	SpoolOverflow uint64 // batches thrown away, set aside or refused
}

// Plus gives the sum.
func (l Losses) Plus(o Losses) Losses {
	return Losses{
		MapFull: l.MapFull + o.MapFull, RingFull: l.RingFull + o.RingFull,
		Unattributed: l.Unattributed + o.Unattributed, Unparsed: l.Unparsed + o.Unparsed,
		Detached: l.Detached + o.Detached, SpoolOverflow: l.SpoolOverflow + o.SpoolOverflow,
	}
}

// Since gives what came on top of an earlier total.
func (l Losses) Since(o Losses) Losses {
	return Losses{
		MapFull: l.MapFull - o.MapFull, RingFull: l.RingFull - o.RingFull,
		Unattributed: l.Unattributed - o.Unattributed, Unparsed: l.Unparsed - o.Unparsed,
		Detached: l.Detached - o.Detached, SpoolOverflow: l.SpoolOverflow - o.SpoolOverflow,
	}
}

func lossesOf(l *wire.Losses) Losses {
	return Losses{
		MapFull: l.GetMapFull(), RingFull: l.GetRingFull(), Unattributed: l.GetUnattributed(),
		Unparsed: l.GetUnparsed(), Detached: l.GetDetached(), SpoolOverflow: l.GetSpoolOverflow(),
	}
}

func (l Losses) wire() *wire.Losses {
	return &wire.Losses{
		MapFull: l.MapFull, RingFull: l.RingFull, Unattributed: l.Unattributed,
		Unparsed: l.Unparsed, Detached: l.Detached, SpoolOverflow: l.SpoolOverflow,
	}
}

// Coverage says what was watched.
type Coverage struct {
	PodsKnown   int
	PodsWatched int
	AttachMode  string   // "tcx-pod", "tcx-host", "clsact"
	Missing     []string // kernel features that were asked for and not found
}

// Window is edges of one window, with what was lost and watched meanwhile.
type Window struct {
	Start, End time.Time
	Edges      []wire.Edge
	Losses     Losses // since the last Put
	Coverage   Coverage
}

// Put makes one batch of the edges, or more where one has not room for them,
// and spools them. It keeps nothing of the slice. A window without edges makes
// a batch, too: it says that the node was watched and silent.
func (e *Exporter) Put(w Window) {
	edges := w.Edges
	losses := w.Losses
	for first := true; first || len(edges) > 0; first = false {
		n := e.spool.nextName()
		b := wire.NewBuilder(wire.Header{
			Cluster: e.options.Cluster, Node: e.options.Node, Epoch: n.epoch, Sequence: n.sequence, Start: w.Start, End: w.End,
		})
		taken := e.takeCarried()
		b.SetLosses(losses.Plus(taken).wire())
		b.SetCoverage(&wire.Coverage{
			PodsKnown: uint32(w.Coverage.PodsKnown), PodsWatched: uint32(w.Coverage.PodsWatched),
			AttachMode: w.Coverage.AttachMode, Missing: w.Coverage.Missing,
		})
		losses = Losses{}
		edges = e.fill(b, edges)
		e.store(b.Batch(), taken)
	}
}

// fill adds edges until the batch is full and gives the rest.
func (e *Exporter) fill(b *wire.Builder, edges []wire.Edge) []wire.Edge {
	for i, edge := range edges {
		if b.Full() {
			return edges[i:]
		}
		if err := b.Add(edge); err != nil {
			e.invalid(err)
		}
	}
	return nil
}

func (e *Exporter) invalid(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.counts.InvalidEdges == 0 {
		e.options.Logger.Error("an edge cannot be sent and is lost; further ones are only counted", slog.Any("error", err))
	}
	e.counts.InvalidEdges++
	e.carried.Unparsed++
	e.keepCarried()
}

func (e *Exporter) store(b *wire.Batch, taken Losses) {
	body, err := wire.Encode(b)
	if err != nil {
		e.options.Logger.Error("a batch cannot be encoded and is lost", slog.Any("error", fmt.Errorf("encoding a batch of %d edges: %w", len(b.GetEdges().GetPort()), err)))
		e.giveBack(lossesOf(b.GetLosses()), taken)
		e.mu.Lock()
		e.counts.Refused["not_encodable"]++
		e.mu.Unlock()
		return
	}
	e.spool.put(body)
	if !e.options.Commits {
		e.settleCarried()
	}
	e.wakeUp()
}
