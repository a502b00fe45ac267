// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Options are how an API server is read.
type Options struct {
	// Debounce is for how long changes gather before a snapshot is made of
	// them; 0 means DefaultDebounce.
	Debounce time.Duration
	// Rediscover is how often the feed looks whether optional kinds came or
	// went; 0 means DefaultRediscover.
	Rediscover time.Duration
	// StartWithin bounds how long a start waits for the first reading of all
	// needed kinds; 0 means DefaultStartWithin.
	StartWithin time.Duration
	// Clock gives the time; required.
	Clock func() time.Time
	// Log receives what happens; nil discards it.
	Log *slog.Logger
}

// The defaults.
const (
	DefaultDebounce   = 500 * time.Millisecond
	DefaultRediscover = 30 * time.Second
	// DefaultStartWithin is enough for 20,000 pods over a slow line.
	DefaultStartWithin = 3 * time.Minute
)

func (o Options) withDefaults() (Options, error) {
	if o.Clock == nil {
		return o, errors.New("reading the API server: no clock was given (Options.Clock)")
	}
	if o.Debounce <= 0 {
		o.Debounce = DefaultDebounce
	}
	if o.Rediscover <= 0 {
		o.Rediscover = DefaultRediscover
	}
	if o.StartWithin <= 0 {
		o.StartWithin = DefaultStartWithin
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Clients are the connections that a feed reads through.
type Clients struct {
	Core      kubernetes.Interface
	Dynamic   dynamic.Interface
	Discovery discovery.DiscoveryInterface
}

// Feed is a cluster.Feed of an API server.
type Feed struct {
	options  Options
	core     *core
	optional *optional
	snapshot atomic.Pointer[cluster.Snapshot]
	changes  chan struct{}
	dirty    chan struct{} // holds one value while a change waits for its snapshot
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// Start connects with a configuration, waits until everything that is needed
// was read once, and then follows changes until the context ends or Close is
// called. An API server that does not answer, and rights that are missing for
// the kinds that nothing works without, are errors.
func Start(ctx context.Context, config *rest.Config, o Options) (*Feed, error) {
	c, err := connect(config)
	if err != nil {
		return nil, err
	}
	if _, err := c.Discovery.ServerVersion(); err != nil {
		return nil, fmt.Errorf("reaching the API server %s: %w", config.Host, err)
	}
	return StartWith(ctx, c, o)
}

func connect(config *rest.Config) (Clients, error) {
	var c Clients
	config = rest.CopyConfig(config)
	if config.QPS == 0 {
		config.QPS, config.Burst = 20, 40 // a start lists some 25 kinds
	}
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return c, fmt.Errorf("connecting to the API server: %w", err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return c, fmt.Errorf("connecting to the API server: %w", err)
	}
	return Clients{Core: core, Dynamic: dyn, Discovery: core.Discovery()}, nil
}

// StartWith is Start with connections that are already there.
func StartWith(ctx context.Context, c Clients, o Options) (*Feed, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &Feed{options: o, changes: make(chan struct{}, 1), dirty: make(chan struct{}, 1), cancel: cancel}
	f.core = newCore(c.Core, o, f.touch)
	f.optional = newOptional(c, o, f.touch)
	f.core.start(ctx)
	if err := f.firstReading(ctx); err != nil {
		cancel()
		f.core.stop()
		f.optional.stop()
		return nil, err
	}
	f.build()
	f.running.Go(func() { f.run(ctx) })
	return f, nil
}

var errStart = errors.New("it took too long")

func (f *Feed) firstReading(ctx context.Context) error {
	within, done := context.WithTimeoutCause(ctx, f.options.StartWithin, errStart)
	defer done()
	if err := f.core.wait(within); err != nil {
		return err
	}
	f.optional.discover(ctx)
	f.optional.wait(within)
	return nil
}

// Snapshot gives the newest snapshot.
func (f *Feed) Snapshot() *cluster.Snapshot { return f.snapshot.Load() }

// Changes receives a value after a new snapshot is in place.
func (f *Feed) Changes() <-chan struct{} { return f.changes }

// Close stops following. Snapshot stays usable.
func (f *Feed) Close() {
	f.cancel()
	f.running.Wait()
	f.core.stop()
	f.optional.stop()
}

// touch says that something changed.
func (f *Feed) touch() {
	select {
	case f.dirty <- struct{}{}:
	default:
	}
}

func (f *Feed) run(ctx context.Context) {
	rediscover := time.NewTicker(f.options.Rediscover)
	defer rediscover.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rediscover.C:
			// A failure that is over shows in the next snapshot only.
			if f.optional.discover(ctx) || anyFailed(f.core.kinds) || anyFailed(f.optional.all()) {
				f.touch()
			}
		case <-f.dirty:
			if !pause(ctx, f.options.Debounce) {
				return
			}
			select { // what came during the pause is in the snapshot too
			case <-f.dirty:
			default:
			}
			f.build()
			f.announce()
		}
	}
}

func (f *Feed) announce() {
	select {
	case f.changes <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (f *Feed) build() {
	items, problems := f.core.items()
	more, moreProblems := f.optional.items()
	s := cluster.Build(f.options.Clock(), append(items, more...), append(problems, moreProblems...))
	f.snapshot.Store(s)
	f.options.Log.Debug("snapshot taken", "pods", len(s.Pods), "policies", len(s.Policies), "problems", len(s.Problems))
}
