// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcinch/netcinch/recommender/cluster"
)

const (
	cnpHead = "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec:\n"
	gnpHead = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: g}\nspec:\n"
)

// calicoShop is shop with service accounts, a Service and network sets.
func calicoShop(t *testing.T, manifests string) *cluster.Snapshot {
	t.Helper()
	s := shop()
	for i := range s.Pods {
		if s.Pods[i].Name == "web" {
			s.Pods[i].ServiceAccount = "web-" + s.Pods[i].Namespace
		}
	}
	s.ServiceAccounts = []cluster.ServiceAccount{{Namespace: "pay", Name: "web-pay", Labels: pairs("trust=high")}, {Namespace: "shop", Name: "web-shop"}}
	s.Services = []*corev1.Service{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "api"},
		Spec: corev1.ServiceSpec{Selector: pairs("app=api"), Ports: []corev1.ServicePort{
			{Port: 80, TargetPort: intstr.FromString("http")}, {Port: 53, Protocol: corev1.ProtocolUDP},
		}},
	}}
	s.Policies = objectsOf(t, manifests+`
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: provider, labels: {role: provider}}
spec: {nets: [203.0.113.0/24, "2001:db8::/32", 10.2.0.1]}
---
apiVersion: projectcalico.org/v3
kind: NetworkSet
metadata: {name: office, namespace: shop, labels: {role: office}}
spec: {nets: [198.51.100.7, "2001:db8:7::7"]}
---
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: early}
spec: {order: 10}
---
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: late}
spec: {defaultAction: Pass}
`)
	return s
}

