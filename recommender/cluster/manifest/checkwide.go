// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	npav1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	npav1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// clusterWide checks the cluster-wide kinds as their CRDs would.
func (c *checker) clusterWide(object cluster.Typed) {
	switch p := object.(type) {
	case *npav1alpha1.AdminNetworkPolicy:
		c.priority(p.Spec.Priority)
		c.subjectV1(p.Spec.Subject)
		for i, r := range p.Spec.Ingress {
			c.ingressV1(index("spec.ingress", i), string(r.Action), true, r.From, r.Ports)
		}
		for i, r := range p.Spec.Egress {
			at := index("spec.egress", i)
			c.action(at, string(r.Action), "Allow", "Deny", "Pass")
			c.portsV1(at, r.Ports)
			for j, peer := range r.To {
				c.peerV1(index(at+".to", j), peer.Namespaces, peer.Pods, peer.Nodes, peer.Networks, len(peer.DomainNames))
			}
		}
	case *npav1alpha1.BaselineAdminNetworkPolicy:
		if p.Name != "default" {
			c.add("metadata.name", "name %q: the baseline policy must be called default", p.Name)
		}
		c.subjectV1(p.Spec.Subject)
		for i, r := range p.Spec.Ingress {
			c.ingressV1(index("spec.ingress", i), string(r.Action), false, r.From, r.Ports)
		}
		for i, r := range p.Spec.Egress {
			at := index("spec.egress", i)
			c.action(at, string(r.Action), "Allow", "Deny")
			c.portsV1(at, r.Ports)
			for j, peer := range r.To {
				c.peerV1(index(at+".to", j), peer.Namespaces, peer.Pods, peer.Nodes, peer.Networks, 0)
			}
		}
	case *npav1alpha2.ClusterNetworkPolicy:
		c.clusterPolicy(p.Spec)
	}
}

func (c *checker) priority(n int32) {
	if n < 0 || n > 1000 {
		c.add("spec.priority", "priority %d: want 0 to 1000", n)
	}
}

func (c *checker) action(field, got string, want ...string) {
	if !slices.Contains(want, got) {
		c.add(field+".action", "action %q: want %s", got, strings.Join(want, ", "))
	}
}

// oneOf: of the ways to name a subject or peer exactly one must be used; one
// that this version does not know would have been an unknown field.
func (c *checker) oneOf(field string, given ...bool) {
	n := 0
	for _, g := range given {
		if g {
			n++
		}
	}
	if n != 1 {
		c.add(field, "%d ways to select are given; want exactly one (namespaces, pods, …)", n)
	}
}

func (c *checker) subjectV1(s npav1alpha1.AdminNetworkPolicySubject) {
	c.oneOf("spec.subject", s.Namespaces != nil, s.Pods != nil)
	c.selector("spec.subject.namespaces", s.Namespaces)
	c.podsV1("spec.subject.pods", s.Pods)
}

func (c *checker) podsV1(field string, p *npav1alpha1.NamespacedPod) {
	if p != nil {
		c.selector(field+".namespaceSelector", &p.NamespaceSelector)
		c.selector(field+".podSelector", &p.PodSelector)
	}
}

func (c *checker) ingressV1(at, action string, pass bool, from []npav1alpha1.AdminNetworkPolicyIngressPeer, ports *[]npav1alpha1.AdminNetworkPolicyPort) {
	want := []string{"Allow", "Deny"}
	if pass {
		want = append(want, "Pass")
	}
	c.action(at, action, want...)
	c.portsV1(at, ports)
	for j, peer := range from {
		c.peerV1(index(at+".from", j), peer.Namespaces, peer.Pods, nil, nil, 0)
	}
}

func (c *checker) peerV1(at string, ns *metav1.LabelSelector, pods *npav1alpha1.NamespacedPod, nodes *metav1.LabelSelector, nets []npav1alpha1.CIDR, names int) {
	c.oneOf(at, ns != nil, pods != nil, nodes != nil, len(nets) > 0, names > 0)
	c.selector(at+".namespaces", ns)
	c.selector(at+".nodes", nodes)
	c.podsV1(at+".pods", pods)
	for i, n := range nets {
		c.prefix(index(at+".networks", i), string(n))
	}
}

