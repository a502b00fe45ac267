// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
)

const testSlot = 0x010203

// entry is one flow as the map holds it.
type entry struct {
	local, remote    string // address:port
	protocol         uint8
	tx, rx           count
	state            uint32
	opened           uint32
	txFlags, rxFlags uint8
}

type count struct{ packets, bytes uint64 }

func unpack(word uint64) count {
	return count{word >> CountShift, word & (1<<CountShift - 1)}
}

// Bits of flow.h's state that tests look at.
const (
	startedLocal    = 1 << 16
	startedRemote   = 1 << 17
	firstLocal      = 1 << 20
	firstRemote     = 1 << 21
	refusedByRemote = 1 << 25
	refusedByLocal  = 1 << 26
	fragment        = 1 << 27
	sent            = 1 << 28
	received        = 1 << 29
)

func port(networkOrder uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], networkOrder)
	return binary.BigEndian.Uint16(b[:])
}

func address(words ...uint32) netip.Addr {
	var b []byte
	for _, w := range words {
		b = binary.NativeEndian.AppendUint32(b, w)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func makeEntry(local, remote netip.Addr, localPort, remotePort uint16, slotProtocol uint32, f FlowFlow4) entry {
	if slotProtocol>>8 != testSlot {
		panic(fmt.Sprintf("slot %#x: want %#x", slotProtocol>>8, testSlot))
	}
	protocol := uint8(slotProtocol)
	if protocol != icmp && protocol != icmpv6 {
		localPort, remotePort = port(localPort), port(remotePort)
	}
	return entry{
		local: netip.AddrPortFrom(local, localPort).String(), remote: netip.AddrPortFrom(remote, remotePort).String(),
		protocol: protocol, tx: unpack(f.Flow.Tx), rx: unpack(f.Flow.Rx), opened: f.Flow.Opened,
		state: f.Flow.State &^ 0xffff, txFlags: uint8(f.Flow.State), rxFlags: uint8(f.Flow.State >> 8),
	}
}

// entries reads both maps, sorted, after what was counted by CPU is settled.
func (l *loaded) entries(tb testing.TB) []entry {
	tb.Helper()
	l.flush(tb)
	var list []entry
	var k4 FlowKey4
	var v4 FlowFlow4
	all := l.Flows4.Iterate()
	for all.Next(&k4, &v4) {
		list = append(list, makeEntry(address(k4.Local), address(k4.Remote), k4.LocalPort, k4.RemotePort, k4.SlotProtocol, v4))
	}
	if err := all.Err(); err != nil {
		tb.Fatal(err)
	}
	var k6 FlowKey6
	var v6 FlowFlow6
	all = l.Flows6.Iterate()
	for all.Next(&k6, &v6) {
		list = append(list, makeEntry(address(k6.Local[:]...), address(k6.Remote[:]...), k6.LocalPort, k6.RemotePort, k6.SlotProtocol, FlowFlow4{Flow: v6.Flow}))
	}
	if err := all.Err(); err != nil {
		tb.Fatal(err)
	}
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.local+a.remote, b.local+b.remote) })
	return list
}

func (l *loaded) losses(t *testing.T) FlowLosses {
	t.Helper()
	var perCPU []FlowLosses
	if err := l.LossCounts.Lookup(uint32(0), &perCPU); err != nil {
		t.Fatal(err)
	}
	var sum FlowLosses
	for _, cpu := range perCPU {
		sum.MapFull += cpu.MapFull
		sum.LostPackets += cpu.LostPackets
		sum.LostBytes += cpu.LostBytes
		sum.Unparsed += cpu.Unparsed
		sum.DnsLost += cpu.DnsLost
	}
	return sum
}

// seen is one packet and the direction in which the program sees it.
type seen struct {
	out   bool
	frame []byte
}

func out(p packet) seen   { return seen{true, p.ethernet()} }
func in(p packet) seen    { return seen{false, p.ethernet()} }
func rawIn(b []byte) seen { return seen{false, b} }

