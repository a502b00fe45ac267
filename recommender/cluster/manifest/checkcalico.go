// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"net/netip"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// calico checks what can be told without the policy engine; selectors are
// parsed, and refused, where they are compiled.
func (c *checker) calico(object cluster.Typed) {
	switch p := object.(type) {
	case *calicov3.NetworkPolicy:
		c.calicoPolicy(p.Spec.Types, p.Spec.Ingress, p.Spec.Egress)
	case *calicov3.GlobalNetworkPolicy:
		c.calicoPolicy(p.Spec.Types, p.Spec.Ingress, p.Spec.Egress)
	case *calicov3.StagedNetworkPolicy:
		c.staged(p.Spec.StagedAction)
		c.calicoPolicy(p.Spec.Types, p.Spec.Ingress, p.Spec.Egress)
	case *calicov3.StagedGlobalNetworkPolicy:
		c.staged(p.Spec.StagedAction)
		c.calicoPolicy(p.Spec.Types, p.Spec.Ingress, p.Spec.Egress)
	case *calicov3.StagedKubernetesNetworkPolicy:
		c.staged(p.Spec.StagedAction)
		c.kubernetes(networkingv1.NetworkPolicySpec{
			PodSelector: p.Spec.PodSelector, Ingress: p.Spec.Ingress, Egress: p.Spec.Egress, PolicyTypes: p.Spec.PolicyTypes,
		})
	case *calicov3.Profile:
		c.calicoRules("spec.ingress", p.Spec.Ingress)
		c.calicoRules("spec.egress", p.Spec.Egress)
	case *calicov3.NetworkSet:
		c.nets("spec.nets", p.Spec.Nets)
	case *calicov3.GlobalNetworkSet:
		c.nets("spec.nets", p.Spec.Nets)
	case *calicov3.HostEndpoint:
		c.hostEndpoint(p)
	case *calicov3.Tier:
		if a := p.Spec.DefaultAction; a != nil && *a != calicov3.Deny && *a != calicov3.Pass {
			c.add("spec.defaultAction", "default action %q: want Deny or Pass", *a)
		}
	}
}

func (c *checker) staged(a calicov3.StagedAction) {
	switch a {
	case "", calicov3.StagedActionSet, calicov3.StagedActionDelete, calicov3.StagedActionLearn, calicov3.StagedActionIgnore:
	default:
		c.add("spec.stagedAction", "staged action %q: want Set, Delete, Learn or Ignore", a)
	}
}

func (c *checker) hostEndpoint(p *calicov3.HostEndpoint) {
	for i, text := range p.Spec.ExpectedIPs {
		if _, err := netip.ParseAddr(text); err != nil {
			c.add(index("spec.expectedIPs", i), "%q is not an address", text)
		}
	}
	if p.Spec.Node == "" {
		c.add("spec.node", "the host endpoint names no node; add it")
	}
	if p.Spec.InterfaceName == "" && len(p.Spec.ExpectedIPs) == 0 {
		c.add("spec.interfaceName", "the host endpoint has neither interfaceName nor expectedIPs; add one")
	}
}

func (c *checker) calicoPolicy(types []calicov3.PolicyType, ingress, egress []calicov3.Rule) {
	for i, t := range types {
		if t != calicov3.PolicyTypeIngress && t != calicov3.PolicyTypeEgress {
			c.add(index("spec.types", i), "type %q: want Ingress or Egress", t)
		}
	}
	c.calicoRules("spec.ingress", ingress)
	c.calicoRules("spec.egress", egress)
}

func (c *checker) calicoRules(field string, rules []calicov3.Rule) {
	for i, r := range rules {
		at := index(field, i)
		switch r.Action {
		case calicov3.Allow, calicov3.Deny, calicov3.Log, calicov3.Pass:
		case "":
			c.add(at+".action", "the rule has no action; add Allow, Deny, Log or Pass")
		default:
			c.add(at+".action", "action %q: want Allow, Deny, Log or Pass", r.Action)
		}
		if r.IPVersion != nil && *r.IPVersion != 4 && *r.IPVersion != 6 {
			c.add(at+".ipVersion", "ipVersion %d: want 4 or 6", *r.IPVersion)
		}
		c.entity(at+".source", r.Source, hasPorts(r))
		c.entity(at+".destination", r.Destination, hasPorts(r))
		c.icmp(at, r)
	}
}

// hasPorts says whether a rule's protocol is one that has ports.
func hasPorts(r calicov3.Rule) bool {
	if r.Protocol == nil {
		return false
	}
	switch strings.ToUpper(r.Protocol.String()) {
	case "TCP", "UDP", "SCTP", "6", "17", "132":
		return true
	}
	return false
}

func (c *checker) entity(field string, e calicov3.EntityRule, ports bool) {
	c.nets(field+".nets", e.Nets)
	c.nets(field+".notNets", e.NotNets)
	if len(e.Ports) > 0 && !ports {
		c.add(field+".ports", "ports need a protocol that has them; add protocol: TCP, UDP or SCTP to the rule")
	}
	if len(e.NotPorts) > 0 && !ports {
		c.add(field+".notPorts", "ports need a protocol that has them; add protocol: TCP, UDP or SCTP to the rule")
	}
	for i, p := range e.Ports {
		if p.PortName == "" && p.MinPort > p.MaxPort {
			c.add(index(field+".ports", i), "the range ends before it begins")
		}
	}
	if e.Services == nil {
		return
	}
	if e.Services.Name == "" {
		c.add(field+".services", "services has no name; add it")
	}
	if len(e.Ports) > 0 || len(e.NotPorts) > 0 {
		c.add(field+".services", "services brings its own ports; take ports out, or the service")
	}
}

// icmp: "type and code are from 0 to 254 and 255; code needs type."
func (c *checker) icmp(field string, r calicov3.Rule) {
	for name, f := range map[string]*calicov3.ICMPFields{"icmp": r.ICMP, "notICMP": r.NotICMP} {
		if f == nil {
			continue
		}
		at := field + "." + name
		if f.Type != nil && (*f.Type < 0 || *f.Type > 254) {
			c.add(at+".type", "ICMP type %d: want 0 to 254", *f.Type)
		}
		if f.Code != nil && (*f.Code < 0 || *f.Code > 255) {
			c.add(at+".code", "ICMP code %d: want 0 to 255", *f.Code)
		}
		if f.Code != nil && f.Type == nil {
			c.add(at+".code", "an ICMP code needs a type; add it")
		}
	}
}

// nets reads Calico's networks: a CIDR, or an address that stands for itself.
func (c *checker) nets(field string, nets []string) {
	for i, text := range nets {
		if _, err := netip.ParseAddr(text); err == nil {
			continue
		}
		c.prefix(index(field, i), text)
	}
}
