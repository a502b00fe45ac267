// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/wire"
)

// Exporter makes batches of parts, keeps them in the spool and sends them. Put
// is for one goroutine, Run for another.
type Exporter struct {
	options Options
	spool   *spool
	client  *client
	wake    chan struct{} // a batch came in
	stop    chan struct{} // no more batches will come in

	stopOnce sync.Once

	mu      sync.Mutex
	counts  Counts
	carried Losses              // of batches that were thrown away or refused; go with the next batch
	taken   Losses              // of these, told in a batch that is not safe yet
	unkept  bool                // neither could be written down, and that was logged
	logged  map[string]struct{} // permanent refusals, by reason: logged once each
	problem string              // why sending fails at present; empty while it works
}

// Counts are the exporter's own, cumulative.
type Counts struct {
	Sent           uint64            // batches acknowledged
	SentBytes      uint64            // of these, compressed
	Retries        uint64            // tries that failed and were repeated
	Refused        map[string]uint64 // batches refused for good, by reason
	InvalidEdges   uint64            // edges that no batch may carry
	SpoolOverflow  uint64            // batches thrown away for want of room
	SpoolDamaged   uint64            // spool files that could not be read
	SpoolWriteFail uint64            // batches that had to stay in memory
}

// New opens the spool. Nothing is sent before Run.
func New(o Options) (*Exporter, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	u, err := endpoint(o.Server)
	if err != nil {
		return nil, err
	}
	s, err := openSpool(o)
	if err != nil {
		return nil, err
	}
	e := &Exporter{
		options: o, spool: s, wake: make(chan struct{}, 1), stop: make(chan struct{}), logged: make(map[string]struct{}),
		client: &client{url: u.JoinPath(wire.Path).String(), caFile: o.CAFile, tokenFile: o.TokenFile, timeout: o.Timeout},
		counts: Counts{Refused: make(map[string]uint64)},
	}
	s.lose = e.carry
	damaged := s.counts.damaged // the state of the process before
	if err := e.findCarried(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	for range damaged {
		e.carry(nil)
	}
	return e, nil
}

// Check reads the credentials once, so that a wrong path is told at the start.
func (e *Exporter) Check() error {
	if err := e.client.refresh(); err != nil {
		return err
	}
	if e.options.TokenFile == "" {
		return nil
	}
	if _, err := readToken(e.options.TokenFile); err != nil {
		return err
	}
	return nil
}

// Counts gives the exporter's own counters.
func (e *Exporter) Counts() Counts {
	_, s := e.spool.state()
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.counts
	c.Refused = maps.Clone(e.counts.Refused)
	c.SpoolOverflow, c.SpoolDamaged, c.SpoolWriteFail = s.overflow, s.damaged, s.writeErrors
	return c
}

// Spool says what waits to be acknowledged.
func (e *Exporter) Spool() SpoolState {
	s, _ := e.spool.state()
	return s
}

// Problem says why sending fails at present; empty while it works.
func (e *Exporter) Problem() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.problem
}

// Run sends what is in the spool, oldest first, until the context ends; after
// Stop only until the spool is empty or the recommender does not take a batch.
func (e *Exporter) Run(ctx context.Context) {
	backoff := e.options.MinBackoff
	for ctx.Err() == nil {
		stopping := e.stopped() // asked before the spool is: what was put before Stop is tried
		done, delay := e.sendOldest(ctx, backoff)
		if done {
			backoff = e.options.MinBackoff
			continue
		}
		if stopping {
			return
		}
		if delay == 0 { // nothing to send
			select {
			case <-ctx.Done():
			case <-e.stop:
			case <-e.wake:
			}
			continue
		}
		backoff = min(2*backoff, e.options.MaxBackoff)
		pause(ctx, e.stop, delay)
	}
}

// Stop lets Run end. Call it after the last Put.
func (e *Exporter) Stop() { e.stopOnce.Do(func() { close(e.stop) }) }

func (e *Exporter) stopped() bool {
	select {
	case <-e.stop:
		return true
	default:
		return false
	}
}

func pause(ctx context.Context, stop <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-stop:
	case <-timer.C:
	}
}

// sendOldest sends one batch. It says whether it is done with (acknowledged or
// refused for good), or else after what delay to try again; neither where there is
// nothing to send.
func (e *Exporter) sendOldest(ctx context.Context, backoff time.Duration) (done bool, delay time.Duration) {
	batch, damaged, ok := e.spool.oldest()
	for range damaged {
		e.carry(nil)
	}
	if !ok || ctx.Err() != nil {
		return false, 0
	}
	err := e.client.post(ctx, batch.name, batch.memory)
	if err == nil {
		e.spool.remove(batch.name)
		e.succeeded(len(batch.memory))
		return true, 0
	}
	var r *refusal
	if errors.As(err, &r) && wire.Permanent(r.status) {
		e.refusedForGood(batch, r)
		return true, 0
	}
	if ctx.Err() != nil {
		return false, 0
	}
	e.failed(err)
	// Half of the delay is fixed, half random, so that the agents of a cluster
	// do not come back all at once.
	delay = backoff/2 + time.Duration(e.options.Random()*float64(backoff/2))
	if r != nil {
		delay = max(delay, r.retryAfter)
	}
	return false, max(delay, 1)
}

func (e *Exporter) succeeded(size int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counts.Sent++
	e.counts.SentBytes += uint64(size)
	if e.problem != "" {
		e.problem = ""
		e.options.Logger.Info("the recommender takes batches again")
	}
}

// failed logs a problem when it begins or changes, not at each try.
func (e *Exporter) failed(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counts.Retries++
	if err.Error() == e.problem {
		return
	}
	e.problem = err.Error()
	e.options.Logger.Warn("batches wait in the spool: the recommender does not take them", slog.Any("error", err))
}

func (e *Exporter) refusedForGood(batch entry, r *refusal) {
	e.carry(batch.memory) // first: a process that is killed in between sends it again
	e.spool.remove(batch.name)
	reason := string(r.problem.Reason)
	if reason == "" {
		reason = fmt.Sprintf("status_%d", r.status)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counts.Refused[reason]++
	e.problem = ""
	if _, known := e.logged[reason]; known {
		return
	}
	e.logged[reason] = struct{}{}
	e.options.Logger.Error("the recommender refused a batch for good: what it counted is lost; further ones for the same reason are only counted",
		slog.String("reason", reason), slog.Uint64("sequence", batch.sequence), slog.String("epoch", batch.epoch), slog.Any("error", r))
}

// Close gives the spool back. What is in its files stays.
func (e *Exporter) Close() error {
	e.client.close()
	return e.spool.close()
}
