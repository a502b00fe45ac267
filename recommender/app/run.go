// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/ingest"
	"github.com/netcinch/netcinch/recommender/store"
)

// How long a stop waits for requests in flight, how often the view is renewed
// without news (time alone ends a learning period), and how much of the time
// may go into recomputing.
const (
	stopWithin = 10 * time.Second
	renewEvery = 30 * time.Second
	restFactor = 3 // for each second of work, seconds of rest
)

func (a *App) openIngest() error {
	if a.ingestAt == nil {
		return nil
	}
	senders, err := a.agents()
	if err != nil {
		return err
	}
	config, err := ingestTLS(a.options)
	if err != nil {
		return err
	}
	handler, err := ingest.New(ingest.Options{
		Store: a.past.(stored), Auth: senders, Clock: a.options.Now, Clusters: a.resolvers(),
		Notify: func(b store.Batch) { a.member(b.Cluster).touch() }, Metrics: a.metrics.registry, Logger: a.options.Log,
	})
	if err != nil {
		return err
	}
	routes := http.NewServeMux()
	routes.Handle("/v1/flows", handler)
	a.ingest, a.ingestAt = routes, tls.NewListener(a.ingestAt, config)
	return nil
}

// follow learns from each new snapshot of a cluster who has which address.
func (a *App) follow(ctx context.Context, m *member) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.feed.Changes():
			m.history.Observe(m.feed.Snapshot())
			m.touch()
		}
	}
}

// keepCurrent recomputes the view when there are news, and never more often
// than leaves most of the time for other work.
func (a *App) keepCurrent(ctx context.Context, m *member) {
	var tick <-chan time.Time // nil where time alone changes nothing
	if !a.options.files() {
		ticker := time.NewTicker(renewEvery)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		took := a.renew(ctx, m)
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(a.options.Debounce, restFactor*took)):
		}
		select {
		case <-ctx.Done():
			return
		case <-m.dirty:
		case <-tick:
		}
	}
}

func (a *App) renew(ctx context.Context, m *member) time.Duration {
	began := a.options.Now()
	fresh, before, err := m.views.renew(ctx)
	took := a.options.Now().Sub(began)
	if err != nil {
		if ctx.Err() == nil {
			a.metrics.failures.Inc()
			a.options.Log.ErrorContext(ctx, "recomputing the view", slog.String("cluster", m.name), slog.Any("error", err))
		}
		return took
	}
	a.metrics.observe(fresh, took)
	if err := m.noter.note(ctx, fresh); err != nil && ctx.Err() == nil {
		a.options.Log.WarnContext(ctx, "keeping when findings were first seen", slog.String("cluster", m.name), slog.Any("error", err))
	}
	a.announce(ctx, fresh)
	a.observe(ctx, m, fresh, before)
	return took
}

// announce tells the streams of a new view.
func (a *App) announce(ctx context.Context, fresh *api.View) {
	hub := a.page.Hub()
	if err := hub.Send(api.EventView, api.ViewEventOf(fresh)); err != nil {
		a.options.Log.ErrorContext(ctx, "announcing a view", slog.Any("error", err))
	}
}

// serve answers on a listener until the context ends.
func (a *App) serve(ctx context.Context, l net.Listener, h http.Handler, ingest bool) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(a.options.Log.Handler(), slog.LevelDebug),
	}
	if ingest {
		server.ReadTimeout, server.WriteTimeout = time.Minute, time.Minute
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	if !ingest {
		a.page.Hub().Close() // streams would hold the stop up
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("stopping on %s: %w", l.Addr(), err), server.Close())
	}
	return nil
}
