// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v3"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// kubernetes edits a NetworkPolicy.
type kubernetes struct {
	ref   cluster.Ref
	typed *networkingv1.NetworkPolicy
	// only says whether labels within a peer select the target and nobody else.
	only func(r ruleID, t target, peer int) bool
}

func (k kubernetes) types() (string, []string) {
	var names []string
	for _, t := range k.typed.Spec.PolicyTypes {
		names = append(names, string(t))
	}
	return "policyTypes", names
}

func (k kubernetes) shapes(d policy.Direction) []*ruleShape {
	var out []*ruleShape
	add := func(peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
		s := &ruleShape{id: ruleID{k.ref, d, len(out)}}
		for _, p := range peers {
			s.peers = append(s.peers, kubernetesPeerShape(p))
		}
		for _, p := range ports {
			s.ports = append(s.ports, kubernetesPortShape(p))
		}
		out = append(out, s)
	}
	if d == policy.Ingress {
		for _, r := range k.typed.Spec.Ingress {
			add(r.From, r.Ports)
		}
	} else {
		for _, r := range k.typed.Spec.Egress {
			add(r.To, r.Ports)
		}
	}
	return out
}

func kubernetesPeerShape(p networkingv1.NetworkPolicyPeer) peerShape {
	if p.IPBlock == nil {
		return peerShape{}
	}
	prefix, err := netip.ParsePrefix(p.IPBlock.CIDR)
	return peerShape{addresses: true, prefix: prefix, everybody: err == nil && prefix.Bits() == 0 && len(p.IPBlock.Except) == 0}
}

func kubernetesPortShape(p networkingv1.NetworkPolicyPort) portShape {
	s := portShape{protocol: flow.TCP}
	if p.Protocol != nil {
		s.protocol = protocolOf(*p.Protocol)
	}
	switch {
	case p.Port == nil:
		s.all = true
	case p.Port.Type == intstr.String:
		s.named = true
	default:
		s.first = uint16(p.Port.IntVal)
		s.last = s.first
		if p.EndPort != nil {
			s.last = uint16(*p.EndPort)
		}
	}
	return s
}

func (k kubernetes) rewrite(rule *yaml.Node, p plan) ([]*yaml.Node, error) {
	side := "from"
	if p.shape.id.direction == policy.Egress {
		side = "to"
	}
	peers, ports := edit.Field(rule, side), edit.Field(rule, "ports")
	if err := plainList(peers, len(p.shape.peers), side); err != nil {
		return nil, err
	}
	if err := plainList(ports, len(p.shape.ports), "ports"); err != nil {
		return nil, err
	}
	out := make([]*yaml.Node, 0, len(p.groups))
	main := p.main()
	for i, g := range p.groups {
		if i != main {
			out = append(out, k.extra(p, g, side, peers, ports))
		}
	}
	if len(rule.Content) == 0 { // {}: everybody, everywhere
		return append([]*yaml.Node{k.extra(p, p.groups[main], side, nil, nil)}, out...), nil
	}
	g := p.groups[main]
	k.narrow(rule, side, peers, k.peerNodes(p, g, peers, false))
	k.narrow(rule, "ports", ports, k.portNodes(p, g, ports, false))
	return append([]*yaml.Node{rule}, out...), nil
}

func plainList(n *yaml.Node, items int, name string) error {
	if n == nil && items == 0 || n != nil && n.Kind == yaml.SequenceNode && len(n.Content) == items || n != nil && items == 0 && n.Tag == "!!null" {
		return nil
	}
	return fmt.Errorf("the field %s is not written as a plain list", name)
}

// narrow sets a list of a rule. Items is nil where the list is left open.
func (k kubernetes) narrow(rule *yaml.Node, name string, list *yaml.Node, items []*yaml.Node) {
	switch {
	case items == nil:
	case list == nil || list.Kind != yaml.SequenceNode || len(list.Content) == 0:
		edit.SetField(rule, name, edit.List(items...))
	default:
		list.Content = items
	}
}

