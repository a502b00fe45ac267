// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/selector"
)

// Kubernetes policies stand in the default tier at Calico's order for them.
const kubernetesOrder = 1000

// kubernetes compiles a networking.k8s.io/v1 NetworkPolicy, with the defaults
// that the API server would have filled in.
func (c *compiler) kubernetes(o *cluster.Object, np *networkingv1.NetworkPolicy) {
	ns := np.Namespace
	if ns == "" {
		c.leaveOut(o, faultAt(path{"metadata", "namespace"}, "a NetworkPolicy needs a namespace; add metadata.namespace"), c.top.everyEnd())
		return
	}
	subject, f := c.podsIn(ns, &np.Spec.PodSelector, path{"spec", "podSelector"})
	if f != nil {
		c.leaveOut(o, f, c.top.reach(ns))
		return
	}
	p := &compiled{object: o, order: kubernetesOrder, tieBreak: "knp.default." + ns + "/" + np.Name, subject: subject.ends, places: kubernetesPlaces, kubernetes: true}
	if f := c.kubernetesRules(p, ns, &np.Spec); f != nil {
		c.leaveOut(o, f, subject.ends)
		return
	}
	c.place(defaultTier, p)
}

func (c *compiler) kubernetesRules(p *compiled, ns string, spec *networkingv1.NetworkPolicySpec) *fault {
	types := spec.PolicyTypes
	if len(types) == 0 {
		types = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(spec.Egress) > 0 {
			types = append(types, networkingv1.PolicyTypeEgress)
		}
	}
	for i, t := range types {
		if t != networkingv1.PolicyTypeIngress && t != networkingv1.PolicyTypeEgress {
			return faultAt(path{"spec", "policyTypes", i}, "%q is not a policy type; use Ingress or Egress", t)
		}
	}
	p.applies[Ingress] = slices.Contains(types, networkingv1.PolicyTypeIngress)
	p.applies[Egress] = slices.Contains(types, networkingv1.PolicyTypeEgress)
	for i, r := range spec.Ingress {
		made, f := c.kubernetesRule(ns, i, r.From, r.Ports, path{"spec", "ingress", i}, "from")
		if f != nil {
			return f
		}
		p.rules[Ingress] = append(p.rules[Ingress], made)
	}
	for i, r := range spec.Egress {
		made, f := c.kubernetesRule(ns, i, r.To, r.Ports, path{"spec", "egress", i}, "to")
		if f != nil {
			return f
		}
		p.rules[Egress] = append(p.rules[Egress], made)
	}
	return nil
}

func (c *compiler) kubernetesRule(ns string, index int, peers []networkingv1.NetworkPolicyPeer,
	ports []networkingv1.NetworkPolicyPort, at path, side string,
) (rule, *fault) {
	r := rule{index: index, action: ActionAllow}
	var items []port
	for i, p := range ports {
		item, f := c.kubernetesPort(i, p, at.with("ports", i))
		if f != nil {
			return rule{}, f
		}
		items = append(items, item)
	}
	if len(peers) == 0 {
		r.clauses = []clause{{index: -1, text: anyone, ports: items}}
		return r, nil
	}
	for i, p := range peers {
		peer, text, f := c.kubernetesPeer(ns, p, at.with(side, i))
		if f != nil {
			return rule{}, f
		}
		r.clauses = append(r.clauses, clause{peer: peer, index: i, text: text, ports: items})
	}
	return r, nil
}

// anyone is how an open peer reads.
const anyone = "anyone"

func (c *compiler) kubernetesPeer(ns string, p networkingv1.NetworkPolicyPeer, at path) (*peer, string, *fault) {
	switch {
	case p.IPBlock != nil && (p.PodSelector != nil || p.NamespaceSelector != nil):
		return nil, "", faultAt(at.with("ipBlock"), "ipBlock cannot stand with selectors in one item; make it an item of its own")
	case p.IPBlock != nil:
		return c.ipBlock(p.IPBlock, at.with("ipBlock"))
	case p.NamespaceSelector != nil:
		podSelector := p.PodSelector
		if podSelector == nil {
			podSelector = &metav1.LabelSelector{}
		}
		s, f := c.podsAcross(p.NamespaceSelector, podSelector, at)
		if f != nil {
			return nil, "", f
		}
		return c.top.intern(peer{ends: s.ends}), s.text, nil
	case p.PodSelector != nil:
		s, f := c.podsIn(ns, p.PodSelector, at.with("podSelector"))
		if f != nil {
			return nil, "", f
		}
		return c.top.intern(peer{ends: s.ends}), s.text, nil
	default:
		return nil, "", faultAt(at, "the peer is empty; give podSelector, namespaceSelector or ipBlock")
	}
}

// selection is the ends that a selector selects, and how it reads.
type selection struct {
	ends bits.Set
	text string
}

// podsIn evaluates a pod selector in one namespace.
func (c *compiler) podsIn(ns string, s *metav1.LabelSelector, at path) (selection, *fault) {
	e, f := labelSelector(s, at)
	if f != nil {
		return selection{}, f
	}
	sel := selection{text: podsText(e) + " in namespace " + ns}
	sel.ends = c.selection("pods\x00"+ns+"\x00"+e.String(), 0, func(t *topology, within bits.Set) bits.Set {
		return t.labels.Select(e, within.Intersect(t.reach(ns)))
	})
	return sel, nil
}

// podsAcross evaluates a namespace selector and a pod selector together.
func (c *compiler) podsAcross(nss, pods *metav1.LabelSelector, at path) (selection, *fault) {
	ns, f := labelSelector(nss, at.with("namespaceSelector"))
	if f != nil {
		return selection{}, f
	}
	e, f := labelSelector(pods, at.with("podSelector"))
	if f != nil {
		return selection{}, f
	}
	where := " in namespaces " + ns.Plain()
	if ns.Op == selector.True {
		where = " in every namespace"
	} else if ns.Op == selector.In && ns.Key == "kubernetes.io/metadata.name" && len(ns.Values) == 1 {
		where = " in namespace " + ns.Values[0]
	}
	return selection{c.podsAcrossExpr(ns, e), podsText(e) + where}, nil
}

func (c *compiler) podsAcrossExpr(ns, pods *selector.Expr) bits.Set {
	return c.selection("across\x00"+ns.String()+"\x00"+pods.String(), 0, func(t *topology, within bits.Set) bits.Set {
		return t.labels.Select(pods, within.Intersect(t.inNamespaces(ns)))
	})
}

func podsText(e *selector.Expr) string {
	if e.Op == selector.True {
		return "all pods"
	}
	return "pods " + e.Plain()
}

func labelSelector(s *metav1.LabelSelector, at path) (*selector.Expr, *fault) {
	e, err := selector.FromLabels(s)
	var field *selector.FieldError
	switch {
	case errors.As(err, &field):
		return nil, faultAt(at.with(field.Path...), "%s", field.Message)
	case err != nil:
		return nil, faultAt(at, "%s", err)
	}
	return e, nil
}
