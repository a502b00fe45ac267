// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

func ipHeader(a netip.Addr) uint64 {
	if a.Is4() {
		return 20
	}
	return 40
}

func TestTCP(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		c := watch(t, nil)
		cs, ss := attach(t, c, client), attach(t, c, server)
		server.echo(netip.AddrPortFrom(addr(server), 8080))
		before := time.Now()
		conn := client.dial("tcp", netip.AddrPortFrom(addr(server), 8080))
		local := conn.LocalAddr().(*net.TCPAddr).AddrPort().Port()
		exchange(t, conn, 300_000)

		f := flush(t, c)
		at := f.one(t, cs, 6, addr(server))
		if at.Initiator != InitiatorLocal || at.Guessed || at.Outcome != Established || at.Connections != 1 ||
			at.LocalPort != local || at.RemotePort != 8080 || at.Local != addr(client) {
			t.Errorf("client: %+v", at)
		}
		// Each packet has an IP header and at least 20 bytes of TCP.
		if least := 300_000 + at.Tx.Packets*(ipHeader(addr(client))+20); at.Tx.Bytes < least {
			t.Errorf("client sent %+v: want at least %d bytes", at.Tx, least)
		}
		// Wire packets, not the few large ones that the stack hands down.
		if at.Tx.Packets < 300_000/1500 {
			t.Errorf("client sent %d packets: want at least %d", at.Tx.Packets, 300_000/1500)
		}
		if at.First.Before(before.Add(-time.Second)) || at.Last.After(time.Now().Add(time.Second)) || at.Last.Before(at.First) {
			t.Errorf("seen from %s to %s, after %s", at.First, at.Last, before)
		}
		to := f.one(t, ss, 6, addr(client))
		if to.Initiator != InitiatorRemote || to.Guessed || to.Outcome != Established || to.Connections != 1 {
			t.Errorf("server: %+v", to)
		}
		if to.Rx != at.Tx || to.Tx != at.Rx {
			t.Errorf("client sent %+v and got %+v, server got %+v and sent %+v", at.Tx, at.Rx, to.Rx, to.Tx)
		}
		if l, err := c.Losses(); err != nil || l != (Losses{}) {
			t.Errorf("losses %+v, %v", l, err)
		}
	})
}

func TestRefused(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		c := watch(t, nil)
		cs, ss := attach(t, c, client), attach(t, c, server)
		nobody := netip.AddrPortFrom(addr(server), 9)
		client.do(func() error {
			if _, err := net.Dial("tcp", nobody.String()); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dialling nobody: %v", err)
			}
			return nil
		})
		conn := client.dial("udp", nobody)
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("waiting for the ICMP error: %v", err)
		}
		f := flush(t, c)
		for _, protocol := range []uint8{6, 17} {
			at, to := f.one(t, cs, protocol, addr(server)), f.one(t, ss, protocol, addr(client))
			if at.Outcome != Refused || at.Initiator != InitiatorLocal || at.RemotePort != 9 || at.Connections != 1 {
				t.Errorf("protocol %d at the client: %+v", protocol, at)
			}
			if to.Outcome != Refused || to.Initiator != InitiatorRemote || to.LocalPort != 9 || to.Connections != 1 {
				t.Errorf("protocol %d at the server: %+v", protocol, to)
			}
		}
		// ICMP errors are part of what they are about.
		for k := range f {
			if k.protocol == 1 || k.protocol == 58 {
				t.Errorf("a flow of its own for an ICMP error: %+v", f[k])
			}
		}
	})
}

func TestUnanswered(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		w.blackhole(addr(server))
		c := watch(t, nil)
		cs, ss := attach(t, c, client), attach(t, c, server)
		client.do(func() error {
			_, err := net.DialTimeout("tcp", netip.AddrPortFrom(addr(server), 80).String(), 50*time.Millisecond)
			if failure, ok := errors.AsType[net.Error](err); !ok || !failure.Timeout() {
				t.Errorf("dialling a black hole: %v", err)
			}
			return nil
		})
		if _, err := client.dial("udp", netip.AddrPortFrom(addr(server), 80)).Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		f := flush(t, c)
		for _, protocol := range []uint8{6, 17} {
			at := f.one(t, cs, protocol, addr(server))
			if at.Outcome != Unanswered || at.Initiator != InitiatorLocal || at.Rx != (Count{}) || at.Tx.Packets == 0 {
				t.Errorf("protocol %d: %+v", protocol, at)
			}
		}
		for k := range f {
			if k.slot == ss {
				t.Errorf("the server saw %+v", f[k])
			}
		}
	})
}

