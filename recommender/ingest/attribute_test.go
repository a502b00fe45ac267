// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/wire"
)

var header = wire.Header{Cluster: "c", Node: "n1", Epoch: "e", Sequence: 1, Start: t0, End: t0.Add(30 * time.Second)}

const isClient = wire.EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT

func edge(local, remote string, flags wire.EdgeFlag) wire.Edge {
	return wire.Edge{
		EdgeKey: wire.EdgeKey{
			Pod: wire.PodKey{Namespace: "shop", Name: "front-a", UID: "u"}, Local: netip.MustParseAddr(local), Remote: netip.MustParseAddr(remote),
			Protocol: 6, Port: 8080, Flags: flags, Process: "/bin/front", Container: "main",
		},
		Counts: wire.Counts{Connections: 1, BytesSent: 2, BytesReceived: 3, PacketsSent: 4, PacketsReceived: 5},
	}
}

func front(ip string) flow.Endpoint {
	e := pod("front", "a", "n1")
	e.IP, e.Process, e.Container = netip.MustParseAddr(ip), "/bin/front", "main"
	return e
}

func at(e flow.Endpoint, ip string) flow.Endpoint {
	e.IP = netip.MustParseAddr(ip)
	return e
}

func named(e flow.Endpoint, dns string) flow.Endpoint {
	e.DNS = dns
	return e
}

func TestAttribution(t *testing.T) {
	counts := flow.Counters{Connections: 1, BytesSent: 2, BytesReceived: 3, PacketsSent: 4, PacketsReceived: 5}
	tcp := func(client, server flow.Endpoint, port uint16, service string) flow.Edge {
		return flow.Edge{Client: client, Server: server, Protocol: flow.TCP, Port: port, Service: service}
	}
	dial := func(e wire.Edge, dialled string) wire.Edge {
		e.Dialled = netip.MustParseAddrPort(dialled)
		return e
	}
	virtual := func(remote, dns string) wire.Edge { // the backend is not known
		local := "10.0.1.1"
		if netip.MustParseAddr(remote).Is6() {
			local = "fd00::1:1"
		}
		e := edge(local, remote, isClient)
		e.Port, e.DNS = 80, dns
		return e
	}
	outside := func(ip string) flow.Endpoint { return flow.Endpoint{IP: netip.MustParseAddr(ip)} }
	cart := flow.Endpoint{Workload: flow.Workload{Namespace: "shop", Kind: "Deployment", Name: "cart"}}
	for _, c := range []struct {
		name string
		in   wire.Edge
		want flow.Edge
		how  string // the remote end
	}{
		{"pod to pod, v4", edge("10.0.1.1", "10.0.2.1", isClient), tcp(front("10.0.1.1"), at(pod("cart", "x", "n2"), "10.0.2.1"), 8080, ""), asPod},
		{"pod to pod, v6", edge("fd00::1:1", "fd00::2:1", isClient), tcp(front("fd00::1:1"), at(pod("cart", "x", "n2"), "fd00::2:1"), 8080, ""), asPod},
		{"pod from pod", edge("10.0.1.1", "10.0.2.1", 0), tcp(at(pod("cart", "x", "n2"), "10.0.2.1"), front("10.0.1.1"), 8080, ""), asPod},
		{"pod to node", edge("10.0.1.1", "192.0.2.2", isClient), tcp(front("10.0.1.1"), at(flow.Endpoint{Node: "n2"}, "192.0.2.2"), 8080, ""), asNode},
		{"pod from node", edge("10.0.1.1", "192.0.2.2", 0), tcp(at(flow.Endpoint{Node: "n2"}, "192.0.2.2"), front("10.0.1.1"), 8080, ""), asNode},
		{"pod from outside", edge("10.0.1.1", "203.0.113.9", 0), tcp(outside("203.0.113.9"), front("10.0.1.1"), 8080, ""), asOutside},
		{"pod from outside, v6", edge("fd00::1:1", "2001:db8::9", 0), tcp(outside("2001:db8::9"), front("fd00::1:1"), 8080, ""), asOutside},
		{"through a Service, backend known", dial(edge("10.0.1.1", "10.0.2.2", isClient), "10.96.0.1:80"), tcp(front("10.0.1.1"), at(pod("cart", "y", "n3"), "10.0.2.2"), 8080, "shop/cart:80"), asPod},
		{"dialled address of no Service", dial(edge("10.0.1.1", "10.0.2.2", isClient), "10.96.0.99:80"), tcp(front("10.0.1.1"), at(pod("cart", "y", "n3"), "10.0.2.2"), 8080, ""), asPod},
		{"virtual address of one workload", virtual("10.96.0.1", "cart.shop"), tcp(front("10.0.1.1"), named(cart, "cart.shop"), 8080, "shop/cart:80"), asService},
		{"virtual address of one workload, v6", virtual("fd96::1", ""), tcp(front("fd00::1:1"), cart, 8080, "shop/cart:80"), asService},
		{"virtual address of two workloads", virtual("10.96.0.2", ""), tcp(front("10.0.1.1"), outside("10.96.0.2"), 80, "shop/mixed:80"), asVirtual},
		{"virtual address of nobody", virtual("10.96.0.3", ""), tcp(front("10.0.1.1"), outside("10.96.0.3"), 80, "shop/empty:80"), asVirtual},
		{"virtual address of two ports", virtual("10.96.0.4", ""), tcp(front("10.0.1.1"), outside("10.96.0.4"), 80, "shop/ports:80"), asVirtual},
		{"virtual address of an outside backend", virtual("10.96.0.5", ""), tcp(front("10.0.1.1"), outside("10.96.0.5"), 80, "shop/elsewhere:80"), asVirtual},
		{"outside by name", virtual("203.0.113.1", "pay.example"), tcp(front("10.0.1.1"), named(outside("203.0.113.1"), "pay.example"), 80, ""), asOutside},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAttributor(shop(), nil, header)
			got := a.record(c.in)
			want := flow.Record{Window: flow.Window{Start: header.Start, End: header.End}, Edge: c.want, ByClient: counts}
			if !c.in.LocalIsClient() {
				want.ByClient, want.ByServer = want.ByServer, want.ByClient
			}
			if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
				t.Errorf("record (-want +got):\n%s", d)
			}
			if a.resolved[[2]string{endRemote, c.how}] != 1 || a.resolved[[2]string{endLocal, asPod}] != 1 {
				t.Errorf("resolved %v, want the remote end as %s", a.resolved, c.how)
			}
		})
	}
}

