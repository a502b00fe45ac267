// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/netcinch/netcinch/bpf"
)

// Direction is enum direction of bpf/sighting.h, as seen from the local end.
type Direction uint8

// The directions.
const (
	Ingress Direction = iota // to the local end
	Egress
)

func (d Direction) String() string {
	if d == Ingress {
		return "ingress"
	}
	return "egress"
}

// other is the direction in which the same packet crosses the other side of a
// pair.
func (d Direction) other() Direction { return 1 - d }

// Hook is the flow program on both directions of one interface.
type Hook struct {
	Slot uint32
	Mode Mode

	set     *Set
	netns   string // as it was given; may name another one later
	netnsID int32
	ifindex int
	key     bpf.FlowInterface
	links   *[2]link.Link // by direction; nil for filters
}

// Attach hooks the interface of that name in a network namespace, whose end is
// the local one. netns is a path such as /run/netns/NAME, /proc/PID/ns/net or
// /proc/self/fd/N; empty for the caller's own. An interface that was hooked by
// a process before this one keeps its slot, and the program is replaced without
// a packet between.
func (s *Set) Attach(netns, ifname string) (*Hook, error) {
	return s.hook(netns, ifname, podSide)
}

// AttachHost hooks the host's side of a pair: the local end is the other side.
func (s *Set) AttachHost(netns, ifname string) (*Hook, error) {
	return s.hook(netns, ifname, hostSide)
}

// AttachNode hooks an interface of the node itself, which others' packets pass,
// too: only flows whose local end is one of the addresses in the map Own are
// counted.
func (s *Set) AttachNode(netns, ifname string) (*Hook, error) {
	return s.hook(netns, ifname, nodeSide)
}

// side is whose interface is hooked.
type side uint8

const (
	podSide side = iota
	hostSide
	nodeSide
)

// ownConntrack is an interface's own namespace, as the one whose conntrack sees
// its packets; ownAddresses is the same at the node's side (NODE_SIDE of
// bpf/maps.h).
const (
	ownConntrack = -1
	ownAddresses = -2
)

func (s *Set) hook(netns, ifname string, side side) (*Hook, error) {
	h := &Hook{set: s, netns: netns, Mode: s.mode}
	err := inNetNS(netns, func() error {
		if err := h.find(ifname, side); err != nil {
			return err
		}
		return h.attach()
	})
	if err != nil {
		return nil, fmt.Errorf("attaching to %s in %s: %w", ifname, namespaceName(netns), err)
	}
	return h, nil
}

// find looks at the interface, on a thread in its namespace.
func (h *Hook) find(ifname string, side side) error {
	device, err := netlink.LinkByName(ifname)
	if err != nil {
		return fmt.Errorf("finding interface %s: %w", ifname, err)
	}
	attrs := device.Attrs()
	if attrs.EncapType != "ether" && attrs.EncapType != "loopback" { // both have Ethernet headers
		return fmt.Errorf("interface %s: link type %s is not Ethernet", ifname, attrs.EncapType)
	}
	h.ifindex, h.netnsID = attrs.Index, int32(attrs.NetNsID)
	h.key.Index = uint32(attrs.Index)
	switch side {
	case hostSide:
		h.netnsID = ownConntrack // the packets are in the namespace whose conntrack sees them
		h.key.Shared = 1
	case nodeSide:
		h.netnsID = ownAddresses
	case podSide:
	}
	h.key.Netns, err = cookie()
	return err
}

// attach hooks both directions. What the local end sends comes first: that is
// how its connections begin.
func (h *Hook) attach() error {
	p, before, err := h.set.programsFor(h)
	if err != nil {
		return err
	}
	defer func() { _ = p.close() }() // links and filters hold the programs from here on
	h.Slot = p.v.slot
	if err := h.set.Watched.Put(h.Slot, uint8(1)); err != nil {
		return errors.Join(fmt.Errorf("writing down the slot: %w", err), release(before))
	}
	if h.Mode == Clsact {
		return h.attachFilters(p)
	}
	h.links = before
	if h.links == nil {
		h.links = new([2]link.Link)
	}
	for _, d := range []Direction{Egress, Ingress} {
		if err := h.attachTCX(d, p.of(d)); err != nil {
			return errors.Join(err, h.Close())
		}
	}
	return nil
}

func (h *Hook) attachFilters(p *pair) error {
	for _, d := range []Direction{Egress, Ingress} {
		if err := attachFilter(filterOf(h.ifindex, d, p.of(d))); err != nil {
			return errors.Join(explain("attaching by a clsact filter", err), h.Close())
		}
	}
	return nil
}

// attachTCX puts the program first in the chain, or in the place of the one
// that is there.
func (h *Hook) attachTCX(d Direction, program *ebpf.Program) error {
	if l := h.links[d]; l != nil {
		if err := l.Update(program); err != nil {
			return fmt.Errorf("replacing the flow program: %w", err)
		}
		return nil
	}
	at, where := d, ebpf.AttachTCXIngress
	if h.key.Shared == 1 {
		at = d.other()
	}
	if at == Egress {
		where = ebpf.AttachTCXEgress
	}
	l, err := link.AttachTCX(link.TCXOptions{
		Interface: h.ifindex, Program: program, Attach: where, Anchor: link.Head(),
	})
	if err != nil {
		return explainTCX(err)
	}
	h.links[d] = l
	if h.set.pins == nil {
		return nil
	}
	if err := l.Pin(h.set.pins.linkPath(h.Slot, d)); err != nil {
		return fmt.Errorf("pinning a link: %w", err)
	}
	return nil
}

// Close detaches. When it returns, the program counts no further packet there.
func (h *Hook) Close() error {
	errs := []error{h.set.forget(h.key, h.Slot)}
	if h.links != nil {
		return errors.Join(append(errs, discard(h.links))...)
	}
	return errors.Join(append(errs, h.set.detachFilters(h.netns, h.key))...)
}

// Release lets go of a hook that is pinned: it goes on counting. One that is
// not is closed.
func (h *Hook) Release() error {
	if h.set.pins == nil {
		return h.Close()
	}
	return release(h.links)
}

// release closes our handles of links.
func release(links *[2]link.Link) error {
	if links == nil {
		return nil
	}
	var errs []error
	for _, l := range links {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// discard closes links and takes their pins away, so that they detach.
func discard(links *[2]link.Link) error {
	if links == nil {
		return nil
	}
	var errs []error
	for _, l := range links {
		if l != nil {
			errs = append(errs, unpin(l), l.Close())
		}
	}
	return errors.Join(errs...)
}