// ends are a pod and a far end of one address family.
type ends struct {
	pod, far netip.AddrPort
	header   uint64 // bytes of the IP header
	icmp     uint8
}

var (
	family4 = ends{netip.MustParseAddrPort("10.0.0.2:43210"), netip.MustParseAddrPort("10.0.1.2:8080"), 20, icmp}
	family6 = ends{netip.MustParseAddrPort("[fd00::2]:43210"), netip.MustParseAddrPort("[fd00:1::2]:8080"), 40, icmpv6}
)

func (e ends) to(protocol, flags uint8, payload int) packet {
	return packet{from: e.pod, to: e.far, protocol: protocol, flags: flags, payload: make([]byte, payload)}
}

func (e ends) back(protocol, flags uint8, payload int) packet {
	return packet{from: e.far, to: e.pod, protocol: protocol, flags: flags, payload: make([]byte, payload)}
}

// message is an ICMP message of 8 bytes and what it quotes.
func (e ends) message(from, to netip.AddrPort, kind, code uint8, quoted []byte) packet {
	return packet{from: from, to: to, protocol: e.icmp, transport: append([]byte{kind, code, 0, 0, 0, 0, 0, 0}, quoted...)}
}

func (e ends) pick(v4, v6 uint8) uint8 {
	if e.icmp == icmp {
		return v4
	}
	return v6
}

func (e ends) noPorts() (local, remote string) {
	return netip.AddrPortFrom(e.pod.Addr(), 0).String(), netip.AddrPortFrom(e.far.Addr(), 0).String()
}

// forBoth runs a test for IPv4 and IPv6.
func forBoth(t *testing.T, test func(t *testing.T, e ends)) {
	t.Run("IPv4", func(t *testing.T) { test(t, family4) })
	t.Run("IPv6", func(t *testing.T) { test(t, family6) })
}

