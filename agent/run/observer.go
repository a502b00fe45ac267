// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netcinch/netcinch/agent/aggregate"
	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/conntrack"
	"github.com/netcinch/netcinch/agent/dial"
	"github.com/netcinch/netcinch/agent/drops"
	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/agent/podmap"
	"github.com/netcinch/netcinch/agent/probe"
	"github.com/netcinch/netcinch/recommender/wire"
)

// Sink takes windows, in order. It keeps nothing of the edges.
type Sink interface {
	Put(export.Window)
}

// collector is what an observer needs of [capture.Collector].
type collector interface {
	podmap.Attacher
	Drain(ctx context.Context, emit func(*capture.Record)) error
	Flush(ctx context.Context, emit func(*capture.Record)) error
	DNS() <-chan capture.DNSAnswer
	Losses() (capture.Losses, error)
	Missing() []probe.Missing
	Mode() probe.Mode
	Modes() map[capture.Slot]probe.Mode
	Close() error
}

// owners is what an observer needs of [owner.Tracker].
type owners interface {
	Watch(slot capture.Slot, cookie uint64)
	Forget(slots []capture.Slot)
	Refresh() error
	Of(r *capture.Record) owner.Program
	Listens(r *capture.Record) (listens, known bool)
	Holds(r *capture.Record) bool
	Missing() []probe.Missing
	Counts() owner.Counts
	Close() error
}

// Observer watches the node's pods and hands windows to a sink.
type Observer struct {
	ObserverOptions

	sink       Sink
	keeper     keeper // nil: the sink keeps no state
	collector  collector
	lasting    lasting            // nil: the collector goes on from nothing
	podsRead   chan struct{}      // closed once the source of pods has reported, or ended
	owners     owners             // nil: nobody knows the programs
	drops      *drops.Tracker     // nil: nobody knows the drops
	dial       *dial.Watch        // nil: what is dialled is not noted
	tracked    *conntrack.Tracker // nil: the program asks for itself, or nobody knows
	registry   *podmap.Registry
	watcher    *podmap.Watcher
	aggregator *aggregate.Aggregator
	start, end time.Time // of the open window, the end as planned
	reported   export.Losses
	unreported export.Losses // of the observer before
	lostBefore uint64        // interfaces whose last counts of an agent before could not be taken over
	traffic    Traffic       // of the loop alone; status has a copy
	blind      blindness

	othersMissing  []probe.Missing
	node           nodeWatch
	claims         map[capture.Slot]string // pod UIDs that processes told of
	drainProblem   string                  // logged once while it lasts
	commitProblem  string
	refreshProblem string
	drained        atomic.Int64
	mu             sync.Mutex // all below
	status         Status
	started        time.Time // zero before Run
	recent         recent
}

// Status is what an observer has seen, for metrics.
type Status struct {
	Aggregate      aggregate.Counts
	Capture        capture.Losses
	Owners         owner.Counts
	Drops          drops.Counts
	Conntrack      conntrack.Counts
	LostBefore     uint64 // interfaces of which a restart lost something
	Traffic        Traffic
	DrainFailures  uint64
	AttachFailures uint64
	Overruns       uint64 // netlink notifications lost, interfaces listed again
	Pods           podmap.State
}

// NewObserver loads the program and opens the node's namespace. Its error says
// in one line what is missing. Nothing is attached before Run.
func NewObserver(o ObserverOptions, sink Sink) (*Observer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.Capture.Now = o.Clock
	before := recall(sink, o.Logger)
	if before != nil {
		o.Capture.Resume = &before.Capture
	}
	c, err := capture.New(o.Capture)
	if err != nil {
		return nil, err
	}
	ob, err := newObserver(o, sink, c)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	ob.openOthers(c)
	ob.openConntrack()
	registry := podmap.NewRegistry(o.Clock)
	ob.registry = registry
	ob.restore(before)
	ob.watcher, err = podmap.NewWatcher(podmap.WatcherOptions{
		NodeNetns: o.Netns, NetnsDirs: o.NetnsDirs, Ignore: o.Ignore, HostSide: c.Mode() == probe.HostTCX,
		Attacher: tellingAttacher{c, ob}, Registry: registry, Clock: o.Clock, Logger: o.Logger,
	})
	if err != nil {
		return nil, errors.Join(err, ob.closeKernel())
	}
	for _, m := range ob.missing() {
		o.Logger.Warn("done without a feature of the kernel", slog.String("feature", m.Feature), slog.String("lost", m.Lost), slog.Any("error", m.Err))
	}
	if ob.watcher.PollsAddresses() {
		o.Logger.Warn("done without a feature of the kernel", slog.String("feature", featureAddressEvents),
			slog.String("lost", "pods are recognised a little later"), slog.String("error", "CAP_NET_BROADCAST is missing"))
	}
	return ob, nil
}

