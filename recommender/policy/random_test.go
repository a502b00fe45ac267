// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// dice makes random clusters, policies and connections out of few values, so
// that things meet often.
type dice struct{ *rand.Rand }

func newDice(seed uint64) *dice { return &dice{rand.New(rand.NewPCG(seed, 99))} }

func pick[T any](d *dice, list ...T) T { return list[d.IntN(len(list))] }

func (d *dice) chance(percent int) bool { return d.IntN(100) < percent }

var (
	randomNamespaces = []string{"a", "b", "c"}
	randomNames      = []string{"http", "dns"}
	randomOutside    = []string{"10.0.9.9", "203.0.113.5", "203.0.113.200", "8.8.8.8", "2001:db8::5", "2001:db8:1::5", "fd00:9::9", "2a00::1"}
	randomBlocks     = []string{
		"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/30", "10.0.0.4/31", "203.0.113.0/24", "203.0.113.128/25", "192.168.0.1/32",
		"::/0", "fd00::/16", "fd00::/126", "2001:db8::/32", "2001:db8:1::/48", "fd00:ff::1/128",
	}
)

func (d *dice) labels() map[string]string {
	out := map[string]string{}
	for _, k := range []string{"app", "tier"} {
		if d.chance(70) {
			out[k] = pick(d, "x", "y", "z")
		}
	}
	return out
}

// cluster makes three namespaces, two nodes and up to eight pods of all sorts.
func (d *dice) cluster() *cluster.Snapshot {
	s := &cluster.Snapshot{}
	for _, ns := range randomNamespaces {
		s.Namespaces = append(s.Namespaces, cluster.Namespace{Name: ns, Labels: d.labels()})
	}
	for i := range 2 {
		s.Nodes = append(s.Nodes, cluster.Node{Name: fmt.Sprint("n", i), Addresses: []netip.Addr{
			netip.MustParseAddr(fmt.Sprintf("192.168.0.%d", i+1)), netip.MustParseAddr(fmt.Sprintf("fd00:ff::%d", i+1)),
		}})
	}
	for i := range 3 + d.IntN(6) {
		p := cluster.Pod{Namespace: pick(d, randomNamespaces...), Name: fmt.Sprint("p", i), Labels: d.labels(), Node: fmt.Sprint("n", d.IntN(2)), ServiceAccount: pick(d, "default", "sa")}
		four, six := netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", i+1)), netip.MustParseAddr(fmt.Sprintf("fd00::%d", i+1))
		switch d.IntN(6) {
		case 0:
			p.IPs = []netip.Addr{four}
		case 1:
			p.IPs = []netip.Addr{six}
		case 2:
			if p.Template = true; d.chance(30) {
				p.Template, p.Finished, p.IPs = false, true, []netip.Addr{four}
			}
		case 3:
			if d.chance(30) {
				p.HostNetwork = true
				for _, n := range s.Nodes {
					if n.Name == p.Node {
						p.IPs = n.Addresses
					}
				}
				break
			}
			fallthrough
		default:
			p.IPs = []netip.Addr{four, six}
		}
		for _, name := range randomNames {
			if d.chance(60) {
				p.Ports = append(p.Ports, cluster.ContainerPort{Name: name, Protocol: pick(d, flow.TCP, flow.UDP), Port: pick[uint16](d, 53, 80, 81)})
			}
		}
		s.Pods = append(s.Pods, p)
	}
	return s
}

func (d *dice) labelSelector() metav1.LabelSelector {
	var s metav1.LabelSelector
	if d.chance(40) {
		s.MatchLabels = map[string]string{pick(d, "app", "tier"): pick(d, "x", "y", "z")}
	}
	if d.chance(30) {
		r := metav1.LabelSelectorRequirement{Key: pick(d, "app", "tier"), Operator: pick(d, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)}
		if r.Operator == metav1.LabelSelectorOpIn || r.Operator == metav1.LabelSelectorOpNotIn {
			r.Values = []string{pick(d, "x", "y", "z"), "w"}
		}
		s.MatchExpressions = append(s.MatchExpressions, r)
	}
	return s
}

