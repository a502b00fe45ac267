// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"time"
)

// The types of sink.
const (
	TypeAlertmanager = "alertmanager"
	TypeWebhook      = "webhook"
	TypeSlack        = "slack"
	TypeKubernetes   = "kubernetes"
	TypeSyslog       = "syslog"
	TypeStdout       = "stdout"
)

// Types are the types of sink, in the order of the documentation.
func Types() []string {
	return []string{TypeAlertmanager, TypeWebhook, TypeSlack, TypeKubernetes, TypeSyslog, TypeStdout}
}

// The defaults, and the bounds that a file may move them in.
const (
	DefaultQueue     = 10_000 // alerts a sink
	MaxQueue         = 1_000_000
	DefaultRetry     = time.Second // wait after the first failure; doubled by each further one
	DefaultMaxRetry  = 5 * time.Minute
	DefaultDeadAfter = 5 * time.Minute
	DefaultTimeout   = 10 * time.Second
	DefaultResend    = time.Minute
	maxWait          = 24 * time.Hour
)

// Config is a file of alerts, whole and checked.
type Config struct {
	File   string
	Files  []string // that it names: secrets and certificates
	Page   string   // address that links begin with, without a slash at the end; empty for none
	Sinks  []Sink   // one or more, each with a name of its own
	Routes []Route  // in order; none: everything goes everywhere
	Sum    string   // differs where the file or one of Files differs
}

// Sink is one place that alerts go to. One of the pointers is set: that of Type.
type Sink struct {
	Name         string
	Type         string
	Line         int           // where it begins in the file
	SendResolved bool          // say when it is over
	Queue        int           // alerts that wait, at most
	Retry        time.Duration // wait after the first failure
	MaxRetry     time.Duration // and the longest wait
	DeadAfter    time.Duration // of failing without a success

	Alertmanager *Alertmanager
	Webhook      *Webhook
	Slack        *Slack
	Kubernetes   *Kubernetes
	Syslog       *Syslog
	Stdout       *Stdout
}

// Target is where a sink sends to, without what may be secret in it: scheme,
// host and port of an address.
func (s *Sink) Target() string {
	switch s.Type {
	case TypeAlertmanager:
		return s.Alertmanager.HTTP.Target()
	case TypeWebhook:
		return s.Webhook.HTTP.Target()
	case TypeSlack:
		return s.Slack.HTTP.Target()
	case TypeSyslog:
		return s.Syslog.Target()
	case TypeKubernetes:
		return "the cluster's API server"
	default:
		return "standard output"
	}
}

// HTTP is how a server is spoken to.
type HTTP struct {
	URL      *url.URL // may hold a secret in path and query: never to be shown
	Secret   bool     // the address came from a secret
	Timeout  time.Duration
	TLS      *tls.Config // nil for the system's
	Bearer   Secret
	Username string
	Password Secret
	Headers  []Header
}

// Target is the address without path, query and user.
func (h *HTTP) Target() string { return h.URL.Scheme + "://" + h.URL.Host }

// Header is a header that is sent with every request.
type Header struct {
	Name   string
	Value  string // where Secret is none
	Secret Secret
}

// Reveal gives the header's value, for the wire.
func (h Header) Reveal() string {
	if h.Secret.Given() {
		return h.Secret.Reveal()
	}
	return h.Value
}

// Alertmanager is a server of the Alertmanager's API, version 2.
type Alertmanager struct {
	HTTP        HTTP
	Resend      time.Duration        // what still fires is sent again after this time
	Labels      map[string]*Template // beside our own
	Annotations map[string]*Template // beside or in place of our own
}

// Webhook is a server that takes CloudEvents.
type Webhook struct {
	HTTP     HTTP
	Sign     Secret    // HMAC key; none: not signed
	Previous Secret    // key that is being replaced; signed with, too
	Source   string    // of the events; empty: the page, else /netcinch
	Data     *Template // JSON in place of the alert; nil for the alert
}

// Slack is a webhook that takes Slack's messages.
type Slack struct {
	HTTP        HTTP
	Channel     string // empty: the webhook's own
	Username    string
	Title, Text *Template // nil for our own
}

// Kubernetes writes events about workloads.
type Kubernetes struct {
	Note *Template // nil for our own
}

// Syslog is a receiver of RFC 5424 messages over TCP or TLS.
type Syslog struct {
	Address  string // host:port
	TLS      *tls.Config
	Timeout  time.Duration
	Facility int // RFC 5424, 0 to 23
	Hostname string
	AppName  string
	DataID   string    // SD-ID of the structured data
	Confirm  bool      // wait until the receiver has read to the end
	Text     *Template // nil for our own
}

// Target is the address, with what is spoken there.
func (s *Syslog) Target() string {
	if s.TLS != nil {
		return "tls://" + s.Address
	}
	return "tcp://" + s.Address
}

// Stdout writes lines of JSON.
type Stdout struct{}

// Route picks alerts. A field without values lets all through.
type Route struct {
	Line       int
	Clusters   []string
	Namespaces []string // * stands for any characters
	Kinds      []string
	Severities []string
	Sinks      []string
	Continue   bool // the routes below are looked at, too
}

// Access is what decides whether a sink can be reached: two sinks with the same
// can be, or cannot be, together. It may hold secrets, and is for comparing.
func (s *Sink) Access() any {
	switch s.Type {
	case TypeAlertmanager:
		return s.Alertmanager.HTTP.access()
	case TypeWebhook:
		return s.Webhook.HTTP.access()
	case TypeSlack:
		return s.Slack.HTTP.access()
	case TypeSyslog:
		return [2]any{s.Syslog.Address, trustOf(s.Syslog.TLS)}
	}
	return nil
}

func (h *HTTP) access() any {
	return []any{h.URL.String(), trustOf(h.TLS), h.Bearer, h.Username, h.Password, h.Headers}
}

// trust is a TLS configuration, for comparing.
type trust struct {
	name     string
	insecure bool
	roots    *x509.CertPool
	own      [][]byte
}

func trustOf(c *tls.Config) any {
	if c == nil {
		return nil
	}
	t := trust{name: c.ServerName, insecure: c.InsecureSkipVerify, roots: c.RootCAs}
	for _, one := range c.Certificates {
		t.own = append(t.own, one.Certificate...)
	}
	return t
}