func newObserver(o ObserverOptions, sink Sink, c collector) (*Observer, error) {
	ob := &Observer{ObserverOptions: o, sink: sink, collector: c, podsRead: make(chan struct{})}
	ob.node.slots, ob.claims = make(map[string]capture.Slot), make(map[capture.Slot]string)
	ob.keeper, _ = sink.(keeper)
	ob.lasting, _ = c.(lasting)
	options := aggregate.DefaultOptions()
	options.Clock, options.Identify, options.Emit = o.Clock, ob.identify, ob.emit
	options.Complete = ob.complete
	options.Program, options.Listens, options.Resolve = ob.program, ob.listens, ob.resolve
	var err error
	ob.aggregator, err = aggregate.New(options)
	return ob, err
}

// identify gives a slot's pod. Where nobody knows the pods, every slot is
// known at once, by its address alone.
func (o *Observer) identify(slot capture.Slot, program owner.Program) (wire.PodKey, bool) {
	if o.Pods == nil {
		return wire.PodKey{}, true
	}
	if o.node.has(slot) {
		return o.identifyNode(program)
	}
	p, ok := o.registry.Identify(slot)
	return wire.PodKey{Namespace: p.Namespace, Name: p.Name, UID: p.UID}, ok
}

// Owner names the node's pod that has an address at present.
func (o *Observer) Owner(address netip.Addr) (wire.PodKey, bool) {
	p, ok := o.registry.Owner(address)
	return wire.PodKey{Namespace: p.Namespace, Name: p.Name, UID: p.UID}, ok
}

// Run watches until the context ends, then hands over what was counted last,
// and closes everything.
func (o *Observer) Run(ctx context.Context) error {
	defer func() { _ = o.watcher.Close() }() // only sockets
	if err := o.watcher.Start(); err != nil {
		return errors.Join(err, o.closeKernel())
	}
	o.watchNode()
	o.settle()
	o.refresh(ctx) // who listened, and who was connected, before the agent
	stopped := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() { cancel(o.watcher.Run(ctx)) })
	tasks.Go(func() {
		if err := o.watchPods(ctx); err != nil {
			cancel(err)
		}
	})
	o.loop(ctx)
	cancel(nil)
	tasks.Wait()
	if cause := context.Cause(ctx); stopped.Err() == nil && cause != nil {
		return errors.Join(fmt.Errorf("watching the node: %w", cause), o.closeKernel())
	}
	return o.closeKernel()
}

// watchPods follows the source of pods, and lets the last window wait for its
// first report.
func (o *Observer) watchPods(ctx context.Context) error {
	read := sync.OnceFunc(func() { close(o.podsRead) })
	defer read()
	if o.Pods == nil {
		<-ctx.Done()
		return nil
	}
	return o.Pods.Watch(ctx, func(pods []podmap.Pod) {
		o.registry.SetPods(pods)
		read()
	})
}

// Status gives a copy of the counters.
func (o *Observer) Status() Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.status
	s.Pods, s.LostBefore = o.registry.State(), o.lostBefore
	s.AttachFailures, s.Overruns = o.watcher.Failures(), o.watcher.Overruns()
	return s
}

// LastDrain says when the kernel's counts were last read; zero for never.
func (o *Observer) LastDrain() time.Time {
	if n := o.drained.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}
