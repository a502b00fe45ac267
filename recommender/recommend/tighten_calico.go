// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// calico edits a Calico NetworkPolicy or GlobalNetworkPolicy. One of its rules
// names one entity and one protocol, so a product of several becomes several
// rules, at the place of the one that they come from: order counts.
type calico struct {
	ref             cluster.Ref
	ingress, egress []calicov3.Rule
	directions      []calicov3.PolicyType
	only            func(i ruleID, t target, peer int) bool
}

func (c calico) types() (string, []string) {
	var names []string
	for _, t := range c.directions {
		names = append(names, string(t))
	}
	return "types", names
}

func (c calico) shapes(d policy.Direction) []*ruleShape {
	rules := c.ingress
	if d == policy.Egress {
		rules = c.egress
	}
	out := make([]*ruleShape, len(rules))
	for i := range rules {
		if rules[i].Action == calicov3.Allow {
			out[i] = c.shape(ruleID{c.ref, d, i}, &rules[i])
		}
	}
	return out
}

func (c calico) shape(id ruleID, r *calicov3.Rule) *ruleShape {
	s := &ruleShape{id: id}
	far := &r.Source
	if id.direction == policy.Egress {
		far = &r.Destination
	}
	// What is said by other means than selector, namespaceSelector and nets
	// stays as its author wrote it.
	fixed := far.NotSelector != "" || len(far.NotNets) > 0 || far.ServiceAccounts != nil || len(far.Nets) > 0 && (far.Selector != "" || far.NamespaceSelector != "")
	s.fixed = far.Services != nil || r.ICMP != nil || r.NotICMP != nil || r.HTTP != nil || r.NotProtocol != nil || len(r.Destination.NotPorts) > 0
	switch {
	case len(far.Nets) > 0:
		for _, net := range far.Nets {
			prefix, err := netip.ParsePrefix(net)
			s.peers = append(s.peers, peerShape{addresses: true, prefix: prefix, everybody: err == nil && prefix.Bits() == 0 && !fixed, fixed: fixed})
		}
	case far.Selector != "" || far.NamespaceSelector != "" || fixed || far.Services != nil:
		s.peers = []peerShape{{fixed: fixed}}
	}
	protocol := flow.TCP
	if r.Protocol != nil {
		if p, err := flow.ParseProtocol(r.Protocol.String()); err == nil {
			protocol = p
		}
	}
	for _, p := range r.Destination.Ports {
		s.ports = append(s.ports, calicoPortShape(protocol, p))
	}
	return s
}

func calicoPortShape(protocol flow.Protocol, p numorstring.Port) portShape {
	if p.PortName != "" {
		return portShape{protocol: protocol, named: true}
	}
	return portShape{protocol: protocol, first: p.MinPort, last: p.MaxPort}
}

// calicoPart is one rule to be: an entity, a protocol and its ports.
type calicoPart struct {
	peers    []string // keys; all of one namespace, or all addresses, or one original
	ports    []string
	protocol flow.Protocol // 0: as in the author's rule
}

func (c calico) rewrite(rule *yaml.Node, p plan) ([]*yaml.Node, error) {
	var parts []calicoPart
	main := p.main()
	for _, i := range append([]int{main}, slices.DeleteFunc(indexes(len(p.groups)), func(i int) bool { return i == main })...) {
		for _, peers := range c.entities(p, p.groups[i].peers) {
			for _, protocol := range protocols(p, p.groups[i].ports) {
				parts = append(parts, calicoPart{peers, portsOf(p, p.groups[i].ports, protocol), protocol})
			}
		}
	}
	if rule.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: the rule is not written as a plain mapping", rule.Line)
	}
	out := []*yaml.Node{rule}
	for range parts[1:] {
		out = append(out, edit.Clone(rule))
	}
	for i, part := range parts {
		if i > 0 {
			clearComments(out[i])
			out[i].HeadComment = p.book.of(group{part.peers, part.ports}).text()
		}
		c.narrow(out[i], p, part, i > 0)
	}
	return out, nil
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// entities splits peers into what one rule can name.
func (c calico) entities(p plan, peers []string) [][]string {
	at := map[string][]string{}
	for _, key := range peers {
		t := p.book.targets[key]
		kind := "3"
		switch {
		case t.anyone:
			kind = "0"
		case t.original >= 0 && !p.shape.peers[t.original].addresses:
			kind = "1"
		case !t.workload.IsZero():
			kind = "2" + t.workload.Namespace
		}
		at[kind] = append(at[kind], key)
	}
	var out [][]string
	for _, kind := range slices.Sorted(maps.Keys(at)) {
		out = append(out, at[kind])
	}
	return out
}

// protocols lists the protocols of a group that have to be written; 0 stands
// for what the author's rule says.
func protocols(p plan, ports []string) []flow.Protocol {
	var out []flow.Protocol
	for _, key := range ports {
		s := p.book.ports[key]
		protocol := s.protocol
		if s.any {
			protocol = 0
		}
		if !slices.Contains(out, protocol) {
			out = append(out, protocol)
		}
	}
	return out
}

func portsOf(p plan, ports []string, protocol flow.Protocol) []string {
	return slices.DeleteFunc(slices.Clone(ports), func(key string) bool {
		s := p.book.ports[key]
		if s.any {
			return protocol != 0
		}
		return s.protocol != protocol
	})
}
