// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// The failsafe ports as Felix has them where its configuration does not say
// (failsafeInboundHostPorts and failsafeOutboundHostPorts in Calico's reference
// of FelixConfiguration).
var failsafePorts = [2][]calicov3.ProtoPort{
	Ingress: {
		{Protocol: "TCP", Port: 22},
		{Protocol: "UDP", Port: 68},
		{Protocol: "TCP", Port: 179},
		{Protocol: "TCP", Port: 2379},
		{Protocol: "TCP", Port: 2380},
		{Protocol: "TCP", Port: 5473},
		{Protocol: "TCP", Port: 6443},
		{Protocol: "TCP", Port: 6666},
		{Protocol: "TCP", Port: 6667},
	},
	Egress: {
		{Protocol: "UDP", Port: 53},
		{Protocol: "UDP", Port: 67},
		{Protocol: "TCP", Port: 179},
		{Protocol: "TCP", Port: 2379},
		{Protocol: "TCP", Port: 2380},
		{Protocol: "TCP", Port: 5473},
		{Protocol: "TCP", Port: 6443},
		{Protocol: "TCP", Port: 6666},
		{Protocol: "TCP", Port: 6667},
	},
}

// failsafe gives the failsafe ports of a node: those of the FelixConfiguration
// node.NAME, else of default, else Felix's own. An empty list means none.
func (w *calicoWorld) failsafe(d Direction, node string) []calicov3.ProtoPort {
	for _, name := range []string{"node." + node, "default"} {
		felix := w.felix[name]
		if felix == nil {
			continue
		}
		list := felix.Spec.FailsafeInboundHostPorts
		if d == Egress {
			list = felix.Spec.FailsafeOutboundHostPorts
		}
		if list != nil && failsafeFault(d, *list) == nil {
			return *list
		}
	}
	return failsafePorts[d]
}

func failsafeField(d Direction) path {
	return path{"spec", "failsafe" + map[Direction]string{Ingress: "Inbound", Egress: "Outbound"}[d] + "HostPorts"}
}

func failsafeFault(d Direction, list []calicov3.ProtoPort) *fault {
	for i, p := range list {
		at := failsafeField(d).with(i)
		protocol := numorstring.ProtocolFromString(p.Protocol)
		made, f := calicoProtocol(&protocol, at.with("protocol"))
		switch {
		case f != nil:
			return f
		case !made.HasPorts():
			return faultAt(at.with("protocol"), "%s has no ports; use TCP, UDP or SCTP", made)
		case p.Net != "":
			if _, f := netOrAddress(p.Net, at.with("net")); f != nil {
				return f
			}
		}
	}
	return nil
}

// felixConfiguration tells what is wrong with what a configuration says of
// failsafe ports; Felix then goes by its own.
func (c *compiler) felixConfiguration(o *cluster.Object, f *calicov3.FelixConfiguration) {
	for d, list := range map[Direction]*[]calicov3.ProtoPort{Ingress: f.Spec.FailsafeInboundHostPorts, Egress: f.Spec.FailsafeOutboundHostPorts} {
		if list == nil {
			continue
		}
		if fault := failsafeFault(d, *list); fault != nil {
			c.problem(o, fault)
			c.doubt(c.calico.hostEnds(), fmt.Sprintf("%s of %s is not understood; the usual failsafe ports are assumed", fault.at, o.Ref))
		}
	}
}

// failsafeRules allows the failsafe ports of a node.
func (c *compiler) failsafeRules(d Direction, node string) []rule {
	open := clause{index: -1, text: "failsafe ports"}
	r := rule{action: ActionAllow}
	for _, p := range c.calico.failsafe(d, node) {
		protocol := numorstring.ProtocolFromString(p.Protocol)
		made, f := calicoProtocol(&protocol, nil)
		if f != nil {
			continue // failsafe gives only lists that are understood
		}
		item := port{interval: l4.Ports(made, p.Port, p.Port), protocol: made, index: -1}
		if p.Net == "" {
			open.ports = append(open.ports, item)
			continue
		}
		if net, f := netOrAddress(p.Net, nil); f == nil {
			r.clauses = append(r.clauses, clause{peer: c.addresses(setOf(net), true), index: -1, text: "failsafe ports for " + p.Net, ports: []port{item}})
		}
	}
	if len(open.ports) > 0 {
		r.clauses = append(r.clauses, open)
	}
	if len(r.clauses) == 0 {
		return nil
	}
	return []rule{r}
}
