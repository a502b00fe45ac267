// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/alert/deliver/queue"
	"github.com/netcinch/netcinch/recommender/alert/deliver/sink"
)

// finishWithin is how long what is being sent may take once a worker is to stop.
const finishWithin = 5 * time.Second

// worker works one sink's queue off.
type worker struct {
	delivery *Delivery
	config   *config.Sink
	sink     sink.Sink
	woken    chan struct{} // holds one value while there may be work

	stopOnce  sync.Once
	stopping  chan struct{}
	begunOnce sync.Once
	ended     chan struct{}

	mu    sync.Mutex
	state state
}

// state is how a sink fares.
type state struct {
	failing  time.Time // since when; zero: it does not fail
	success  time.Time // the last one; zero: none yet
	dead     bool      // the others were told
	failures int       // upon each other
	problem  string    // why it failed last; empty after a success
	repeated time.Time // when what fires was told last
}

func newWorker(d *Delivery, c *config.Sink, s sink.Sink, r queue.Record) *worker {
	return &worker{
		delivery: d, config: c, sink: s, woken: make(chan struct{}, 1), stopping: make(chan struct{}), ended: make(chan struct{}),
		state: state{failing: r.Failing, success: r.Success, dead: r.Dead},
	}
}

// wake says that there may be work; it never blocks.
func (w *worker) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

func (w *worker) stop() { w.stopOnce.Do(func() { close(w.stopping) }) }

// begin says whether the worker is to run: once.
func (w *worker) begin() (first bool) {
	w.begunOnce.Do(func() { first = true })
	return first
}

// join waits until the worker has ended; one that never began has.
func (w *worker) join() {
	if w.begin() {
		close(w.ended)
	}
	<-w.ended
}

func (w *worker) run(ctx context.Context) {
	defer close(w.ended)
	// What is being sent when the end comes may finish.
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-ctx.Done():
		case <-w.stopping:
		case <-finished:
			return
		}
		timer := time.NewTimer(finishWithin)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-finished:
		}
	}()
	for !w.stopped(ctx) {
		wait := w.step(sending)
		w.rest(ctx, wait)
	}
}

func (w *worker) stopped(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	case <-w.stopping:
		return true
	default:
		return false
	}
}

// pause is what a worker does between two steps: it goes on at once, waits for
// news, or waits whatever news there are.
type pause struct {
	wait time.Duration // 0: none
	deaf bool          // news do not end it
}

func (w *worker) rest(ctx context.Context, p pause) {
	if p.wait <= 0 {
		return
	}
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	news := w.woken
	if p.deaf {
		news = nil
	}
	select {
	case <-ctx.Done():
	case <-w.stopping:
	case <-timer.C:
	case <-news:
	}
}

// step tells the oldest messages; without any it tells again what is due, or
// looks whether the sink is there.
func (w *worker) step(ctx context.Context) pause {
	items, err := w.delivery.queue.Next(w.config.Name, w.sink.Batch())
	if err == nil && len(items) == 0 {
		return w.idle(ctx)
	}
	var messages []sink.Message
	if err == nil {
		messages, err = w.messages(items)
	}
	if err != nil {
		return w.broken(ctx, err)
	}
	return w.tell(ctx, items, messages)
}

// broken is what happens when the queue itself cannot be used.
func (w *worker) broken(ctx context.Context, err error) pause {
	if !errors.Is(err, queue.ErrClosed) {
		w.delivery.options.Log.ErrorContext(ctx, "using the queue of alerts", slog.String("sink", w.config.Name), slog.Any("error", err))
	}
	return pause{wait: w.config.MaxRetry, deaf: true}
}