func (d *dice) kubernetesPeers() []networkingv1.NetworkPolicyPeer {
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

func (d *dice) ipBlock() *networkingv1.IPBlock {
	b := &networkingv1.IPBlock{CIDR: pick(d, randomBlocks...)}
	whole := netip.MustParsePrefix(b.CIDR)
	for _, text := range randomBlocks {
		if p := netip.MustParsePrefix(text); d.chance(30) && whole.Contains(p.Addr()) && p.Bits() > whole.Bits() {
			b.Except = append(b.Except, text)
		}
	}
	return b
}

func (d *dice) kubernetesPorts() []networkingv1.NetworkPolicyPort {
	var out []networkingv1.NetworkPolicyPort
	for range d.IntN(3) {
		var p networkingv1.NetworkPolicyPort
		if d.chance(80) {
			protocol := pick(d, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
			p.Protocol = &protocol
		}
		switch d.IntN(4) {
		case 0:
			n := intstr.FromString(pick(d, randomNames...))
			p.Port = &n
		case 1:
			n := intstr.FromInt32(pick[int32](d, 53, 80, 81))
			p.Port = &n
			if d.chance(50) {
				end := n.IntVal + d.Int32N(30)
				p.EndPort = &end
			}
		case 2:
			n := intstr.FromInt32(pick[int32](d, 53, 80, 81))
			p.Port = &n
		}
		out = append(out, p)
	}
	return out
}

func (d *dice) kubernetesPolicy(name string) cluster.Object {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: pick(d, randomNamespaces...), Name: name}}
	np.Spec.PodSelector = d.labelSelector()
	np.Spec.PolicyTypes = pick(d, nil, []networkingv1.PolicyType{"Ingress"}, []networkingv1.PolicyType{"Egress"}, []networkingv1.PolicyType{"Ingress", "Egress"})
	for range d.IntN(3) {
		np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: d.kubernetesPeers(), Ports: d.kubernetesPorts()})
	}
	for range d.IntN(3) {
		np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: d.kubernetesPeers(), Ports: d.kubernetesPorts()})
	}
	return cluster.Object{Ref: cluster.Ref{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy", Namespace: np.Namespace, Name: name}, Typed: np}
}

func (d *dice) selector() string {
	switch d.IntN(8) {
	case 0:
		return "all()"
	case 1:
		return "has(tier)"
	case 2:
		return fmt.Sprintf("app != %q", pick(d, "x", "y"))
	case 3:
		return fmt.Sprintf("app not in {%q, 'z'} || tier == 'x'", pick(d, "x", "y"))
	case 4:
		return fmt.Sprintf("!(app starts with %q && has(tier))", pick(d, "x", "y"))
	default:
		return fmt.Sprintf("%s == %q", pick(d, "app", "tier"), pick(d, "x", "y", "z"))
	}
}

func (d *dice) entity(destination bool, protocol bool) calicov3.EntityRule {
	var e calicov3.EntityRule
	if d.chance(40) {
		e.Selector = d.selector()
	}
	if d.chance(20) {
		e.NotSelector = d.selector()
	}
	if d.chance(25) {
		e.NamespaceSelector = pick(d, "all()", "global()", d.selector())
	}
	if d.chance(15) {
		e.ServiceAccounts = &calicov3.ServiceAccountMatch{Names: []string{"sa"}}
	}
	for d.chance(30) {
		e.Nets = append(e.Nets, pick(d, randomBlocks...))
	}
	if d.chance(20) {
		e.NotNets = append(e.NotNets, pick(d, randomBlocks...))
	}
	if destination && protocol {
		for d.chance(40) {
			e.Ports = append(e.Ports, pick(d, numorstring.SinglePort(80), numorstring.Port{MinPort: 50, MaxPort: 80}, numorstring.NamedPort("http")))
		}
		if d.chance(15) {
			e.NotPorts = append(e.NotPorts, pick(d, numorstring.SinglePort(53), numorstring.NamedPort("dns")))
		}
	}
	return e
}

func (d *dice) calicoRules() []calicov3.Rule {
	var out []calicov3.Rule
	for range d.IntN(4) {
		r := calicov3.Rule{Action: pick(d, calicov3.Allow, calicov3.Allow, calicov3.Deny, calicov3.Pass, calicov3.Log)}
		ports := d.chance(60)
		if ports {
			p := numorstring.ProtocolFromString(pick(d, "TCP", "UDP", "SCTP"))
			r.Protocol = &p
		} else if d.chance(30) {
			p := numorstring.ProtocolFromString(pick(d, "ICMP", "ICMPv6"))
			r.Protocol = &p
			typ := pick(d, 8, 128)
			if d.chance(50) {
				r.ICMP = &calicov3.ICMPFields{Type: &typ}
			} else {
				r.NotICMP = &calicov3.ICMPFields{Type: &typ}
			}
		} else if d.chance(30) {
			p := numorstring.ProtocolFromInt(47)
			r.NotProtocol = &p
		}
		if d.chance(15) {
			r.IPVersion = new(int)
			*r.IPVersion = pick(d, 4, 6)
		}
		r.Source, r.Destination = d.entity(false, ports), d.entity(true, ports)
		if d.chance(50) {
			r.Source = calicov3.EntityRule{}
		}
		out = append(out, r)
	}
	return out
}

func (d *dice) calicoPolicy(name string) cluster.Object {
	var order *float64
	if d.chance(70) {
		order = new(float64)
		*order = pick(d, 10.0, 1000, 2000)
	}
	types := pick(d, nil, []calicov3.PolicyType{"Ingress"}, []calicov3.PolicyType{"Egress"}, []calicov3.PolicyType{"Ingress", "Egress"})
	tier := pick(d, "", "default", "early", "late")
	if d.chance(50) {
		np := &calicov3.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: pick(d, randomNamespaces...), Name: name}}
		np.Spec = calicov3.NetworkPolicySpec{Tier: tier, Order: order, Types: types, Selector: d.selector(), Ingress: d.calicoRules(), Egress: d.calicoRules()}
		return calicoObjectOf("NetworkPolicy", np.Namespace, name, np)
	}
	np := &calicov3.GlobalNetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	np.Spec = calicov3.GlobalNetworkPolicySpec{Tier: tier, Order: order, Types: types, Selector: d.selector(), Ingress: d.calicoRules(), Egress: d.calicoRules()}
	if d.chance(20) {
		np.Spec.NamespaceSelector = d.selector()
	}
	return calicoObjectOf("GlobalNetworkPolicy", "", name, np)
}

