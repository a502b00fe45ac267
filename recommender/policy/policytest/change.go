// SPDX-License-Identifier: Apache-2.0

package policytest

import (
	"fmt"
	"net/netip"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// Changed gives a snapshot in which one to three things are different, of any
// kind. The one that is given stays as it is.
func (d *Dice) Changed(s *cluster.Snapshot, step int) *cluster.Snapshot {
	out := *s
	for round := range 1 + d.IntN(3) {
		name := fmt.Sprintf("new%d-%d", step, round)
		switch d.IntN(9) {
		case 0, 1:
			d.changePods(&out, name)
		case 2:
			d.changeNamespaces(&out, name)
		case 3:
			d.changeNodes(&out, name)
		case 4:
			d.changeAccounts(&out)
		case 5:
			d.changeServices(&out)
		case 6:
			d.changeWorld(&out, name)
		default:
			out.Policies = d.changePolicies(out.Policies, name)
		}
	}
	return &out
}

func (d *Dice) changePods(s *cluster.Snapshot, name string) {
	s.Pods = slices.Clone(s.Pods)
	i := d.IntN(len(s.Pods) + 1)
	if i == len(s.Pods) || len(s.Pods) < 3 {
		s.Pods = slices.Insert(s.Pods, d.IntN(len(s.Pods)+1), cluster.Pod{
			Namespace: Pick(d, namespaces...), Name: name, Labels: d.labels(), Node: Pick(d, "n0", "n1", "n7"), ServiceAccount: "default",
			IPs: []netip.Addr{d.freeAddr("10.0.0.%d"), d.freeAddr("fd00::%d")}, Ports: []cluster.ContainerPort{{Name: "http", Protocol: flow.TCP, Port: 80}},
		})
		return
	}
	switch p := &s.Pods[i]; d.IntN(9) {
	case 0:
		s.Pods = slices.Delete(s.Pods, i, i+1)
	case 1, 2:
		p.Labels = d.labels()
	case 3:
		p.IPs, p.HostNetwork, p.Template = []netip.Addr{d.freeAddr("10.0.0.%d"), d.freeAddr("fd00::%d")}, false, false
	case 4:
		p.IPs = []netip.Addr{d.freeAddr("fd00::%d")}
	case 5:
		p.Finished = !p.Finished
	case 6:
		p.ServiceAccount = Pick(d, "default", "sa", "other")
	case 7:
		p.HostNetwork, p.IPs = !p.HostNetwork, []netip.Addr{d.freeAddr("192.168.1.%d")}
	case 8:
		p.Node = Pick(d, "n0", "n1", "n7")
		p.Ports = []cluster.ContainerPort{{Name: Pick(d, portNames...), Protocol: flow.TCP, Port: Pick[uint16](d, 80, 81)}}
	}
}

// freeAddr gives an address that is hardly in use.
func (d *Dice) freeAddr(pattern string) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf(pattern, 20+d.IntN(70)))
}

func (d *Dice) changeNamespaces(s *cluster.Snapshot, name string) {
	s.Namespaces = slices.Clone(s.Namespaces)
	if i := d.IntN(len(s.Namespaces) + 2); i < len(s.Namespaces) {
		s.Namespaces[i].Labels = d.labels()
	} else {
		s.Namespaces = append(s.Namespaces, cluster.Namespace{Name: Pick(d, "0", "bb", "d") + name, Labels: d.labels()})
	}
}

func (d *Dice) changeNodes(s *cluster.Snapshot, name string) {
	s.Nodes = slices.Clone(s.Nodes)
	i := d.IntN(len(s.Nodes) + 1)
	if i == len(s.Nodes) {
		s.Nodes = slices.Insert(s.Nodes, d.IntN(len(s.Nodes)+1), cluster.Node{Name: Pick(d, "n0", "n7", name), Labels: d.labels(), Addresses: []netip.Addr{d.freeAddr("192.168.0.%d")}})
		return
	}
	switch d.IntN(3) {
	case 0:
		s.Nodes = slices.Delete(s.Nodes, i, i+1)
	case 1:
		s.Nodes[i].Labels = d.labels()
	case 2:
		s.Nodes[i].Addresses = append(slices.Clip(s.Nodes[i].Addresses), d.freeAddr("192.168.0.%d"))
	}
}

func (d *Dice) changeAccounts(s *cluster.Snapshot) {
	ns, name := Pick(d, namespaces...), Pick(d, "default", "sa")
	s.ServiceAccounts = slices.DeleteFunc(slices.Clone(s.ServiceAccounts), func(a cluster.ServiceAccount) bool { return a.Namespace == ns && a.Name == name })
	if d.Chance(70) {
		s.ServiceAccounts = append(s.ServiceAccounts, cluster.ServiceAccount{Namespace: ns, Name: name, Labels: d.labels()})
	}
}

