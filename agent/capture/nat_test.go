// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// nat is nftables in the node's namespace, for one address family.
type nat struct {
	conn                    *nftables.Conn
	table                   *nftables.Table
	prerouting, postrouting *nftables.Chain
	v6                      bool
}

// nat sets up the chains.
func (w *world) nat(v6 bool) *nat {
	w.t.Helper()
	conn, err := nftables.New(nftables.WithNetNSFd(int(w.node.handle)))
	if err != nil {
		w.t.Fatal(err)
	}
	family := nftables.TableFamilyIPv4
	if v6 {
		family = nftables.TableFamilyIPv6
	}
	n := &nat{conn: conn, v6: v6, table: conn.AddTable(&nftables.Table{Family: family, Name: "nat"})}
	n.prerouting = conn.AddChain(&nftables.Chain{
		Name: "pre", Table: n.table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest,
	})
	n.postrouting = conn.AddChain(&nftables.Chain{
		Name: "post", Table: n.table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	if err := conn.Flush(); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// match compares an address of the IP header, the source's or the target's.
func (n *nat) match(a netip.Addr, target bool) []expr.Any {
	length, offset := uint32(4), uint32(12)
	if n.v6 {
		length, offset = 16, 8
	}
	if target {
		offset += length
	}
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: a.AsSlice()},
	}
}

// service sends what is dialled at a virtual address to a backend.
func (n *nat) service(t *testing.T, protocol uint8, virtual, backend netip.AddrPort) {
	t.Helper()
	family := uint32(unix.NFPROTO_IPV4)
	if n.v6 {
		family = unix.NFPROTO_IPV6
	}
	rule := append(n.match(virtual.Addr(), true),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: []byte{protocol}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: binaryutil.BigEndian.PutUint16(virtual.Port())},
		&expr.Immediate{Register: 1, Data: backend.Addr().AsSlice()},
		&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, backend.Port())},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: family, RegAddrMin: 1, RegProtoMin: 2},
	)
	n.conn.AddRule(&nftables.Rule{Table: n.table, Chain: n.prerouting, Exprs: rule})
	if err := n.conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

// masquerade has the node stand in for a client.
func (n *nat) masquerade(t *testing.T, client netip.Addr) {
	t.Helper()
	n.conn.AddRule(&nftables.Rule{
		Table: n.table, Chain: n.postrouting, Exprs: append(n.match(client, false), &expr.Masq{}),
	})
	if err := n.conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

func virtualAddress(like netip.Addr) netip.AddrPort {
	if like.Is4() {
		return netip.MustParseAddrPort("10.96.0.10:80")
	}
	return netip.MustParseAddrPort("[fd96::10]:80")
}

func TestService(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		virtual, backend := virtualAddress(addr(server)), netip.AddrPortFrom(addr(server), 8080)
		n := w.nat(addr(server).Is6())
		n.service(t, 6, virtual, backend)
		n.service(t, 17, virtual, backend)
		c := watch(t, nil)
		if missing := c.Missing(); len(missing) != 0 {
			t.Skipf("needs conntrack look-ups: %v", missing)
		}
		cs, ss := attach(t, c, client), attach(t, c, server)
		server.echo(backend)
		server.datagrams(backend, func(b []byte) []byte { return b })
		exchange(t, client.dial("tcp", virtual), 100)
		ping(t, client.dial("udp", virtual), 100)

		f := flush(t, c)
		for _, protocol := range []uint8{6, 17} {
			at := f.one(t, cs, protocol, virtual.Addr())
			if at.Dialled != virtual || at.Backend != backend || at.RemotePort != 80 || at.SourceRewritten ||
				at.Initiator != InitiatorLocal || at.Source.IsValid() {
				t.Errorf("protocol %d at the client: %+v", protocol, at)
			}
			to := f.one(t, ss, protocol, addr(client))
			if to.Dialled != virtual || to.Backend.IsValid() || to.LocalPort != 8080 || to.SourceRewritten ||
				to.Initiator != InitiatorRemote || to.Source.IsValid() {
				t.Errorf("protocol %d at the server: %+v", protocol, to)
			}
		}
	})
}

func TestSourceRewritten(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		w.nat(addr(server).Is6()).masquerade(t, addr(client))
		c := watch(t, nil)
		cs, ss := attach(t, c, client), attach(t, c, server)
		server.echo(netip.AddrPortFrom(addr(server), 8080))
		conn := client.dial("tcp", netip.AddrPortFrom(addr(server), 8080))
		source := conn.LocalAddr().(*net.TCPAddr).AddrPort()
		exchange(t, conn, 100)

		f := flush(t, c)
		at := f.one(t, cs, 6, addr(server))
		if !at.SourceRewritten || at.Dialled.IsValid() || at.Source.IsValid() {
			t.Errorf("client: %+v", at)
		}
		for k, to := range f {
			if k.slot == ss && (!to.SourceRewritten || to.Source != source || to.Remote == addr(client) || to.Dialled.IsValid()) {
				t.Errorf("server: %+v: want the client's own address %s", to, source)
			}
		}
	})
}