func TestUDP(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		c := watch(t, nil)
		cs, ss := attach(t, c, client), attach(t, c, server)
		server.datagrams(netip.AddrPortFrom(addr(server), 5000), func(b []byte) []byte { return b[:2] })
		conn := client.dial("udp", netip.AddrPortFrom(addr(server), 5000))
		for range 3 {
			if _, err := conn.Write(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		f := flush(t, c)
		at, to := f.one(t, cs, 17, addr(server)), f.one(t, ss, 17, addr(client))
		h := ipHeader(addr(client)) + 8
		wantTx, wantRx := Count{3, 3 * (h + 100)}, Count{3, 3 * (h + 2)}
		if at.Tx != wantTx || at.Rx != wantRx || at.Initiator != InitiatorLocal || at.Outcome != Established || at.Guessed {
			t.Errorf("client: %+v", at)
		}
		if to.Rx != wantTx || to.Tx != wantRx || to.Initiator != InitiatorRemote || to.Outcome != Established || to.Guessed {
			t.Errorf("server: %+v", to)
		}
	})
}

// TestFragments sends datagrams that do not fit: all their fragments are of one
// flow, and no port is invented.
func TestFragments(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		c := watch(t, nil)
		cs, ss := attach(t, c, client), attach(t, c, server)
		server.datagrams(netip.AddrPortFrom(addr(server), 5000), func(b []byte) []byte { return b[:1] })
		conn := client.dial("udp", netip.AddrPortFrom(addr(server), 5000))
		if _, err := conn.Write(make([]byte, 5000)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		f := flush(t, c)
		perPacket := ipHeader(addr(client))
		if addr(client).Is6() {
			perPacket += 8 // fragment header
		}
		want := Count{4, 4*perPacket + 8 + 5000}
		at, to := f.one(t, cs, 17, addr(server)), f.one(t, ss, 17, addr(client))
		if at.Tx != want || at.Fragment || at.RemotePort != 5000 {
			t.Errorf("client: %+v: want to have sent %+v", at, want)
		}
		// The node's conntrack puts a datagram together and may cut it anew.
		if to.Rx.Bytes < 5000 || to.Fragment || to.LocalPort != 5000 || to.Connections != 1 {
			t.Errorf("server: %+v", to)
		}
	})
}

func TestPing(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		c := watch(t, nil)
		cs, ss := attach(t, c, client), attach(t, c, server)
		protocol, kind := uint8(1), uint8(8)
		if addr(client).Is6() {
			protocol, kind = 58, 128
		}
		client.ping(addr(client), addr(server))
		f := flush(t, c)
		want := Count{1, ipHeader(addr(client)) + 8 + 5}
		at, to := f.one(t, cs, protocol, addr(server)), f.one(t, ss, protocol, addr(client))
		if at.Initiator != InitiatorLocal || at.Outcome != Established || at.ICMPType != kind || at.LocalPort != 0 ||
			at.RemotePort != 0 || at.Tx != want || at.Rx != want {
			t.Errorf("client: %+v", at)
		}
		if to.Initiator != InitiatorRemote || to.Outcome != Established || to.ICMPType != kind || to.Rx != want || to.Tx != want {
			t.Errorf("server: %+v", to)
		}
	})
}

// ping sends one echo request with 5 bytes and waits for its reply.
func (p *pod) ping(from, to netip.Addr) {
	p.t.Helper()
	network, protocol := "ip4:icmp", 1
	var request, reply icmp.Type = ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply
	if to.Is6() {
		network, protocol = "ip6:ipv6-icmp", 58
		request, reply = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	var conn *icmp.PacketConn
	p.do(func() (err error) {
		conn, err = icmp.ListenPacket(network, from.String())
		return err
	})
	defer func() { _ = conn.Close() }()
	message := icmp.Message{Type: request, Body: &icmp.Echo{ID: 1, Seq: 1, Data: []byte("hello")}}
	wire, err := message.Marshal(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := conn.WriteTo(wire, &net.IPAddr{IP: to.AsSlice()}); err != nil {
		p.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	for buffer := make([]byte, 1500); ; {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			p.t.Fatal(err)
		}
		if got, err := icmp.ParseMessage(protocol, buffer[:n]); err == nil && got.Type == reply {
			return
		}
	}
}