func calicoObjectOf(kind, ns, name string, typed runtime.Object) cluster.Object {
	return cluster.Object{Ref: cluster.Ref{APIVersion: "projectcalico.org/v3", Kind: kind, Namespace: ns, Name: name}, Typed: typed}
}

// world makes what Calico policies refer to.
func (d *dice) world() []cluster.Object {
	pass, early := calicov3.Pass, 10.0
	out := []cluster.Object{
		calicoObjectOf("Tier", "", "early", &calicov3.Tier{ObjectMeta: metav1.ObjectMeta{Name: "early"}, Spec: calicov3.TierSpec{Order: &early}}),
		calicoObjectOf("Tier", "", "late", &calicov3.Tier{ObjectMeta: metav1.ObjectMeta{Name: "late"}, Spec: calicov3.TierSpec{DefaultAction: &pass}}),
		calicoObjectOf("GlobalNetworkSet", "", "g", &calicov3.GlobalNetworkSet{ObjectMeta: metav1.ObjectMeta{Name: "g", Labels: d.labels()}, Spec: calicov3.GlobalNetworkSetSpec{Nets: []string{pick(d, randomBlocks...), pick(d, randomBlocks...)}}}),
		calicoObjectOf("NetworkSet", "a", "s", &calicov3.NetworkSet{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "s", Labels: d.labels()}, Spec: calicov3.NetworkSetSpec{Nets: []string{pick(d, randomBlocks...)}}}),
	}
	if d.chance(40) {
		out = append(out, calicoObjectOf("HostEndpoint", "", "h", &calicov3.HostEndpoint{
			ObjectMeta: metav1.ObjectMeta{Name: "h", Labels: d.labels()},
			Spec:       calicov3.HostEndpointSpec{Node: "n0", InterfaceName: "*", ExpectedIPs: []string{"192.168.0.1", "fd00:ff::1"}, Ports: []calicov3.EndpointPort{{Name: "http", Protocol: numorstring.ProtocolFromString("TCP"), Port: 80}}},
		}))
	}
	if d.chance(30) {
		out = append(out, calicoObjectOf("Profile", "", "kns.b", &calicov3.Profile{ObjectMeta: metav1.ObjectMeta{Name: "kns.b"}, Spec: calicov3.ProfileSpec{Ingress: []calicov3.Rule{{Action: calicov3.Deny, Source: calicov3.EntityRule{Nets: []string{"203.0.113.0/24"}}}, {Action: calicov3.Allow}}}}))
	}
	return out
}

