// SPDX-License-Identifier: Apache-2.0

// Package policytest makes random clusters and policies, the same for the same
// seed, for tests that hold the policy engine against itself and against
// others' judges.
package policytest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// Dice makes random clusters, policies and connections out of few values, so
// that things meet often.
type Dice struct{ *rand.Rand }

// New makes dice for a seed.
func New(seed uint64) *Dice { return &Dice{rand.New(rand.NewPCG(seed, 99))} }

// Pick takes one of the list.
func Pick[T any](d *Dice, list ...T) T { return list[d.IntN(len(list))] }

// Chance is true in so many of a hundred cases.
func (d *Dice) Chance(percent int) bool { return d.IntN(100) < percent }

var (
	namespaces = []string{"a", "b", "c"}
	portNames  = []string{"http", "dns"}
	outside    = []string{"10.0.9.9", "203.0.113.5", "203.0.113.200", "8.8.8.8", "2001:db8::5", "2001:db8:1::5", "fd00:9::9", "2a00::1"}
	blocks     = []string{
		"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/30", "10.0.0.4/31", "203.0.113.0/24", "203.0.113.128/25", "192.168.0.1/32",
		"::/0", "fd00::/16", "fd00::/126", "2001:db8::/32", "2001:db8:1::/48", "fd00:ff::1/128",
	}
)

func (d *Dice) labels() map[string]string {
	out := map[string]string{}
	for _, k := range []string{"app", "tier"} {
		if d.Chance(70) {
			out[k] = Pick(d, "x", "y", "z")
		}
	}
	return out
}

// Cluster makes three namespaces, two nodes and up to eight pods of all sorts.
func (d *Dice) Cluster() *cluster.Snapshot {
	s := &cluster.Snapshot{}
	for _, ns := range namespaces {
		s.Namespaces = append(s.Namespaces, cluster.Namespace{Name: ns, Labels: d.labels()})
	}
	for i := range 2 {
		s.Nodes = append(s.Nodes, cluster.Node{Name: fmt.Sprint("n", i), Addresses: []netip.Addr{
			netip.MustParseAddr(fmt.Sprintf("192.168.0.%d", i+1)), netip.MustParseAddr(fmt.Sprintf("fd00:ff::%d", i+1)),
		}})
	}
	for i := range 3 + d.IntN(6) {
		p := cluster.Pod{Namespace: Pick(d, namespaces...), Name: fmt.Sprint("p", i), Labels: d.labels(), Node: fmt.Sprint("n", d.IntN(2)), ServiceAccount: Pick(d, "default", "sa")}
		four, six := netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", i+1)), netip.MustParseAddr(fmt.Sprintf("fd00::%d", i+1))
		switch d.IntN(6) {
		case 0:
			p.IPs = []netip.Addr{four}
		case 1:
			p.IPs = []netip.Addr{six}
		case 2:
			if p.Template = true; d.Chance(30) {
				p.Template, p.Finished, p.IPs = false, true, []netip.Addr{four}
			}
		case 3:
			if d.Chance(30) {
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
		for _, name := range portNames {
			if d.Chance(60) {
				p.Ports = append(p.Ports, cluster.ContainerPort{Name: name, Protocol: Pick(d, flow.TCP, flow.UDP), Port: Pick[uint16](d, 53, 80, 81)})
			}
		}
		s.Pods = append(s.Pods, p)
	}
	return s
}

// World makes what Calico policies refer to.
func (d *Dice) World() []cluster.Object {
	pass, early := calicov3.Pass, 10.0
	out := []cluster.Object{
		calicoObjectOf("Tier", "", "early", &calicov3.Tier{ObjectMeta: metav1.ObjectMeta{Name: "early"}, Spec: calicov3.TierSpec{Order: &early}}),
		calicoObjectOf("Tier", "", "late", &calicov3.Tier{ObjectMeta: metav1.ObjectMeta{Name: "late"}, Spec: calicov3.TierSpec{DefaultAction: &pass}}),
		calicoObjectOf("GlobalNetworkSet", "", "g", &calicov3.GlobalNetworkSet{ObjectMeta: metav1.ObjectMeta{Name: "g", Labels: d.labels()}, Spec: calicov3.GlobalNetworkSetSpec{Nets: []string{Pick(d, blocks...), Pick(d, blocks...)}}}),
		calicoObjectOf("NetworkSet", "a", "s", &calicov3.NetworkSet{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "s", Labels: d.labels()}, Spec: calicov3.NetworkSetSpec{Nets: []string{Pick(d, blocks...)}}}),
	}
	if d.Chance(40) {
		out = append(out, calicoObjectOf("HostEndpoint", "", "h", &calicov3.HostEndpoint{
			ObjectMeta: metav1.ObjectMeta{Name: "h", Labels: d.labels()},
			Spec:       calicov3.HostEndpointSpec{Node: "n0", InterfaceName: "*", ExpectedIPs: []string{"192.168.0.1", "fd00:ff::1"}, Ports: []calicov3.EndpointPort{{Name: "http", Protocol: numorstring.ProtocolFromString("TCP"), Port: 80}}},
		}))
	}
	if d.Chance(30) {
		out = append(out, calicoObjectOf("Profile", "", "kns.b", &calicov3.Profile{ObjectMeta: metav1.ObjectMeta{Name: "kns.b"}, Spec: calicov3.ProfileSpec{Ingress: []calicov3.Rule{{Action: calicov3.Deny, Source: calicov3.EntityRule{Nets: []string{"203.0.113.0/24"}}}, {Action: calicov3.Allow}}}}))
	}
	return out
}

// Policies makes a random set of policies of several kinds.
func (d *Dice) Policies(kubernetes, calico int) []cluster.Object {
	out := d.World()
	for i := range d.IntN(kubernetes + 1) {
		out = append(out, d.KubernetesPolicy(fmt.Sprint("k", i)))
	}
	for i := range d.IntN(calico + 1) {
		out = append(out, d.CalicoPolicy(fmt.Sprint("c", i)))
	}
	for i := range d.IntN(3) {
		out = append(out, d.WidePolicy(fmt.Sprint("w", i)))
	}
	if d.Chance(30) {
		out = append(out, d.AdminPolicy("admin"))
	}
	return out
}

// Peer is an end to ask about: a pod, with the address to use where it has any,
// else an address, perhaps asked for by a DNS name.
type Peer struct {
	Pod  *cluster.Pod
	Addr netip.Addr
	DNS  string
}

// Peers lists every address and every addressless pod of the cluster, and some
// outside.
func (d *Dice) Peers(s *cluster.Snapshot) []Peer {
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
	for _, text := range outside {
		out = append(out, Peer{Addr: netip.MustParseAddr(text)})
	}
	return append(out, d.named()...)
}

// Mutate gives a policy set that differs in one to three policies.
func (d *Dice) Mutate(in []cluster.Object) []cluster.Object {
	out := slices.Clone(in)
	for round := range 1 + d.IntN(3) {
		switch i := d.IntN(len(out)); {
		case d.Chance(40) && i >= 4:
			out = slices.Delete(out, i, i+1)
		case d.Chance(20):
			out = append(out, d.WidePolicy(fmt.Sprint("new", round)))
		case d.Chance(50):
			out = append(out, d.CalicoPolicy(fmt.Sprint("new", round)))
		default:
			out = append(out, d.KubernetesPolicy(fmt.Sprint("new", round)))
		}
	}
	return out
}
