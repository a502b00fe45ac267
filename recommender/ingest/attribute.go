// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"net/netip"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/wire"
)

// How an end was resolved, as the metrics say it.
const (
	asPod        = "pod"
	asNode       = "node"
	asOutside    = "outside"
	asElsewhere  = "other_cluster"       // outside, and known to another cluster of this recommender
	asService    = "service"             // the one workload behind a virtual address
	asVirtual    = "service_without_one" // a virtual address that many workloads stand behind, or none
	asUnknownPod = "unknown_pod"         // a pod that the agent names and the cluster's history does not know
	asRewritten  = "rewritten"           // a client behind a node that rewrote its address
	endLocal     = "local"
	endRemote    = "remote"
)

// attributor gives the edges of one batch their ends. The answers of the
// resolver are kept for the batch: few addresses stand in many edges.
type attributor struct {
	resolver Resolver
	others   []neighbour
	node     string
	window   flow.Window
	owners   map[netip.Addr]owner
	pods     map[wire.PodKey]owner
	resolved map[[2]string]int // by end and how
}

type owner struct {
	endpoint flow.Endpoint
	known    bool
}

func newAttributor(r Resolver, others []neighbour, h wire.Header) *attributor {
	return &attributor{
		resolver: r, others: others, node: h.Node, window: flow.Window{Start: h.Start, End: h.End},
		owners: map[netip.Addr]owner{}, pods: map[wire.PodKey]owner{}, resolved: map[[2]string]int{},
	}
}

// record gives an edge its ends.
func (a *attributor) record(e wire.Edge) flow.Record {
	local := a.local(e)
	r := flow.Record{Window: a.window, Edge: flow.Edge{
		Protocol: flow.Protocol(e.Protocol), Port: e.Port, Outcome: flow.Outcome(e.Outcome), Reason: e.Reason, Guessed: e.Guessed(), Probe: e.Probe(),
	}}
	counts := flow.Counters(e.Counts)
	if e.LocalIsClient() {
		r.Edge.Client, r.ByClient = local, counts
		a.server(&r.Edge, e)
	} else {
		r.Edge.Server, r.ByServer = local, counts
		r.Edge.Client = a.client(e)
	}
	return r
}

// local is the end that the agent watched: the pod that it names, or its node.
func (a *attributor) local(e wire.Edge) flow.Endpoint {
	end := flow.Endpoint{Node: a.node, IP: e.Local, Process: e.Process, Container: e.Container}
	if e.Pod == (wire.PodKey{}) {
		a.count(endLocal, asNode)
		return end
	}
	end.Pod = e.Pod.Name
	pod := a.pod(e.Pod)
	if !pod.known {
		// It stands for itself until the cluster's news say who owns it.
		end.Workload = flow.Workload{Namespace: e.Pod.Namespace, Kind: "Pod", Name: e.Pod.Name}
		a.count(endLocal, asUnknownPod)
		return end
	}
	end.Workload = pod.endpoint.Workload
	a.count(endLocal, asPod)
	return end
}

// client is the remote end of an edge whose server is local. A rewritten
// source is that of the node which rewrote it: who is behind it, only the
// client's own agent can tell.
func (a *attributor) client(e wire.Edge) flow.Endpoint {
	o := a.owner(e.Remote)
	switch {
	case e.SourceRewritten():
		a.count(endRemote, asRewritten)
	case !o.known:
		a.count(endRemote, outside(o.endpoint))
	default:
		a.count(endRemote, kindOf(o.endpoint))
	}
	return o.endpoint
}

// server is the remote end of an edge whose client is local. It may change the
// edge's port, which is the server's own.
func (a *attributor) server(edge *flow.Edge, e wire.Edge) {
	protocol := flow.Protocol(e.Protocol)
	dialled := e.Dialled
	if !dialled.IsValid() {
		dialled = netip.AddrPortFrom(e.Remote, e.Port)
	}
	service, virtual := a.resolver.ServiceAt(dialled.Addr(), dialled.Port(), protocol)
	if virtual {
		edge.Service = service.String()
	}
	if virtual && dialled.Addr() == e.Remote { // the backend is not known
		if end, port, ok := a.behind(service); ok {
			edge.Server, edge.Port = end, port
			a.count(endRemote, asService)
		} else {
			edge.Server = flow.Endpoint{IP: e.Remote}
			a.count(endRemote, asVirtual)
		}
		edge.Server.DNS = e.DNS
		return
	}
	o := a.owner(e.Remote)
	edge.Server = o.endpoint
	edge.Server.DNS = e.DNS
	if o.known {
		a.count(endRemote, kindOf(o.endpoint))
	} else {
		a.count(endRemote, outside(o.endpoint))
	}
}

func outside(e flow.Endpoint) string {
	if e.Elsewhere != "" {
		return asElsewhere
	}
	return asOutside
}

// behind gives the workload behind a Service and its port, where all backends
// are of one workload and one port.
func (a *attributor) behind(s cluster.Service) (end flow.Endpoint, port uint16, ok bool) {
	for i, backend := range s.Backends {
		o := a.owner(backend.Addr())
		if !o.known || o.endpoint.Workload.IsZero() {
			return flow.Endpoint{}, 0, false
		}
		if i > 0 && (o.endpoint.Workload != end.Workload || backend.Port() != port) {
			return flow.Endpoint{}, 0, false
		}
		end, port = flow.Endpoint{Workload: o.endpoint.Workload}, backend.Port()
	}
	return end, port, len(s.Backends) > 0
}

// owner gives who owned an address in the window; outside, the address itself.
// A pod that came within the window owns it at the end; one that went, and
// that nobody followed, still does.
func (a *attributor) owner(addr netip.Addr) owner {
	if o, ok := a.owners[addr]; ok {
		return o
	}
	o := ownerIn(a.resolver, addr, a.window)
	if !o.known {
		o.endpoint.Elsewhere = elsewhere(a.others, addr, a.window)
	}
	a.owners[addr] = o
	return o
}

func ownerIn(r Resolver, addr netip.Addr, w flow.Window) owner {
	for _, at := range []time.Time{w.End.Add(-1), w.Start} {
		if end, ok := r.At(addr, at); ok {
			end.IP = addr
			return owner{end, true}
		}
	}
	return owner{flow.Endpoint{IP: addr}, false}
}

func (a *attributor) pod(k wire.PodKey) owner {
	if o, ok := a.pods[k]; ok {
		return o
	}
	end, ok := a.resolver.Pod(k.Namespace, k.Name, k.UID)
	a.pods[k] = owner{end, ok}
	return a.pods[k]
}

func (a *attributor) count(end, how string) { a.resolved[[2]string{end, how}]++ }

func kindOf(e flow.Endpoint) string {
	if e.Kind() == flow.KindNode {
		return asNode
	}
	return asPod
}
