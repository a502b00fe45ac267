// SPDX-License-Identifier: Apache-2.0

package policytest

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"

	"github.com/netcinch/netcinch/recommender/cluster"
)

func (d *Dice) adminPods() *v1alpha1.NamespacedPod {
	return &v1alpha1.NamespacedPod{NamespaceSelector: d.labelSelector(), PodSelector: d.labelSelector()}
}

func (d *Dice) adminSubject() v1alpha1.AdminNetworkPolicySubject {
	if d.Chance(50) {
		s := d.labelSelector()
		return v1alpha1.AdminNetworkPolicySubject{Namespaces: &s}
	}
	return v1alpha1.AdminNetworkPolicySubject{Pods: d.adminPods()}
}

func (d *Dice) adminPorts() *[]v1alpha1.AdminNetworkPolicyPort {
	if d.Chance(40) {
		return nil
	}
	var out []v1alpha1.AdminNetworkPolicyPort
	for range 1 + d.IntN(2) {
		protocol := Pick(d, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
		switch d.IntN(3) {
		case 0:
			out = append(out, v1alpha1.AdminNetworkPolicyPort{PortNumber: &v1alpha1.Port{Protocol: protocol, Port: Pick[int32](d, 53, 80, 81)}})
		case 1:
			out = append(out, v1alpha1.AdminNetworkPolicyPort{PortRange: &v1alpha1.PortRange{Protocol: protocol, Start: 50, End: Pick[int32](d, 60, 80, 9999)}})
		default:
			name := Pick(d, portNames...)
			out = append(out, v1alpha1.AdminNetworkPolicyPort{NamedPort: &name})
		}
	}
	return &out
}

func (d *Dice) adminSources() []v1alpha1.AdminNetworkPolicyIngressPeer {
	var out []v1alpha1.AdminNetworkPolicyIngressPeer
	for range 1 + d.IntN(2) {
		if s := d.labelSelector(); d.Chance(50) {
			out = append(out, v1alpha1.AdminNetworkPolicyIngressPeer{Namespaces: &s})
		} else {
			out = append(out, v1alpha1.AdminNetworkPolicyIngressPeer{Pods: d.adminPods()})
		}
	}
	return out
}

func (d *Dice) adminTargets() []v1alpha1.BaselineAdminNetworkPolicyEgressPeer {
	var out []v1alpha1.BaselineAdminNetworkPolicyEgressPeer
	for range 1 + d.IntN(2) {
		s := d.labelSelector()
		switch d.IntN(4) {
		case 0:
			out = append(out, v1alpha1.BaselineAdminNetworkPolicyEgressPeer{Namespaces: &s})
		case 1:
			out = append(out, v1alpha1.BaselineAdminNetworkPolicyEgressPeer{Pods: d.adminPods()})
		case 2:
			out = append(out, v1alpha1.BaselineAdminNetworkPolicyEgressPeer{Nodes: &metav1.LabelSelector{}})
		default:
			out = append(out, v1alpha1.BaselineAdminNetworkPolicyEgressPeer{Networks: []v1alpha1.CIDR{v1alpha1.CIDR(Pick(d, blocks...)), v1alpha1.CIDR(Pick(d, blocks...))}})
		}
	}
	return out
}

// AdminPolicy makes a random AdminNetworkPolicy, v1alpha1, with the name.
func (d *Dice) AdminPolicy(name string) cluster.Object {
	p := &v1alpha1.AdminNetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.Priority, p.Spec.Subject = Pick[int32](d, 0, 5, 1000), d.adminSubject()
	action := func() v1alpha1.AdminNetworkPolicyRuleAction {
		return Pick(d, v1alpha1.AdminNetworkPolicyRuleActionAllow, v1alpha1.AdminNetworkPolicyRuleActionDeny, v1alpha1.AdminNetworkPolicyRuleActionPass)
	}
	for range d.IntN(3) {
		p.Spec.Ingress = append(p.Spec.Ingress, v1alpha1.AdminNetworkPolicyIngressRule{Action: action(), From: d.adminSources(), Ports: d.adminPorts()})
	}
	for range d.IntN(3) {
		r := v1alpha1.AdminNetworkPolicyEgressRule{Action: action(), Ports: d.adminPorts()}
		for _, t := range d.adminTargets() {
			r.To = append(r.To, v1alpha1.AdminNetworkPolicyEgressPeer{Namespaces: t.Namespaces, Pods: t.Pods, Nodes: t.Nodes, Networks: t.Networks})
		}
		if r.Action == v1alpha1.AdminNetworkPolicyRuleActionAllow && d.Chance(20) {
			r.To = append(r.To, v1alpha1.AdminNetworkPolicyEgressPeer{DomainNames: []v1alpha1.DomainName{v1alpha1.DomainName(Pick(d, patterns...))}})
		}
		p.Spec.Egress = append(p.Spec.Egress, r)
	}
	return cluster.Object{Ref: cluster.Ref{APIVersion: "policy.networking.k8s.io/v1alpha1", Kind: "AdminNetworkPolicy", Name: name}, Typed: p}
}

// BaselinePolicy makes a random BaselineAdminNetworkPolicy, of which a cluster
// has one.
func (d *Dice) BaselinePolicy() cluster.Object {
	p := &v1alpha1.BaselineAdminNetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	p.Spec.Subject = d.adminSubject()
	action := func() v1alpha1.BaselineAdminNetworkPolicyRuleAction {
		return Pick(d, v1alpha1.BaselineAdminNetworkPolicyRuleActionAllow, v1alpha1.BaselineAdminNetworkPolicyRuleActionDeny)
	}
	for range d.IntN(3) {
		p.Spec.Ingress = append(p.Spec.Ingress, v1alpha1.BaselineAdminNetworkPolicyIngressRule{Action: action(), From: d.adminSources(), Ports: d.adminPorts()})
	}
	for range d.IntN(3) {
		p.Spec.Egress = append(p.Spec.Egress, v1alpha1.BaselineAdminNetworkPolicyEgressRule{Action: action(), To: d.adminTargets(), Ports: d.adminPorts()})
	}
	return cluster.Object{Ref: cluster.Ref{APIVersion: "policy.networking.k8s.io/v1alpha1", Kind: "BaselineAdminNetworkPolicy", Name: "default"}, Typed: p}
}

// Admin makes a random cluster with Kubernetes policies and the cluster-wide
// ones of v1alpha1.
func Admin(seed uint64) (*Dice, *cluster.Snapshot) {
	d, s := KubernetesOnly(seed)
	for i := range d.IntN(4) {
		s.Policies = append(s.Policies, d.AdminPolicy("a"+string(rune('0'+i))))
	}
	if d.Chance(70) {
		s.Policies = append(s.Policies, d.BaselinePolicy())
	}
	return d, s
}