func TestAttributionOfTheLocalEnd(t *testing.T) {
	node := edge("192.0.2.1", "10.0.2.1", isClient)
	node.Pod = wire.PodKey{}
	unknown := edge("10.0.1.7", "10.0.2.1", isClient)
	unknown.Pod.Name = "newborn"
	for _, c := range []struct {
		in   wire.Edge
		want flow.Endpoint
		how  string
	}{
		{node, flow.Endpoint{Node: "n1", IP: netip.MustParseAddr("192.0.2.1"), Process: "/bin/front", Container: "main"}, asNode},
		{unknown, flow.Endpoint{
			Workload: flow.Workload{Namespace: "shop", Kind: "Pod", Name: "newborn"}, Pod: "newborn", Node: "n1",
			IP: netip.MustParseAddr("10.0.1.7"), Process: "/bin/front", Container: "main",
		}, asUnknownPod},
	} {
		a := newAttributor(shop(), nil, header)
		if got := a.record(c.in).Edge.Client; got != c.want {
			t.Errorf("got %+v\nwant %+v", got, c.want)
		}
		if a.resolved[[2]string{endLocal, c.how}] != 1 {
			t.Errorf("resolved %v, want the local end as %s", a.resolved, c.how)
		}
	}
}

// TestAddressThatIsReused holds that an address belongs to whom it belonged
// in the window, before and after.
func TestAddressThatIsReused(t *testing.T) {
	for _, ip := range []string{"10.0.9.9", "fd00::9:9"} {
		f := shop()
		f.ownFor(ip, pod("old", "1", "n2"), t0.Add(-time.Hour), t0.Add(10*time.Second))
		f.ownFor(ip, pod("new", "1", "n2"), t0.Add(80*time.Second), t0.Add(time.Hour))
		local := "10.0.1.1"
		if netip.MustParseAddr(ip).Is6() {
			local = "fd00::1:1"
		}
		for offset, want := range map[time.Duration]string{-time.Minute: "old", 0: "old", 60 * time.Second: "new", 90 * time.Second: "new", 30 * time.Second: ""} {
			h := header
			h.Start, h.End = h.Start.Add(offset), h.End.Add(offset)
			if got := newAttributor(f, nil, h).record(edge(local, ip, isClient)).Edge.Server.Workload.Name; got != want {
				t.Errorf("%s, window at %v: %q, want %q", ip, offset, got, want)
			}
		}
	}
}

func TestRewrittenSourceIsCountedApart(t *testing.T) {
	a := newAttributor(shop(), nil, header)
	r := a.record(edge("10.0.1.1", "192.0.2.2", wire.EdgeFlag_EDGE_FLAG_SOURCE_REWRITTEN))
	if r.Edge.Client.Node != "n2" || a.resolved[[2]string{endRemote, asRewritten}] != 1 {
		t.Errorf("client %+v, resolved %v", r.Edge.Client, a.resolved)
	}
}
