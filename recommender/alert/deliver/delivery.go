// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/alert/deliver/queue"
	"github.com/netcinch/netcinch/recommender/alert/deliver/sink"
)

// Delivery tells alerts. It is made by New, run once by Run, and closed.
type Delivery struct {
	options Options
	queue   *queue.Queue
	metrics *metrics

	reloading sync.Mutex // one at a time
	workers   sync.WaitGroup

	mu     sync.RWMutex
	config *config.Config
	sinks  map[string]*worker
	launch func(*worker) // lets a worker work; nil until Run is called

	tried   string    // sum of the file that was read last, good or bad
	watched []string  // files that it names
	wrong   string    // what is wrong with it; empty: it is in force
	again   time.Time // when it is worth another try as it is; zero: never
	at      time.Time // when the file in force was read
}

var _ alert.Notifier = (*Delivery)(nil)

// New reads the file and opens the queue. A file with anything wrong in it is
// an error that names file, line and field of each. A sink that cannot be
// reached is none: Run says so and goes on trying, for a recommender that does
// not start is worse than an alert that comes later.
func New(o Options) (*Delivery, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c, err := o.load()
	if err != nil {
		return nil, err
	}
	if err = os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the queue of alerts: %w", err)
	}
	q, err := queue.Open(filepath.Join(o.Dir, "alerts.db"), o.Now())
	if err != nil {
		return nil, err
	}
	d := &Delivery{options: o, queue: q, tried: c.Sum, watched: c.Files, at: o.Now()}
	d.metrics = newMetrics(d)
	if err = d.use(c); err == nil {
		err = d.metrics.register(o.Metrics)
	}
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return d, nil
}

// Close gives the queue's file back, after Run has ended.
func (d *Delivery) Close() error { return d.queue.Close() }

// use puts a file in force: workers of sinks that are as they were go on.
func (d *Delivery) use(c *config.Config) error {
	made, err := d.make(c)
	if err != nil {
		return err
	}
	records, err := d.queue.Records()
	if err != nil {
		return err
	}
	d.mu.Lock()
	before := d.sinks
	d.config, d.sinks = c, map[string]*worker{}
	for i := range c.Sinks {
		name := c.Sinks[i].Name
		d.sinks[name] = newWorker(d, &c.Sinks[i], made[name], records[name])
	}
	after := d.sinks
	d.mu.Unlock()
	for _, w := range before {
		w.stop()
	}
	if before == nil { // what waits for sinks of an earlier file
		return d.forget(c)
	}
	for _, w := range before {
		w.join() // what it sends now is told before the new one begins
	}
	if err := d.forget(c); err != nil {
		return err
	}
	for _, w := range after {
		d.start(w)
	}
	return nil
}

func (d *Delivery) make(c *config.Config) (map[string]sink.Sink, error) {
	o := sink.Options{
		Page: c.Page, Release: d.options.Release, Instance: d.options.Instance, Now: d.options.Now, Stdout: d.options.Stdout,
		Kubernetes: d.options.Kubernetes, Clusters: d.options.Clusters, Transport: d.options.Transport,
	}
	made := map[string]sink.Sink{}
	for i := range c.Sinks {
		s, err := sink.New(&c.Sinks[i], o)
		if err != nil {
			return nil, err
		}
		made[c.Sinks[i].Name] = s
	}
	return made, nil
}

// forget removes what waits for sinks that no file names any more.
func (d *Delivery) forget(c *config.Config) error {
	var names []string
	for i := range c.Sinks {
		names = append(names, c.Sinks[i].Name)
	}
	removed, err := d.queue.Keep(names)
	for name, n := range removed {
		d.metrics.removed.Add(float64(n))
		d.options.Log.Warn("alerts that waited for a sink are gone with it", slog.String("sink", name), slog.Int("alerts", n))
	}
	return err
}

// Run tells what waits until the context ends. What is being sent then is given
// a moment to arrive; the rest waits on disk.
func (d *Delivery) Run(ctx context.Context) error {
	d.reloading.Lock()
	d.mu.Lock()
	d.launch = func(w *worker) { d.workers.Go(func() { w.run(ctx) }) }
	sinks := d.sinks
	d.mu.Unlock()
	for _, w := range sinks {
		d.start(w)
	}
	d.reloading.Unlock()
	d.watch(ctx)
	d.workers.Wait()
	return nil
}

// start lets a worker work, where Run was called.
func (d *Delivery) start(w *worker) {
	d.mu.RLock()
	launch := d.launch
	d.mu.RUnlock()
	if launch != nil && w.begin() {
		launch(w)
	}
}

// Notify implements alert.Notifier: when it returns nil, what is to be told is
// on disk.
func (d *Delivery) Notify(ctx context.Context, changed []alert.Alert) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var entries []queue.Entry
	for i := range changed {
		a := &changed[i]
		payload, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("queueing alert %s: %w", a.ID, err)
		}
		e := queue.Entry{Alert: a.ID, Revision: a.Revision, Payload: payload}
		for _, name := range d.config.For(a.Cluster, a.Namespace, string(a.Kind), string(a.Severity)) {
			if a.Status == alert.Firing || d.config.Sink(name).SendResolved {
				e.Sinks = append(e.Sinks, name)
			}
		}
		if len(e.Sinks) == 0 {
			d.metrics.unrouted.Inc()
		}
		entries = append(entries, e)
	}
	return d.put(ctx, entries)
}

// put needs the lock, for reading.
func (d *Delivery) put(ctx context.Context, entries []queue.Entry) error {
	limits := map[string]int{}
	for i := range d.config.Sinks {
		limits[d.config.Sinks[i].Name] = d.config.Sinks[i].Queue
	}
	dropped, err := d.queue.Put(ctx, d.options.Now(), entries, limits)
	if err != nil {
		return err
	}
	for name, n := range dropped {
		d.options.Log.ErrorContext(ctx, "a sink's queue is full: its oldest alerts were dropped", slog.String("sink", name), slog.Int("alerts", n))
	}
	for _, w := range d.sinks {
		w.wake()
	}
	return nil
}
