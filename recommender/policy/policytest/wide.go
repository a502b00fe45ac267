// SPDX-License-Identifier: Apache-2.0

package policytest

import (
	"net/netip"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/netcinch/netcinch/recommender/cluster"
)

var (
	patterns = []v1alpha2.DomainName{"example.com", "*.example.com", "*.pay.example.com", "example.org"}
	dnsNames = []string{"example.com", "a.example.com", "b.pay.example.com", "example.org", "other.net"}
)

func (d *Dice) widePods() *v1alpha2.NamespacedPod {
	return &v1alpha2.NamespacedPod{NamespaceSelector: d.labelSelector(), PodSelector: d.labelSelector()}
}

func (d *Dice) wideEgressPeer(allow bool) v1alpha2.ClusterNetworkPolicyEgressPeer {
	s := d.labelSelector()
	switch d.IntN(5) {
	case 0:
		return v1alpha2.ClusterNetworkPolicyEgressPeer{Namespaces: &s}
	case 1:
		return v1alpha2.ClusterNetworkPolicyEgressPeer{Nodes: &metav1.LabelSelector{}}
	case 2:
		return v1alpha2.ClusterNetworkPolicyEgressPeer{Networks: []v1alpha2.CIDR{v1alpha2.CIDR(Pick(d, blocks...)), v1alpha2.CIDR(Pick(d, blocks...))}}
	case 3:
		if allow {
			return v1alpha2.ClusterNetworkPolicyEgressPeer{DomainNames: []v1alpha2.DomainName{Pick(d, patterns...)}}
		}
	}
	return v1alpha2.ClusterNetworkPolicyEgressPeer{Pods: d.widePods()}
}

func (d *Dice) wideProtocols() []v1alpha2.ClusterNetworkPolicyProtocol {
	var out []v1alpha2.ClusterNetworkPolicyProtocol
	for d.Chance(40) {
		out = append(out, Pick(d,
			v1alpha2.ClusterNetworkPolicyProtocol{TCP: &v1alpha2.ClusterNetworkPolicyProtocolTCP{DestinationPort: &v1alpha2.Port{Number: 80}}},
			v1alpha2.ClusterNetworkPolicyProtocol{UDP: &v1alpha2.ClusterNetworkPolicyProtocolUDP{DestinationPort: &v1alpha2.Port{Range: &v1alpha2.PortRange{Start: 50, End: 80}}}},
			v1alpha2.ClusterNetworkPolicyProtocol{SCTP: &v1alpha2.ClusterNetworkPolicyProtocolSCTP{}},
			v1alpha2.ClusterNetworkPolicyProtocol{DestinationNamedPort: "http"}))
	}
	return out
}

// WidePolicy makes a ClusterNetworkPolicy, or an AdminNetworkPolicy in v1alpha1.
func (d *Dice) WidePolicy(name string) cluster.Object {
	p := &v1alpha2.ClusterNetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.Tier = Pick(d, v1alpha2.AdminTier, v1alpha2.BaselineTier)
	p.Spec.Priority = Pick[int32](d, 0, 5, 1000)
	p.Spec.Subject.Pods = d.widePods()
	for range d.IntN(3) {
		p.Spec.Ingress = append(p.Spec.Ingress, v1alpha2.ClusterNetworkPolicyIngressRule{
			Action: Pick(d, v1alpha2.ClusterNetworkPolicyRuleActionAccept, v1alpha2.ClusterNetworkPolicyRuleActionDeny, v1alpha2.ClusterNetworkPolicyRuleActionPass),
			From:   []v1alpha2.ClusterNetworkPolicyIngressPeer{{Pods: d.widePods()}}, Protocols: d.wideProtocols(),
		})
	}
	for range d.IntN(3) {
		r := v1alpha2.ClusterNetworkPolicyEgressRule{
			Action:    Pick(d, v1alpha2.ClusterNetworkPolicyRuleActionAccept, v1alpha2.ClusterNetworkPolicyRuleActionDeny, v1alpha2.ClusterNetworkPolicyRuleActionPass),
			Protocols: d.wideProtocols(),
		}
		for range 1 + d.IntN(2) {
			r.To = append(r.To, d.wideEgressPeer(r.Action == v1alpha2.ClusterNetworkPolicyRuleActionAccept))
		}
		p.Spec.Egress = append(p.Spec.Egress, r)
	}
	return cluster.Object{Ref: cluster.Ref{APIVersion: "policy.networking.k8s.io/v1alpha2", Kind: "ClusterNetworkPolicy", Name: name}, Typed: p}
}

// named makes outside peers that were asked for by name.
func (d *Dice) named() []Peer {
	var out []Peer
	for _, name := range dnsNames {
		out = append(out, Peer{DNS: name, Addr: netip.MustParseAddr(Pick(d, outside...))})
	}
	return out
}