// The semantics stand in Calico's reference: docs.tigera.io/calico/latest/reference/resources/
// {networkpolicy,globalnetworkpolicy,tier,networkset,profile}; what they leave open is
// in libcalico-go's updateprocessors (rules.go) and is named beside the case.
var calicoCases = []struct {
	name, source, manifests string
	options                 Options
	want                    []expectation
}{
	{"networkpolicy: no types and no rules means ingress", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#spec: types", cnpHead + "  selector: all()\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"pay/web@6 -> shop/api@6 TCP 80", "Ei"}, {"shop/api -> pay/web TCP 80", "EI"}, {"pay/web -> pay/six TCP 80", "EI"},
	}},
	{"networkpolicy: no types and egress rules only means egress", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#spec: types", cnpHead + "  selector: app == 'api'\n  egress: [{action: Allow, protocol: TCP}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"shop/api -> pay/web TCP 80", "EI"}, {"shop/api -> pay/web UDP 80", "eI"}, {"shop/api@6 -> 2001:db8::1 UDP 80", "eI"},
	}},
	{"as the backend stores it, no types means both", "github.com/projectcalico/calico libcalico-go/lib/backend/model/policy.go: Policy.Types, without them a policy is for both", strings.Replace(cnpHead, "projectcalico.org/v3", "crd.projectcalico.org/v1", 1) + "  selector: app == 'api'\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"shop/api@6 -> pay/web@6 TCP 80", "eI"},
	}},
	{"rule order decides", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#rule: rules are evaluated in order", cnpHead + "  ingress:\n  - {action: Deny, protocol: TCP, destination: {ports: [80]}}\n  - {action: Allow}\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"pay/web@6 -> shop/api@6 TCP 81", "EI"}, {"pay/web -> shop/api UDP 80", "EI"},
	}},
	{"policy order decides, no order is last, names break ties", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#spec: order", cnpHead + "  order: 10\n  ingress: [{action: Deny, protocol: TCP}]\n---\n" + gnpHead + "  order: 9\n  selector: app == 'api'\n  types: [Ingress]\n  ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]\n---\n" +
		strings.Replace(cnpHead, "name: p", "name: z", 1) + "  ingress: [{action: Allow}]\n", Options{}, []expectation{
		{"pay/web -> shop/api TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 81", "Ei"}, {"pay/web -> shop/api UDP 81", "EI"}, {"pay/web -> shop/web TCP 80", "Ei"},
	}},
	{"Kubernetes policies stand at order 1000 in tier default", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#spec: order; libcalico-go conversion of Kubernetes policies", npHead + "  podSelector: {}\n  ingress: [{ports: [{port: 80}]}]\n---\n" + gnpHead + "  order: 1001\n  ingress: [{action: Deny, protocol: TCP}, {action: Allow, protocol: UDP}]\n", Options{}, []expectation{
		{"pay/web -> shop/api TCP 80", "EI"}, {"pay/web -> shop/api TCP 81", "Ei"}, {"pay/web -> shop/api UDP 81", "EI"}, {"pay/web -> shop/api SCTP 81", "Ei"}, {"shop/web -> pay/six UDP 1", "EI"}, {"shop/web -> pay/six SCTP 1", "Ei"},
	}},
	{"a tier denies only what one of its policies selects", "docs.tigera.io/calico/latest/reference/resources/tier#how-policy-is-evaluated", gnpHead + "  tier: early\n  selector: app == 'api'\n  ingress: [{action: Pass, source: {selector: app == 'web'}}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/six -> shop/api TCP 80", "Ei"}, {"203.0.113.1 -> shop/api TCP 80", "Ei"}, {"pay/six -> shop/db TCP 80", "EI"}, {"shop/api -> pay/six TCP 80", "EI"},
	}},
	{"a tier's default may be Pass", "docs.tigera.io/calico/latest/reference/resources/tier#spec: defaultAction", gnpHead + "  tier: late\n  selector: app == 'api'\n  types: [Ingress]\n  ingress: [{action: Deny, protocol: UDP}]\n", Options{}, []expectation{
		{"pay/web -> shop/api TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 UDP 80", "Ei"},
	}},
	{"Pass goes to the next tier, past the rest of this one", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#rule: action Pass", gnpHead + "  tier: early\n  ingress: [{action: Pass, protocol: TCP}, {action: Deny}]\n---\n" + strings.Replace(gnpHead, "name: g", "name: h", 1) + "  tier: early\n  ingress: [{action: Deny}]\n---\n" + cnpHead + "  ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 81", "Ei"}, {"pay/web -> shop/api UDP 80", "Ei"}, {"shop/web -> pay/six TCP 9", "EI"},
	}},
	{"Log goes on", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#rule: action Log", cnpHead + "  ingress: [{action: Log}, {action: Allow, protocol: TCP}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web -> shop/api UDP 80", "Ei"},
	}},
	{"staged policies never enforce", "docs.tigera.io/calico/latest/reference/resources/stagednetworkpolicy", strings.Replace(cnpHead, "NetworkPolicy", "StagedNetworkPolicy", 1) + "  types: [Ingress, Egress]\n---\n" + strings.Replace(gnpHead, "GlobalNetworkPolicy", "StagedGlobalNetworkPolicy", 1) + "  tier: early\n  types: [Ingress]\n---\n" +
		"apiVersion: projectcalico.org/v3\nkind: StagedKubernetesNetworkPolicy\nmetadata: {name: k, namespace: shop}\nspec: {podSelector: {}}\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"shop/api@6 -> pay/web@6 TCP 80", "EI"},
	}},
	{"a selector alone in a namespaced policy means the own namespace", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#entityrule: selector", cnpHead + "  ingress: [{action: Allow, source: {selector: app == 'web'}}]\n", Options{}, []expectation{
		{"shop/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 80", "Ei"}, {"shop/db -> shop/api TCP 80", "Ei"},
	}},
	{"rules.go: notSelector alone in a namespaced policy denies the outside too", "github.com/projectcalico/calico libcalico-go/lib/backend/syncersv1/updateprocessors/rules.go: getEndpointSelector", cnpHead + "  ingress: [{action: Allow, source: {notSelector: app == 'web'}}]\n", Options{}, []expectation{
		{"shop/db@4 -> shop/api@4 TCP 80", "EI"}, {"shop/web@6 -> shop/api@6 TCP 80", "Ei"}, {"pay/six -> shop/api TCP 80", "Ei"}, {"203.0.113.1 -> shop/api TCP 80", "Ei"}, {"2001:db8::1 -> shop/api TCP 80", "Ei"},
	}},
	{"notSelector in a global policy admits the outside", "docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy#entityrule: notSelector", gnpHead + "  selector: app == 'api'\n  ingress: [{action: Allow, source: {notSelector: app == 'web'}}]\n", Options{}, []expectation{
		{"shop/db@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 80", "Ei"}, {"8.8.8.8 -> shop/api TCP 80", "EI"}, {"2001:4860::1 -> shop/api TCP 80", "EI"},
	}},
	{"namespaceSelector all() means pods only", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#entityrule: namespaceSelector", cnpHead + "  ingress: [{action: Allow, source: {namespaceSelector: all()}}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/six -> shop/api TCP 80", "EI"}, {"8.8.8.8 -> shop/api TCP 80", "Ei"}, {"2001:4860::1 -> shop/api TCP 80", "Ei"}, {"192.168.0.2 -> shop/db TCP 80", "Ei"},
	}},
	{"namespaceSelector global() means global network sets", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#entityrule: namespaceSelector, global()", cnpHead + "  ingress: [{action: Allow, source: {selector: role == 'provider', namespaceSelector: global()}}]\n", Options{}, []expectation{
		{"203.0.113.9 -> shop/api TCP 80", "EI"}, {"2001:db8::9 -> shop/api TCP 80", "EI"}, {"198.51.100.7 -> shop/api TCP 80", "Ei"}, {"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 80", "Ei"},
	}},
	{"a selector reaches network sets of the own namespace", "docs.tigera.io/calico/latest/reference/resources/networkset", cnpHead + "  ingress: [{action: Allow, source: {selector: \"role in {'office', 'provider'}\"}}]\n", Options{}, []expectation{
		{"198.51.100.7 -> shop/api TCP 80", "EI"}, {"2001:db8:7::7 -> shop/api TCP 80", "EI"}, {"203.0.113.9 -> shop/api TCP 80", "Ei"}, {"198.51.100.8 -> shop/api TCP 80", "Ei"},
	}},
	{"namespaces by label, and by projectcalico.org/name", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#entityrule: namespaceSelector", cnpHead + "  ingress: [{action: Allow, protocol: TCP, source: {namespaceSelector: team == 'pay'}}, {action: Allow, protocol: UDP, source: {namespaceSelector: projectcalico.org/name == 'pay', selector: app == 'six'}}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"shop/web -> shop/api TCP 80", "Ei"}, {"pay/six -> shop/api UDP 80", "EI"}, {"pay/web -> shop/api UDP 80", "Ei"},
	}},
	{"service accounts by name, own namespace only", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#serviceaccountmatch", cnpHead + "  ingress: [{action: Allow, source: {serviceAccounts: {names: [web-pay, web-shop]}}}]\n", Options{}, []expectation{
		{"shop/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 80", "Ei"}, {"shop/db -> shop/api TCP 80", "Ei"},
	}},
	{"service accounts by label, across namespaces", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#serviceaccountmatch", cnpHead + "  ingress: [{action: Allow, source: {serviceAccounts: {selector: trust == 'high'}, namespaceSelector: all()}}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"shop/web@6 -> shop/api@6 TCP 80", "Ei"},
	}},
	{"serviceAccountSelector of the policy", "docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy#spec: serviceAccountSelector", gnpHead + "  serviceAccountSelector: trust == 'high'\n  types: [Egress]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "eI"}, {"shop/web@6 -> shop/api@6 TCP 80", "EI"},
	}},
	{"namespaceSelector of the policy", "docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy#spec: namespaceSelector", gnpHead + "  namespaceSelector: team in {'pay'}\n  selector: app == 'web'\n  types: [Egress]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "eI"}, {"shop/web@6 -> shop/api@6 TCP 80", "EI"}, {"pay/six -> shop/api TCP 80", "EI"},
	}},
	{"the own side of a rule narrows its subjects", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#rule: source and destination", cnpHead + "  ingress: [{action: Allow, destination: {selector: app == 'api'}}]\n  egress: [{action: Allow, source: {nets: [10.1.0.3, 'fd00:1::3']}}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/db@6 TCP 80", "Ei"}, {"shop/db@4 -> pay/web@4 TCP 1", "EI"}, {"shop/db@6 -> pay/web@6 TCP 1", "EI"}, {"shop/api@4 -> pay/web@4 TCP 1", "eI"},
	}},
	{"nets and notNets", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#entityrule: nets and notNets", cnpHead + "  ingress: [{action: Allow, source: {nets: [203.0.113.0/24, '2001:db8::/32'], notNets: [203.0.113.7, '2001:db8:1::/48']}}]\n", Options{}, []expectation{
		{"203.0.113.1 -> shop/api TCP 80", "EI"}, {"203.0.113.7 -> shop/api TCP 80", "Ei"}, {"2001:db8::1 -> shop/api TCP 80", "EI"}, {"2001:db8:1::1 -> shop/api TCP 80", "Ei"}, {"10.2.0.1 -> shop/api TCP 80", "Ei"},
	}},
	{"nets and selector are both meant", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#entityrule: all that is given has to match", cnpHead + "  ingress: [{action: Allow, source: {nets: [10.1.0.0/16, 'fd00:1::/32'], selector: app == 'web'}}]\n", Options{}, []expectation{
		{"shop/web@4 -> shop/api@4 TCP 80", "EI"}, {"shop/web@6 -> shop/api@6 TCP 80", "EI"}, {"shop/db -> shop/api TCP 80", "Ei"}, {"pay/web -> shop/api TCP 80", "Ei"},
	}},
	{"ports, ranges, names, notPorts", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#ports", cnpHead + "  ingress: [{action: Allow, protocol: TCP, destination: {ports: [80, '90:95', http], notPorts: [92, '94:95']}}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 91", "EI"}, {"pay/web -> shop/api TCP 92", "Ei"}, {"pay/web -> shop/api TCP 94", "Ei"}, {"pay/web -> shop/api TCP 96", "Ei"}, {"pay/web -> shop/api TCP 8080", "EI"}, {"pay/web -> shop/web TCP 8080", "Ei"}, {"pay/web -> shop/api UDP 80", "Ei"},
	}},
	{"protocol by number, notProtocol", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#rule: protocol and notProtocol", cnpHead + "  ingress: [{action: Allow, protocol: 47}, {action: Deny, protocol: SCTP}, {action: Allow, notProtocol: TCP}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 47", "EI"}, {"pay/web@6 -> shop/api@6 TCP 80", "Ei"}, {"pay/web -> shop/api UDP 80", "EI"}, {"pay/web -> shop/api SCTP 80", "Ei"}, {"pay/web -> shop/api 51", "EI"},
	}},
	{"ICMP type and code, notICMP", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#icmp", cnpHead + "  ingress: [{action: Allow, protocol: ICMP, icmp: {type: 8, code: 0}}, {action: Allow, protocol: ICMPv6, notICMP: {type: 135}}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 ICMP 8/0", "EI"}, {"pay/web@4 -> shop/api@4 ICMP 8/1", "Ei"}, {"pay/web@4 -> shop/api@4 ICMP 3/0", "Ei"}, {"pay/web@6 -> shop/api@6 ICMPv6 128/0", "EI"}, {"pay/web@6 -> shop/api@6 ICMPv6 135/0", "Ei"},
	}},
	{"ipVersion", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#rule: ipVersion", cnpHead + "  ingress: [{action: Allow, ipVersion: 6}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"pay/web@6 -> shop/api@6 TCP 80", "EI"}, {"2001:db8::1 -> shop/api TCP 80", "EI"}, {"203.0.113.1 -> shop/api TCP 80", "Ei"},
	}},
	{"a Service as an egress destination brings its ports", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#servicematch", cnpHead + "  selector: app == 'web'\n  egress: [{action: Allow, destination: {services: {name: api}}}]\n", Options{}, []expectation{
		{"shop/web@4 -> shop/api@4 TCP 8080", "EI"}, {"shop/web@6 -> shop/api@6 UDP 53", "EI"}, {"shop/web -> shop/api TCP 80", "eI"}, {"shop/web -> shop/db TCP 8080", "eI"},
	}},
	{"a Service as an ingress source is its addresses", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#servicematch", gnpHead + "  selector: app == 'db'\n  ingress: [{action: Allow, protocol: TCP, source: {services: {name: api, namespace: shop}}, destination: {ports: [5432]}}]\n", Options{}, []expectation{
		{"shop/api@4 -> shop/db@4 TCP 5432", "EI"}, {"shop/api@6 -> shop/db@6 TCP 5432", "EI"}, {"shop/api -> shop/db TCP 8080", "Ei"}, {"shop/web -> shop/db TCP 5432", "Ei"},
	}},
	{"profile: what no tier decides is the namespace profile's", "docs.tigera.io/calico/latest/reference/resources/profile", "apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {name: kns.shop}\nspec: {ingress: [{action: Deny, protocol: UDP}, {action: Allow}], egress: [{action: Allow}]}\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 UDP 80", "Ei"}, {"pay/web@6 -> shop/api@6 TCP 80", "EI"}, {"pay/web -> pay/six UDP 80", "EI"},
	}},
	{"node and loopback are beyond policy", "docs.tigera.io/calico/latest/reference/configure-calico-node: traffic from a host to its own workloads is allowed", gnpHead + "  types: [Ingress, Egress]\n", Options{}, []expectation{
		{"192.168.0.1 -> shop/web TCP 80", "EI"}, {"fd00:ff::1 -> shop/web TCP 80", "EI"}, {"shop/web -> shop/web TCP 80", "EI"}, {"192.168.0.2 -> shop/web TCP 80", "Ei"}, {"pay/host -> shop/api TCP 80", "Ei"},
	}},
}

