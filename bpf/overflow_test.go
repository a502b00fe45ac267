// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// skbContext is struct __sk_buff as BPF_PROG_TEST_RUN takes it; what is not
// named must be zero.
type skbContext struct {
	_        [41]uint32
	GSOSegs  uint32
	_        [2]uint32
	GSOSize  uint32
	_        uint32
	HWTstamp uint64
}

func TestSegmentsCountAsOnTheWire(t *testing.T) {
	forBoth(t, func(t *testing.T, e ends) {
		headers := e.header + 20
		for _, test := range []struct {
			name             string
			segments         uint32
			payload, size    int
			packets, onWires uint64
		}{
			{"three segments", 3, 1400, 500, 3, 1400 + 3*headers},
			{"segments that nobody has counted yet", 0, 1400, 500, 3, 1400 + 3*headers},
			{"one segment", 1, 400, 500, 1, 400 + headers},
			{"no segmentation", 0, 400, 0, 1, 400 + headers},
		} {
			t.Run(test.name, func(t *testing.T) {
				l := load(t, 64, 0)
				for range 2 { // a new flow, then a known one
					verdict, err := l.FlowEgress.Run(&ebpf.RunOptions{
						Data:    e.to(tcp, ack, test.payload).ethernet(),
						Context: &skbContext{GSOSegs: test.segments, GSOSize: uint32(test.size)},
					})
					if err != nil || int32(verdict) != -1 {
						t.Fatal(verdict, err)
					}
				}
				got := l.entries(t)
				if len(got) != 1 || got[0].tx != (count{2 * test.packets, 2 * test.onWires}) {
					t.Errorf("got %+v: want twice %d packets of %d bytes in all", got, test.packets, test.onWires)
				}
			})
		}
	})
}

// TestFullMapLosesNothing fills the flow map: what has no room there goes out
// by the ring buffer, and what has no room there either is counted.
func TestFullMapLosesNothing(t *testing.T) {
	forBoth(t, func(t *testing.T, e ends) {
		const room, flows, bytes = 16, 1000, 8
		l := load(t, room, 0)
		ring, err := ringbuf.NewReader(l.Events)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ring.Close() }()
		for i := range flows {
			p := e.to(udp, 0, bytes)
			p.transport = binary.BigEndian.AppendUint16(nil, uint16(1000+i))
			p.transport = append(p.transport, 0, 53, 0, 16, 0, 0)
			l.run(t, l.FlowEgress, p.ethernet())
		}
		var recorded, ringed uint64
		for _, got := range l.entries(t) {
			recorded += got.tx.packets
		}
		ring.SetDeadline(time.Unix(0, 1))
		for {
			event, err := ring.Read()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			ringed += overflowPackets(t, event.RawSample)
		}
		losses := l.losses(t)
		if recorded < room || recorded >= flows {
			t.Errorf("%d recorded: want the map's room of %d", recorded, room)
		}
		if losses.MapFull != flows-recorded || losses.LostPackets != 0 {
			t.Errorf("losses %+v: want map_full %d and nothing lost", losses, flows-recorded)
		}
		if recorded+ringed+losses.LostPackets != flows {
			t.Errorf("%d recorded, %d by the ring buffer, %d lost: want %d in all", recorded, ringed, losses.LostPackets, flows)
		}
	})
}

func overflowPackets(t *testing.T, event []byte) uint64 {
	t.Helper()
	switch kind := binary.NativeEndian.Uint32(event); kind {
	case 1:
		return unpack(binary.NativeEndian.Uint64(event[8+16:])).packets
	case 2:
		return unpack(binary.NativeEndian.Uint64(event[8+40:])).packets
	default:
		t.Fatalf("event of kind %d", kind)
		return 0
	}
}