// TestOpenBefore watches connections that were open before: conntrack knows who
// began them, whatever their ports.
func TestOpenBefore(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		// Of no effect here, but the first rule switches conntrack on.
		w.nat(addr(server).Is6()).masquerade(t, addr(client).Next())
		const highPort = 65535 // so that the ports would tell the wrong way
		server.echo(netip.AddrPortFrom(addr(server), highPort))
		server.datagrams(netip.AddrPortFrom(addr(server), highPort), func(b []byte) []byte { return b })
		conns := map[uint8]net.Conn{
			6:  client.dial("tcp", netip.AddrPortFrom(addr(server), highPort)),
			17: client.dial("udp", netip.AddrPortFrom(addr(server), highPort)),
		}
		for _, conn := range conns {
			ping(t, conn, 10)
		}
		c := watch(t, nil)
		cs, ss := attach(t, c, client), attach(t, c, server)
		for _, conn := range conns {
			ping(t, conn, 10)
		}
		f := flush(t, c)
		for protocol := range conns {
			at, to := f.one(t, cs, protocol, addr(server)), f.one(t, ss, protocol, addr(client))
			if at.Initiator != InitiatorLocal || at.Guessed || at.Outcome != Established {
				t.Errorf("protocol %d at the client: %+v", protocol, at)
			}
			if to.Initiator != InitiatorRemote || to.Guessed || to.Outcome != Established {
				t.Errorf("protocol %d at the server: %+v", protocol, to)
			}
			if protocol == 6 && at.Connections+to.Connections != 0 {
				t.Errorf("a connection that was open before counts as begun: %+v", at)
			}
		}
	})
}

func TestDNS(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		c := watch(t, nil)
		cs := attach(t, c, client)
		resolver := netip.AddrPortFrom(addr(server), 53)
		server.datagrams(resolver, func([]byte) []byte {
			return reply("Pay.Example.com.", cname("pay.example.com.", 60, "b.example.net."), a("b.example.net.", 5, "192.0.2.9"))
		})
		conn := client.dial("udp", resolver)
		if _, err := conn.Write([]byte("a question")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1500)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-c.DNS():
			if got.Slot != cs || got.Name != "pay.example.com" || len(got.Addrs) != 1 ||
				got.Addrs[0] != netip.MustParseAddr("192.0.2.9") || got.TTL != 5*time.Second || time.Since(got.At) > time.Minute {
				t.Errorf("got %+v", got)
			}
		case <-t.Context().Done():
			t.Fatal("no answer in the channel")
		case <-time.After(10 * time.Second):
			t.Fatal("no answer in the channel")
		}
	})
}

// TestHundredOpenBefore has 100 connections open before, in both directions,
// all with ports that tell the wrong way: who began them is right for each.
func TestHundredOpenBefore(t *testing.T) {
	w := newWorld(t)
	one, two := w.addPod(), w.addPod()
	w.nat(false).masquerade(t, one.v4.Next()) // of no effect, but it switches conntrack on
	w.nat(true).masquerade(t, one.v6.Next())
	const highPort = 65535
	var conns []net.Conn
	for _, ends := range [][2]*pod{{one, two}, {two, one}} {
		for _, to := range []netip.Addr{ends[1].v4, ends[1].v6} {
			address := netip.AddrPortFrom(to, highPort)
			ends[1].echo(address)
			for range 25 {
				conn := ends[0].dial("tcp", address)
				ping(t, conn, 10)
				conns = append(conns, conn)
			}
		}
	}
	c := watch(t, nil)
	if missing := c.Missing(); len(missing) != 0 {
		t.Skipf("needs conntrack look-ups: %v", missing)
	}
	attach(t, c, one)
	attach(t, c, two)
	for _, conn := range conns {
		ping(t, conn, 10)
	}
	right := 0
	for k, r := range flush(t, c) {
		if k.protocol != 6 {
			continue
		}
		if (r.Initiator == InitiatorLocal) != (r.RemotePort == highPort) || r.Guessed {
			t.Errorf("%+v", r)
			continue
		}
		right++
	}
	if right != 200 {
		t.Errorf("%d ends right: want both of 100", right)
	}
}
