// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// packet is a crafted packet: what its headers say, and how to spell it.
type packet struct {
	from, to netip.AddrPort
	protocol uint8
	flags    uint8 // TCP
	payload  []byte
	tags     []uint16 // VLAN ids, outermost first
	options  []byte   // IPv4 options, a multiple of 4 bytes
	// extensions are IPv6 extension headers: number and whole header, whose
	// first byte is filled in.
	extensions []extension
	fragment   uint16 // IPv4: flags and offset
	id         uint16 // IPv4
	transport  []byte // in place of a transport header made from the above
}

type extension struct {
	number uint8
	bytes  []byte
}

const (
	icmp    = 1
	tcp     = 6
	udp     = 17
	icmpv6  = 58
	sctp    = 132
	udpLite = 136

	fin = 0x01
	syn = 0x02
	rst = 0x04
	ack = 0x10
)

func (p packet) ethernet() []byte {
	frame := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	for i, tag := range p.tags {
		kind := uint16(0x8100)
		if i == 0 && len(p.tags) > 1 {
			kind = 0x88a8
		}
		frame = binary.BigEndian.AppendUint16(frame, kind)
		frame = binary.BigEndian.AppendUint16(frame, tag)
	}
	if p.from.Addr().Is4() {
		return append(binary.BigEndian.AppendUint16(frame, 0x0800), p.ip()...)
	}
	return append(binary.BigEndian.AppendUint16(frame, 0x86dd), p.ip()...)
}

// ip is the packet without a link-layer header.
func (p packet) ip() []byte {
	if p.from.Addr().Is4() {
		return p.ipv4()
	}
	return p.ipv6()
}

func (p packet) ipv4() []byte {
	body := append([]byte(nil), p.options...)
	body = append(body, p.body()...)
	b := []byte{byte(0x45 + len(p.options)/4), 0}
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(body)))
	b = binary.BigEndian.AppendUint16(b, p.id)
	b = binary.BigEndian.AppendUint16(b, p.fragment)
	b = append(b, 64, p.protocol, 0, 0)
	b = append(b, p.from.Addr().AsSlice()...)
	b = append(b, p.to.Addr().AsSlice()...)
	return append(b, body...)
}

func (p packet) ipv6() []byte {
	var chain []byte
	next := p.protocol
	for _, x := range slices.Backward(p.extensions) {
		e := slices.Clone(x.bytes)
		e[0] = next
		next = x.number
		chain = slices.Concat(e, chain)
	}
	body := slices.Concat(chain, p.body())
	b := []byte{0x60, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	b = append(b, next, 64)
	b = append(b, p.from.Addr().AsSlice()...)
	b = append(b, p.to.Addr().AsSlice()...)
	return append(b, body...)
}

func (p packet) body() []byte {
	if p.transport != nil {
		return append(append([]byte(nil), p.transport...), p.payload...)
	}
	ports := binary.BigEndian.AppendUint16(nil, p.from.Port())
	ports = binary.BigEndian.AppendUint16(ports, p.to.Port())
	switch p.protocol {
	case tcp:
		ports = append(ports, 0, 0, 0, 1, 0, 0, 0, 1, 5<<4, p.flags, 1, 0, 0, 0, 0, 0)
	case udp, udpLite:
		ports = binary.BigEndian.AppendUint16(ports, uint16(8+len(p.payload)))
		ports = append(ports, 0, 0)
	}
	return append(ports, p.payload...)
}
