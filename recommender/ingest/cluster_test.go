// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"net/netip"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

var t0 = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// fake is a Resolver that knows what the test tells it.
type fake struct {
	mu       sync.Mutex
	owners   map[netip.Addr][]tenure
	services map[netip.AddrPort]cluster.Service
}

type tenure struct {
	from, to time.Time
	endpoint flow.Endpoint
}

func (f *fake) At(addr netip.Addr, at time.Time) (flow.Endpoint, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.owners[addr] {
		if !at.Before(t.from) && at.Before(t.to) {
			return t.endpoint, true
		}
	}
	return flow.Endpoint{}, false
}

func (f *fake) Pod(namespace, name, _ string) (flow.Endpoint, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, list := range f.owners {
		for _, t := range list {
			if t.endpoint.Pod == name && t.endpoint.Workload.Namespace == namespace {
				return t.endpoint, true
			}
		}
	}
	return flow.Endpoint{}, false
}

func (f *fake) ServiceAt(addr netip.Addr, port uint16, _ flow.Protocol) (cluster.Service, bool) {
	s, ok := f.services[netip.AddrPortFrom(addr, port)]
	return s, ok
}

func (f *fake) own(addr string, e flow.Endpoint) {
	f.ownFor(addr, e, t0.Add(-time.Hour), t0.Add(time.Hour))
}

func (f *fake) ownFor(addr string, e flow.Endpoint, from, to time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := netip.MustParseAddr(addr)
	f.owners[a] = append(f.owners[a], tenure{from, to, e})
}

func pod(workload, suffix, node string) flow.Endpoint {
	return flow.Endpoint{Workload: flow.Workload{Namespace: "shop", Kind: "Deployment", Name: workload}, Pod: workload + "-" + suffix, Node: node}
}

// shop is a small cluster: front on n1, two carts, two kinds of pods behind one Service.
func shop() *fake {
	f := &fake{owners: map[netip.Addr][]tenure{}, services: map[netip.AddrPort]cluster.Service{}}
	f.own("10.0.1.1", pod("front", "a", "n1"))
	f.own("fd00::1:1", pod("front", "a", "n1"))
	f.own("10.0.2.1", pod("cart", "x", "n2"))
	f.own("10.0.2.2", pod("cart", "y", "n3"))
	f.own("fd00::2:1", pod("cart", "x", "n2"))
	f.own("10.0.2.9", pod("blue", "x", "n2"))
	f.own("192.0.2.2", flow.Endpoint{Node: "n2"})
	service := func(at, name string, backends ...string) {
		s := cluster.Service{Namespace: "shop", Name: name, Port: 80, Protocol: flow.TCP}
		for _, b := range backends {
			s.Backends = append(s.Backends, netip.MustParseAddrPort(b))
		}
		f.services[netip.MustParseAddrPort(at)] = s
	}
	service("10.96.0.1:80", "cart", "10.0.2.1:8080", "10.0.2.2:8080")
	service("[fd96::1]:80", "cart", "[fd00::2:1]:8080")
	service("10.96.0.2:80", "mixed", "10.0.2.1:8080", "10.0.2.9:8080")
	service("10.96.0.3:80", "empty")
	service("10.96.0.4:80", "ports", "10.0.2.1:8080", "10.0.2.2:9090")
	service("10.96.0.5:80", "elsewhere", "198.51.100.1:80")
	return f
}
