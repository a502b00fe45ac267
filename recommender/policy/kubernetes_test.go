// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// shop is the cluster that the Kubernetes cases run in.
func shop() *cluster.Snapshot {
	web := podOf("shop/web", "app=web,tier=front", "10.1.0.1", "fd00:1::1")
	api := podOf("shop/api", "app=api", "10.1.0.2", "fd00:1::2")
	api.Node = "n2"
	api.Ports = []cluster.ContainerPort{{Name: "http", Protocol: flow.TCP, Port: 8080}, {Name: "metrics", Protocol: flow.UDP, Port: 9090}}
	db := podOf("shop/db", "app=db", "10.1.0.3", "fd00:1::3")
	db.Ports = []cluster.ContainerPort{{Name: "http", Protocol: flow.TCP, Port: 80}, {Name: "pg", Protocol: flow.TCP, Port: 5432}}
	other := podOf("pay/web", "app=web", "10.2.0.1", "fd00:2::1")
	six := podOf("pay/six", "app=six", "fd00:2::6")
	template := podOf("pay/template", "app=template")
	template.Template = true
	done := podOf("pay/done", "app=done", "10.2.0.9", "fd00:2::9")
	done.Finished = true
	host := podOf("pay/host", "app=web", "192.168.0.1", "fd00:ff::1")
	host.HostNetwork = true
	return &cluster.Snapshot{
		Namespaces: []cluster.Namespace{{Name: "pay", Labels: pairs("team=pay")}, {Name: "shop", Labels: pairs("team=shop")}},
		Nodes: []cluster.Node{
			{Name: "n1", Addresses: []netip.Addr{netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("fd00:ff::1")}},
			{Name: "n2", Addresses: []netip.Addr{netip.MustParseAddr("192.168.0.2"), netip.MustParseAddr("fd00:ff::2")}},
		},
		Pods: []cluster.Pod{done, host, six, template, other, api, db, web},
	}
}

