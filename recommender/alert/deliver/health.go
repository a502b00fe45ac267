// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/queue"
	"github.com/netcinch/netcinch/recommender/alert/deliver/sink"
	"github.com/netcinch/netcinch/recommender/analyze"
)

// keyOf names a message for ever: a sink that gets it twice knows it.
func keyOf(item *queue.Item) string { return item.Alert + "-" + strconv.Itoa(item.Revision) }

// succeeded notes that the sink is there; at is zero where it took nothing.
func (w *worker) succeeded(ctx context.Context, at time.Time) {
	w.mu.Lock()
	before := w.state
	w.state.failing, w.state.failures, w.state.problem, w.state.dead = time.Time{}, 0, "", false
	if !at.IsZero() {
		w.state.success = at
	}
	w.mu.Unlock()
	if before.failing.IsZero() && !before.dead {
		return
	}
	w.delivery.options.Log.InfoContext(ctx, "a sink takes alerts again", slog.String("sink", w.config.Name), slog.Time("failed_since", before.failing))
	if before.dead {
		w.delivery.tellOthers(ctx, w, before.failing, "", alert.Resolved)
	}
	w.note(ctx)
}

// failed notes that the sink could not be told, and gives how long to wait.
func (w *worker) failed(ctx context.Context, err error) pause {
	now := w.delivery.options.Now()
	w.delivery.metrics.failures.WithLabelValues(w.config.Name).Inc()
	w.mu.Lock()
	first := w.state.failing.IsZero()
	if first {
		w.state.failing = now
	}
	w.state.failures++
	w.state.problem = err.Error()
	died := !w.state.dead && now.Sub(w.state.failing) >= w.config.DeadAfter
	if died {
		w.state.dead = true
	}
	s := w.state
	w.mu.Unlock()
	level := slog.LevelDebug
	if first || died {
		level = slog.LevelWarn
	}
	w.delivery.options.Log.Log(ctx, level, "a sink cannot be told", slog.String("sink", w.config.Name), slog.String("error", err.Error()),
		slog.Time("failing_since", s.failing), slog.Bool("dead", s.dead))
	if died {
		w.delivery.tellOthers(ctx, w, s.failing, s.problem, alert.Firing)
	}
	if first || died {
		w.note(ctx)
	}
	wait := backoff(w.config.Retry, w.config.MaxRetry, s.failures, sink.WaitOf(err))
	if !s.dead { // so that it is found dead in time
		wait = min(wait, max(sink.WaitOf(err), s.failing.Add(w.config.DeadAfter).Sub(now)))
	}
	return pause{wait: max(wait, time.Millisecond), deaf: true}
}

// note keeps how the sink fares.
func (w *worker) note(ctx context.Context) {
	w.mu.Lock()
	s := w.state
	w.mu.Unlock()
	if err := w.delivery.queue.Fares(w.config.Name, s.failing, s.success, s.dead); err != nil {
		w.delivery.options.Log.ErrorContext(ctx, "noting how a sink fares", slog.String("sink", w.config.Name), slog.Any("error", err))
	}
}

// tellOthers queues, for all sinks but the one, that it is dead or back.
func (d *Delivery) tellOthers(ctx context.Context, of *worker, since time.Time, why string, status alert.Status) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	a := d.downAlert(of, since, why, status)
	payload, err := json.Marshal(a)
	if err != nil {
		d.options.Log.ErrorContext(ctx, "writing an alert about a sink", slog.Any("error", err))
		return
	}
	e := queue.Entry{Alert: a.ID, Revision: a.Revision, Payload: payload, Always: true}
	for i := range d.config.Sinks {
		if s := &d.config.Sinks[i]; s.Name != of.config.Name && (status == alert.Firing || s.SendResolved) {
			e.Sinks = append(e.Sinks, s.Name)
		}
	}
	if err := d.put(ctx, []queue.Entry{e}); err != nil {
		d.options.Log.ErrorContext(ctx, "queueing an alert about a sink", slog.Any("error", err))
	}
}

func (d *Delivery) downAlert(of *worker, since time.Time, why string, status alert.Status) alert.Alert {
	now := d.options.Now().UTC()
	id := sha256.Sum256([]byte("sink-down\x00" + of.config.Name))
	a := alert.Alert{
		ID: hex.EncodeToString(id[:8]), Revision: int(now.Unix()), Kind: sink.SinkDown, Severity: analyze.SeverityHigh, Status: status,
		Title:     fmt.Sprintf("Alerts do not arrive at the sink %s", of.config.Name),
		Text:      fmt.Sprintf("Nothing could be told to %s since %s. Alerts wait, and are told once it answers again.", of.config.Target(), since.UTC().Format(time.RFC3339)),
		Workloads: []string{}, Evidence: []string{}, Edges: []alert.Edge{}, Processes: []string{}, Allowances: []alert.Allowance{},
		Started: since.UTC(), LastSeen: now, Raised: since.UTC(), Changed: now, Labels: map[string]string{"sink": of.config.Name}, Link: "/alerts",
	}
	if len(d.options.Clusters) > 0 {
		a.Cluster = d.options.Clusters[0]
	}
	if why != "" {
		a.Evidence = append(a.Evidence, why)
	}
	if status != alert.Firing {
		a.Title, a.Text, a.Ended = fmt.Sprintf("Alerts arrive at the sink %s again", of.config.Name), "", now
	}
	return a
}
