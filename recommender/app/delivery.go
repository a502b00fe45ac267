// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/netcinch/netcinch/recommender/alert/deliver"
	"github.com/netcinch/netcinch/recommender/api"
)

// openDelivery counts the alerts, and makes what tells them where a file says to
// whom.
func (a *App) openDelivery() error {
	if err := a.metrics.registry.Register(alertCollector{a.members}); err != nil {
		return fmt.Errorf("registering the metrics of alerts: %w", err)
	}
	if a.options.AlertsFile == "" {
		return nil
	}
	d, err := deliver.New(deliver.Options{
		File: a.options.AlertsFile, Dir: filepath.Join(a.options.DataDir, "alerts"), Page: a.options.PageURL,
		Kubernetes: Clients(a.options), Clusters: a.names(), Stdout: a.options.Stdout, Release: a.options.Release,
		Metrics: a.metrics.registry, Now: a.options.Now, Log: a.options.Log,
	})
	if err != nil {
		return fmt.Errorf("reading --alerts: %w", err)
	}
	a.delivery = d
	a.later(d.Close)
	for _, m := range a.members {
		m.watch.notifier = d
	}
	return nil
}

// told is the delivery for the API; nil where there is none.
func (a *App) told() api.Delivery {
	if a.delivery == nil {
		return nil
	}
	return a.delivery
}

// ReloadAlerts reads the file of sinks again now. A wrong one changes nothing.
func (a *App) ReloadAlerts(ctx context.Context) error {
	if a.delivery == nil {
		return errors.New("alerts are told to nobody: there is no --alerts")
	}
	return a.delivery.Reload(ctx)
}

// Clients gives the API servers that alerts are written to as events; nil where
// the objects of all clusters come from manifests.
func Clients(o Options) func(cluster string) (kubernetes.Interface, error) {
	o = o.withDefaults()
	sources := map[string]Cluster{}
	for _, c := range o.clusters() {
		if len(c.Manifests) == 0 {
			sources[c.Name] = c
		}
	}
	if len(sources) == 0 {
		return nil
	}
	var mu sync.Mutex
	made := map[string]kubernetes.Interface{}
	return func(cluster string) (kubernetes.Interface, error) {
		mu.Lock()
		defer mu.Unlock()
		if c, ok := made[cluster]; ok {
			return c, nil
		}
		source, ok := sources[cluster]
		if !ok {
			return nil, errors.New("its objects come from manifests; there is no API server")
		}
		config, err := clusterConfig(o, source)
		if err != nil {
			return nil, err
		}
		config = rest.CopyConfig(config)
		config.QPS, config.Burst = 20, 40
		c, err := kubernetes.NewForConfig(config)
		if err != nil {
			return nil, err
		}
		made[cluster] = c
		return c, nil
	}
}
