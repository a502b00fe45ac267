// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/netcinch/netcinch/agent/export"
)

// Agent observes and reports.
type Agent struct {
	options  Options
	observer *Observer
	exporter *export.Exporter
	listener net.Listener // of metrics; nil for none

	statusListener net.Listener // nil for none
}

// New prepares everything that can fail: program, namespace, spool,
// credentials, metrics port. Nothing is attached or sent before Run.
func New(o Options) (*Agent, error) {
	a := &Agent{options: o}
	var err error
	if a.exporter, err = export.New(o.Export); err != nil {
		return nil, err
	}
	if err = a.exporter.Check(); err != nil {
		return nil, errors.Join(err, a.exporter.Close())
	}
	if o.MetricsListen != "" {
		if a.listener, err = net.Listen("tcp", o.MetricsListen); err != nil {
			return nil, errors.Join(fmt.Errorf("listening for metrics (--metrics-listen): %w", err), a.exporter.Close())
		}
	}
	if a.observer, err = NewObserver(o.Observer, a.exporter); err != nil {
		return nil, errors.Join(err, a.closeListener(), a.exporter.Close())
	}
	a.statusListener = listenStatus(o)
	return a, nil
}

// MetricsURL gives where the metrics are; empty for nowhere.
func (a *Agent) MetricsURL() string {
	if a.listener == nil {
		return ""
	}
	return "http://" + a.listener.Addr().String()
}

// Run observes and sends until the context ends. Then it counts a last time,
// spools the last window and gives the recommender a moment to take it; what it
// does not take stays in the spool.
func (a *Agent) Run(ctx context.Context) error {
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	var tasks sync.WaitGroup
	tasks.Go(func() { a.exporter.Run(sending) })
	servers := []*http.Server{a.serve(&tasks), a.serveStatus(&tasks)}
	a.options.Observer.Logger.InfoContext(ctx, "watching", slog.String("node", a.options.Export.Node), slog.String("cluster", a.options.Export.Cluster),
		slog.String("server", a.options.Export.Server), slog.Duration("window", a.options.Observer.Window), slog.String("metrics", a.MetricsURL()))

	err := a.observer.Run(ctx)

	a.exporter.Stop()
	grace := time.AfterFunc(a.options.StopGrace, stopSending)
	defer grace.Stop()
	for _, server := range servers {
		if server != nil {
			err = errors.Join(err, server.Close())
		}
	}
	tasks.Wait()
	if left := a.exporter.Spool(); left.Batches > 0 {
		a.options.Observer.Logger.InfoContext(ctx, "batches stay in the spool for the next start", slog.Int("batches", left.Batches))
	}
	return errors.Join(err, a.exporter.Close())
}

func (a *Agent) serve(tasks *sync.WaitGroup) *http.Server {
	if a.listener == nil {
		return nil
	}
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 5 * time.Second}
	tasks.Go(func() {
		if err := server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			a.options.Observer.Logger.Error("serving metrics", slog.Any("error", err))
		}
	})
	return server
}

func (a *Agent) closeListener() error {
	if a.listener == nil {
		return nil
	}
	return a.listener.Close()
}
