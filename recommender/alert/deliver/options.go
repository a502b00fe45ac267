// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/kubernetes"

	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
)

// The defaults of Options.
const (
	DefaultLook  = 5 * time.Second
	DefaultProbe = time.Minute
)

// Options say what alerts are told with.
type Options struct {
	File string // of sinks and routes; required
	Dir  string // folder for the queue, made where it is missing; required
	Page string // address that links begin with, unless the file says another

	// Kubernetes gives the API server of a cluster; nil where objects come from
	// files. Clusters are those that there are.
	Kubernetes func(cluster string) (kubernetes.Interface, error)
	Clusters   []string

	Stdout   io.Writer             // for sinks of type stdout; nil: none
	Getenv   func(string) string   // nil: the environment
	Release  string                // of this program
	Instance string                // this process's name; empty: the host's
	Metrics  prometheus.Registerer // nil for none
	Look     time.Duration         // how often the file is looked at for changes; 0: DefaultLook, negative: never
	Probe    time.Duration         // how often a sink that is told nothing is probed; 0: DefaultProbe, negative: never
	Now      func() time.Time      // required
	Log      *slog.Logger          // nil discards

	// Transport stands in for the network, in tests; nil for the network.
	Transport http.RoundTripper
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.File == "":
		return o, errors.New("delivering alerts: no file of sinks was given")
	case o.Dir == "":
		return o, errors.New("delivering alerts: no folder was given to keep what waits; give --data-dir")
	case o.Now == nil:
		return o, errors.New("delivering alerts: no clock was given (Options.Now)")
	}
	if o.Look == 0 {
		o.Look = DefaultLook
	}
	if o.Probe == 0 {
		o.Probe = DefaultProbe
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Instance == "" {
		if name, err := os.Hostname(); err == nil {
			o.Instance = name
		}
	}
	return o, nil
}

// load reads the file.
func (o Options) load() (*config.Config, error) {
	c, err := config.Load(o.File, ConfigOptions(o.Getenv, o.Kubernetes != nil))
	if err != nil {
		return nil, err
	}
	if c.Page == "" {
		c.Page = o.Page
	}
	return c, nil
}
