// SPDX-License-Identifier: Apache-2.0

//go:build linux

package aggregate

import (
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/wire"
)

// waiting is an edge of a closed window whose pod is not known yet. It keeps
// its own window, so that its peer is resolved at the time of the flow.
type waiting struct {
	window Window
	key    edgeKey
	counts wire.Counts
}

// emitOpen emits the open window's edges and empties it; edges without a pod
// are put aside, or given up at the very end.
func (a *Aggregator) emitOpen(final bool) {
	a.buffer = a.buffer[:0]
	for k, c := range a.edges {
		if pod, ok := a.Identify(k.slot, k.program); ok {
			a.take(k, pod, c)
			continue
		}
		if final {
			a.counts.Unattributed++
			continue
		}
		a.waiting = append(a.waiting, waiting{a.window, k, c})
	}
	if over := len(a.waiting) - a.MaxWaiting; over > 0 {
		a.counts.Unattributed += uint64(over)
		a.waiting = slices.Delete(a.waiting, 0, over)
	}
	clear(a.edges)
	a.emit(a.window, false)
}

// emitWaiting emits, window by window, the edges whose pod became known, and
// gives up on those that waited too long.
func (a *Aggregator) emitWaiting(now time.Time, final bool) {
	kept := a.waiting[:0]
	rest := a.waiting
	for len(rest) > 0 {
		w := rest[0].window
		n := 1
		for n < len(rest) && rest[n].window == w {
			n++
		}
		a.buffer = a.buffer[:0]
		for _, e := range rest[:n] {
			pod, ok := a.Identify(e.key.slot, e.key.program)
			switch {
			case ok:
				a.take(e.key, pod, e.counts)
			case final || now.Sub(w.End) > a.Wait:
				a.counts.Unattributed++
			default:
				kept = append(kept, e)
			}
		}
		rest = rest[n:]
		if len(a.buffer) > 0 {
			a.emit(w, true)
		}
	}
	clear(a.waiting[len(kept):])
	a.waiting = kept
}

// take puts an edge into the part that is emitted next.
func (a *Aggregator) take(k edgeKey, pod wire.PodKey, c wire.Counts) {
	a.buffer = append(a.buffer, k.edge(pod, c))
	if a.Complete != nil {
		a.Complete(k.slot, k.program, &a.buffer[len(a.buffer)-1])
	}
}

func (a *Aggregator) emit(w Window, late bool) {
	a.counts.Edges += uint64(len(a.buffer))
	a.Emit(Part{Window: w, Edges: a.buffer, Late: late})
	clear(a.buffer)
	a.buffer = a.buffer[:0]
}
