// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/policy"
)

// The ports that serve listens on unless it is told otherwise.
const (
	DefaultListen       = "127.0.0.1:8080"
	DefaultIngestListen = "127.0.0.1:8443"
)

// DefaultRetention is for how long windows are kept; the catalogue of edges is
// kept for ever.
const DefaultRetention = 14 * 24 * time.Hour

// Who lets people in.
const (
	PeopleToken      = "token"
	PeopleKubernetes = "kubernetes"
)

// DefaultAudience is what the tokens of agents and people are issued for.
const DefaultAudience = "netcinch"

// Options say what a recommender reads, where it keeps it and who may see it.
type Options struct {
	// Manifests are files and folders of Kubernetes objects, watched for
	// changes. Empty: the API server is read.
	Manifests []string
	// Flows are flow files (netcinch.flow/v1), read once at the start. With
	// flow files there is no ingest, and the store is a temporary one.
	Flows []string
	// Kubeconfig is the file to reach the API server with; empty means the
	// usual places, then the pod's own service account. Context is the one to
	// use in it; empty means its current one.
	Kubeconfig string
	Context    string

	// DataDir holds the store and the CA; made where it is missing. Empty is
	// allowed with Flows only.
	DataDir string
	// Cluster is the name that agents send and the page shows. Empty: "default".
	Cluster string
	// More are further clusters that report here, each with objects of its own.
	More []Cluster

	// Listen is the address of page and API, IngestListen the agents'. Port 0
	// takes a free one. Empty: the defaults.
	Listen       string
	IngestListen string
	// PageHosts are further names that the page may be opened by; addresses,
	// localhost and the machine's own name always may.
	PageHosts []string

	// Token lets people in. Empty: read from TokenFile; without either one is
	// generated, and PageURL carries it.
	Token     string
	TokenFile string
	// AgentTokenFile holds the token that agents send. Empty: the file
	// agent.token in DataDir, generated where it is missing.
	AgentTokenFile string
	// AgentAccount is namespace/name of the agents' ServiceAccount: agents are
	// then known by its projected tokens, which the API server of the first
	// cluster judges. Tokens of AgentTokenFile are taken beside them, where it is
	// given. Empty: those tokens alone.
	AgentAccount string
	// Audience is what tokens must be issued for. Empty: DefaultAudience.
	Audience string
	// People says who lets people in: PeopleToken, one token for all, or
	// PeopleKubernetes, the API server of the first cluster. Empty: PeopleToken.
	People string
	// TLSCert and TLSKey are PEM files for the ingest port. Empty: a
	// certificate of the CA in DataDir (ca.pem), made where it is missing.
	TLSCert string
	TLSKey  string
	// TLSNames are further names and addresses for the certificate made here.
	TLSNames []string

	// Policies says how policies are read, of every cluster.
	Policies policy.Options
	// Learning is how long a workload is learnt before a new edge of it is
	// held as unseen; 0 means analyze.DefaultLearning.
	Learning time.Duration
	// Alert tunes the alerts; its Learning is the one above.
	Alert alert.Options
	// AlertsFile says where alerts are told: sinks, routes and templates. Empty:
	// the page shows them, and nobody is told.
	AlertsFile string
	// PageURL is the address under which people reach the page, for links in
	// alerts, unless AlertsFile says another. Empty: alerts have no links.
	PageURL string
	// Stdout takes the lines of sinks of type stdout; nil discards them.
	Stdout io.Writer
	// Retention is for how long windows are kept; 0 means DefaultRetention.
	Retention time.Duration
	// Debounce is how long news gather before the view is recomputed; 0 means
	// one second.
	Debounce time.Duration

	// Release is the version that the page and the metrics show.
	Release string
	// Now is the clock; required.
	Now func() time.Time
	// Log receives what happens; nil discards it.
	Log *slog.Logger
}

// Cluster is where the objects of one cluster come from.
type Cluster struct {
	Name       string   // as its agents send it
	Manifests  []string // as in Options
	Kubeconfig string   // where there are no manifests
	Context    string
}

// clusters are all that report, the first one first.
func (o Options) clusters() []Cluster {
	return append([]Cluster{{o.Cluster, o.Manifests, o.Kubeconfig, o.Context}}, o.More...)
}

func (o Options) withDefaults() Options {
	set := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	set(&o.Cluster, "default")
	set(&o.Listen, DefaultListen)
	set(&o.IngestListen, DefaultIngestListen)
	set(&o.Release, "dev")
	set(&o.Audience, DefaultAudience)
	set(&o.People, PeopleToken)
	if o.Learning == 0 {
		o.Learning = analyze.DefaultLearning
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.Debounce == 0 {
		o.Debounce = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// files says whether all is read from files, so that there is no ingest.
func (o Options) files() bool { return len(o.Flows) > 0 }

func (o Options) validate() error {
	switch {
	case o.Now == nil:
		return errors.New("starting the recommender: no clock was given (Options.Now)")
	case o.DataDir == "" && !o.files():
		return errors.New("starting the recommender: give --data-dir, the folder to keep flows in")
	case o.AlertsFile != "" && o.DataDir == "":
		return errors.New("starting the recommender: --alerts needs --data-dir, the folder to keep what is still to be told")
	case (o.TLSCert == "") != (o.TLSKey == ""):
		return errors.New("starting the recommender: give both --tls-cert and --tls-key, or neither")
	case o.Learning < 0:
		return fmt.Errorf("starting the recommender: --learning %s is negative", o.Learning)
	case o.Retention < 0:
		return fmt.Errorf("starting the recommender: --retention %s is negative", o.Retention)
	case o.files() && len(o.More) > 0:
		return errors.New("starting the recommender: --flows shows one cluster; give one --cluster")
	case o.files() && len(o.Manifests) == 0:
		return errors.New("starting the recommender: --flows needs -f with the manifests of the same cluster")
	}
	if err := o.validateIdentity(); err != nil {
		return err
	}
	return o.validateClusters()
}

func (o Options) validateIdentity() error {
	switch o.People {
	case PeopleToken, PeopleKubernetes:
	default:
		return fmt.Errorf("starting the recommender: --people %q: want %s or %s", o.People, PeopleToken, PeopleKubernetes)
	}
	if o.AgentAccount == "" {
		return nil
	}
	if namespace, name, ok := strings.Cut(o.AgentAccount, "/"); !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("starting the recommender: --agent-service-account %q: want NAMESPACE/NAME of the agents' ServiceAccount", o.AgentAccount)
	}
	if o.files() {
		return errors.New("starting the recommender: --flows takes nothing from agents; leave --agent-service-account out")
	}
	return nil
}

func (o Options) validateClusters() error {
	seen := map[string]bool{}
	for _, c := range o.clusters() {
		if c.Name == "" || strings.ContainsAny(c.Name, "/ \t\n,") {
			return fmt.Errorf("starting the recommender: --cluster %q: want a name without blanks, commas and slashes", c.Name)
		}
		if seen[c.Name] {
			return fmt.Errorf("starting the recommender: --cluster %s is given twice", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}