// moreCalicoCases are lines of the checklist that the cases above do not have.
var moreCalicoCases = []struct {
	name, source, manifests string
	want                    []expectation
}{
	{"an account's profile is asked after the namespace's", "docs.tigera.io/calico/latest/reference/resources/profile: kns. and ksa.", profileOf("kns.shop", "ingress: [{action: Deny, protocol: UDP}]") + "---\n" + profileOf("ksa.shop.web-shop", "ingress: [{action: Allow}], egress: [{action: Allow}]"), []expectation{
		{"pay/web@4 -> shop/web@4 TCP 80", "EI"}, {"pay/web@6 -> shop/web@6 UDP 80", "Ei"}, {"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"shop/web@4 -> pay/web@4 TCP 80", "EI"}, {"shop/api@6 -> pay/web@6 TCP 80", "eI"},
	}},
	{"a tier that decides leaves profiles unasked", "docs.tigera.io/calico/latest/reference/resources/tier#how-policy-is-evaluated", profileOf("kns.shop", "ingress: [{action: Deny}], egress: [{action: Deny}]") + "---\n" + cnpHead + "  ingress: [{action: Allow, protocol: TCP}]\n", []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 UDP 80", "Ei"}, {"shop/api@4 -> pay/web@4 TCP 80", "eI"},
	}},
	{"tiers by order, one without order last, names break ties", "docs.tigera.io/calico/latest/reference/resources/tier#spec: order", tierOf("zz", "order: 20") + "---\n" + tierOf("aa", "order: 20") + "---\n" + tierOf("none", "") + "---\n" +
		inTier("zz", "d", "{action: Deny, protocol: TCP}") + "---\n" + inTier("aa", "a", "{action: Allow, protocol: TCP, destination: {ports: [80]}}, {action: Pass}") + "---\n" + inTier("none", "n", "{action: Deny}") + "---\n" + inTier("default", "x", "{action: Allow, protocol: UDP}, {action: Pass}"), []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 81", "Ei"}, {"pay/web -> shop/api UDP 81", "Ei"},
	}},
	{"the tier default may pass, too", "docs.tigera.io/calico/latest/reference/resources/tier#spec: defaultAction", tierOf("default", "order: 1000000, defaultAction: Pass") + "---\n" + cnpHead + "  ingress: [{action: Deny, protocol: UDP}]\n", []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 UDP 80", "Ei"},
	}},
	{"notNets alone admits all others", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#entityrule: notNets", cnpHead + "  ingress: [{action: Allow, source: {notNets: [203.0.113.0/24, '2001:db8::/32', 10.2.0.1]}}]\n", []expectation{
		{"203.0.113.9 -> shop/api TCP 80", "Ei"}, {"198.51.100.1 -> shop/api TCP 80", "EI"}, {"2001:db8::9 -> shop/api TCP 80", "Ei"}, {"2001:4860::1 -> shop/api TCP 80", "EI"}, {"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"pay/web@6 -> shop/api@6 TCP 80", "EI"},
	}},
	{"notPorts alone admits all others of the protocol", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#entityrule: notPorts", cnpHead + "  ingress: [{action: Allow, protocol: TCP, destination: {notPorts: [80, http]}}]\n", []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"pay/web@6 -> shop/api@6 TCP 8080", "Ei"}, {"pay/web@6 -> shop/web@6 TCP 8080", "EI"}, {"pay/web -> shop/api UDP 81", "Ei"},
	}},
	{"notICMP by type and code", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#icmp", cnpHead + "  ingress: [{action: Allow, protocol: ICMPv6, notICMP: {type: 1, code: 4}}]\n", []expectation{
		{"pay/web@6 -> shop/api@6 ICMPv6 1/4", "Ei"}, {"pay/web@6 -> shop/api@6 ICMPv6 1/3", "EI"}, {"pay/web@4 -> shop/api@4 ICMP 8/0", "Ei"},
	}},
	{"protocols by number are those by name", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#rule: protocol 1-255", cnpHead + "  ingress: [{action: Allow, protocol: 17, destination: {ports: [53]}}, {action: Allow, protocol: 132}]\n", []expectation{
		{"pay/web@4 -> shop/api@4 UDP 53", "EI"}, {"pay/web@6 -> shop/api@6 SCTP 9", "EI"}, {"pay/web -> shop/api TCP 53", "Ei"},
	}},
	{"selectors: no label, empty set, trailing comma, && before ||", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#selector", gnpHead + "  selector: app == 'api' && has(none) || app in {'db', 'api',} && !has(tier)\n  types: [Ingress]\n", []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"pay/web@6 -> shop/db@6 TCP 80", "Ei"}, {"pay/web -> shop/web TCP 80", "EI"},
	}},
	{"labels that Calico adds", "docs.tigera.io/calico/latest/reference/resources/workloadendpoint: projectcalico.org/namespace, orchestrator and serviceaccount", gnpHead + "  selector: projectcalico.org/namespace == 'shop' && projectcalico.org/orchestrator == 'k8s' && projectcalico.org/serviceaccount == 'web-shop' && pcns.team == 'shop'\n  types: [Ingress]\n", []expectation{
		{"pay/web@4 -> shop/web@4 TCP 80", "Ei"}, {"pay/web@6 -> shop/api@6 TCP 80", "EI"},
	}},
	{"a Service of another namespace in a namespaced policy", "docs.tigera.io/calico/latest/reference/resources/networkpolicy#servicematch: namespace", strings.Replace(cnpHead, "namespace: shop", "namespace: pay", 1) + "  selector: app == 'web'\n  egress: [{action: Allow, destination: {services: {name: api, namespace: shop}}}]\n", []expectation{
		{"pay/web@4 -> shop/api@4 TCP 8080", "EI"}, {"pay/web@6 -> shop/api@6 UDP 53", "EI"}, {"pay/web -> shop/api TCP 81", "eI"},
	}},
}