func TestCounts(t *testing.T) {
	type story struct {
		name     string
		packets  []seen
		want     []entry
		unparsed uint64
	}
	stories := func(e ends) []story {
		local, remote := e.pod.String(), e.far.String()
		bareLocal, bareRemote := e.noPorts()
		router := netip.AddrPortFrom(e.far.Addr().Next(), 0)
		echo, echoReply := e.pick(8, 128), e.pick(0, 129)
		h := e.header
		ping := func(starter uint16) (string, string) {
			return netip.AddrPortFrom(e.pod.Addr(), uint16(echo)<<8).String(), netip.AddrPortFrom(e.far.Addr(), starter).String()
		}
		pingedLocal, pingedRemote := ping(1)
		wasPingedLocal, wasPingedRemote := ping(2)
		return []story{
			{
				"TCP from the pod",
				[]seen{out(e.to(tcp, syn, 0)), in(e.back(tcp, syn|ack, 0)), out(e.to(tcp, ack, 100)), out(e.to(tcp, fin|ack, 0)), in(e.back(tcp, ack, 1000))},
				[]entry{{local, remote, tcp, count{3, 3*h + 60 + 100}, count{2, 2*h + 40 + 1000}, startedLocal | sent | received, 1, syn | ack | fin, syn | ack}},
				0,
			},
			{
				"TCP to the pod",
				[]seen{in(e.back(tcp, syn, 0)), out(e.to(tcp, rst|ack, 0))},
				[]entry{{local, remote, tcp, count{1, h + 20}, count{1, h + 20}, startedRemote | sent | received, 1, rst | ack, syn}},
				0,
			},
			{
				"TCP that was open before says nothing of its start",
				[]seen{out(e.to(tcp, ack, 5))},
				[]entry{{local, remote, tcp, count{1, h + 25}, count{}, sent, 0, ack, 0}},
				0,
			},
			{
				"TCP whose SYN was missed",
				[]seen{in(e.back(tcp, syn|ack, 0))},
				[]entry{{local, remote, tcp, count{}, count{1, h + 20}, startedLocal | received, 1, 0, syn | ack}},
				0,
			},
			{
				"a SYN sent again is no second connection",
				[]seen{out(e.to(tcp, syn, 0)), out(e.to(tcp, syn, 0))},
				[]entry{{local, remote, tcp, count{2, 2*h + 40}, count{}, startedLocal | sent, 1, syn, 0}},
				0,
			},
			{
				"the same ports after a reset are a second connection",
				[]seen{out(e.to(tcp, syn, 0)), in(e.back(tcp, rst|ack, 0)), out(e.to(tcp, syn, 0)), in(e.back(tcp, syn|ack, 0))},
				[]entry{{local, remote, tcp, count{2, 2*h + 40}, count{2, 2*h + 40}, startedLocal | sent | received, 2, syn, syn | ack}},
				0,
			},
			{
				"UDP from the pod",
				[]seen{out(e.to(udp, 0, 10)), in(e.back(udp, 0, 20)), out(e.to(udp, 0, 30))},
				[]entry{{local, remote, udp, count{2, 2*h + 56}, count{1, h + 28}, firstLocal | sent | received, 1, 0, 0}},
				0,
			},
			{
				"UDP to the pod",
				[]seen{in(e.back(udp, 0, 10))},
				[]entry{{local, remote, udp, count{}, count{1, h + 18}, firstRemote | received, 1, 0, 0}},
				0,
			},
			{
				"UDP-Lite",
				[]seen{out(e.to(udpLite, 0, 10))},
				[]entry{{local, remote, udpLite, count{1, h + 18}, count{}, firstLocal | sent, 1, 0, 0}},
				0,
			},
			{
				"SCTP: INIT, INIT ACK, ABORT",
				[]seen{
					out(e.sctp(true, 1)), in(e.sctp(false, 2)), in(e.sctp(false, 6)),
				},
				[]entry{{local, remote, sctp, count{1, h + 16}, count{2, 2*h + 32}, startedLocal | sent | received, 1, syn, syn | ack | rst}},
				0,
			},
			{
				"a protocol by number has no ports",
				[]seen{out(packet{from: e.pod, to: e.far, protocol: 47, transport: []byte{1, 2, 3, 4, 5, 6, 7, 8}})},
				[]entry{{bareLocal, bareRemote, 47, count{1, h + 8}, count{}, firstLocal | sent, 1, 0, 0}},
				0,
			},
			{
				"pings both ways are two flows",
				[]seen{
					out(e.message(e.pod, e.far, echo, 0, nil)), in(e.message(e.far, e.pod, echoReply, 0, nil)),
					in(e.message(e.far, e.pod, echo, 0, nil)), out(e.message(e.pod, e.far, echoReply, 0, nil)), in(e.message(e.far, e.pod, echo, 0, nil)),
				},
				[]entry{
					{pingedLocal, pingedRemote, e.icmp, count{1, h + 8}, count{1, h + 8}, startedLocal | sent | received, 1, 0, 0},
					{wasPingedLocal, wasPingedRemote, e.icmp, count{1, h + 8}, count{2, 2*h + 16}, startedRemote | sent | received, 1, 0, 0},
				},
				0,
			},
			{
				"an ICMP error counts with the flow that it is about",
				[]seen{out(e.to(udp, 0, 4)), in(e.message(router, e.pod, e.pick(3, 1), e.pick(3, 4), e.to(udp, 0, 4).ip()))},
				[]entry{{local, remote, udp, count{1, h + 12}, count{1, 2*h + 20}, firstLocal | sent | refusedByRemote, 1, 0, 0}},
				0,
			},
			{
				"so does the one that the pod sends",
				[]seen{in(e.back(udp, 0, 4)), out(e.message(e.pod, e.far, e.pick(3, 1), e.pick(3, 4), e.back(udp, 0, 4).ip()))},
				[]entry{{local, remote, udp, count{1, 2*h + 20}, count{1, h + 12}, firstRemote | received | refusedByLocal, 1, 0, 0}},
				0,
			},
			{
				"a packet too big or out of hops is not refused",
				[]seen{
					out(e.to(tcp, syn, 0)),
					in(e.message(router, e.pod, e.pick(3, 2), e.pick(4, 0), e.to(tcp, syn, 0).ip()[:e.header+8])),
					in(e.message(router, e.pod, e.pick(11, 3), 0, e.to(tcp, syn, 0).ip()[:e.header+8])),
				},
				[]entry{{local, remote, tcp, count{1, h + 20}, count{2, 4*h + 32}, startedLocal | sent, 1, syn, 0}},
				0,
			},
			{
				"VLAN tags, one and two",
				[]seen{
					out(tagged(e.to(udp, 0, 1), 7)), out(tagged(e.to(udp, 0, 1), 7, 9)),
				},
				[]entry{{local, remote, udp, count{2, 2*h + 18}, count{}, firstLocal | sent, 1, 0, 0}},
				0,
			},
			{
				"Ethernet padding is not counted",
				[]seen{rawIn(append(e.back(udp, 0, 0).ethernet(), make([]byte, 18)...))},
				[]entry{{local, remote, udp, count{}, count{1, h + 8}, firstRemote | received, 1, 0, 0}},
				0,
			},
			{
				"a TCP header that is cut short",
				[]seen{out(packet{from: e.pod, to: e.far, protocol: tcp, transport: []byte{1, 2, 3, 4, 5, 6, 7, 8}})},
				nil, 1,
			},
			{
				"ARP and unknown EtherTypes",
				[]seen{rawIn(append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6}, make([]byte, 46)...))},
				nil, 0,
			},
		}
	}
	r := newRig(t)
	forBoth(t, func(t *testing.T, e ends) {
		for _, s := range stories(e) {
			t.Run(s.name, func(t *testing.T) { r.tell(t, s.packets, s.want, s.unparsed) })
		}
	})
}