// TestFullRingCountsLosses has a ring buffer of one page and nobody who reads.
func TestFullRingCountsLosses(t *testing.T) {
	needBPF(t)
	const flows, bytes = 500, 8
	l := loadWith(t, options{testSlot, 1, 4096, 0, 1})
	e := family4
	for i := range flows {
		p := e.to(udp, 0, bytes)
		p.transport = binary.BigEndian.AppendUint16(nil, uint16(1000+i))
		p.transport = append(p.transport, 0, 53, 0, 16, 0, 0)
		l.run(t, l.FlowEgress, p.ethernet())
	}
	var recorded uint64
	for _, got := range l.entries(t) {
		recorded += got.tx.packets
	}
	losses := l.losses(t)
	ringed := losses.MapFull - losses.LostPackets
	if ringed == 0 || losses.LostPackets == 0 {
		t.Fatalf("losses %+v: want some in the ring buffer and some lost", losses)
	}
	if recorded+ringed+losses.LostPackets != flows {
		t.Errorf("%d recorded and %+v: want %d in all", recorded, losses, flows)
	}
	if want := losses.LostPackets * (28 + bytes); losses.LostBytes != want {
		t.Errorf("%d bytes lost: want %d", losses.LostBytes, want)
	}
}

func TestDNSAnswersGoOut(t *testing.T) {
	forBoth(t, func(t *testing.T, e ends) {
		l := load(t, 64, 0)
		ring, err := ringbuf.NewReader(l.Events)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ring.Close() }()
		answer := e.back(udp, 0, 0)
		answer.transport = []byte{0, 53, byte(e.pod.Port() >> 8), byte(e.pod.Port()), 0, 21, 0, 0}
		answer.payload = []byte("a DNS answer!")
		query := e.to(udp, 0, 0)
		query.transport = []byte{byte(e.pod.Port() >> 8), byte(e.pod.Port()), 0, 53, 0, 8, 0, 0}

		l.run(t, l.FlowIngress, answer.ethernet()) // not asked for
		l.run(t, l.FlowEgress, query.ethernet())
		l.run(t, l.FlowIngress, answer.ethernet())
		ring.SetDeadline(time.Unix(0, 1))
		event, err := ring.Read()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(event.RawSample[16:]); got[:13] != "a DNS answer!" {
			t.Errorf("payload %q", got)
		}
		for i, want := range []uint32{3, testSlot, 13} {
			if got := binary.NativeEndian.Uint32(event.RawSample[4*i:]); got != want {
				t.Errorf("word %d of the event is %d: want %d", i, got, want)
			}
		}
		if _, err := ring.Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a second event (%v): the answer that nobody asked for must not go out", err)
		}
	})
}

func TestDNSAnswersOverTCP(t *testing.T) {
	forBoth(t, func(t *testing.T, e ends) {
		l := load(t, 64, 0)
		ring, err := ringbuf.NewReader(l.Events)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ring.Close() }()
		e.far = netip.AddrPortFrom(e.far.Addr(), 53)
		answer := func(payload string) packet {
			p := e.back(tcp, ack, 0)
			p.payload = []byte(payload)
			return p
		}
		l.run(t, l.FlowEgress, e.to(tcp, syn, 0).ethernet())
		l.run(t, l.FlowIngress, e.back(tcp, syn|ack, 0).ethernet())
		l.run(t, l.FlowIngress, answer("").ethernet())
		l.run(t, l.FlowIngress, answer("\x00\x0da DNS answer!").ethernet())
		l.run(t, l.FlowIngress, answer("\x00\x63only its beginning").ethernet())
		ring.SetDeadline(time.Unix(0, 1))
		for _, want := range []string{"\x00\x0da DNS answer!", "\x00\x63only its beginning"} {
			event, err := ring.Read()
			if err != nil {
				t.Fatal(err)
			}
			length := int(binary.NativeEndian.Uint32(event.RawSample[8:])) - 24
			port := binary.BigEndian.Uint16(event.RawSample[16+4:])
			if got := string(event.RawSample[16+24:]); length != len(want) || got[:length] != want || port != e.pod.Port() {
				t.Errorf("%d bytes for port %d: %q: want %q", length, port, got, want)
			}
		}
		if _, err := ring.Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a third event (%v): a packet without payload is none", err)
		}
		if losses := l.losses(t); losses.DnsLost != 0 {
			t.Errorf("losses %+v", losses)
		}
	})
}
