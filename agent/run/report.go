// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/agent/privilege"
	"github.com/netcinch/netcinch/agent/probe"
	"github.com/netcinch/netcinch/agent/status"
)

// Report says how the agent is doing.
func (a *Agent) Report() status.Report {
	r := a.observer.report()
	r.Version, r.Node, r.Cluster = a.options.Version, a.options.Export.Node, a.options.Export.Cluster
	s, c, spool := a.observer.Status(), a.exporter.Counts(), a.exporter.Spool()
	r.Losses = lossReport(&s, &c)
	r.Delivery = &status.Delivery{
		Server: a.options.Export.Server, Problem: a.exporter.Problem(), Sent: c.Sent, Waiting: spool.Batches, SpoolBytes: spool.Bytes + spool.BytesInMemory,
	}
	return r
}

func (o *Observer) report() status.Report {
	s := o.Status()
	o.mu.Lock()
	started, rates := o.started, o.recent.rates(o.sample(o.Clock()))
	o.mu.Unlock()
	r := machine(o.Clock(), o.lacks(s))
	r.Agent, r.Started, r.Rates = true, started, rates
	r.AttachMode = o.collector.Mode().String()
	r.Pods = status.Pods{Synced: s.Pods.Synced, Known: s.Pods.PodsKnown, Watched: s.Pods.PodsWatched, HostNetwork: s.Pods.HostNetwork}
	modes := o.collector.Modes()
	for _, l := range o.node.links() {
		r.Interfaces = append(r.Interfaces, status.Interface{
			Node: l.name, Addresses: []netip.Addr{}, Mode: modes[l.slot].String(), Slot: uint32(l.slot), Since: l.since,
		})
	}
	for _, slot := range o.registry.Slots() {
		r.Interfaces = append(r.Interfaces, status.Interface{
			Namespace: slot.Pod.Namespace, Pod: slot.Pod.Name, Addresses: slot.Addresses,
			Mode: modes[slot.Slot].String(), Slot: uint32(slot.Slot), Since: slot.Attached,
		})
	}
	return r
}

var errNoBroadcast = errors.New("CAP_NET_BROADCAST is missing")

// lacks gives every feature that is done without, those of the agent itself
// among them.
func (o *Observer) lacks(s Status) []feature.Missing {
	missing := o.missing()
	if o.watcher.PollsAddresses() {
		missing = append(missing, feature.AddressEvents.Without(errNoBroadcast))
	}
	if err := o.node.missing(); err != nil && s.Pods.HostNetwork > 0 {
		missing = append(missing, feature.HostNetwork.Without(fmt.Errorf("%d pods share the node's network: %w", s.Pods.HostNetwork, err)))
	}
	return missing
}

// machine begins a report with what does not take an agent.
func machine(now time.Time, missing []feature.Missing) status.Report {
	r := status.Report{
		Schema: status.Schema, At: now, Kernel: kernelRelease(),
		Programs: []status.Program{}, Interfaces: []status.Interface{}, Losses: []status.Loss{},
		Features: status.Features(missing), Capabilities: []status.Capability{},
	}
	held, err := privilege.Held()
	if err == nil {
		r.Capabilities = status.Capabilities(held)
	}
	programs, failed := status.Programs()
	if failed == nil {
		r.Programs = programs
	}
	if err = errors.Join(err, failed); err != nil {
		r.Problem = err.Error()
	}
	return r
}

func kernelRelease() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// Probe finds out what an agent with these options would find on this machine:
// it loads everything and lets go of it again. What it attaches to is made for
// it. Problem says why no agent can run here.
func Probe(o ObserverOptions) status.Report {
	o.Capture.Now = o.Clock
	c, err := capture.New(o.Capture)
	if err != nil {
		r := machine(o.Clock(), nil)
		r.Features = []status.Feature{} // not known: the first one that failed is the problem
		r.Problem = err.Error()
		return r
	}
	ob := &Observer{ObserverOptions: o, collector: c}
	ob.openOthers(c)
	missing := ob.missing()
	if held, err := privilege.Held(); err == nil && !held.Has(unix.CAP_NET_BROADCAST) {
		missing = append(missing, feature.AddressEvents.Without(errNoBroadcast))
	}
	if ob.owners == nil {
		missing = append(missing, feature.HostNetwork.Without(errNoOwners))
	}
	r := machine(o.Clock(), missing)
	r.AttachMode = c.Mode().String()
	if err := ob.closeKernel(); err != nil {
		r.Problem = err.Error()
	}
	return r
}

// serveStatus answers on the status socket. An agent does its work without one,
// too: that it has none is told.
func (a *Agent) serveStatus(tasks *sync.WaitGroup) *http.Server {
	if a.statusListener == nil {
		return nil
	}
	server := status.NewServer(a.Report)
	tasks.Go(func() {
		if err := server.Serve(a.statusListener); !errors.Is(err, http.ErrServerClosed) {
			a.options.Observer.Logger.Error("serving the status", slog.Any("error", err))
		}
	})
	return server
}

// listenStatus makes the status socket where that can be done.
func listenStatus(o Options) net.Listener {
	if o.RunDir == "" {
		return nil
	}
	l, err := status.Listen(o.RunDir, o.Export.Node)
	if err != nil {
		o.Observer.Logger.Warn("'netcinch-agent status' will not find this agent", slog.Any("error", err))
		return nil
	}
	return l
}

// Roams says whether other network namespaces are entered: whether they must
// be open to the agent all its life.
func (o *Observer) Roams() bool { return o.collector.Mode() != probe.HostTCX || o.Netns != "" }

// Roams says it of the agent's observer.
func (a *Agent) Roams() bool { return a.observer.Roams() }