func profileOf(name, spec string) string {
	return "apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

func tierOf(name, spec string) string {
	return "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

func inTier(tier, name, rules string) string {
	return strings.Replace(gnpHead, "name: g", "name: "+name, 1) + "  tier: " + tier + "\n  selector: app == 'api'\n  ingress: [" + rules + "]\n"
}

// cited fails a case that does not say where its semantics are written.
func cited(t *testing.T, source string) {
	t.Helper()
	if !strings.Contains(source, ".") || !strings.Contains(source, "/") {
		t.Errorf("the case does not say where its semantics are written: %q", source)
	}
}

func TestMoreCalico(t *testing.T) {
	for _, c := range moreCalicoCases {
		t.Run(c.name, func(t *testing.T) {
			cited(t, c.source)
			s := calicoShop(t, c.manifests)
			expect(t, compileClean(t, s, Options{}), s, c.want)
		})
	}
}

// As Calico's backend stores them, the same objects say the same but for types.
func TestCalicoStoredGroup(t *testing.T) {
	for _, c := range moreCalicoCases {
		t.Run(c.name, func(t *testing.T) {
			stored := strings.ReplaceAll(c.manifests, "projectcalico.org/v3", "crd.projectcalico.org/v1")
			if !strings.Contains(stored, "types:") {
				stored = strings.ReplaceAll(stored, "  ingress:", "  types: [Ingress]\n  ingress:")
				stored = strings.ReplaceAll(stored, "  egress:", "  types: [Egress]\n  egress:")
			}
			s := calicoShop(t, stored)
			expect(t, compileClean(t, s, Options{}), s, c.want)
		})
	}
}

func TestCalico(t *testing.T) {
	for _, c := range calicoCases {
		t.Run(c.name, func(t *testing.T) {
			cited(t, c.source)
			s := calicoShop(t, c.manifests)
			expect(t, compileClean(t, s, c.options), s, c.want)
		})
	}
}

func TestCalicoServiceFromSlices(t *testing.T) {
	s := calicoShop(t, cnpHead+"  selector: app == 'web'\n  egress: [{action: Allow, destination: {services: {name: ext}}}]\n")
	port, name := int32(443), "https"
	s.EndpointSlices = []*discoveryv1.EndpointSlice{
		{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "ext-1", Labels: pairs("kubernetes.io/service-name=ext")}, Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port}}, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"203.0.113.50"}}}},
		{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "ext-2", Labels: pairs("kubernetes.io/service-name=ext")}, Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port}}, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"fd00:2::6"}}}},
	}
	expect(t, compileClean(t, s, Options{}), s, []expectation{
		{"shop/web@4 -> 203.0.113.50 TCP 443", "EI"}, {"shop/web@6 -> pay/six TCP 443", "EI"}, {"shop/web@4 -> 203.0.113.50 TCP 80", "eI"}, {"shop/web@4 -> 203.0.113.51 TCP 443", "eI"},
	})
}

