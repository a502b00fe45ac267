// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/wire"
)

// agents speak for the nodes of a fleet.
type agents struct {
	fleet  fleet
	url    string
	token  string
	http   *http.Client
	window time.Duration
	now    func() time.Time

	mu        sync.Mutex
	sent      int // batches acknowledged
	bytes     int64
	refused   map[string]int // answers that were no acknowledgement, by reason
	latencies []time.Duration
}

// steady sends each node's window when it is over, the nodes spread over it,
// until the context ends.
func (a *agents) steady(ctx context.Context, duration time.Duration) error {
	ends := a.now().Add(duration)
	var all sync.WaitGroup
	failed := make(chan error, a.fleet.nodes)
	for node := range a.fleet.nodes {
		all.Go(func() {
			epoch := rand.Text()
			due := a.now().Add(a.window * time.Duration(node) / time.Duration(a.fleet.nodes))
			for sequence := uint64(1); due.Before(ends); sequence++ {
				if !wait(ctx, due.Sub(a.now())) {
					return
				}
				body, err := a.fleet.batch(node, epoch, sequence, due.Add(-a.window), due)
				if err == nil {
					err = a.deliver(ctx, body)
				}
				if err != nil {
					failed <- err
					return
				}
				due = due.Add(a.window)
			}
		})
	}
	all.Wait()
	close(failed)
	return <-failed
}

// peak sends windows of all nodes, made before, as fast as they are
// acknowledged; it gives how long that took.
func (a *agents) peak(ctx context.Context, windows, senders int) (time.Duration, error) {
	var bodies [][]byte
	epoch := rand.Text()
	start := a.now().Truncate(a.window).Add(-time.Duration(windows) * a.window)
	for w := range windows {
		for node := range a.fleet.nodes {
			from := start.Add(time.Duration(w) * a.window)
			body, err := a.fleet.batch(node, epoch, uint64(w+1), from, from.Add(a.window))
			if err != nil {
				return 0, err
			}
			bodies = append(bodies, body)
		}
	}
	queue := make(chan []byte)
	began := a.now()
	var all sync.WaitGroup
	failed := make(chan error, senders)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range senders {
		all.Go(func() {
			for body := range queue {
				if err := a.deliver(ctx, body); err != nil {
					failed <- err
					cancel()
					return
				}
			}
		})
	}
	for _, body := range bodies {
		select {
		case queue <- body:
		case <-ctx.Done():
		}
	}
	close(queue)
	all.Wait()
	close(failed)
	return a.now().Sub(began), <-failed
}

// deliver posts a batch until it is acknowledged, as an agent does.
func (a *agents) deliver(ctx context.Context, body []byte) error {
	began := a.now()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		status, reason, err := a.post(ctx, body)
		switch {
		case err == nil && status == http.StatusOK:
			a.mu.Lock()
			defer a.mu.Unlock()
			a.sent++
			a.bytes += int64(len(body))
			a.latencies = append(a.latencies, a.now().Sub(began))
			return nil
		case ctx.Err() != nil:
			return nil // the measurement is over
		case err != nil:
			reason = err.Error()
		case wire.Permanent(status):
			return fmt.Errorf("a batch is refused for good: %d %s", status, reason)
		}
		a.mu.Lock()
		a.refused[reason]++
		a.mu.Unlock()
		if !wait(ctx, pause) {
			return nil
		}
	}
}

func (a *agents) post(ctx context.Context, body []byte) (status int, reason string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+wire.Path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", wire.ContentType)
	r.Header.Set("Content-Encoding", wire.ContentEncoding)
	r.Header.Set("Authorization", "Bearer "+a.token)
	answer, err := a.http.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode == http.StatusOK {
		return answer.StatusCode, "", err
	}
	var p wire.Problem
	if err := json.Unmarshal(text, &p); err != nil {
		return answer.StatusCode, "status " + answer.Status, nil // the status says enough
	}
	return answer.StatusCode, string(p.Reason), nil
}

// wait says whether the time passed before the context ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// quantile gives the value that a share of the values does not exceed.
func quantile(values []time.Duration, share float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(share*float64(len(values))))]
}
