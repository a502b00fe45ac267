// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"encoding/binary"
	"testing"
)

func TestIPv4Headers(t *testing.T) {
	r := newRig(t)
	e := family4
	local, remote := e.pod.String(), e.far.String()
	bareLocal, bareRemote := e.noPorts()
	withOptions := e.to(udp, 0, 1)
	withOptions.options = []byte{7, 7, 4, 0, 0, 0, 0, 1}
	const more = 0x2000
	fragmented := func(p packet, id, fragment uint16) packet {
		p.id, p.fragment = id, fragment
		return p
	}
	first := fragmented(e.to(udp, 0, 8), 77, more)
	later := packet{from: e.pod, to: e.far, protocol: udp, id: 77, fragment: 2, transport: make([]byte, 24)}
	stranger := packet{from: e.pod, to: e.far, protocol: udp, id: 78, fragment: 2, transport: make([]byte, 24)}
	for _, s := range []struct {
		name     string
		packets  []seen
		want     []entry
		unparsed uint64
	}{
		{
			"options",
			[]seen{out(withOptions)},
			[]entry{{local, remote, udp, count{1, 37}, count{}, firstLocal | sent, 1, 0, 0}},
			0,
		},
		{
			"a later fragment goes to the flow of its first",
			[]seen{out(first), out(later)},
			[]entry{{local, remote, udp, count{2, 36 + 44}, count{}, firstLocal | sent, 1, 0, 0}},
			0,
		},
		{
			"a later fragment without its first has no ports",
			[]seen{out(first), out(stranger)},
			[]entry{
				{bareLocal, bareRemote, udp, count{1, 44}, count{}, sent | fragment, 0, 0, 0},
				{local, remote, udp, count{1, 36}, count{}, firstLocal | sent, 1, 0, 0},
			},
			0,
		},
		{"a header length below 20", []seen{{true, patched(e.to(udp, 0, 1).ethernet(), 14, 0x44)}}, nil, 1},
		{"version 5", []seen{{true, patched(e.to(udp, 0, 1).ethernet(), 14, 0x55)}}, nil, 1},
		{"options that reach beyond the packet", []seen{{true, patched(e.to(udp, 0, 1).ethernet(), 14, 0x4f)}}, nil, 1},
	} {
		t.Run(s.name, func(t *testing.T) { r.tell(t, s.packets, s.want, s.unparsed) })
	}
}

// patched sets one byte.
func patched(frame []byte, at int, to byte) []byte {
	frame[at] = to
	return frame
}

func TestIPv6Headers(t *testing.T) {
	r := newRig(t)
	e := family6
	local, remote := e.pod.String(), e.far.String()
	bareLocal, bareRemote := e.noPorts()
	const hopByHop, routing, fragmentHeader, ah, noNext, options = 0, 43, 44, 51, 59, 60
	extended := func(p packet, list ...extension) packet {
		p.extensions = list
		return p
	}
	padded := func(number uint8, length int) extension { return extension{number, make([]byte, length)} }
	option := func(number uint8, length int) extension {
		e := padded(number, length)
		e.bytes[1] = byte(length/8 - 1)
		return e
	}
	authentication := padded(ah, 24)
	authentication.bytes[1] = 24/4 - 2
	fragmentOf := func(id uint32, offsetMore uint16) extension {
		b := binary.BigEndian.AppendUint16([]byte{0, 0}, offsetMore)
		return extension{fragmentHeader, binary.BigEndian.AppendUint32(b, id)}
	}
	many := func(n int) []extension {
		var list []extension
		for range n {
			list = append(list, option(options, 8))
		}
		return list
	}
	later := packet{from: e.pod, to: e.far, protocol: udp, transport: make([]byte, 24)}
	solicitation := packet{from: e.pod, to: e.far, protocol: icmpv6, transport: append([]byte{135, 0, 0, 0}, make([]byte, 20)...)}
	for _, s := range []struct {
		name     string
		packets  []seen
		want     []entry
		unparsed uint64
	}{
		{
			"hop-by-hop, routing, destination options, authentication",
			[]seen{out(extended(e.to(tcp, syn, 0), option(hopByHop, 8), option(routing, 24), option(options, 16), authentication))},
			[]entry{{local, remote, tcp, count{1, 40 + 72 + 20}, count{}, startedLocal | sent, 1, syn, 0}},
			0,
		},
		{
			"eight extensions",
			[]seen{out(extended(e.to(udp, 0, 0), many(8)...))},
			[]entry{{local, remote, udp, count{1, 40 + 64 + 8}, count{}, firstLocal | sent, 1, 0, 0}},
			0,
		},
		{"more than eight", []seen{out(extended(e.to(udp, 0, 0), many(9)...))}, nil, 1},
		{
			"an extension that reaches beyond the packet",
			[]seen{out(extended(e.to(udp, 0, 0), extension{options, []byte{0, 40, 0, 0, 0, 0, 0, 0}}))},
			nil, 1,
		},
		{
			"nothing follows",
			[]seen{out(packet{from: e.pod, to: e.far, protocol: noNext, transport: []byte{1}})},
			[]entry{{bareLocal, bareRemote, noNext, count{1, 41}, count{}, firstLocal | sent, 1, 0, 0}},
			0,
		},
		{
			"a fragment that is whole",
			[]seen{out(extended(e.to(udp, 0, 8), fragmentOf(9, 0)))},
			[]entry{{local, remote, udp, count{1, 64}, count{}, firstLocal | sent, 1, 0, 0}},
			0,
		},
		{
			"a later fragment goes to the flow of its first",
			[]seen{out(extended(e.to(udp, 0, 8), fragmentOf(9, 1))), out(extended(later, fragmentOf(9, 16)))},
			[]entry{{local, remote, udp, count{2, 64 + 72}, count{}, firstLocal | sent, 1, 0, 0}},
			0,
		},
		{
			"a later fragment without its first has no ports",
			[]seen{out(extended(later, fragmentOf(10, 16)))},
			[]entry{{bareLocal, bareRemote, udp, count{1, 72}, count{}, sent | fragment, 0, 0, 0}},
			0,
		},
		{"neighbour discovery is the link's upkeep", []seen{out(solicitation)}, nil, 0},
		{"a cut header", []seen{{true, tagged(e.to(udp, 0, 0), 7).ethernet()[:18+39]}}, nil, 1},
	} {
		t.Run(s.name, func(t *testing.T) { r.tell(t, s.packets, s.want, s.unparsed) })
	}
}
