// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net/netip"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// HistoryOptions bound what a History keeps.
type HistoryOptions struct {
	// Keep is how long an address is remembered after its owner gave it up;
	// batches that waited longer in a spool find nobody. 0 means DefaultKeep.
	Keep time.Duration
	// MaxSpans is how many ownerships of addresses are kept. Beyond it the
	// ones that ended first are forgotten, and counted. 0 means DefaultMaxSpans.
	MaxSpans int
}

// The defaults: a day of addresses, in at most some 100 MB.
const (
	DefaultKeep     = 24 * time.Hour
	DefaultMaxSpans = 500_000
)

// Lingering packets: an address answers for its last owner for lingering after
// the owner's end, unless it has a new one; and for its first owner from
// clockSkew before the owner's start, since clocks of nodes differ.
const (
	lingering = 2 * time.Minute
	clockSkew = 5 * time.Second
)

// History knows who owned which address when: pods, nodes, Services. An
// address that a second pod takes over never moves what the first did with it.
// It learns from snapshots, in the order in which they were taken, and is safe
// for concurrent use.
//
// A pod with hostNetwork owns no address: its node does. HostPort says which
// of them declares a port.
type History struct {
	options HistoryOptions

	mu        sync.RWMutex
	spans     map[netip.Addr][]span // by from; they do not overlap
	tenants   map[string]*tenant    // by tenantKey
	byName    map[podName]*tenant   // the newest of that name
	gateways  map[netip.Addr]string // first addresses of a node's pod range → node
	hostPorts map[hostPort]flow.Workload
	services  map[servicePort]Service
	count     int    // of spans
	forgotten uint64 // spans dropped for MaxSpans
	round     uint64
	pruned    time.Time
}

// span is a time in which an address had one owner: from is in it, to is not.
// A zero from is before all time, a zero to means that it lasts.
type span struct {
	from, to time.Time
	owner    *tenant
}

func (s span) lasts() bool { return s.to.IsZero() }

// tenant is a pod or a node.
type tenant struct {
	key      string
	name     podName // zero for a node
	workload flow.Workload
	node     string
	round    uint64    // last snapshot that it was in
	gone     time.Time // the first snapshot that it was not in; zero while it is there
	back     bool      // it is there again after having been gone
	spans    int
}

type podName struct{ namespace, name string }

type hostPort struct {
	node     string
	port     uint16
	protocol flow.Protocol
}

// NewHistory gives an empty history.
func NewHistory(o HistoryOptions) *History {
	if o.Keep <= 0 {
		o.Keep = DefaultKeep
	}
	if o.MaxSpans <= 0 {
		o.MaxSpans = DefaultMaxSpans
	}
	return &History{
		options: o,
		spans:   map[netip.Addr][]span{},
		tenants: map[string]*tenant{},
		byName:  map[podName]*tenant{},
	}
}

// At gives the pod or node that owned an address at a time; false for
// addresses outside the cluster and for those whose owner is not known.
func (h *History) At(addr netip.Addr, at time.Time) (flow.Endpoint, bool) {
	addr = addr.Unmap()
	h.mu.RLock()
	defer h.mu.RUnlock()
	if t := ownerAt(h.spans[addr], at); t != nil {
		return t.endpoint(addr), true
	}
	if node, ok := h.gateways[addr]; ok {
		return flow.Endpoint{Node: node, IP: addr}, true
	}
	return flow.Endpoint{}, false
}

// Pod gives a pod by its UID, or, where uid is empty, the newest of that name;
// also pods that are gone, for as long as their addresses are remembered.
func (h *History) Pod(namespace, name, uid string) (flow.Endpoint, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	t := h.byName[podName{namespace, name}]
	if uid != "" && (t == nil || t.key != uid) {
		t = h.tenants[uid]
	}
	if t == nil || t.name != (podName{namespace, name}) {
		return flow.Endpoint{}, false
	}
	return t.endpoint(netip.Addr{}), true
}

// HostPort gives the hostNetwork workload that declares a port on a node, or
// the workload that a hostPort of the node leads to.
func (h *History) HostPort(node string, port uint16, protocol flow.Protocol) (flow.Workload, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	w, ok := h.hostPorts[hostPort{node, port, protocol}]
	return w, ok
}

// Forgotten counts ownerships that were dropped because there were too many.
func (h *History) Forgotten() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.forgotten
}

// Attribute completes the ends of a record: of an end that has only a pod or
// an address, who it was at the beginning of the record's window.
func (h *History) Attribute(r flow.Record) flow.Record {
	r.Edge.Client = h.complete(r.Edge.Client, r.Window.Start)
	r.Edge.Server = h.complete(r.Edge.Server, r.Window.Start)
	return r
}

func (h *History) complete(e flow.Endpoint, at time.Time) flow.Endpoint {
	switch {
	case e.Workload.Name != "":
		return e
	case e.Pod != "":
		found, ok := h.Pod(e.Workload.Namespace, e.Pod, "")
		if !ok {
			e.Workload.Kind, e.Workload.Name = "Pod", e.Pod
			return e
		}
		e.Workload = found.Workload
		if e.Node == "" {
			e.Node = found.Node
		}
	case e.Node == "" && e.IP.IsValid():
		if found, ok := h.At(e.IP, at); ok {
			e.Workload, e.Pod, e.Node = found.Workload, found.Pod, found.Node
		}
	}
	return e
}

func (t *tenant) endpoint(addr netip.Addr) flow.Endpoint {
	return flow.Endpoint{Workload: t.workload, Pod: t.name.name, IP: addr, Node: t.node}
}

// ownerAt finds the owner in spans that are sorted by from and do not overlap.
func ownerAt(spans []span, at time.Time) *tenant {
	next := len(spans)
	for next > 0 && spans[next-1].from.After(at) {
		next-- // newest first: most questions are about now
	}
	if next > 0 {
		last := spans[next-1]
		if last.lasts() || at.Before(last.to.Add(lingering)) {
			return last.owner
		}
	}
	if next < len(spans) && spans[next].from.Sub(at) <= clockSkew {
		return spans[next].owner
	}
	return nil
}
