// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// Resolver knows who owned which address when; cluster.History is one.
type Resolver interface {
	// At gives the pod or node that owned an address at a time; false for outside.
	At(addr netip.Addr, at time.Time) (flow.Endpoint, bool)
	// Pod gives a pod, also one that is gone; uid may be empty.
	Pod(namespace, name, uid string) (flow.Endpoint, bool)
	// ServiceAt gives the Service that answers at a virtual address and port.
	ServiceAt(addr netip.Addr, port uint16, protocol flow.Protocol) (cluster.Service, bool)
}

var _ Resolver = (*cluster.History)(nil)

// Appender is the part of the store that ingest needs.
type Appender interface {
	Append(ctx context.Context, b store.Batch) (duplicate bool, err error)
}

// The defaults of Options.
const (
	DefaultMaxConcurrent = 16
	DefaultMaxWaiting    = 1024
	DefaultSlotWait      = 10 * time.Second
	DefaultMaxSkew       = 2 * time.Minute
	DefaultResolveWait   = 2 * time.Second
)

// Options say what a Handler works with.
type Options struct {
	Store Appender      // required
	Auth  Authenticator // required
	Clock func() time.Time

	// Clusters are those that batches may come from, by name; required. An
	// address that a cluster does not know is looked for in the others.
	Clusters map[string]Resolver
	// MaxConcurrent batches are worked on at once. MaxWaiting more wait for their
	// turn, unread, for SlotWait at most; others are told to try later. A
	// negative SlotWait lets none wait.
	MaxConcurrent int
	MaxWaiting    int
	SlotWait      time.Duration
	// MaxSkew is how far ahead of Clock a window may end.
	MaxSkew time.Duration
	// ResolveWait is how long a batch waits for the cluster's news to name a pod
	// or a private address that nobody knows yet: the agent on its node learns of
	// a pod before the recommender does. Negative for not at all.
	ResolveWait time.Duration
	// Notify is told of each batch that was stored, duplicates left out. It must
	// not block, and must not change the batch. May be nil.
	Notify func(store.Batch)

	Metrics prometheus.Registerer // nil for none
	Logger  *slog.Logger          // nil for none
}

func (o Options) withDefaults() Options {
	if o.MaxConcurrent == 0 {
		o.MaxConcurrent = DefaultMaxConcurrent
	}
	if o.MaxWaiting == 0 {
		o.MaxWaiting = DefaultMaxWaiting
	}
	if o.SlotWait == 0 {
		o.SlotWait = DefaultSlotWait
	}
	if o.MaxSkew == 0 {
		o.MaxSkew = DefaultMaxSkew
	}
	if o.ResolveWait == 0 {
		o.ResolveWait = DefaultResolveWait
	}
	if o.Notify == nil {
		o.Notify = func(store.Batch) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Store == nil:
		return errors.New("ingest: no store given")
	case len(o.Clusters) == 0:
		return errors.New("ingest: no cluster given")
	case o.Auth == nil:
		return errors.New("ingest: no authenticator given; agents are never taken unauthenticated")
	case o.Clock == nil:
		return errors.New("ingest: no clock given")
	case o.MaxConcurrent < 0 || o.MaxWaiting < 0 || o.MaxSkew < 0:
		return errors.New("ingest: a negative limit")
	}
	return nil
}
