// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/live"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
)

// feed is a cluster.Feed that can be closed.
type feed interface {
	cluster.Feed
	Close()
}

// openFeed watches the manifests that were given, else the API server.
func openFeed(ctx context.Context, o Options, c Cluster) (feed, []string, error) {
	if len(c.Manifests) > 0 {
		w, err := manifest.Watch(ctx, c.Manifests, manifest.Options{Clock: o.Now})
		if err != nil {
			return nil, nil, err
		}
		return w, c.Manifests, nil
	}
	config, err := clusterConfig(o, c)
	if err != nil {
		return nil, nil, err
	}
	f, err := live.Start(ctx, config, live.Options{Clock: o.Now, Log: o.Log})
	if err != nil {
		return nil, nil, err
	}
	return f, []string{"API server " + config.Host}, nil
}

// clusterConfig finds the API server: the kubeconfig that was given, the usual
// ones, the pod's own service account.
func clusterConfig(o Options, c Cluster) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.Kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.Context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w; give --kubeconfig, or -f with manifests", err)
	}
	config.UserAgent = "netcinch/" + o.Release
	return config, nil
}
