// SPDX-License-Identifier: Apache-2.0

package policytest

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcinch/netcinch/recommender/cluster"
)

func (d *Dice) labelSelector() metav1.LabelSelector {
	var s metav1.LabelSelector
	if d.Chance(40) {
		s.MatchLabels = map[string]string{Pick(d, "app", "tier"): Pick(d, "x", "y", "z")}
	}
	if d.Chance(30) {
		r := metav1.LabelSelectorRequirement{Key: Pick(d, "app", "tier"), Operator: Pick(d, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)}
		if r.Operator == metav1.LabelSelectorOpIn || r.Operator == metav1.LabelSelectorOpNotIn {
			r.Values = []string{Pick(d, "x", "y", "z"), "w"}
		}
		s.MatchExpressions = append(s.MatchExpressions, r)
	}
	return s
}

func (d *Dice) kubernetesPeers() []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for range d.IntN(3) {
		var p networkingv1.NetworkPolicyPeer
		switch d.IntN(4) {
		case 0:
			s := d.labelSelector()
			p.PodSelector = &s
		case 1:
			s := d.labelSelector()
			p.NamespaceSelector = &s
		case 2:
			s, n := d.labelSelector(), d.labelSelector()
			p.PodSelector, p.NamespaceSelector = &s, &n
		default:
			p.IPBlock = d.ipBlock()
		}
		out = append(out, p)
	}
	return out
}

func (d *Dice) ipBlock() *networkingv1.IPBlock {
	b := &networkingv1.IPBlock{CIDR: Pick(d, blocks...)}
	whole := netip.MustParsePrefix(b.CIDR)
	for _, text := range blocks {
		if p := netip.MustParsePrefix(text); d.Chance(30) && whole.Contains(p.Addr()) && p.Bits() > whole.Bits() {
			b.Except = append(b.Except, text)
		}
	}
	return b
}

func (d *Dice) kubernetesPorts() []networkingv1.NetworkPolicyPort {
	var out []networkingv1.NetworkPolicyPort
	for range d.IntN(3) {
		var p networkingv1.NetworkPolicyPort
		if d.Chance(80) {
			protocol := Pick(d, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
			p.Protocol = &protocol
		}
		switch d.IntN(4) {
		case 0:
			n := intstr.FromString(Pick(d, portNames...))
			p.Port = &n
		case 1:
			n := intstr.FromInt32(Pick[int32](d, 53, 80, 81))
			p.Port = &n
			if d.Chance(50) {
				end := n.IntVal + d.Int32N(30)
				p.EndPort = &end
			}
		case 2:
			n := intstr.FromInt32(Pick[int32](d, 53, 80, 81))
			p.Port = &n
		}
		out = append(out, p)
	}
	return out
}

// KubernetesPolicy makes a random policy of the kind, with the name.
func (d *Dice) KubernetesPolicy(name string) cluster.Object {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: Pick(d, namespaces...), Name: name}}
	np.Spec.PodSelector = d.labelSelector()
	np.Spec.PolicyTypes = Pick(d, nil, []networkingv1.PolicyType{"Ingress"}, []networkingv1.PolicyType{"Egress"}, []networkingv1.PolicyType{"Ingress", "Egress"})
	for range d.IntN(3) {
		np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: d.kubernetesPeers(), Ports: d.kubernetesPorts()})
	}
	for range d.IntN(3) {
		np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: d.kubernetesPeers(), Ports: d.kubernetesPorts()})
	}
	return cluster.Object{Ref: cluster.Ref{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy", Namespace: np.Namespace, Name: name}, Typed: np}
}
