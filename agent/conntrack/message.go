// SPDX-License-Identifier: Apache-2.0

//go:build linux

package conntrack

import (
	"encoding/binary"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
)

// Attributes of nfnetlink_conntrack.
const (
	tupleOriginal = 1
	tupleReply    = 2

	tupleIP    = 1
	tupleProto = 2

	ipv4Source = 1
	ipv4Target = 2
	ipv6Source = 3
	ipv6Target = 4

	protoNumber = 1
	protoSource = 2
	protoTarget = 3

	nested        = 1 << 15
	genericHeader = 4 // struct nfgenmsg
)

// tuple is one direction of a connection, as its packets have it.
type tuple struct {
	source, target netip.AddrPort
	protocol       uint8
}

// connection is what one message tells.
type connection struct{ original, reply tuple }

// parseMessage reads the body of a message; false for one that tells no whole
// connection of a protocol with ports.
func parseMessage(body []byte) (c connection, ok bool) {
	if len(body) < genericHeader {
		return c, false
	}
	attrs, err := nl.ParseRouteAttr(body[genericHeader:])
	if err != nil {
		return c, false
	}
	for _, a := range attrs {
		switch a.Attr.Type &^ nested {
		case tupleOriginal:
			c.original = parseTuple(a.Value)
		case tupleReply:
			c.reply = parseTuple(a.Value)
		}
	}
	return c, c.original.whole() && c.reply.whole() && c.original.protocol == c.reply.protocol
}

func (t tuple) whole() bool { return t.source.IsValid() && t.target.IsValid() && t.protocol != 0 }

func parseTuple(b []byte) tuple {
	var source, target netip.Addr
	var from, to uint16
	var t tuple
	each(b, func(kind uint16, value []byte) {
		each(value, func(inner uint16, v []byte) {
			switch {
			case kind == tupleIP && (inner == ipv4Source || inner == ipv6Source):
				source, _ = netip.AddrFromSlice(v) // the zero value where the length is wrong
			case kind == tupleIP && (inner == ipv4Target || inner == ipv6Target):
				target, _ = netip.AddrFromSlice(v)
			case kind == tupleProto && inner == protoNumber && len(v) >= 1:
				t.protocol = v[0]
			case kind == tupleProto && inner == protoSource && len(v) >= 2:
				from = binary.BigEndian.Uint16(v)
			case kind == tupleProto && inner == protoTarget && len(v) >= 2:
				to = binary.BigEndian.Uint16(v)
			}
		})
	})
	if source.IsValid() && target.IsValid() && from != 0 && to != 0 {
		t.source, t.target = netip.AddrPortFrom(source, from), netip.AddrPortFrom(target, to)
	}
	return t
}

func each(b []byte, visit func(kind uint16, value []byte)) {
	attrs, err := nl.ParseRouteAttr(b)
	if err != nil {
		return
	}
	for _, a := range attrs {
		visit(a.Attr.Type&^nested, a.Value)
	}
}
