// SPDX-License-Identifier: Apache-2.0

package l4

import (
	"fmt"
	"strings"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Range is a run of ports of one protocol, for people and programs that think
// protocol by protocol. For ICMP the bounds are type<<8|code.
type Range struct {
	Protocol    flow.Protocol
	First, Last uint16
}

// Whole says whether the range is all that the protocol has.
func (r Range) Whole() bool {
	return r.Last == 0xFFFF && (r.First == 0 || (r.First == 1 && r.Protocol.HasPorts()))
}

// String gives "TCP 80", "TCP 8000-8100", "TCP any port", "ICMP type 8".
func (r Range) String() string {
	switch {
	case r.Whole() && r.Protocol.HasPorts():
		return r.Protocol.String() + " any port"
	case r.Whole():
		return protocolText(r.Protocol)
	case r.Protocol == flow.ICMP || r.Protocol == flow.ICMPv6:
		return r.Protocol.String() + " " + icmpText(r.First, r.Last)
	case r.First == r.Last:
		return fmt.Sprintf("%s %d", r.Protocol, r.First)
	default:
		return fmt.Sprintf("%s %d-%d", r.Protocol, r.First, r.Last)
	}
}

func protocolText(p flow.Protocol) string {
	if name := p.String(); name[0] > '9' {
		return name
	}
	return fmt.Sprintf("protocol %d", p)
}

func icmpText(first, last uint16) string {
	switch {
	case first == last:
		return fmt.Sprintf("type %d code %d", first>>8, first&0xFF)
	case first>>8 == last>>8 && first&0xFF == 0 && last&0xFF == 0xFF:
		return fmt.Sprintf("type %d", first>>8)
	case first&0xFF == 0 && last&0xFF == 0xFF:
		return fmt.Sprintf("types %d-%d", first>>8, last>>8)
	default:
		return fmt.Sprintf("type %d code %d to type %d code %d", first>>8, first&0xFF, last>>8, last&0xFF)
	}
}

// Ranges splits the set protocol by protocol.
func (s Set) Ranges() []Range {
	var out []Range
	for _, i := range s {
		for p := i.First >> 16; p <= i.Last>>16; p++ {
			first, last := max(i.First, p<<16), min(i.Last, p<<16|0xFFFF)
			out = append(out, Range{flow.Protocol(p), uint16(first), uint16(last)})
		}
	}
	return out
}

// String gives the ranges as a person reads them: "TCP 80, 443; UDP 53". Runs
// of whole protocols are shortened to "protocols 18-131".
func (s Set) String() string {
	if s.Equal(All()) || s.Equal(Set{{0, Max}}) {
		return "any protocol and port"
	}
	if s.Empty() {
		return "nothing"
	}
	var parts []string
	run := -1 // first protocol of a run of whole unnamed protocols
	flush := func(next int) {
		switch {
		case run < 0:
		case run == next-1:
			parts = append(parts, protocolText(flow.Protocol(run)))
		default:
			parts = append(parts, fmt.Sprintf("protocols %d-%d", run, next-1))
		}
		run = -1
	}
	previous := -1
	for _, r := range s.Ranges() {
		whole := r.Whole() && !r.Protocol.HasPorts()
		if run >= 0 && (!whole || int(r.Protocol) != previous+1) {
			flush(previous + 1)
		}
		if whole && run < 0 {
			run = int(r.Protocol)
		} else if !whole {
			parts = append(parts, r.String())
		}
		previous = int(r.Protocol)
	}
	flush(previous + 1)
	return strings.Join(parts, ", ")
}
