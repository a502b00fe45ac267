// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/selector"
)

// clusterWideObject compiles one object of the network policy API; false where
// it is none. The three kinds say the same things in different words; each is
// turned into wideRules first.
func (c *compiler) clusterWideObject(o *cluster.Object) bool {
	switch typed := o.Typed.(type) {
	case *v1alpha1.AdminNetworkPolicy:
		c.wide(o, adminTier, typed.Spec.Priority, adminSubject(typed.Spec.Subject), adminRules(&typed.Spec))
	case *v1alpha1.BaselineAdminNetworkPolicy:
		if typed.Name != "default" {
			c.leaveOut(o, faultAt(path{"metadata", "name"}, "a BaselineAdminNetworkPolicy is named default; %q is not in force", typed.Name), c.top.pods)
			return true
		}
		c.wide(o, baselineTier, 0, adminSubject(typed.Spec.Subject), baselineRules(&typed.Spec))
	case *v1alpha2.ClusterNetworkPolicy:
		tier := adminTier
		switch typed.Spec.Tier {
		case v1alpha2.AdminTier:
		case v1alpha2.BaselineTier:
			tier = baselineTier
		default:
			c.leaveOut(o, faultAt(path{"spec", "tier"}, "%q is not a tier; use Admin or Baseline", typed.Spec.Tier), c.top.pods)
			return true
		}
		c.wide(o, tier, typed.Spec.Priority, clusterSubject(typed.Spec.Subject), clusterRules(&typed.Spec))
	default:
		return false
	}
	return true
}

// wideSubject is whom a cluster-wide policy is for: one of the two is set.
type wideSubject struct {
	namespaces *metav1.LabelSelector
	pods       *namespacedPod
}

type namespacedPod struct{ namespaces, pods metav1.LabelSelector }

// wideRule is one rule of a cluster-wide policy, whatever its kind.
type wideRule struct {
	action string
	peers  []widePeer
	ports  []widePort
}

// widePeer is one peer: exactly one field is to be set.
type widePeer struct {
	namespaces *metav1.LabelSelector
	pods       *namespacedPod
	nodes      *metav1.LabelSelector
	networks   []string
	names      []string
}

// wide compiles a cluster-wide policy. It applies only in directions where it
// has rules, and being selected does not isolate.
func (c *compiler) wide(o *cluster.Object, tier string, priority int32, subject wideSubject, rules [2][]wideRule) {
	if priority < 0 || priority > 1000 {
		c.leaveOut(o, faultAt(path{"spec", "priority"}, "priority %d is not between 0 and 1000", priority), c.top.pods)
		return
	}
	ends, f := c.wideSubject(subject)
	if f != nil {
		c.leaveOut(o, f, c.top.pods)
		return
	}
	p := &compiled{object: o, order: float64(priority), tieBreak: o.Ref.Kind + "/" + o.Ref.Name, subject: ends, places: widePlaces}
	for _, d := range []Direction{Ingress, Egress} {
		p.applies[d] = len(rules[d]) > 0
		for i := range rules[d] {
			r, f := c.wideRule(o, d, i, &rules[d][i])
			if f != nil {
				c.leaveOut(o, f, ends)
				return
			}
			p.rules[d] = append(p.rules[d], r)
		}
	}
	c.place(tier, p)
}

func (c *compiler) wideSubject(s wideSubject) (bits.Set, *fault) {
	at := path{"spec", "subject"}
	switch {
	case (s.namespaces == nil) == (s.pods == nil):
		return bits.Set{}, faultAt(at, "the subject needs exactly one of namespaces and pods")
	case s.namespaces != nil:
		e, f := labelSelector(s.namespaces, at.with("namespaces"))
		if f != nil {
			return bits.Set{}, f
		}
		return c.podsAcrossExpr(e, selector.Everything()), nil
	default:
		sel, f := c.podsAcross(&s.pods.namespaces, &s.pods.pods, at.with("pods"))
		return sel.ends, f
	}
}

// wideRule compiles a rule. A peer that is empty comes of a newer version of
// the API; the specification wants it to fail closed: it is nobody in an Accept
// rule, and makes a Deny or Pass rule deny everything.
func (c *compiler) wideRule(o *cluster.Object, d Direction, index int, r *wideRule) (rule, *fault) {
	at := path{"spec", lower(d), index}
	out := rule{index: index}
	action, known := wideActions[o.Ref.Kind][r.action]
	if !known {
		return rule{}, faultAt(at.with("action"), "%q is not an action of a %s; use %s", r.action, o.Ref.Kind, strings.Join(slices.Sorted(maps.Keys(wideActions[o.Ref.Kind])), ", "))
	}
	out.action = action
	side := map[Direction]string{Ingress: "from", Egress: "to"}[d]
	if len(r.peers) == 0 {
		return rule{}, faultAt(at.with(side), "the rule needs at least one peer")
	}
	ports, f := c.widePorts(r.ports, at)
	if f != nil {
		return rule{}, f
	}
	for i := range r.peers {
		p, text, f := c.widePeer(&r.peers[i], at.with(side, i))
		switch {
		case f != nil && f.message == unknownPeer:
			c.problem(o, f)
			if out.action != ActionAllow {
				return rule{index: index, action: ActionDeny, clauses: []clause{{index: -1, text: anyone}}}, nil
			}
			continue
		case f != nil:
			return rule{}, f
		case len(r.peers[i].names) > 0 && out.action != ActionAllow:
			return rule{}, faultAt(at.with(side, i, "domainNames"), "domain names can stand in Allow rules only")
		}
		out.clauses = append(out.clauses, clause{peer: p, index: i, text: text, ports: ports})
	}
	return out, nil
}

// wideActions are the words of each kind.
var wideActions = map[string]map[string]Action{
	"AdminNetworkPolicy":         {"Allow": ActionAllow, "Deny": ActionDeny, "Pass": ActionPass},
	"BaselineAdminNetworkPolicy": {"Allow": ActionAllow, "Deny": ActionDeny},
	"ClusterNetworkPolicy":       {"Accept": ActionAllow, "Deny": ActionDeny, "Pass": ActionPass},
}

// unknownPeer is the message for a peer without any field that we know.
const unknownPeer = "the peer has no field that is known here; it fails closed"

var widePlaces = places{
	rule: rulePlace,
	peer: kubernetesPlaces.peer,
	port: func(id AllowanceID) path {
		if id.Policy.Kind == "ClusterNetworkPolicy" {
			return rulePlace(id).with("protocols", id.Port)
		}
		return rulePlace(id).with("ports", id.Port)
	},
}