func TestCalicoFaults(t *testing.T) {
	for _, c := range []struct{ name, manifest, field, message string }{
		{"selector", cnpHead + "  selector: app = 'x'\n", "spec.selector", "column 5"},
		{"rule selector", cnpHead + "  ingress: [{action: Allow, source: {selector: has(a}}]\n", "spec.ingress[0].source.selector", "column 6"},
		{"global()", cnpHead + "  selector: global()\n", "spec.selector", "namespaceSelector only"},
		{"action", cnpHead + "  ingress: [{action: allow}]\n", "spec.ingress[0].action", "use Allow, Deny, Pass or Log"},
		{"types", cnpHead + "  types: [Both]\n", "spec.types[0]", "use Ingress or Egress"},
		{"ports without protocol", cnpHead + "  ingress: [{action: Allow, destination: {ports: [80]}}]\n", "spec.ingress[0].protocol", "need protocol TCP, UDP or SCTP"},
		{"ports with ICMP", cnpHead + "  ingress: [{action: Allow, protocol: ICMP, destination: {ports: [80]}}]\n", "spec.ingress[0].protocol", "need protocol TCP, UDP or SCTP"},
		{"protocol", cnpHead + "  ingress: [{action: Allow, protocol: 0}]\n", "spec.ingress[0].protocol", "from 1 to 255"},
		{"icmp", cnpHead + "  ingress: [{action: Allow, protocol: ICMP, icmp: {code: 1}}]\n", "spec.ingress[0].icmp.code", "code needs type"},
		{"icmp protocol", cnpHead + "  ingress: [{action: Allow, icmp: {type: 8}}]\n", "spec.ingress[0].protocol", "need protocol ICMP"},
		{"nets", cnpHead + "  egress: [{action: Allow, destination: {nets: ['fd00::/129']}}]\n", "spec.egress[0].destination.nets[0]", "is not an address block"},
		{"version", cnpHead + "  egress: [{action: Allow, ipVersion: 5}]\n", "spec.egress[0].ipVersion", "use 4 or 6"},
		{"tier", cnpHead + "  tier: none\n", "spec.tier", "add the Tier"},
		{"service", gnpHead + "  egress: [{action: Allow, destination: {services: {name: x}}}]\n", "spec.egress[0].destination.services.namespace", "must give the Service's namespace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := calicoShop(t, c.manifest)
			e, problems := Compile(s, Options{})
			if len(problems) != 1 || problems[0].Field != c.field || !strings.Contains(problems[0].Message, c.message) || problems[0].Line < 5 {
				t.Fatalf("problems: %+v", problems)
			}
			if v := e.Check(connectionOf(t, s, "shop/api -> shop/web TCP 80")); len(v.Uncertain) == 0 {
				t.Error("the verdict is not uncertain")
			}
		})
	}
}

