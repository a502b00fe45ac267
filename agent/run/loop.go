// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"context"
	"log/slog"
	"time"

	"github.com/netcinch/netcinch/agent/aggregate"
	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/recommender/wire"
)

// Bounds of the work after the context has ended.
const (
	lastDrain = 10 * time.Second
	lastPods  = 3 * time.Second // for the source of pods to report at all
)

// Features that the batch names as missing.
const (
	featureAddressEvents = "address-events"
	featureHostNetwork   = "host-network" // pods without an interface of their own are not watched
)

// loop reads the kernel's counts in time and closes windows at their ends,
// which are the same moments on all nodes.
func (o *Observer) loop(ctx context.Context) {
	o.mu.Lock()
	o.started = o.Clock()
	o.recent.roll(o.sample(o.started))
	o.mu.Unlock()
	o.resume(o.Clock())
	timer := time.NewTimer(o.untilNext())
	defer timer.Stop()
	answers := o.collector.DNS()
	for {
		select {
		case <-ctx.Done():
			o.finish(context.WithoutCancel(ctx))
			return
		case a, ok := <-answers:
			if !ok {
				answers = nil
				continue
			}
			o.aggregator.Learn(a)
		case <-timer.C:
			o.learnAll(answers)
			o.drain(ctx)
			if now := o.Clock(); !now.Before(o.end) || now.Before(o.start) {
				o.close(now)
			}
			o.commit(ctx)
			timer.Reset(o.untilNext())
		}
	}
}

// learnAll takes the names that are waiting, so that the flows of the next
// drain find them.
func (o *Observer) learnAll(answers <-chan capture.DNSAnswer) {
	for {
		select {
		case a, ok := <-answers:
			if !ok {
				return
			}
			o.aggregator.Learn(a)
		default:
			return
		}
	}
}

func (o *Observer) begin(now time.Time) {
	o.start, o.end = now, now.Truncate(o.Window).Add(o.Window)
	o.aggregator.Begin(aggregate.Window{Start: o.start, End: o.end})
}

// close ends the open window at its planned end, or at the last boundary
// before now where the node slept over several.
func (o *Observer) close(now time.Time) {
	end := o.end
	if b := now.Truncate(o.Window); b.After(end) {
		end = b
	}
	next := end
	if now.Before(o.start) { // the clock was set back
		next = now
	}
	o.aggregator.Close(end)
	o.warnIfBlind(now)
	o.forget(o.registry.Sweep())
	if o.tracked != nil {
		o.tracked.Sweep()
	}
	o.watchNode()
	o.begin(next)
	o.publish()
	o.mu.Lock()
	o.recent.roll(o.sample(now))
	o.mu.Unlock()
}

func (o *Observer) untilNext() time.Duration {
	return max(min(o.end.Sub(o.Clock()), o.drainInterval()), time.Millisecond)
}

func (o *Observer) drain(ctx context.Context) {
	o.drained.Store(o.Clock().UnixNano())
	o.drainWith(ctx, o.collector.Drain)
	o.publish()
}

func (o *Observer) drainWith(ctx context.Context, drain func(context.Context, func(*capture.Record)) error) {
	o.refresh(ctx)
	err := drain(ctx, func(r *capture.Record) {
		if o.tracked != nil {
			o.tracked.Resolve(r)
		}
		o.traffic.add(r)
		o.add(r)
	})
	if err == nil {
		o.drainProblem = ""
		return
	}
	if ctx.Err() != nil {
		return // what was not read comes with the last drain
	}
	o.mu.Lock()
	o.status.DrainFailures++
	o.mu.Unlock()
	if o.drainProblem != err.Error() {
		o.drainProblem = err.Error()
		o.Logger.ErrorContext(ctx, "reading the kernel's counts; they are read again with the next drain", slog.Any("error", err))
	}
}

// finish reads the counts a last time and closes the window early. An agent
// that is stopped at once may not have read the pods yet: their traffic would
// be lost.
func (o *Observer) finish(ctx context.Context) {
	select {
	case <-o.podsRead:
	case <-time.After(lastPods):
	}
	ctx, cancel := context.WithTimeout(ctx, lastDrain)
	defer cancel()
	o.learnAll(o.collector.DNS())
	if o.goesOn() {
		o.drainWith(ctx, o.collector.Drain)
		o.end = o.Clock()
		o.close(o.end)
	} else {
		o.drainWith(ctx, o.collector.Flush)
		o.aggregator.Finish(o.Clock())
		o.publish()
	}
	o.commit(ctx)
}

func (o *Observer) publish() {
	counts := o.aggregator.Counts()
	losses, err := o.collector.Losses()
	if err != nil {
		o.Logger.Error("reading the loss counters", slog.Any("error", err))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status.Aggregate, o.status.Traffic = counts, o.traffic
	if o.owners != nil {
		o.status.Owners = o.owners.Counts()
	}
	if o.tracked != nil {
		o.status.Conntrack = o.tracked.Counts()
	}
	if o.drops != nil {
		o.status.Drops = o.drops.Counts()
	}
	if err == nil {
		o.status.Capture = losses
	}
}

// emit hands a part to the sink, with what was lost since the last one.
func (o *Observer) emit(p aggregate.Part) {
	o.publish()
	s := o.Status()
	total := reportable(s)
	w := export.Window{
		Start: p.Window.Start, End: p.Window.End, Edges: p.Edges,
		Losses: total.Since(o.reported).Plus(o.unreported), Coverage: o.coverage(s),
	}
	o.reported, o.unreported = total, export.Losses{}
	if d := w.End.Sub(w.Start); d > wire.MaxWindow {
		w.Start = w.End.Add(-wire.MaxWindow) // the node slept
	}
	o.sink.Put(w)
}

func (o *Observer) coverage(s Status) export.Coverage {
	c := export.Coverage{PodsKnown: s.Pods.PodsKnown, PodsWatched: s.Pods.PodsWatched, AttachMode: attachModes[o.collector.Mode()]}
	for _, m := range o.missing() {
		c.Missing = append(c.Missing, m.Feature)
	}
	if s.Pods.HostNetwork > 0 && o.node.missing() != nil {
		c.Missing = append(c.Missing, featureHostNetwork)
	}
	return c
}
