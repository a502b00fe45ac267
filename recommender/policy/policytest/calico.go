// SPDX-License-Identifier: Apache-2.0

package policytest

import (
	"fmt"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/netcinch/netcinch/recommender/cluster"
)

func (d *Dice) selector() string {
	switch d.IntN(8) {
	case 0:
		return "all()"
	case 1:
		return "has(tier)"
	case 2:
		return fmt.Sprintf("app != %q", Pick(d, "x", "y"))
	case 3:
		return fmt.Sprintf("app not in {%q, 'z'} || tier == 'x'", Pick(d, "x", "y"))
	case 4:
		return fmt.Sprintf("!(app starts with %q && has(tier))", Pick(d, "x", "y"))
	default:
		return fmt.Sprintf("%s == %q", Pick(d, "app", "tier"), Pick(d, "x", "y", "z"))
	}
}

func (d *Dice) entity(destination, protocol bool) calicov3.EntityRule {
	var e calicov3.EntityRule
	if d.Chance(40) {
		e.Selector = d.selector()
	}
	if d.Chance(20) {
		e.NotSelector = d.selector()
	}
	if d.Chance(25) {
		e.NamespaceSelector = Pick(d, "all()", "global()", d.selector())
	}
	if d.Chance(15) {
		e.ServiceAccounts = &calicov3.ServiceAccountMatch{Names: []string{"sa"}}
	}
	for d.Chance(30) {
		e.Nets = append(e.Nets, Pick(d, blocks...))
	}
	if d.Chance(20) {
		e.NotNets = append(e.NotNets, Pick(d, blocks...))
	}
	if destination && protocol {
		for d.Chance(40) {
			e.Ports = append(e.Ports, Pick(d, numorstring.SinglePort(80), numorstring.Port{MinPort: 50, MaxPort: 80}, numorstring.NamedPort("http")))
		}
		if d.Chance(15) {
			e.NotPorts = append(e.NotPorts, Pick(d, numorstring.SinglePort(53), numorstring.NamedPort("dns")))
		}
	}
	return e
}

func (d *Dice) calicoRules() []calicov3.Rule {
	var out []calicov3.Rule
	for range d.IntN(4) {
		r := calicov3.Rule{Action: Pick(d, calicov3.Allow, calicov3.Allow, calicov3.Deny, calicov3.Pass, calicov3.Log)}
		ports := d.Chance(60)
		switch {
		case ports:
			p := numorstring.ProtocolFromString(Pick(d, "TCP", "UDP", "SCTP"))
			r.Protocol = &p
		case d.Chance(30):
			p := numorstring.ProtocolFromString(Pick(d, "ICMP", "ICMPv6"))
			r.Protocol = &p
			typ := Pick(d, 8, 128)
			if d.Chance(50) {
				r.ICMP = &calicov3.ICMPFields{Type: &typ}
			} else {
				r.NotICMP = &calicov3.ICMPFields{Type: &typ}
			}
		case d.Chance(20):
			p := numorstring.ProtocolFromInt(47)
			r.NotProtocol = &p
		}
		if d.Chance(15) {
			r.IPVersion = new(int)
			*r.IPVersion = Pick(d, 4, 6)
		}
		r.Source, r.Destination = d.entity(false, ports), d.entity(true, ports)
		if d.Chance(50) {
			r.Source = calicov3.EntityRule{}
		}
		out = append(out, r)
	}
	return out
}

// CalicoPolicy makes a random policy of the kind, with the name.
func (d *Dice) CalicoPolicy(name string) cluster.Object {
	var order *float64
	if d.Chance(70) {
		order = new(float64)
		*order = Pick(d, 10.0, 1000, 2000)
	}
	types := Pick(d, nil, []calicov3.PolicyType{"Ingress"}, []calicov3.PolicyType{"Egress"}, []calicov3.PolicyType{"Ingress", "Egress"})
	tier := Pick(d, "", "default", "early", "late")
	if d.Chance(50) {
		np := &calicov3.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: Pick(d, namespaces...), Name: name}}
		np.Spec = calicov3.NetworkPolicySpec{Tier: tier, Order: order, Types: types, Selector: d.selector(), Ingress: d.calicoRules(), Egress: d.calicoRules()}
		return calicoObjectOf("NetworkPolicy", np.Namespace, name, np)
	}
	np := &calicov3.GlobalNetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	np.Spec = calicov3.GlobalNetworkPolicySpec{Tier: tier, Order: order, Types: types, Selector: d.selector(), Ingress: d.calicoRules(), Egress: d.calicoRules()}
	if d.Chance(20) {
		np.Spec.NamespaceSelector = d.selector()
	}
	return calicoObjectOf("GlobalNetworkPolicy", "", name, np)
}

func calicoObjectOf(kind, ns, name string, typed runtime.Object) cluster.Object {
	return cluster.Object{Ref: cluster.Ref{APIVersion: "projectcalico.org/v3", Kind: kind, Namespace: ns, Name: name}, Typed: typed}
}