func TestCalicoWhy(t *testing.T) {
	s := calicoShop(t, gnpHead+"  tier: early\n  ingress: [{action: Log}, {action: Pass, protocol: TCP}]\n---\n"+cnpHead+"  ingress: [{action: Allow, protocol: TCP, source: {nets: [10.2.0.0/16, 10.0.0.0/8]}, destination: {ports: [80]}}]\n")
	e := compileClean(t, s, Options{})
	v := e.Check(connectionOf(t, s, "pay/web@4 -> shop/api@4 TCP 80"))
	var got []string
	for _, step := range v.Ingress.Why {
		got = append(got, step.Tier+": "+step.Text)
	}
	want := []string{
		"early: GlobalNetworkPolicy g ingress rule 1 logs",
		"early: GlobalNetworkPolicy g ingress rule 2 passes to the next tier",
		"default: NetworkPolicy shop/p ingress rule 1, peer 1 (10.2.0.0/16), port TCP 80",
		"default: NetworkPolicy shop/p ingress rule 1, peer 2 (10.0.0.0/8), port TCP 80",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if lines := e.Allowances(); len(lines) != 2 || lines[0].Line != 5 || lines[1].ID.Peer != 1 {
		t.Errorf("allowances: %+v", lines)
	}
	v = e.Check(connectionOf(t, s, "pay/web@4 -> shop/api@4 UDP 80"))
	last := v.Ingress.Why[len(v.Ingress.Why)-1]
	if last.Kind != StepDefault || last.Text != "tier early: nothing matched, so its default denies" {
		t.Errorf("why: %s", whyText(v))
	}
}

func TestMaybe(t *testing.T) {
	s := calicoShop(t, cnpHead+"  ingress: [{action: Allow, protocol: ICMP, icmp: {type: 8}}, {action: Allow, protocol: TCP, source: {ports: [53]}}]\n")
	e := compileClean(t, s, Options{})
	for _, c := range []struct{ connection, want string }{
		{"pay/web@4 -> shop/api@4 ICMP", "rule 1 may match or not: the ICMP type and code are not known"},
		{"pay/web@4 -> shop/api@4 TCP 80", "rule 2 may match or not: it looks at the source port"},
	} {
		v := e.Check(connectionOf(t, s, c.connection))
		if v.Allowed || len(v.Uncertain) != 1 || !strings.Contains(v.Uncertain[0], c.want) {
			t.Errorf("%s: %s", c.connection, whyText(v))
		}
	}
	if v := e.Check(connectionOf(t, s, "pay/web@4 -> shop/api@4 ICMP 8/3")); !v.Allowed || len(v.Uncertain) > 0 {
		t.Errorf("a known type: %s", whyText(v))
	}
}
