// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nodetest

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"go4.org/netipx"
)

// Pod is a network namespace with one interface, eth0.
type Pod struct {
	Name      string
	HostLink  string // name of the other side of eth0's pair, on the node
	Addresses []netip.Addr

	node *Node
	ns   netns.NsHandle
	path string
}

// AddPod makes a pod with addresses of either family, and routes to it.
func (n *Node) AddPod(name string, addresses ...string) *Pod {
	n.t.Helper()
	p := n.AddBarePod(name)
	for _, a := range addresses {
		p.AddAddress(a)
	}
	return p
}

// AddBarePod makes a pod whose interface is up and has no address yet.
func (n *Node) AddBarePod(name string) *Pod {
	n.t.Helper()
	p := n.AddEmptyNamespace(name)
	n.must(n.Do(func() error {
		pair := netlink.NewVeth(netlink.LinkAttrs{Name: p.HostLink, TxQLen: 1000})
		pair.PeerName, pair.PeerNamespace = "eth0", netlink.NsFd(p.ns)
		return netlink.LinkAdd(pair)
	}))
	n.must(p.up())
	return p
}

// AddMovedPod makes a pod the way some CNI plugins do: the pair is made on the
// node under another name, and one side is moved.
func (n *Node) AddMovedPod(name string, addresses ...string) *Pod {
	n.t.Helper()
	p := n.AddEmptyNamespace(name)
	temporary := fmt.Sprintf("tmp%d", n.links)
	n.must(n.Do(func() error {
		pair := netlink.NewVeth(netlink.LinkAttrs{Name: p.HostLink, TxQLen: 1000})
		pair.PeerName = temporary
		if err := netlink.LinkAdd(pair); err != nil {
			return err
		}
		peer, err := netlink.LinkByName(temporary)
		if err != nil {
			return err
		}
		return netlink.LinkSetNsFd(peer, int(p.ns))
	}))
	n.must(p.Do(func() error {
		l, err := netlink.LinkByName(temporary)
		if err != nil {
			return err
		}
		return netlink.LinkSetName(l, "eth0")
	}))
	n.must(p.up())
	for _, a := range addresses {
		p.AddAddress(a)
	}
	return p
}

// AddEmptyNamespace makes a pod's namespace without an interface.
func (n *Node) AddEmptyNamespace(name string) *Pod {
	n.t.Helper()
	n.links++
	p := &Pod{Name: name, HostLink: fmt.Sprintf("veth%d", n.links), node: n, path: filepath.Join(n.PodsDir, name)}
	p.ns = newNamespace(n.t, p.path)
	n.must(p.Do(sendOnce))
	return p
}

// sendOnce makes TCP of the namespace send nothing twice however late an answer
// is, so that a test on a busy machine can tell the bytes beforehand.
func sendOnce() error {
	for name, value := range map[string]string{"tcp_early_retrans": "0", "tcp_sack": "0", "tcp_rto_min_us": "20000000"} {
		if err := writeSysctl("ipv4/"+name, value); err != nil && !errors.Is(err, fs.ErrNotExist) { // older kernels lack the last one
			return err
		}
	}
	return nil
}

// up brings both sides up and makes the node's side the way out.
func (p *Pod) up() error {
	err := p.node.Do(func() error {
		host, err := netlink.LinkByName(p.HostLink)
		if err != nil {
			return err
		}
		for _, gateway := range []netip.Addr{gateway4, gateway6} {
			a := &netlink.Addr{IPNet: network(gateway), Flags: nodad, Scope: int(netlink.SCOPE_LINK)}
			if err := netlink.AddrAdd(host, a); err != nil {
				return err
			}
		}
		return netlink.LinkSetUp(host)
	})
	if err != nil {
		return err
	}
	return p.Do(func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(l)
	})
}

// nodad: an address is usable at once (IFA_F_NODAD).
const nodad = 0x02

func network(a netip.Addr) *net.IPNet { //nolint:forbidigo // netlink's type
	return netipx.AddrIPNet(a)
}

// AddAddress gives eth0 an address, with a route on both sides.
func (p *Pod) AddAddress(text string) {
	p.node.t.Helper()
	a := netip.MustParseAddr(text)
	p.Addresses = append(p.Addresses, a)
	gateway, everything := gateway4, netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if a.Is6() {
		gateway, everything = gateway6, netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	p.node.must(p.Do(func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err = netlink.AddrAdd(l, &netlink.Addr{IPNet: network(a), Flags: nodad}); err != nil {
			return err
		}
		return netlink.RouteReplace(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: netipx.PrefixIPNet(everything), Gw: gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK)})
	}))
	p.node.must(p.node.Do(func() error {
		l, err := netlink.LinkByName(p.HostLink)
		if err != nil {
			return err
		}
		return netlink.RouteReplace(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: network(a), Scope: netlink.SCOPE_LINK})
	}))
}

// Path is that of the pod's network namespace.
func (p *Pod) Path() string { return p.path }

// Do runs f on a thread in the pod's namespace.
func (p *Pod) Do(f func() error) error { return in(p.ns, f) }

// Remove ends the pod: nothing but its path and this handle kept its
// namespace, and with the namespace the pair goes.
func (p *Pod) Remove() {
	_ = p.ns.Close()
	unmount(p.path)
}

// Listen opens a TCP port in the pod.
func (p *Pod) Listen(address string) net.Listener {
	p.node.t.Helper()
	var l net.Listener
	p.node.must(p.Do(func() (err error) { l, err = net.Listen("tcp", address); return err }))
	p.node.t.Cleanup(func() { l.Close() })
	return l
}

// ListenPacket opens a UDP port in the pod.
func (p *Pod) ListenPacket(address string) net.PacketConn {
	p.node.t.Helper()
	var c net.PacketConn
	p.node.must(p.Do(func() (err error) { c, err = net.ListenPacket("udp", address); return err }))
	p.node.t.Cleanup(func() { c.Close() })
	return c
}

// Dial connects from the pod.
func (p *Pod) Dial(network, address string) (c net.Conn, err error) {
	err = p.Do(func() (err error) { c, err = net.Dial(network, address); return err })
	return c, err
}

// DialFor connects from the pod, gives up after a while, and closes what it
// got.
func (p *Pod) DialFor(network, address string, patience time.Duration) error {
	return p.Do(func() error {
		c, err := net.DialTimeout(network, address, patience)
		if err != nil {
			return err
		}
		return c.Close()
	})
}
