// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/store"
)

// recently is how far back alerts look at single records.
const recently = time.Hour

// watch keeps the alerts and baselines of one cluster: it looks at every new
// view, saves what changed, and hands it to who notifies.
type watch struct {
	cluster  string
	files    bool // all is read from files: nothing is learnt beyond them
	past     past
	register store.Register
	notifier alert.Notifier // nil for nobody
	keeper   *alert.Keeper
	shown    map[string]string // what the streams were told of each alert
}

// openAlerts gives each member its alerts, as they were saved.
func (a *App) openAlerts() error {
	register, ok := a.past.(store.Register)
	if !ok {
		register = &ledger{}
	}
	for _, m := range a.members {
		saved, err := register.Findings(context.Background(), store.FindingQuery{Cluster: m.name})
		if err != nil {
			return fmt.Errorf("reading the alerts that were saved: %w", err)
		}
		o := a.options.Alert
		o.Learning, o.History = a.options.Learning, a.options.files()
		keeper, err := alert.New(m.name, o, saved)
		if err != nil {
			return fmt.Errorf("reading the alerts that were saved: %w", err)
		}
		m.watch = &watch{cluster: m.name, files: a.options.files(), past: a.past, register: register, keeper: keeper, shown: map[string]string{}}
	}
	return nil
}

// terms gives what an analysis goes by: what was accepted and rejected, and
// when baselines were closed.
func (w *watch) terms(ctx context.Context, now time.Time) (analyze.Options, error) {
	trail, err := w.register.Decisions(ctx, store.DecisionQuery{Cluster: w.cluster})
	if err != nil {
		return analyze.Options{}, fmt.Errorf("reading what was decided: %w", err)
	}
	t := w.keeper.Terms(trail, now)
	if w.files {
		t.Closed = nil // the whole history is there at once
	}
	return analyze.Options{Accepted: t.Accepted, Excluded: t.Excluded, Closed: t.Closed}, nil
}

// look takes in a view. now is the moment that it speaks of, clock that of the
// people who decide.
func (w *watch) look(ctx context.Context, v *api.View, now, clock time.Time) error {
	trail, err := w.register.Decisions(ctx, store.DecisionQuery{Cluster: w.cluster})
	if err != nil {
		return fmt.Errorf("reading what was decided: %w", err)
	}
	recent, err := w.past.Records(ctx, store.Query{Cluster: w.cluster, From: now.Add(-recently)})
	if err != nil {
		return fmt.Errorf("reading what was seen in the last hour: %w", err)
	}
	w.keeper.Look(alert.Input{
		Now: now, Clock: clock, Snapshot: v.Snapshot, Engine: v.Engine, Index: v.Index, Report: v.Report, Recommendations: v.Recommendations,
		Recent: recent, Catalogue: v.Catalogue, Coverage: v.Coverage, Trail: trail, Live: !w.files,
	})
	return w.settle(ctx, now)
}

// settle saves what changed, and tells it. What was saved and not told before a
// crash is told after it; what was told and not noted is told again, under the
// same revision.
func (w *watch) settle(ctx context.Context, now time.Time) error {
	if err := w.save(ctx, now); err != nil {
		return err
	}
	untold := w.keeper.Untold()
	if len(untold) == 0 || w.notifier == nil {
		return nil
	}
	if err := w.notifier.Notify(ctx, untold); err != nil {
		return fmt.Errorf("handing over %d alerts: %w", len(untold), err)
	}
	w.keeper.Told(untold)
	return w.save(ctx, now)
}

func (w *watch) save(ctx context.Context, now time.Time) error {
	rows, err := w.keeper.Unsaved(now)
	if err != nil || len(rows) == 0 {
		return err
	}
	if _, err := w.register.Note(ctx, rows); err != nil {
		return fmt.Errorf("saving the alerts: %w", err)
	}
	w.keeper.Saved(rows)
	return nil
}

// news gives the alerts that changed since the streams were told. After a
// start nothing is new.
func (w *watch) news(begun bool) []alert.Alert {
	var out []alert.Alert
	for _, a := range w.keeper.Alerts() {
		now := string(a.Status) + " " + a.Held + " " + string(a.Severity)
		if was, known := w.shown[a.ID]; begun && was != now && (known || a.Status == alert.Firing) {
			out = append(out, a)
		}
		w.shown[a.ID] = now
	}
	return out
}

// observe lets the alerts look at a new view, and tells the streams.
func (a *App) observe(ctx context.Context, m *member, fresh, before *api.View) {
	if err := m.watch.look(ctx, fresh, a.Now(), a.options.Now()); err != nil && ctx.Err() == nil {
		a.options.Log.ErrorContext(ctx, "keeping the alerts", slog.String("cluster", m.name), slog.Any("error", err))
	}
	for _, one := range m.watch.news(before != nil) {
		if err := a.page.Hub().Send(api.EventAlert, api.AlertChange{Alert: one}); err != nil {
			a.options.Log.ErrorContext(ctx, "announcing an alert", slog.Any("error", err))
		}
	}
}

var _ api.Alerts = (*App)(nil)

// Keeper implements api.Alerts.
func (a *App) Keeper(cluster string) *alert.Keeper {
	if m := a.member(cluster); m != nil {
		return m.watch.keeper
	}
	return nil
}

// Trail implements api.Alerts.
func (a *App) Trail(ctx context.Context, cluster string) ([]store.Decision, error) {
	m := a.member(cluster)
	if m == nil {
		return nil, fmt.Errorf("there is no cluster %q", cluster) // the API has looked before
	}
	return m.watch.register.Decisions(ctx, store.DecisionQuery{Cluster: m.name})
}

// Record implements api.Alerts.
func (a *App) Record(ctx context.Context, cluster string, entries []store.Decision) error {
	m := a.member(cluster)
	if m == nil {
		return fmt.Errorf("there is no cluster %q", cluster) // the API has looked before
	}
	ctx = context.WithoutCancel(ctx) // all of them, even where who asked goes away
	for i := range entries {
		if err := m.watch.register.Decide(ctx, entries[i]); err != nil {
			return fmt.Errorf("writing the audit trail: %w", err)
		}
		d := &entries[i]
		a.options.Log.InfoContext(ctx, "deciding", slog.Bool("audit", true), slog.String("cluster", m.name), slog.String("finding", d.Finding),
			slog.String("verdict", string(d.Verdict)), slog.String("by", d.By), slog.String("reason", d.Reason))
	}
	m.watch.keeper.Decided(entries, a.Now())
	m.touch()
	return nil
}

// Import implements api.Alerts.
func (a *App) Import(ctx context.Context, cluster, name string, file *alert.BaselineFile, o alert.Order) (alert.Imported, error) {
	m := a.member(cluster)
	if m == nil {
		return alert.Imported{}, fmt.Errorf("there is no cluster %q", cluster) // the API has looked before
	}
	v, err := m.views.of(ctx, api.Span{})
	if err != nil {
		return alert.Imported{}, err
	}
	trail, err := a.Trail(ctx, cluster)
	if err != nil {
		return alert.Imported{}, err
	}
	sum, entries, err := m.watch.keeper.Import(file, name, v.Catalogue, trail, o)
	if err != nil {
		return sum, err
	}
	return sum, a.Record(ctx, cluster, entries)
}
