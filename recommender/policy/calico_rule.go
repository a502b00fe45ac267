// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// calicoRule compiles one rule. All that it says must hold at once: protocol,
// ports, and both entities; the entity on the policy's own side narrows its
// subjects.
func (c *compiler) calicoRule(ns string, d Direction, index int, r *calicov3.Rule) (rule, *fault) {
	at := path{"spec", lower(d), index}
	out := rule{index: index}
	var f *fault
	if out.action, f = calicoAction(r.Action, at.with("action")); f != nil {
		return rule{}, f
	}
	if r.IPVersion != nil {
		switch *r.IPVersion {
		case 4:
			out.family = family4
		case 6:
			out.family = family6
		default:
			return rule{}, faultAt(at.with("ipVersion"), "%d is not an IP version; use 4 or 6", *r.IPVersion)
		}
	}
	switch {
	case r.HTTP != nil:
		out.maybe = "it looks into HTTP requests"
	case len(r.Source.Ports)+len(r.Source.NotPorts) > 0:
		out.maybe = "it looks at the source port, which is not part of the question"
	}
	ports, not, f := c.calicoPorts(r, at)
	if f != nil {
		return rule{}, f
	}
	remote, local := &r.Source, &r.Destination
	remoteAt, localAt := at.with("source"), at.with("destination")
	if d == Egress {
		remote, local, remoteAt, localAt = local, remote, localAt, remoteAt
	}
	own, f := c.entity(ns, local, localAt)
	if f != nil {
		return rule{}, f
	}
	items, f := c.entityItems(ns, d, remote, remoteAt)
	if f != nil {
		return rule{}, f
	}
	for _, item := range items {
		made := clause{peer: item.peer, local: own, index: item.index, text: item.text, ports: ports, not: not}
		if item.ports != nil {
			made.ports = item.ports
		}
		out.clauses = append(out.clauses, made)
	}
	return out, nil
}

func calicoAction(a calicov3.Action, at path) (Action, *fault) {
	switch a {
	case calicov3.Allow:
		return ActionAllow, nil
	case calicov3.Deny:
		return ActionDeny, nil
	case calicov3.Pass:
		return ActionPass, nil
	case calicov3.Log:
		return ActionLog, nil
	default:
		return 0, faultAt(at, "%q is not an action; use Allow, Deny, Pass or Log", a)
	}
}

// calicoPorts compiles all that a rule says of protocol, destination ports and
// ICMP: what must match, and what must not.
func (c *compiler) calicoPorts(r *calicov3.Rule, at path) (ports, not []port, f *fault) {
	var protocol flow.Protocol
	if r.Protocol != nil {
		if protocol, f = calicoProtocol(r.Protocol, at.with("protocol")); f != nil {
			return nil, nil, f
		}
		ports = []port{{interval: l4.Ports(protocol, 0, math.MaxUint16), protocol: protocol, index: -1}}
	}
	if r.NotProtocol != nil {
		var unwanted flow.Protocol
		if unwanted, f = calicoProtocol(r.NotProtocol, at.with("notProtocol")); f != nil {
			return nil, nil, f
		}
		not = append(not, port{interval: l4.Ports(unwanted, 0, math.MaxUint16), protocol: unwanted, index: -1})
	}
	if needs := len(r.Destination.Ports) + len(r.Destination.NotPorts) + len(r.Source.Ports) + len(r.Source.NotPorts); needs > 0 && !protocol.HasPorts() {
		return nil, nil, faultAt(at.with("protocol"), "rules with ports need protocol TCP, UDP or SCTP")
	}
	if len(r.Destination.Ports) > 0 {
		if ports, f = c.calicoPortList(protocol, r.Destination.Ports, at.with("destination", "ports")); f != nil {
			return nil, nil, f
		}
	}
	refused, f := c.calicoPortList(protocol, r.Destination.NotPorts, at.with("destination", "notPorts"))
	if f != nil {
		return nil, nil, f
	}
	not = append(not, refused...)
	return c.calicoICMP(r, protocol, ports, not, at)
}

func (c *compiler) calicoICMP(r *calicov3.Rule, protocol flow.Protocol, ports, not []port, at path) ([]port, []port, *fault) {
	if (r.ICMP != nil || r.NotICMP != nil) && protocol != flow.ICMP && protocol != flow.ICMPv6 {
		return nil, nil, faultAt(at.with("protocol"), "rules with icmp or notICMP need protocol ICMP or ICMPv6")
	}
	if r.ICMP != nil {
		p, f := icmpPort(protocol, r.ICMP, at.with("icmp"))
		if f != nil {
			return nil, nil, f
		}
		ports = []port{p}
	}
	if r.NotICMP != nil {
		p, f := icmpPort(protocol, r.NotICMP, at.with("notICMP"))
		if f != nil {
			return nil, nil, f
		}
		not = append(not, p)
	}
	return ports, not, nil
}

func icmpPort(protocol flow.Protocol, i *calicov3.ICMPFields, at path) (port, *fault) {
	first, last := uint16(0), uint16(math.MaxUint16)
	switch {
	case i.Type == nil && i.Code != nil:
		return port{}, faultAt(at.with("code"), "code needs type")
	case i.Type != nil && (*i.Type < 0 || *i.Type > 254):
		return port{}, faultAt(at.with("type"), "ICMP type %d is not between 0 and 254", *i.Type)
	case i.Code != nil && (*i.Code < 0 || *i.Code > 255):
		return port{}, faultAt(at.with("code"), "ICMP code %d is not between 0 and 255", *i.Code)
	case i.Code != nil:
		first = uint16(*i.Type)<<8 | uint16(*i.Code)
		last = first
	case i.Type != nil:
		first = uint16(*i.Type) << 8
		last = first | 0xFF
	}
	return port{interval: l4.Ports(protocol, first, last), protocol: protocol, index: -1}, nil
}

func (c *compiler) calicoPortList(protocol flow.Protocol, list []numorstring.Port, at path) ([]port, *fault) {
	var out []port
	for i, p := range list {
		switch {
		case p.PortName != "":
			out = append(out, port{name: c.top.portName(p.PortName), protocol: protocol, index: i})
		case p.MinPort > p.MaxPort:
			return nil, faultAt(at.with(i), "the range %d:%d ends before it begins", p.MinPort, p.MaxPort)
		default:
			out = append(out, port{interval: l4.Ports(protocol, p.MinPort, p.MaxPort), protocol: protocol, index: i})
		}
	}
	return out, nil
}

// calicoProtocol reads a name in any case, or a number from 1 to 255.
func calicoProtocol(p *numorstring.Protocol, at path) (flow.Protocol, *fault) {
	protocol, err := flow.ParseProtocol(p.String())
	if err != nil {
		return 0, faultAt(at, "%s", err)
	}
	return protocol, nil
}

// calicoPlaces finds peers among nets, else at the entity, and ports among the
// destination's.
func calicoPlaces(ingress, egress []calicov3.Rule) places {
	rules := func(d Direction) []calicov3.Rule {
		if d == Egress {
			return egress
		}
		return ingress
	}
	return places{
		rule: rulePlace,
		peer: func(id AllowanceID) path {
			at, entity := rulePlace(id).with("source"), &rules(id.Direction)[id.Rule].Source
			if id.Direction == Egress {
				at, entity = rulePlace(id).with("destination"), &rules(id.Direction)[id.Rule].Destination
			}
			if id.Peer < len(entity.Nets) {
				return at.with("nets", id.Peer)
			}
			return at
		},
		port: func(id AllowanceID) path { return rulePlace(id).with("destination", "ports", id.Port) },
	}
}