// rig is the programs with and without counting by CPU, used story after story.
type rig [2]*loaded

func newRig(t *testing.T) rig {
	t.Helper()
	var r rig
	for cached := range r {
		r[cached] = loadWith(t, options{testSlot, 64, 1 << 20, 0, uint8(cached)})
	}
	return r
}

// tell has the programs see packets, compares what they then hold, and empties
// them.
func (r rig) tell(t *testing.T, packets []seen, want []entry, unparsed uint64) {
	t.Helper()
	pin(t)
	for cached, l := range r {
		before := l.losses(t)
		for _, s := range packets {
			program := l.FlowIngress
			if s.out {
				program = l.FlowEgress
			}
			l.run(t, program, s.frame)
		}
		if diff := cmp.Diff(want, l.entries(t), cmp.AllowUnexported(entry{}, count{})); diff != "" {
			t.Errorf("cached %d: %s", cached, diff)
		}
		after := before
		after.Unparsed += unparsed
		if got := l.losses(t); got != after {
			t.Errorf("cached %d: losses %+v: want %+v", cached, got, after)
		}
		empty[FlowKey4](t, l.Flows4)
		empty[FlowKey6](t, l.Flows6)
		empty[FlowFragment4](t, l.Fragments4)
		empty[FlowFragment6](t, l.Fragments6)
	}
}

func empty[K any](t *testing.T, m *ebpf.Map) {
	t.Helper()
	for {
		var k K
		err := m.NextKey(nil, &k)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return
		}
		if err == nil {
			err = m.Delete(&k)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func tagged(p packet, tags ...uint16) packet {
	p.tags = tags
	return p
}

func (e ends) sctp(out bool, chunk byte) packet {
	p := packet{from: e.far, to: e.pod, protocol: sctp}
	if out {
		p.from, p.to = p.to, p.from
	}
	p.transport = binary.BigEndian.AppendUint16(nil, p.from.Port())
	p.transport = binary.BigEndian.AppendUint16(p.transport, p.to.Port())
	p.transport = append(p.transport, 0, 0, 0, 0, 0, 0, 0, 0, chunk, 0, 0, 4)
	return p
}