const npHead = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
spec:
`

var kubernetesCases = []struct {
	name, source, spec string
	options            Options
	want               []expectation
}{
	{"no types and no egress rules means ingress only", "kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/#NetworkPolicySpec: policyTypes", "  podSelector: {}\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"},
		{"pay/web@6 -> shop/api@6 TCP 80", "Ei"},
		{"shop/api@4 -> pay/web@4 TCP 80", "EI"},
		{"shop/api@6 -> pay/web@6 TCP 80", "EI"},
	}},
	{"no types with egress rules means both", "kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/#NetworkPolicySpec: policyTypes", "  podSelector: {}\n  egress: [{}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"},
		{"pay/web@6 -> shop/api@6 TCP 80", "Ei"},
		{"shop/api@4 -> pay/web@4 TCP 80", "EI"},
		{"shop/api@6 -> pay/web@6 UDP 80", "EI"},
	}},
	{"isolation is per direction", "kubernetes.io/docs/concepts/services-networking/network-policies/#the-two-sorts-of-pod-isolation", "  podSelector: {matchLabels: {app: api}}\n  policyTypes: [Egress]\n", Options{}, []expectation{
		{"pay/web -> shop/api TCP 80", "EI"},
		{"shop/api@4 -> pay/web@4 TCP 80", "eI"},
		{"shop/api@6 -> 2001:db8::1 TCP 80", "eI"},
		{"shop/web -> shop/api TCP 80", "EI"},
	}},
	{"an empty rule allows all, other protocols too", "kubernetes.io/docs/concepts/services-networking/network-policies/#allow-all-ingress-traffic", "  podSelector: {}\n  ingress: [{}]\n", Options{}, []expectation{
		{"pay/web -> shop/api ICMP 8/0", "EI"}, {"203.0.113.1 -> shop/api SCTP 5", "EI"}, {"2001:db8::1 -> shop/api 47", "EI"},
	}},
	{"a pod selector alone means the own namespace", "kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors: podSelector", "  podSelector: {}\n  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]\n", Options{}, []expectation{
		{"shop/web -> shop/api TCP 80", "EI"},
		{"pay/web -> shop/api TCP 80", "Ei"},
		{"shop/web@6 -> shop/api@6 ICMPv6 128/0", "EI"},
		{"10.9.9.9 -> shop/api TCP 80", "Ei"},
		{"192.168.0.2 -> shop/db TCP 80", "Ei"},
	}},
	{"an empty namespace selector means every namespace and no outside", "kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors: namespaceSelector", "  podSelector: {}\n  ingress: [{from: [{namespaceSelector: {}}]}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"},
		{"pay/web@6 -> shop/api@6 TCP 80", "EI"},
		{"pay/template -> shop/api TCP 80", "EI"},
		{"203.0.113.1 -> shop/api TCP 80", "Ei"},
		{"2001:db8::1 -> shop/api TCP 80", "Ei"},
	}},
	{"two selectors in one item are both meant", "kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors: namespaceSelector and podSelector", "  podSelector: {}\n  ingress: [{from: [{namespaceSelector: {matchLabels: {team: pay}}, podSelector: {matchLabels: {app: web}}}]}]\n", Options{}, []expectation{
		{"pay/web -> shop/api TCP 80", "EI"}, {"pay/six -> shop/api TCP 80", "Ei"}, {"shop/web -> shop/api TCP 80", "Ei"},
	}},
	{"two items are alternatives", "kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors: the second example", "  podSelector: {}\n  ingress: [{from: [{namespaceSelector: {matchLabels: {team: pay}}}, {podSelector: {matchLabels: {app: web}}}]}]\n", Options{}, []expectation{
		{"pay/web -> shop/api TCP 80", "EI"}, {"pay/six -> shop/api TCP 80", "EI"}, {"shop/web -> shop/api TCP 80", "EI"}, {"shop/db -> shop/api TCP 80", "Ei"},
	}},
	{"NotIn and DoesNotExist match where the label is absent", "kubernetes.io/docs/concepts/overview/working-with-objects/labels/#set-based-requirement", "  podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [front]}, {key: x, operator: DoesNotExist}]}\n", Options{}, []expectation{
		{"pay/web -> shop/api TCP 80", "Ei"}, {"pay/web -> shop/web TCP 80", "EI"},
	}},
	{"no protocol means TCP, no port means all of it", "kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/#NetworkPolicySpec: ingress.ports.protocol and port", "  podSelector: {}\n  ingress: [{ports: [{}, {protocol: SCTP}]}]\n", Options{}, []expectation{
		{"pay/web -> shop/api TCP 1", "EI"},
		{"pay/web@6 -> shop/api@6 TCP 65535", "EI"},
		{"pay/web -> shop/api SCTP 9", "EI"},
		{"pay/web -> shop/api UDP 1", "Ei"},
		{"pay/web@6 -> shop/api@6 ICMPv6 128/0", "Ei"},
	}},
	{"endPort is included", "kubernetes.io/docs/concepts/services-networking/network-policies/#targeting-a-range-of-ports", "  podSelector: {}\n  ingress: [{ports: [{port: 80, endPort: 90}, {port: 53, protocol: UDP}]}]\n", Options{}, []expectation{
		{"pay/web -> shop/api TCP 79", "Ei"},
		{"pay/web -> shop/api TCP 80", "EI"},
		{"pay/web@6 -> shop/api@6 TCP 90", "EI"},
		{"pay/web -> shop/api TCP 91", "Ei"},
		{"pay/web -> shop/api UDP 53", "EI"},
		{"pay/web -> shop/api UDP 80", "Ei"},
	}},
	{"a named port is each destination's own, ingress", "kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/#NetworkPolicySpec: ingress.ports.port, a numerical or named port on a pod", "  podSelector: {}\n  ingress: [{ports: [{port: http}, {port: metrics, protocol: UDP}]}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 8080", "EI"},
		{"pay/web@6 -> shop/api@6 TCP 8080", "EI"},
		{"pay/web -> shop/api TCP 80", "Ei"},
		{"pay/web -> shop/db TCP 80", "EI"},
		{"pay/web -> shop/db TCP 8080", "Ei"},
		{"pay/web -> shop/web TCP 80", "Ei"},
		{"pay/web -> shop/api UDP 9090", "EI"},
		{"pay/web -> shop/api TCP 9090", "Ei"},
		{"pay/web -> shop/api UDP 8080", "Ei"},
	}},
	{"a named port is each destination's own, egress, and never outside", "kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/#NetworkPolicySpec: egress.ports.port, a numerical or named port on a pod", "  podSelector: {}\n  policyTypes: [Egress]\n  egress: [{ports: [{port: http}]}]\n", Options{}, []expectation{
		{"shop/web -> shop/api TCP 8080", "EI"},
		{"shop/web -> shop/db TCP 80", "EI"},
		{"shop/web -> shop/db TCP 8080", "eI"},
		{"shop/web -> 203.0.113.1 TCP 80", "eI"},
		{"shop/web -> 2001:db8::1 TCP 8080", "eI"},
		{"shop/web -> 192.168.0.2 TCP 80", "eI"},
	}},
	{"an address block with exceptions", "kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/#NetworkPolicySpec: ipBlock.except", "  podSelector: {}\n  ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.128/25]}}, {ipBlock: {cidr: '2001:db8::/32', except: ['2001:db8:1::/48']}}]}]\n", Options{}, []expectation{
		{"203.0.113.1 -> shop/api TCP 80", "EI"},
		{"203.0.113.127 -> shop/api TCP 80", "EI"},
		{"203.0.113.128 -> shop/api TCP 80", "Ei"},
		{"203.0.114.0 -> shop/api TCP 80", "Ei"},
		{"2001:db8::1 -> shop/api TCP 80", "EI"},
		{"2001:db8:1::1 -> shop/api TCP 80", "Ei"},
		{"2001:db9::1 -> shop/api TCP 80", "Ei"},
		{"::ffff:203.0.113.1 -> shop/api TCP 80", "EI"},
	}},
	{"an address block matches pods and nodes by default", "kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors: ipBlock, the plugin decides", "  podSelector: {}\n  ingress: [{from: [{ipBlock: {cidr: 10.2.0.0/16}}, {ipBlock: {cidr: 'fd00:2::/32'}}, {ipBlock: {cidr: 192.168.0.2/32}}]}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"},
		{"pay/web@6 -> shop/api@6 TCP 80", "EI"},
		{"shop/web@4 -> shop/api@4 TCP 80", "Ei"},
		{"shop/web@6 -> shop/api@6 TCP 80", "Ei"},
		{"192.168.0.2 -> shop/db TCP 80", "EI"},
		{"fd00:ff::2 -> shop/db TCP 80", "Ei"},
		{"pay/template -> shop/api TCP 80", "Ei"},
	}},
	{"an address block can be told to skip pods", "kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors: ipBlock, the plugin decides", "  podSelector: {}\n  ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: '::/0'}}]}]\n", Options{IPBlockSkipsPods: true}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"},
		{"pay/web@6 -> shop/api@6 TCP 80", "Ei"},
		{"203.0.113.1 -> shop/api TCP 80", "EI"},
		{"2001:db8::1 -> shop/api TCP 80", "EI"},
		{"192.168.0.1 -> shop/api TCP 80", "EI"},
	}},
	{"the own node is always allowed, another node is not", "kubernetes.io/docs/concepts/services-networking/network-policies/#what-you-can-t-do-with-network-policies-at-least-not-yet: traffic from the resident node", "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n", Options{}, []expectation{
		{"192.168.0.1 -> shop/web TCP 80", "EI"},
		{"fd00:ff::1 -> shop/web TCP 80", "EI"},
		{"192.168.0.2 -> shop/web TCP 80", "Ei"},
		{"fd00:ff::2 -> shop/web TCP 80", "Ei"},
		{"192.168.0.2 -> shop/api TCP 80", "EI"},
		{"shop/web -> 192.168.0.1 TCP 10250", "eI"},
		{"shop/web -> fd00:ff::1 TCP 10250", "eI"},
	}},
	{"a hostNetwork pod is its node", "kubernetes.io/docs/concepts/services-networking/network-policies/#networkpolicy-and-hostnetwork-pods", "  podSelector: {}\n  ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}]}]\n", Options{}, []expectation{
		{"pay/host@4 -> shop/web TCP 80", "EI"}, {"pay/host@6 -> shop/web TCP 80", "EI"}, {"pay/host@4 -> shop/api TCP 80", "Ei"}, {"pay/host@6 -> shop/api TCP 80", "Ei"},
	}},
	{"loopback is allowed", "kubernetes.io/docs/concepts/services-networking/network-policies/#what-you-can-t-do-with-network-policies-at-least-not-yet: pods cannot block localhost access", "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n", Options{}, []expectation{
		{"shop/web@4 -> shop/web@4 TCP 80", "EI"}, {"shop/web@6 -> shop/web@6 TCP 80", "EI"}, {"shop/web -> shop/api TCP 80", "ei"},
	}},
	{"a finished pod owns no address", "kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase", "  podSelector: {}\n  ingress: [{from: [{namespaceSelector: {}}]}]\n", Options{}, []expectation{
		{"10.2.0.9 -> shop/api TCP 80", "Ei"}, {"fd00:2::9 -> shop/api TCP 80", "Ei"}, {"pay/done -> shop/api TCP 80", "EI"},
	}},
	{"an address that a pod owns is the pod", "kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors", "  podSelector: {}\n  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]\n", Options{}, []expectation{
		{"10.1.0.1 -> 10.1.0.2 TCP 80", "EI"}, {"fd00:1::1 -> fd00:1::2 TCP 80", "EI"}, {"10.2.0.1 -> 10.1.0.2 TCP 80", "Ei"},
	}},
	{"a namespace has its name as a label", "kubernetes.io/docs/concepts/services-networking/network-policies/#targeting-a-namespace-by-its-name", "  podSelector: {}\n  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: pay}}}]}]\n", Options{}, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/six -> shop/api TCP 80", "EI"}, {"shop/web -> shop/api TCP 80", "Ei"},
	}},
}

func TestKubernetes(t *testing.T) {
	for _, c := range kubernetesCases {
		t.Run(c.name, func(t *testing.T) {
			cited(t, c.source)
			s := shop()
			s.Policies = objectsOf(t, npHead+c.spec)
			expect(t, compileClean(t, s, c.options), s, c.want)
		})
	}
}

func TestKubernetesUnion(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, npHead+"  podSelector: {}\n  ingress: [{ports: [{port: 80}]}]\n---\n"+
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: q, namespace: shop}\nspec:\n  podSelector: {matchLabels: {app: api}}\n  ingress: [{ports: [{port: 81}]}]\n")
	e := compileClean(t, s, Options{})
	expect(t, e, s, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 81", "EI"}, {"pay/web -> shop/web TCP 81", "Ei"}, {"pay/web -> shop/api TCP 82", "Ei"},
	})
	if got := e.Selecting(peerOf(t, s, "shop/api").Pod, Ingress); len(got) != 2 || got[0].Name != "p" || got[1].Name != "q" {
		t.Errorf("selecting: %v", got)
	}
	if !e.Isolated(peerOf(t, s, "shop/api").Pod, Ingress) || e.Isolated(peerOf(t, s, "shop/api").Pod, Egress) {
		t.Error("isolation is wrong")
	}
}
