// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"fmt"
	"io"
	"net/http"

	"k8s.io/client-go/kubernetes"

	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
)

// Options are what sinks are made with.
type Options struct {
	Page     string // address that links begin with; empty for none
	Release  string // of this program
	Instance string // this process's name, such as the pod's
	Now      Clock  // required
	Stdout   io.Writer
	// Kubernetes gives the API server of a cluster; nil where there is none.
	Kubernetes func(cluster string) (kubernetes.Interface, error)
	// Clusters are those that alerts can be of.
	Clusters []string
	// Transport stands in for the network, in tests; nil for the network.
	Transport http.RoundTripper
}

// New makes the sink that a part of a file describes.
func New(c *config.Sink, o Options) (Sink, error) {
	texts := Texts{Page: o.Page}
	switch c.Type {
	case config.TypeAlertmanager:
		return newAlertmanager(c.Alertmanager, texts, o), nil
	case config.TypeWebhook:
		return newWebhook(c.Webhook, texts, o), nil
	case config.TypeSlack:
		return newSlack(c.Slack, texts, o), nil
	case config.TypeKubernetes:
		return newEvents(c.Kubernetes, texts, o), nil
	case config.TypeSyslog:
		return newSyslog(c.Syslog, texts, o), nil
	case config.TypeStdout:
		return &lines{out: o.Stdout, texts: texts}, nil
	}
	return nil, fmt.Errorf("making the sink %s: there is no type %q", c.Name, c.Type)
}
