// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestHeadersOutsideTheLinearPart sends jumbo packets of which the kernel keeps
// all but the Ethernet header where programs cannot look directly.
func TestHeadersOutsideTheLinearPart(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		const payload = 6000
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		c := watch(t, nil)
		cs := attach(t, c, client)
		client.do(func() error { return mtu("eth0", 9000) })
		w.node.do(func() error { return mtu("veth1", 9000) })
		frame := datagram(netip.AddrPortFrom(addr(client), 4000), netip.AddrPortFrom(addr(server), 5000), payload)
		client.do(func() error { return sendNonLinear("eth0", frame) })
		client.do(func() error { return sendNonLinear("eth0", frame) })

		got := flush(t, c).one(t, cs, 17, addr(server))
		want := Count{2, 2 * (ipHeader(addr(client)) + 8 + payload)}
		if got.Tx != want || got.LocalPort != 4000 || got.RemotePort != 5000 || got.Fragment {
			t.Errorf("got %+v: want to have sent %+v", got, want)
		}
		if l, err := c.Losses(); err != nil || l.Unparsed != 0 {
			t.Errorf("losses %+v, %v", l, err)
		}
	})
}

func mtu(name string, bytes int) error {
	device, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetMTU(device, bytes)
}

// datagram is a whole Ethernet frame to nobody's hardware address.
func datagram(from, to netip.AddrPort, payload int) []byte {
	frame := []byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8}
	length := 8 + payload
	if from.Addr().Is4() {
		frame = append(frame, 0x08, 0x00, 0x45, 0)
		frame = binary.BigEndian.AppendUint16(frame, uint16(20+length))
		frame = append(frame, 0, 0, 0, 0, 64, 17, 0, 0)
	} else {
		frame = append(frame, 0x86, 0xdd, 0x60, 0, 0, 0)
		frame = binary.BigEndian.AppendUint16(frame, uint16(length))
		frame = append(frame, 17, 64)
	}
	frame = append(frame, from.Addr().AsSlice()...)
	frame = append(frame, to.Addr().AsSlice()...)
	for _, word := range []uint16{from.Port(), to.Port(), uint16(length), 0} {
		frame = binary.BigEndian.AppendUint16(frame, word)
	}
	return append(frame, make([]byte, payload)...)
}

// sendNonLinear sends a frame of more than a page with a virtio header that
// says that only the Ethernet header need be linear.
func sendNonLinear(name string, frame []byte) error {
	device, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		return err
	}
	virtio := []byte{0, 0, 14, 0, 0, 0, 0, 0, 0, 0} // header length 14, nothing else
	return unix.Sendto(fd, append(virtio, frame...), 0, &unix.SockaddrLinklayer{
		Ifindex: device.Attrs().Index, Halen: 6,
	})
}