// policies makes a random set of policies of several kinds.
func (d *dice) policies(kubernetes, calico int) []cluster.Object {
	out := d.world()
	for i := range d.IntN(kubernetes + 1) {
		out = append(out, d.kubernetesPolicy(fmt.Sprint("k", i)))
	}
	for i := range d.IntN(calico + 1) {
		out = append(out, d.calicoPolicy(fmt.Sprint("c", i)))
	}
	for i := range d.IntN(3) {
		out = append(out, d.widePolicy(fmt.Sprint("w", i)))
	}
	if d.chance(30) {
		out = append(out, d.adminPolicy("admin"))
	}
	return out
}

// peers lists every address and every addressless pod of the cluster, and some
// outside.
func (d *dice) peers(s *cluster.Snapshot) []Peer {
	var out []Peer
	for i := range s.Pods {
		p := &s.Pods[i]
		if len(p.IPs) == 0 || p.Finished {
			out = append(out, Peer{Pod: p})
			continue
		}
		for _, a := range p.IPs {
			out = append(out, Peer{Pod: p, Addr: a})
		}
	}
	for _, n := range s.Nodes {
		for _, a := range n.Addresses {
			out = append(out, Peer{Addr: a})
		}
	}
	for _, text := range randomOutside {
		out = append(out, Peer{Addr: netip.MustParseAddr(text)})
	}
	return append(out, d.named()...)
}

// connections is every pair of one family with a few protocols and ports.
func (d *dice) connections(s *cluster.Snapshot, visit func(Connection)) {
	peers := d.peers(s)
	for _, from := range peers {
		for _, to := range peers {
			if from.Addr.IsValid() && to.Addr.IsValid() && from.Addr.Is4() != to.Addr.Is4() || (from.Pod == nil && to.Pod == nil) {
				continue
			}
			for _, port := range []uint16{53, 80, 81, 9999} {
				visit(Connection{From: from, To: to, Protocol: pick(d, flow.TCP, flow.UDP, flow.SCTP), Port: port, ICMPType: -1, ICMPCode: -1})
			}
			visit(Connection{From: from, To: to, Protocol: pick[flow.Protocol](d, flow.ICMP, flow.ICMPv6), ICMPType: pick[int16](d, 8, 128, 3)})
			visit(Connection{From: from, To: to, Protocol: pick[flow.Protocol](d, 47, 51)})
		}
	}
}

// mutate gives a policy set that differs in one to three policies.
func (d *dice) mutate(in []cluster.Object) []cluster.Object {
	out := slices.Clone(in)
	for round := range 1 + d.IntN(3) {
		switch i := d.IntN(len(out)); {
		case d.chance(40) && i >= 4:
			out = slices.Delete(out, i, i+1)
		case d.chance(20):
			out = append(out, d.widePolicy(fmt.Sprint("new", round)))
		case d.chance(50):
			out = append(out, d.calicoPolicy(fmt.Sprint("new", round)))
		default:
			out = append(out, d.kubernetesPolicy(fmt.Sprint("new", round)))
		}
	}
	return out
}
