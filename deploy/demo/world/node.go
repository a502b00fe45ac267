// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"net/netip"
	"slices"

	"github.com/netcinch/netcinch/deploy/demo/plan"
)

// The names of the two namespaces that are not pods'.
const (
	nodeName     = plan.NetnsPrefix + "node"
	internetName = plan.NetnsPrefix + "internet"
)

// buildNode makes the node and the internet, the link between them, and the
// node's packet filter.
func (w *World) buildNode() error {
	var err error
	if w.node, err = w.newPlace(nodeName); err != nil {
		return err
	}
	if w.internet, err = w.newPlace(internetName); err != nil {
		return err
	}
	err = w.thread.in(w.node.ns, func() error {
		return sysctl(map[string]string{"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"})
	})
	if err != nil {
		return err
	}
	if err := join(w.node, uplinkName, w.internet, uplinkName); err != nil {
		return err
	}
	if err := w.node.address("lo", single(gateway4)); err != nil {
		return err
	}
	for i, a := range w.plan.Node.Addresses {
		bits := []int{24, 64}[i]
		router := netip.PrefixFrom(routerOf(a), bits)
		if err := w.node.address(uplinkName, netip.PrefixFrom(a, bits)); err != nil {
			return err
		}
		if err := w.internet.address(uplinkName, router); err != nil {
			return err
		}
		if err := w.node.route(uplinkName, anywhere[i], via{gateway: router.Addr()}); err != nil {
			return err
		}
	}
	for _, o := range w.plan.Outside {
		if err := w.internet.address("lo", single(o.Address)); err != nil {
			return err
		}
	}
	// Visitors come with their own address, not the router's.
	door := single(w.plan.Node.Addresses[0])
	if err := w.internet.route(uplinkName, door, via{source: plan.VisitorAddress}); err != nil {
		return err
	}
	return installFilter(int(w.node.ns), w.plan)
}

// routerOf gives the first address of the node's own network: .1 or ::1.
func routerOf(a netip.Addr) netip.Addr {
	b := a.AsSlice()
	b[len(b)-1] = 1
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

// buildPod makes a pod's namespace and its link to the node, as a routing
// network plugin does: an address of its own, everything by the gateway.
func (w *World) buildPod(pod *plan.Pod) (*place, error) {
	p, err := w.newPlace(pod.Netns)
	if err != nil {
		return nil, err
	}
	if err := join(w.node, pod.Link, p, uplinkName); err != nil {
		return nil, err
	}
	if err := w.node.address(pod.Link, netip.PrefixFrom(gateway6, 64)); err != nil {
		return nil, err
	}
	for i, a := range pod.IPs {
		if err := p.address(uplinkName, single(a)); err != nil {
			return nil, err
		}
		if err := w.node.route(pod.Link, single(a), via{}); err != nil {
			return nil, err
		}
		if err := p.route(uplinkName, anywhere[i], via{gateway: []netip.Addr{gateway4, gateway6}[i]}); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// remove takes one place down.
func (w *World) remove(p *place) error {
	w.places = slices.DeleteFunc(w.places, func(o *place) bool { return o == p })
	return p.close()
}
