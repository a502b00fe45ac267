// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

// TestEveryTupleIsSeen sends one datagram on each of 40,000 tuples: both ends
// have every one that crossed their interface, to the byte.
func TestEveryTupleIsSeen(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		const sockets, ports, payload = 4, 10_000, 7
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		c := watch(t, nil)
		before := packetsIn(t, server)
		cs, ss := attach(t, c, client), attach(t, c, server)
		f := make(flows)
		for range sockets {
			client.do(func() error {
				conn, err := net.ListenPacket("udp", netip.AddrPortFrom(addr(client), 0).String())
				if err != nil {
					return err
				}
				defer func() { _ = conn.Close() }()
				for i := range ports {
					to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr(server), uint16(20_000+i)))
					if _, err := conn.WriteTo(make([]byte, payload), to); err != nil {
						return err
					}
				}
				return nil
			})
			if err := c.Drain(t.Context(), f.add); err != nil { // in the midst of it
				t.Fatal(err)
			}
		}
		if err := c.Flush(t.Context(), f.add); err != nil {
			t.Fatal(err)
		}
		bytes := ipHeader(addr(client)) + 8 + payload
		var sent, arrived uint64
		for k, r := range f {
			switch {
			case k.protocol != 17:
				t.Fatalf("%+v", r)
			case k.slot == cs:
				if r.Tx != (Count{1, bytes}) || r.Connections != 1 {
					t.Fatalf("at the client: %+v: want one packet of %d bytes", r, bytes)
				}
				sent++
			case k.slot == ss:
				if r.Rx != (Count{1, bytes}) || r.Connections != 1 {
					t.Fatalf("at the server: %+v: want one packet of %d bytes", r, bytes)
				}
				arrived++
			}
		}
		if sent != sockets*ports {
			t.Errorf("%d flows at the client: want %d", sent, sockets*ports)
		}
		// A few of what crossed are neighbour discovery and ARP.
		if crossed := packetsIn(t, server) - before; arrived > crossed || arrived+20 < crossed {
			t.Errorf("%d flows at the server, whose interface took in %d packets", arrived, crossed)
		}
		if l, err := c.Losses(); err != nil || l != (Losses{}) {
			t.Errorf("losses %+v, %v", l, err)
		}
	})
}

// packetsIn is what a pod's interface has taken in.
func packetsIn(t *testing.T, p *pod) (packets uint64) {
	t.Helper()
	p.do(func() error {
		device, err := netlink.LinkByName("eth0")
		if err == nil {
			packets = device.Attrs().Statistics.RxPackets
		}
		return err
	})
	return packets
}
