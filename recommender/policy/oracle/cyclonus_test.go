// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// cyclonus is judge 1. It knows Kubernetes policies only.
type cyclonus struct {
	policies   *matcher.Policy
	namespaces map[string]map[string]string
}

func newCyclonus(s *cluster.Snapshot) *cyclonus {
	c := &cyclonus{namespaces: namespaceLabels(s)}
	var policies []*networkingv1.NetworkPolicy
	for _, o := range s.Policies {
		if np, ok := o.Typed.(*networkingv1.NetworkPolicy); ok {
			policies = append(policies, defaulted(np))
		}
	}
	c.policies = matcher.BuildNetworkPolicies(false, policies)
	return c
}

func namespaceLabels(s *cluster.Snapshot) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, ns := range s.Namespaces {
		labels := map[string]string{"kubernetes.io/metadata.name": ns.Name}
		for k, v := range ns.Labels {
			labels[k] = v
		}
		out[ns.Name] = labels
	}
	return out
}

func (c *cyclonus) peer(p *policytest.Peer) *matcher.TrafficPeer {
	out := &matcher.TrafficPeer{IP: p.Addr.String()}
	if p.Pod != nil {
		out.Internal = &matcher.InternalPeer{PodLabels: p.Pod.Labels, Namespace: p.Pod.Namespace, NamespaceLabels: c.namespaces[p.Pod.Namespace]}
	}
	return out
}

func (c *cyclonus) judge(p *policytest.Probe) (egress, ingress bool) { return c.allowed(c.traffic(p)) }

// traffic is the probe in cyclonus's form: once for each name that the
// destination gives the port, because its traffic has one name only; rules only
// ever allow, so that what any name allows is allowed.
func (c *cyclonus) traffic(p *policytest.Probe) []*matcher.Traffic {
	var names []string
	if p.To.Pod != nil {
		for _, x := range p.To.Pod.Ports {
			if x.Port == p.Port && x.Protocol == p.Protocol {
				names = append(names, x.Name)
			}
		}
	}
	if len(names) == 0 {
		names = []string{""}
	}
	var out []*matcher.Traffic
	for _, name := range names {
		out = append(out, &matcher.Traffic{Source: c.peer(&p.From), Destination: c.peer(&p.To), ResolvedPort: int(p.Port), ResolvedPortName: name, Protocol: corev1.Protocol(p.Protocol.String())})
	}
	return out
}

func (c *cyclonus) allowed(traffic []*matcher.Traffic) (egress, ingress bool) {
	for _, t := range traffic {
		r := c.policies.IsTrafficAllowed(t)
		egress, ingress = egress || r.Egress.IsAllowed(), ingress || r.Ingress.IsAllowed()
	}
	return egress, ingress
}

// defaulted fills in what the API server does. An empty list of rules comes back
// from it as none; kube-network-policies takes one that is there for "allow all".
func defaulted(in *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	np := in.DeepCopy()
	if len(np.Spec.PolicyTypes) == 0 {
		np.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(np.Spec.Egress) > 0 {
			np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	if len(np.Spec.Ingress) == 0 {
		np.Spec.Ingress = nil
	}
	if len(np.Spec.Egress) == 0 {
		np.Spec.Egress = nil
	}
	tcp := corev1.ProtocolTCP
	fill := func(ports []networkingv1.NetworkPolicyPort) {
		for i := range ports {
			if ports[i].Protocol == nil {
				ports[i].Protocol = &tcp
			}
		}
	}
	for i := range np.Spec.Ingress {
		fill(np.Spec.Ingress[i].Ports)
	}
	for i := range np.Spec.Egress {
		fill(np.Spec.Egress[i].Ports)
	}
	return np
}