func (c *checker) portsV1(at string, ports *[]npav1alpha1.AdminNetworkPolicyPort) {
	if ports == nil {
		return
	}
	for i, p := range *ports {
		field := index(at+".ports", i)
		c.oneOf(field, p.PortNumber != nil, p.NamedPort != nil, p.PortRange != nil)
		if n := p.PortNumber; n != nil {
			c.protocol(field+".portNumber.protocol", string(n.Protocol))
			c.number(field+".portNumber.port", n.Port)
		}
		if r := p.PortRange; r != nil {
			if r.Protocol != "" {
				c.protocol(field+".portRange.protocol", string(r.Protocol))
			}
			c.portRange(field+".portRange", r.Start, r.End)
		}
	}
}

func (c *checker) portRange(field string, start, end int32) {
	c.number(field+".start", start)
	c.number(field+".end", end)
	if end < start {
		c.add(field+".end", "the range ends (%d) before it begins (%d)", end, start)
	}
}

func (c *checker) clusterPolicy(spec npav1alpha2.ClusterNetworkPolicySpec) {
	if spec.Tier != npav1alpha2.AdminTier && spec.Tier != npav1alpha2.BaselineTier {
		c.add("spec.tier", "tier %q: want Admin or Baseline", spec.Tier)
	}
	c.priority(spec.Priority)
	c.oneOf("spec.subject", spec.Subject.Namespaces != nil, spec.Subject.Pods != nil)
	c.selector("spec.subject.namespaces", spec.Subject.Namespaces)
	c.podsV2("spec.subject.pods", spec.Subject.Pods)
	for i, r := range spec.Ingress {
		at := index("spec.ingress", i)
		c.action(at, string(r.Action), "Accept", "Deny", "Pass")
		c.protocolsV2(at, r.Protocols)
		for j, p := range r.From {
			c.peerV2(index(at+".from", j), p.Namespaces, p.Pods, nil, nil, 0)
		}
	}
	for i, r := range spec.Egress {
		at := index("spec.egress", i)
		c.action(at, string(r.Action), "Accept", "Deny", "Pass")
		c.protocolsV2(at, r.Protocols)
		for j, p := range r.To {
			c.peerV2(index(at+".to", j), p.Namespaces, p.Pods, p.Nodes, p.Networks, len(p.DomainNames))
		}
	}
}

func (c *checker) podsV2(field string, p *npav1alpha2.NamespacedPod) {
	if p != nil {
		c.selector(field+".namespaceSelector", &p.NamespaceSelector)
		c.selector(field+".podSelector", &p.PodSelector)
	}
}

func (c *checker) peerV2(at string, ns *metav1.LabelSelector, pods *npav1alpha2.NamespacedPod, nodes *metav1.LabelSelector, nets []npav1alpha2.CIDR, names int) {
	c.oneOf(at, ns != nil, pods != nil, nodes != nil, len(nets) > 0, names > 0)
	c.selector(at+".namespaces", ns)
	c.selector(at+".nodes", nodes)
	c.podsV2(at+".pods", pods)
	for i, n := range nets {
		c.prefix(index(at+".networks", i), string(n))
	}
}

func (c *checker) protocolsV2(at string, protocols []npav1alpha2.ClusterNetworkPolicyProtocol) {
	for i, p := range protocols {
		field := index(at+".protocols", i)
		c.oneOf(field, p.TCP != nil, p.UDP != nil, p.SCTP != nil, p.DestinationNamedPort != "")
		if p.TCP != nil {
			c.portV2(field+".tcp.destinationPort", p.TCP.DestinationPort)
		}
		if p.UDP != nil {
			c.portV2(field+".udp.destinationPort", p.UDP.DestinationPort)
		}
		if p.SCTP != nil {
			c.portV2(field+".sctp.destinationPort", p.SCTP.DestinationPort)
		}
	}
}

func (c *checker) portV2(field string, p *npav1alpha2.Port) {
	switch {
	case p == nil:
	case p.Range != nil && p.Number != 0:
		c.add(field, "a port has number and range; keep one")
	case p.Range != nil:
		c.portRange(field+".range", p.Range.Start, p.Range.End)
	default:
		c.number(field+".number", p.Number)
	}
}
