// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/wire"
)

const (
	askEvery   = 100 * time.Millisecond
	maxOutside = 100_000 // addresses and pods that are remembered; then all are forgotten
)

// waiter holds a batch back for a moment while somebody in it is not known who
// may well belong to the cluster: the agent on its node learns of a pod first,
// and its batch can be here before the cluster's news. Whom it waited for in
// vain it does not wait for again.
type waiter struct {
	resolver Resolver
	others   []neighbour
	limit    time.Duration
	metrics  *metrics

	mu      sync.Mutex
	outside map[netip.Addr]bool
	pods    map[wire.PodKey]bool
}

func newWaiter(r Resolver, others []neighbour, limit time.Duration, m *metrics) *waiter {
	return &waiter{resolver: r, others: others, limit: limit, metrics: m, outside: map[netip.Addr]bool{}, pods: map[wire.PodKey]bool{}}
}

// strangers are the pods and private addresses of a batch that nobody knows.
type strangers struct {
	addrs map[netip.Addr]bool
	pods  map[wire.PodKey]bool
}

func (w *waiter) wait(ctx context.Context, b *wire.Batch) error {
	if w.limit < 0 {
		return nil
	}
	window := flow.Window{Start: b.Header().Start, End: b.Header().End}
	s := w.strangers(b, window)
	if len(s.addrs)+len(s.pods) == 0 {
		return nil
	}
	deadline := time.NewTimer(w.limit)
	defer deadline.Stop()
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	for {
		select {
		case <-ask.C:
			if w.forget(&s, window); len(s.addrs)+len(s.pods) == 0 {
				w.metrics.waits.WithLabelValues("resolved").Inc()
				return nil
			}
		case <-deadline.C:
			w.metrics.waits.WithLabelValues("given_up").Inc()
			w.remember(s)
			return nil
		case <-ctx.Done():
			return fmt.Errorf("waiting for the cluster's news: %w: %w", store.ErrBusy, ctx.Err())
		}
	}
}

func (w *waiter) strangers(b *wire.Batch, window flow.Window) strangers {
	s := strangers{map[netip.Addr]bool{}, map[wire.PodKey]bool{}}
	for _, e := range b.All() {
		if e.Remote.IsPrivate() {
			s.addrs[e.Remote] = true
		}
		if e.Pod != (wire.PodKey{}) {
			s.pods[e.Pod] = true
		}
		if _, virtual := w.resolver.ServiceAt(e.Remote, e.Port, flow.Protocol(e.Protocol)); virtual {
			delete(s.addrs, e.Remote)
		}
	}
	w.mu.Lock()
	for addr := range s.addrs {
		if w.outside[addr] {
			delete(s.addrs, addr)
		}
	}
	for pod := range s.pods {
		if w.pods[pod] {
			delete(s.pods, pod)
		}
	}
	w.mu.Unlock()
	w.forget(&s, window)
	return s
}

// forget takes out whom the resolver knows by now.
func (w *waiter) forget(s *strangers, window flow.Window) {
	for addr := range s.addrs {
		if ownerIn(w.resolver, addr, window).known || elsewhere(w.others, addr, window) != "" {
			delete(s.addrs, addr)
		}
	}
	for pod := range s.pods {
		if _, ok := w.resolver.Pod(pod.Namespace, pod.Name, pod.UID); ok {
			delete(s.pods, pod)
		}
	}
}

func (w *waiter) remember(s strangers) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.outside)+len(w.pods) > maxOutside {
		clear(w.outside)
		clear(w.pods)
	}
	for addr := range s.addrs {
		w.outside[addr] = true
	}
	for pod := range s.pods {
		w.pods[pod] = true
	}
}
