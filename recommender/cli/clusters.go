// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/recommender/app"
)

// setClusters reads the --cluster flags. NAME names the cluster of -f, of
// --kubeconfig or that it runs in; NAME=PATH is a cluster of which the objects
// are in PATH: manifests, or the kubeconfig of its API server.
func setClusters(o *app.Options, values []string) error {
	o.Cluster = ""
	for _, value := range values {
		name, path, more := strings.Cut(value, "=")
		switch {
		case name == "" || more && path == "":
			return fmt.Errorf("--cluster %q: want NAME, or NAME=PATH with its manifests or kubeconfig", value)
		case more:
			c, err := clusterAt(name, path)
			if err != nil {
				return fmt.Errorf("--cluster %s: %w", value, err)
			}
			o.More = append(o.More, c)
		case o.Cluster != "":
			return fmt.Errorf("--cluster %s and --cluster %s: only one can be that of -f or the kubeconfig; give the others as NAME=PATH", o.Cluster, name)
		default:
			o.Cluster = name
		}
	}
	if o.Cluster == "" && len(o.Manifests) == 0 && o.Kubeconfig == "" && len(o.More) > 0 {
		first := o.More[0]
		o.Cluster, o.Manifests, o.Kubeconfig, o.More = first.Name, first.Manifests, first.Kubeconfig, o.More[1:]
	}
	return nil
}

func clusterAt(name, path string) (app.Cluster, error) {
	c := app.Cluster{Name: name}
	info, err := os.Stat(path)
	if err != nil {
		return c, plain(err)
	}
	if !info.IsDir() {
		is, err := isKubeconfig(path)
		if err != nil {
			return c, err
		}
		if is {
			c.Kubeconfig = path
			return c, nil
		}
	}
	c.Manifests = []string{path}
	return c, nil
}

// isKubeconfig tells a kubeconfig from manifests by its kind.
func isKubeconfig(path string) (bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return false, plain(err)
	}
	var head struct {
		Kind     string `json:"kind"`
		Clusters []any  `json:"clusters"`
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		return false, nil //nolint:nilerr // several documents, or faults that whoever reads manifests names
	}
	if head.Kind == "Config" && len(head.Clusters) == 0 {
		return false, errors.New("it is a kubeconfig without clusters")
	}
	return head.Kind == "Config", nil
}
