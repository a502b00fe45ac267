// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// checker collects what the API server would have refused in a policy.
type checker struct{ faults []fault }

func (c *checker) add(field, format string, args ...any) {
	c.faults = append(c.faults, fault{field: field, message: fmt.Sprintf(format, args...)})
}

func index(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

// check gives the faults of a policy, none for other kinds.
func check(object cluster.Typed) []fault {
	c := &checker{}
	switch p := object.(type) {
	case *networkingv1.NetworkPolicy:
		c.kubernetes(p.Spec)
	default:
		c.calico(object)
		c.clusterWide(object)
	}
	return c.faults
}

func (c *checker) kubernetes(spec networkingv1.NetworkPolicySpec) {
	c.selector("spec.podSelector", &spec.PodSelector)
	for i, t := range spec.PolicyTypes {
		if t != networkingv1.PolicyTypeIngress && t != networkingv1.PolicyTypeEgress {
			c.add(index("spec.policyTypes", i), "policy type %q: want Ingress or Egress", t)
		}
	}
	for i, r := range spec.Ingress {
		c.rule(index("spec.ingress", i), "from", r.From, r.Ports)
	}
	for i, r := range spec.Egress {
		c.rule(index("spec.egress", i), "to", r.To, r.Ports)
	}
}

func (c *checker) rule(field, side string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
	for i, p := range peers {
		at := index(field+"."+side, i)
		switch {
		case p.IPBlock != nil && (p.PodSelector != nil || p.NamespaceSelector != nil):
			c.add(at, "an item has ipBlock and a selector; make two items of it")
		case p.IPBlock == nil && p.PodSelector == nil && p.NamespaceSelector == nil:
			c.add(at, "an item is empty: want podSelector, namespaceSelector or ipBlock; for anyone, leave %s out", side)
		}
		c.selector(at+".podSelector", p.PodSelector)
		c.selector(at+".namespaceSelector", p.NamespaceSelector)
		if p.IPBlock != nil {
			c.ipBlock(at+".ipBlock", p.IPBlock)
		}
	}
	for i, p := range ports {
		c.port(index(field+".ports", i), p)
	}
}

func (c *checker) ipBlock(field string, b *networkingv1.IPBlock) {
	outer, ok := c.prefix(field+".cidr", b.CIDR)
	for i, text := range b.Except {
		at := index(field+".except", i)
		inner, innerOK := c.prefix(at, text)
		if ok && innerOK && (inner.Bits() <= outer.Bits() || !outer.Overlaps(inner)) {
			c.add(at, "%s is not a part of %s; an except must lie within its cidr", text, b.CIDR)
		}
	}
}

// prefix reads a CIDR: as the API server does, host bits may be set.
func (c *checker) prefix(field, text string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		c.add(field, "%q is not a CIDR; write an address and a length, such as 10.0.0.0/8 or 2001:db8::/32", text)
	}
	return p, err == nil
}

func (c *checker) port(field string, p networkingv1.NetworkPolicyPort) {
	if p.Protocol != nil {
		c.protocol(field+".protocol", string(*p.Protocol))
	}
	if p.Port != nil && p.Port.Type == intstr.String {
		for _, why := range validation.IsValidPortName(p.Port.StrVal) {
			c.add(field+".port", "port name %q: %s", p.Port.StrVal, why)
		}
	}
	if p.Port != nil && p.Port.Type == intstr.Int {
		c.number(field+".port", p.Port.IntVal)
	}
	if p.EndPort == nil {
		return
	}
	c.number(field+".endPort", *p.EndPort)
	switch {
	case p.Port == nil || p.Port.Type == intstr.String:
		c.add(field+".endPort", "endPort needs a port that is a number")
	case *p.EndPort < p.Port.IntVal:
		c.add(field+".endPort", "endPort %d is below port %d", *p.EndPort, p.Port.IntVal)
	}
}

func (c *checker) protocol(field, p string) {
	if !slices.Contains([]corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}, corev1.Protocol(p)) {
		c.add(field, "protocol %q: want TCP, UDP or SCTP", p)
	}
}

func (c *checker) number(field string, n int32) {
	if n < 1 || n > 65535 {
		c.add(field, "port %d: want 1 to 65535", n)
	}
}

// selector checks what the API server checks of a label selector; nil is fine.
func (c *checker) selector(field string, s *metav1.LabelSelector) {
	if s == nil {
		return
	}
	for k, v := range s.MatchLabels {
		at := field + ".matchLabels[" + k + "]"
		c.labelKey(at, k)
		c.labelValue(at, v)
	}
	for i, e := range s.MatchExpressions {
		at := index(field+".matchExpressions", i)
		c.labelKey(at+".key", e.Key)
		switch e.Operator {
		case metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn:
			if len(e.Values) == 0 {
				c.add(at+".values", "operator %s needs values", e.Operator)
			}
		case metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist:
			if len(e.Values) > 0 {
				c.add(at+".values", "operator %s takes no values", e.Operator)
			}
		default:
			c.add(at+".operator", "operator %q: want In, NotIn, Exists or DoesNotExist", e.Operator)
		}
		for j, v := range e.Values {
			c.labelValue(index(at+".values", j), v)
		}
	}
}

func (c *checker) labelKey(field, k string) {
	if why := validation.IsQualifiedName(k); len(why) > 0 {
		c.add(field, "label key %q: %s", k, strings.Join(why, "; "))
	}
}

func (c *checker) labelValue(field, v string) {
	if why := validation.IsValidLabelValue(v); len(why) > 0 {
		c.add(field, "label value %q: %s", v, strings.Join(why, "; "))
	}
}
