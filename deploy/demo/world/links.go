// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Fixed addresses of the links: the gateway that every pod sees, as routing
// network plugins have it, and the router beyond the node.
var (
	gateway4 = netip.MustParseAddr("169.254.1.1")
	gateway6 = netip.MustParseAddr("fe80::1")
	anywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
)

const uplinkName = "eth0"

// place is one network namespace, open for changes.
type place struct {
	name   string
	ns     netns.NsHandle
	handle *netlink.Handle
}

// newPlace creates a named namespace with its loopback up. IPv6 addresses are
// usable at once: nobody else could hold them.
func (w *World) newPlace(name string) (*place, error) {
	ns, err := w.thread.create(name)
	if err != nil {
		return nil, err
	}
	p := &place{name: name, ns: ns}
	w.places = append(w.places, p)
	err = w.thread.in(ns, func() error {
		return sysctl(map[string]string{
			"ipv6/conf/all/accept_dad":     "0",
			"ipv6/conf/default/accept_dad": "0",
		})
	})
	if err != nil {
		return nil, err
	}
	if p.handle, err = netlink.NewHandleAt(ns); err != nil {
		return nil, fmt.Errorf("opening netlink in %s: %w", name, err)
	}
	return p, p.up("lo")
}

// sysctl sets values under /proc/sys/net of the namespace that it runs in.
func sysctl(values map[string]string) error {
	for key, value := range values {
		if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0o644); err != nil {
			return fmt.Errorf("setting sysctl net/%s (is IPv6 on in this kernel?): %w", key, err)
		}
	}
	return nil
}

func (p *place) up(name string) error {
	link, err := p.handle.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding %s in %s: %w", name, p.name, err)
	}
	if err := p.handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting %s up in %s: %w", name, p.name, err)
	}
	return nil
}

// address adds one address to a link.
func (p *place) address(link string, prefix netip.Prefix) error {
	l, err := p.handle.LinkByName(link)
	if err != nil {
		return fmt.Errorf("finding %s in %s: %w", link, p.name, err)
	}
	if err := p.handle.AddrAdd(l, &netlink.Addr{IPNet: ipNet(prefix)}); err != nil {
		return fmt.Errorf("adding %s to %s in %s: %w", prefix, link, p.name, err)
	}
	return nil
}

// via says how a route goes: by a gateway, which is on the link whether or not
// an address says so, and from which own address. Both may be left out.
type via struct{ gateway, source netip.Addr }

// route adds one route.
func (p *place) route(link string, to netip.Prefix, by via) error {
	l, err := p.handle.LinkByName(link)
	if err != nil {
		return fmt.Errorf("finding %s in %s: %w", link, p.name, err)
	}
	r := &netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(to), Scope: netlink.SCOPE_LINK}
	if by.source.IsValid() {
		r.Src = by.source.AsSlice()
	}
	if by.gateway.IsValid() {
		r.Gw, r.Scope, r.Flags = by.gateway.AsSlice(), netlink.SCOPE_UNIVERSE, unix.RTNH_F_ONLINK
	}
	if err := p.handle.RouteAdd(r); err != nil {
		return fmt.Errorf("adding route to %s in %s: %w", to, p.name, err)
	}
	return nil
}

// join makes a veth pair between two places, both ends up.
func join(from *place, name string, to *place, peer string) error {
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: peer, PeerNamespace: netlink.NsFd(to.ns),
	}
	if err := from.handle.LinkAdd(veth); err != nil {
		return fmt.Errorf("creating veth %s in %s: %w", name, from.name, err)
	}
	if err := from.up(name); err != nil {
		return err
	}
	return to.up(peer)
}

// single is the prefix that holds one address only.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// ipNet is the form that the netlink library takes.
func ipNet(p netip.Prefix) *net.IPNet { //nolint:forbidigo // the library's type
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())} //nolint:forbidigo // the library's type
}

// close gives the namespace up: with its last process, its links vanish too.
func (p *place) close() error {
	if p.handle != nil {
		p.handle.Close()
	}
	_ = p.ns.Close() // a descriptor; the name is what holds the namespace
	return unname(p.name)
}

// unname removes a namespace's name, also one that was only half made.
func unname(name string) error {
	path := filepath.Join(netnsFolder, name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("removing network namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing network namespace %s: %w", name, err)
	}
	return nil
}