// peerNodes gives a group's peers: the author's items in their order, and in
// place of one that is narrowed what it is narrowed to. Nil stands for anyone.
func (k kubernetes) peerNodes(p plan, g group, list *yaml.Node, clone bool) []*yaml.Node {
	var out []*yaml.Node
	for i := -1; i < len(p.shape.peers); i++ {
		first := true
		for _, key := range g.peers {
			t := p.book.targets[key]
			switch {
			case t.anyone:
				return nil
			case t.original == i && i >= 0 && clone:
				out = append(out, edit.Clone(list.Content[i]))
			case t.original == i && i >= 0:
				out = append(out, list.Content[i])
			case t.original < 0 && p.source[key] == i:
				n := k.narrowed(p, key, list, i)
				if !clone {
					n.HeadComment = p.book.of(group{[]string{key}, g.ports}).text()
					if i >= 0 && first {
						n.HeadComment = joinComments(headComment(list.Content[i]), n.HeadComment)
					}
				}
				first = false
				out = append(out, n)
			}
		}
	}
	return out
}

// narrowed writes what a peer is narrowed to: where the author's selector of
// namespaces will do, by a podSelector beside it.
func (k kubernetes) narrowed(p plan, key string, list *yaml.Node, i int) *yaml.Node {
	t := p.book.targets[key]
	fresh := kubernetesPeer(t, k.ref.Namespace)
	if i < 0 {
		return fresh
	}
	restyle(fresh, list.Content[i])
	old := edit.Field(list.Content[i], "namespaceSelector")
	if old == nil || t.workload.IsZero() || !k.only(p.shape.id, t, i) {
		return fresh
	}
	n := edit.Clone(list.Content[i])
	clearComments(n)
	edit.SetField(n, "podSelector", edit.Field(fresh, "podSelector"))
	return n
}

// restyle writes labels on one line where the author did.
func restyle(fresh, like *yaml.Node) {
	flowing := false
	for _, name := range []string{"namespaceSelector", "podSelector"} {
		for _, inner := range []*yaml.Node{edit.Field(like, name), edit.Field(edit.Field(like, name), "matchLabels")} {
			flowing = flowing || inner != nil && len(inner.Content) > 0 && inner.Style&yaml.FlowStyle != 0
		}
	}
	if !flowing {
		return
	}
	for _, name := range []string{"namespaceSelector", "podSelector"} {
		if labels := edit.Field(edit.Field(fresh, name), "matchLabels"); labels != nil {
			edit.Flow(labels)
		}
	}
}

func (k kubernetes) portNodes(p plan, g group, list *yaml.Node, clone bool) []*yaml.Node {
	var out []*yaml.Node
	var fresh []portKey
	for _, key := range g.ports {
		s := p.book.ports[key]
		switch {
		case s.any:
			return nil
		case s.original >= 0 && clone:
			out = append(out, edit.Clone(list.Content[s.original]))
		case s.original >= 0:
			out = append(out, list.Content[s.original])
		default:
			fresh = append(fresh, s.portKey)
		}
	}
	for _, r := range runs(fresh) {
		n := kubernetesPort(r)
		if flowPorts(p.root) {
			edit.Flow(n)
		}
		out = append(out, n)
	}
	return out
}

// extra writes a group as a rule of its own.
func (k kubernetes) extra(p plan, g group, side string, peers, ports *yaml.Node) *yaml.Node {
	rule := edit.Map()
	if nodes := k.peerNodes(p, g, peers, true); nodes != nil {
		rule.Content = append(rule.Content, edit.Text(side), edit.List(nodes...))
	}
	if nodes := k.portNodes(p, g, ports, true); nodes != nil {
		rule.Content = append(rule.Content, edit.Text("ports"), edit.List(nodes...))
	}
	rule.HeadComment = p.book.of(g).text()
	return rule
}

// flowPorts says whether the author writes ports on one line: {protocol: TCP, port: 80}.
func flowPorts(n *yaml.Node) bool {
	if n == nil {
		return false
	}
	if ports := edit.Field(n, "ports"); ports != nil && len(ports.Content) > 0 && ports.Content[0].Kind == yaml.MappingNode {
		return ports.Content[0].Style&yaml.FlowStyle != 0
	}
	return slices.ContainsFunc(n.Content, flowPorts)
}