func (w *worker) messages(items []queue.Item) ([]sink.Message, error) {
	var before map[string][]byte
	if _, repeats := w.sink.(sink.Repeater); repeats {
		var err error
		if before, err = w.delivery.queue.Active(w.config.Name); err != nil {
			return nil, err
		}
	}
	all := make([]sink.Message, len(items))
	for i := range items {
		m := &all[i]
		m.Key = keyOf(&items[i])
		if err := json.Unmarshal(items[i].Payload, &m.Alert); err != nil {
			return nil, err
		}
		if text, ok := before[items[i].Alert]; ok {
			m.Before = &alert.Alert{}
			if err := json.Unmarshal(text, m.Before); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// tell sends messages and notes what became of them. What a sink refuses among
// several is found by telling each alone.
func (w *worker) tell(ctx context.Context, items []queue.Item, messages []sink.Message) pause {
	began := w.delivery.options.Now()
	err := w.sink.Send(ctx, messages)
	w.delivery.metrics.seconds.WithLabelValues(w.config.Name).Observe(w.delivery.options.Now().Sub(began).Seconds())
	refused, gone := errors.AsType[*sink.RefusedError](err)
	switch {
	case err == nil:
		return w.told(ctx, items, messages)
	case gone && len(items) > 1:
		for i := range items {
			if p := w.tell(ctx, items[i:i+1], messages[i:i+1]); p.wait > 0 {
				return p
			}
		}
		return pause{}
	case gone:
		return w.refused(ctx, items, refused)
	default:
		return w.failed(ctx, err)
	}
}

func (w *worker) told(ctx context.Context, items []queue.Item, messages []sink.Message) pause {
	active := map[int64]bool{}
	if _, repeats := w.sink.(sink.Repeater); repeats {
		for i := range items {
			active[items[i].ID] = messages[i].Firing()
		}
	}
	now := w.delivery.options.Now()
	if err := w.delivery.queue.Done(w.config.Name, now, queue.Outcome{Items: items, Activate: active}); err != nil {
		return w.broken(ctx, err)
	}
	w.succeeded(ctx, now)
	return pause{}
}

func (w *worker) refused(ctx context.Context, items []queue.Item, why *sink.RefusedError) pause {
	now := w.delivery.options.Now()
	w.delivery.options.Log.ErrorContext(ctx, "a sink refuses an alert: it is given up", slog.String("sink", w.config.Name),
		slog.String("alert", items[0].Alert), slog.String("error", why.Reason))
	if err := w.delivery.queue.Done(w.config.Name, now, queue.Outcome{Items: items, Refused: true}); err != nil {
		return w.broken(ctx, err)
	}
	w.succeeded(ctx, time.Time{}) // it is there, and answers
	w.mu.Lock()
	w.state.problem = why.Error()
	w.mu.Unlock()
	return pause{}
}

// idle is what a worker does while nothing waits.
func (w *worker) idle(ctx context.Context) pause {
	now := w.delivery.options.Now()
	wait := time.Hour
	if r, ok := w.sink.(sink.Repeater); ok {
		due, p := w.repeat(ctx, r, now)
		if p.wait > 0 {
			return p
		}
		wait = min(wait, due)
	}
	if every := w.delivery.options.Probe; every > 0 {
		due, p := w.probe(ctx, now, every)
		if p.wait > 0 {
			return p
		}
		wait = min(wait, due)
	}
	return pause{wait: max(wait, time.Millisecond)}
}

// repeatBatch is how many alerts are told again at once.
const repeatBatch = 64

// repeat tells again what fires, where that is due; it gives when it is next.
func (w *worker) repeat(ctx context.Context, r sink.Repeater, now time.Time) (due time.Duration, p pause) {
	w.mu.Lock()
	last := w.state.repeated
	w.mu.Unlock()
	if since := now.Sub(last); !last.IsZero() && since < r.Every() {
		return r.Every() - since, pause{}
	}
	payloads, err := w.delivery.queue.Active(w.config.Name)
	if err != nil {
		return 0, w.broken(ctx, err)
	}
	var alerts []alert.Alert
	for _, text := range payloads {
		var a alert.Alert
		if err := json.Unmarshal(text, &a); err != nil {
			return 0, w.broken(ctx, err)
		}
		alerts = append(alerts, a)
	}
	for len(alerts) > 0 {
		n := min(len(alerts), repeatBatch)
		if err := r.Repeat(ctx, alerts[:n]); err != nil {
			if _, gone := errors.AsType[*sink.RefusedError](err); !gone {
				return 0, w.failed(ctx, err)
			}
			w.delivery.options.Log.ErrorContext(ctx, "a sink refuses alerts that it took before", slog.String("sink", w.config.Name), slog.Any("error", err))
		}
		w.succeeded(ctx, now)
		alerts = alerts[n:]
	}
	w.mu.Lock()
	w.state.repeated = now
	w.mu.Unlock()
	return r.Every(), pause{}
}

// probe looks whether a sink is there that was told nothing for a while.
func (w *worker) probe(ctx context.Context, now time.Time, every time.Duration) (due time.Duration, p pause) {
	w.mu.Lock()
	last, failing := w.state.success, !w.state.failing.IsZero()
	w.mu.Unlock()
	if since := now.Sub(last); !failing && !last.IsZero() && since < every {
		return every - since, pause{}
	}
	if err := w.sink.Probe(ctx); err != nil {
		p = w.failed(ctx, err)
		p.deaf = p.deaf && p.wait < time.Minute // an alert is worth a try
		return 0, p
	}
	w.succeeded(ctx, now)
	return every, pause{}
}
