// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// The three cluster-wide kinds, in their own words, to wideRules.

func adminSubject(s v1alpha1.AdminNetworkPolicySubject) wideSubject {
	return wideSubject{namespaces: s.Namespaces, pods: adminPods(s.Pods)}
}

func clusterSubject(s v1alpha2.ClusterNetworkPolicySubject) wideSubject {
	return wideSubject{namespaces: s.Namespaces, pods: clusterPods(s.Pods)}
}

func adminPods(p *v1alpha1.NamespacedPod) *namespacedPod {
	if p == nil {
		return nil
	}
	return &namespacedPod{p.NamespaceSelector, p.PodSelector}
}

func clusterPods(p *v1alpha2.NamespacedPod) *namespacedPod {
	if p == nil {
		return nil
	}
	return &namespacedPod{p.NamespaceSelector, p.PodSelector}
}

func adminRules(spec *v1alpha1.AdminNetworkPolicySpec) (out [2][]wideRule) {
	for _, r := range spec.Ingress {
		out[Ingress] = append(out[Ingress], wideRule{string(r.Action), adminSources(r.From), adminPorts(r.Ports)})
	}
	for _, r := range spec.Egress {
		rule := wideRule{action: string(r.Action), ports: adminPorts(r.Ports)}
		for _, p := range r.To {
			rule.peers = append(rule.peers, widePeer{p.Namespaces, adminPods(p.Pods), p.Nodes, stringsOf(p.Networks), stringsOf(p.DomainNames)})
		}
		out[Egress] = append(out[Egress], rule)
	}
	return out
}

func baselineRules(spec *v1alpha1.BaselineAdminNetworkPolicySpec) (out [2][]wideRule) {
	for _, r := range spec.Ingress {
		out[Ingress] = append(out[Ingress], wideRule{string(r.Action), adminSources(r.From), adminPorts(r.Ports)})
	}
	for _, r := range spec.Egress {
		rule := wideRule{action: string(r.Action), ports: adminPorts(r.Ports)}
		for _, p := range r.To {
			rule.peers = append(rule.peers, widePeer{p.Namespaces, adminPods(p.Pods), p.Nodes, stringsOf(p.Networks), nil})
		}
		out[Egress] = append(out[Egress], rule)
	}
	return out
}

func adminSources(from []v1alpha1.AdminNetworkPolicyIngressPeer) []widePeer {
	var out []widePeer
	for _, p := range from {
		out = append(out, widePeer{namespaces: p.Namespaces, pods: adminPods(p.Pods)})
	}
	return out
}

func adminPorts(ports *[]v1alpha1.AdminNetworkPolicyPort) []widePort {
	if ports == nil {
		return nil
	}
	var out []widePort
	for i, p := range *ports {
		item := widePort{at: path{"ports", i}}
		switch {
		case p.PortNumber != nil && p.NamedPort == nil && p.PortRange == nil:
			item.protocol, item.first, item.last = string(p.PortNumber.Protocol), p.PortNumber.Port, p.PortNumber.Port
			item.broken = zeroPort(item.first)
		case p.PortRange != nil && p.NamedPort == nil && p.PortNumber == nil:
			item.protocol, item.first, item.last = string(p.PortRange.Protocol), p.PortRange.Start, p.PortRange.End
			item.broken = zeroPort(item.first)
		case p.NamedPort != nil && *p.NamedPort != "" && p.PortNumber == nil && p.PortRange == nil:
			item.name = *p.NamedPort
		default:
			item.broken = "the port needs exactly one of portNumber, portRange and namedPort"
		}
		out = append(out, item)
	}
	return out
}

func zeroPort(n int32) string {
	if n == 0 {
		return "port 0 is not between 1 and 65535"
	}
	return ""
}

func clusterRules(spec *v1alpha2.ClusterNetworkPolicySpec) (out [2][]wideRule) {
	for _, r := range spec.Ingress {
		rule := wideRule{action: string(r.Action), ports: clusterPorts(r.Protocols)}
		for _, p := range r.From {
			rule.peers = append(rule.peers, widePeer{namespaces: p.Namespaces, pods: clusterPods(p.Pods)})
		}
		out[Ingress] = append(out[Ingress], rule)
	}
	for _, r := range spec.Egress {
		rule := wideRule{action: string(r.Action), ports: clusterPorts(r.Protocols)}
		for _, p := range r.To {
			rule.peers = append(rule.peers, widePeer{p.Namespaces, clusterPods(p.Pods), p.Nodes, stringsOf(p.Networks), stringsOf(p.DomainNames)})
		}
		out[Egress] = append(out[Egress], rule)
	}
	return out
}

func clusterPorts(protocols []v1alpha2.ClusterNetworkPolicyProtocol) []widePort {
	var out []widePort
	for i, p := range protocols {
		at := path{"protocols", i}
		switch {
		case p.TCP != nil && p.UDP == nil && p.SCTP == nil && p.DestinationNamedPort == "":
			out = append(out, clusterPort(at, "TCP", p.TCP.DestinationPort))
		case p.UDP != nil && p.TCP == nil && p.SCTP == nil && p.DestinationNamedPort == "":
			out = append(out, clusterPort(at, "UDP", p.UDP.DestinationPort))
		case p.SCTP != nil && p.TCP == nil && p.UDP == nil && p.DestinationNamedPort == "":
			out = append(out, clusterPort(at, "SCTP", p.SCTP.DestinationPort))
		case p.DestinationNamedPort != "" && p.TCP == nil && p.UDP == nil && p.SCTP == nil:
			out = append(out, widePort{at: at, name: p.DestinationNamedPort})
		default:
			out = append(out, widePort{at: at, broken: "the item needs exactly one of tcp, udp, sctp and destinationNamedPort"})
		}
	}
	return out
}

func clusterPort(at path, protocol string, p *v1alpha2.Port) widePort {
	item := widePort{at: at, protocol: protocol}
	switch {
	case p == nil:
	case p.Range != nil && p.Number == 0:
		item.first, item.last = p.Range.Start, p.Range.End
		item.broken = zeroPort(item.first)
	case p.Range == nil && p.Number != 0:
		item.first, item.last = p.Number, p.Number
	default:
		item.broken = "the port needs exactly one of number and range"
	}
	return item
}