// changeServices changes the Service a/svc, or its endpoints.
func (d *Dice) changeServices(s *cluster.Snapshot) {
	if d.Chance(50) {
		s.EndpointSlices = nil
		if d.Chance(60) {
			port := int32(Pick(d, 80, 81))
			s.EndpointSlices = []*discoveryv1.EndpointSlice{{
				ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "svc-1", Labels: map[string]string{discoveryv1.LabelServiceName: "svc"}},
				Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{fmt.Sprintf("10.0.0.%d", 1+d.IntN(8))}}}, Ports: []discoveryv1.EndpointPort{{Port: &port}},
			}}
		}
		return
	}
	s.Services = nil
	if d.Chance(70) {
		s.Services = []*corev1.Service{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "svc"},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": Pick(d, "x", "y")}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: Pick(d, intstr.FromInt32(81), intstr.FromString("http"))}}},
		}}
	}
}

// changeWorld changes what policies refer to.
func (d *Dice) changeWorld(s *cluster.Snapshot, name string) {
	var o cluster.Object
	switch d.IntN(8) {
	case 0:
		order := Pick(d, 5.0, 500, 2_000_000)
		o = calicoObjectOf("Tier", "", Pick(d, "early", "late", "default"), &calicov3.Tier{Spec: calicov3.TierSpec{Order: &order, DefaultAction: Pick(d, nil, new(calicov3.Pass), new(calicov3.Deny))}})
		o.Typed.(*calicov3.Tier).Name = o.Ref.Name
	case 1:
		o = calicoObjectOf("NetworkSet", Pick(d, namespaces...), "s", &calicov3.NetworkSet{ObjectMeta: metav1.ObjectMeta{Labels: d.labels()}, Spec: calicov3.NetworkSetSpec{Nets: []string{Pick(d, blocks...)}}})
		o.Typed.(*calicov3.NetworkSet).Namespace = o.Ref.Namespace
	case 2:
		o = calicoObjectOf("HostEndpoint", "", Pick(d, "h", "h1"), &calicov3.HostEndpoint{
			ObjectMeta: metav1.ObjectMeta{Labels: d.labels()},
			Spec:       calicov3.HostEndpointSpec{Node: Pick(d, "n0", "n1"), InterfaceName: Pick(d, "*", ""), ExpectedIPs: []string{"192.168.0.1"}, Profiles: Pick(d, nil, []string{"free"}), Ports: []calicov3.EndpointPort{{Name: "http", Protocol: numorstring.ProtocolFromString("TCP"), Port: 80}}},
		})
		o.Typed.(*calicov3.HostEndpoint).Name = o.Ref.Name
	case 3:
		rules := Pick(d, nil, []calicov3.Rule{{Action: calicov3.Allow}})
		profile := Pick(d, "kns.a", "kns.b", "ksa.a.sa", "free")
		o = calicoObjectOf("Profile", "", profile, &calicov3.Profile{ObjectMeta: metav1.ObjectMeta{Name: profile}, Spec: calicov3.ProfileSpec{Ingress: rules, Egress: rules, LabelsToApply: d.labels()}})
	case 4:
		np := &calicov3.GlobalNetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
		np.Spec = calicov3.GlobalNetworkPolicySpec{Selector: d.selector(), Egress: []calicov3.Rule{{Action: calicov3.Allow, Destination: calicov3.EntityRule{Services: &calicov3.ServiceMatch{Namespace: "a", Name: "svc"}}}}}
		o = calicoObjectOf("GlobalNetworkPolicy", "", name, np)
	case 5:
		o = d.felix()
	case 6:
		np := &calicov3.GlobalNetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
		np.Spec = calicov3.GlobalNetworkPolicySpec{Selector: d.selector(), ApplyOnForward: true, DoNotTrack: d.Chance(40), Ingress: d.calicoRules()}
		np.Spec.PreDNAT = !np.Spec.DoNotTrack && d.Chance(40)
		o = calicoObjectOf("GlobalNetworkPolicy", "", name, np)
	default:
		if i := d.IntN(len(s.Policies)); d.Chance(50) {
			s.Policies = slices.Delete(slices.Clone(s.Policies), i, i+1)
		}
		return
	}
	s.Policies = append(slices.DeleteFunc(slices.Clone(s.Policies), func(x cluster.Object) bool { return x.Ref == o.Ref }), o)
}

func (d *Dice) felix() cluster.Object {
	name := Pick(d, "default", "node.n0")
	ports := []calicov3.ProtoPort{{Protocol: "tcp", Port: Pick[uint16](d, 80, 81), Net: Pick(d, "", "203.0.113.0/24")}}
	felix := &calicov3.FelixConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if d.Chance(60) {
		felix.Spec.FailsafeInboundHostPorts = &ports
	}
	if d.Chance(40) {
		felix.Spec.FailsafeOutboundHostPorts = &[]calicov3.ProtoPort{}
	}
	return calicoObjectOf("FelixConfiguration", "", name, felix)
}

// changePolicies puts or removes a policy.
func (d *Dice) changePolicies(in []cluster.Object, name string) []cluster.Object {
	if i := d.IntN(len(in)); d.Chance(30) && in[i].Ref.Kind != "Tier" {
		return slices.Delete(slices.Clone(in), i, i+1)
	}
	switch d.IntN(4) {
	case 0:
		return append(slices.Clip(in), d.WidePolicy(name))
	case 1:
		return append(slices.Clip(in), d.KubernetesPolicy(name))
	default:
		return append(slices.Clip(in), d.CalicoPolicy(name))
	}
}
