// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/selector"
)

// calicoNetworkPolicy compiles a namespaced policy of Calico's.
func (c *compiler) calicoNetworkPolicy(o *cluster.Object, np *calicov3.NetworkPolicy) {
	ns := np.Namespace
	if ns == "" {
		c.leaveOut(o, faultAt(path{"metadata", "namespace"}, "a NetworkPolicy needs a namespace; add metadata.namespace"), c.top.everyEnd())
		return
	}
	spec := &np.Spec
	e, f := c.subjectSelector(spec.Selector, "", spec.ServiceAccountSelector)
	if f != nil {
		c.leaveOut(o, f, c.top.reach(ns))
		return
	}
	subject := c.selectedPods(e, ns)
	p := &compiled{object: o, subject: subject, order: orderOf(spec.Order), tieBreak: ns + "/" + np.Name}
	c.calicoPolicy(p, spec.Tier, ns, spec.Types, spec.Ingress, spec.Egress)
}

// calicoGlobalPolicy compiles a policy for the whole cluster: for pods, and for
// host endpoints where it does not ask for namespaces or service accounts.
func (c *compiler) calicoGlobalPolicy(o *cluster.Object, np *calicov3.GlobalNetworkPolicy) {
	spec := &np.Spec
	e, f := c.subjectSelector(spec.Selector, spec.NamespaceSelector, spec.ServiceAccountSelector)
	if f != nil {
		c.leaveOut(o, f, c.top.everyEnd())
		return
	}
	p := &compiled{object: o, order: orderOf(spec.Order), tieBreak: np.Name, subject: c.selectedPods(e, "")}
	hosts := c.hostsFor(e)
	if spec.DoNotTrack || spec.PreDNAT {
		c.earlyPolicy(p, spec, hosts)
		return
	}
	if spec.ApplyOnForward {
		c.forwarded(p, stageNormal, spec, hosts)
	}
	for _, h := range hosts {
		p.subject = p.subject.Union(h.ends)
	}
	c.calicoPolicy(p, spec.Tier, "", spec.Types, spec.Ingress, spec.Egress)
}

// hostsFor gives the host endpoints that a selector selects.
func (c *compiler) hostsFor(e *selector.Expr) []host {
	c.asked("hosts\x00"+e.String(), hangsOnHosts, func(c *compiler) string { return c.calico.hostsKey(e) })
	var out []host
	for _, h := range c.calico.hosts {
		if e.Matches(h.labels) {
			out = append(out, h)
		}
	}
	return out
}

func orderOf(order *float64) float64 {
	if order == nil {
		return lastOrder
	}
	return *order
}

// subjectSelector joins the selectors that say whom a policy is for.
func (c *compiler) subjectSelector(endpoints, namespaces, accounts string) (*selector.Expr, *fault) {
	e, f := parseSelector(endpoints, path{"spec", "selector"}, false)
	if f != nil {
		return nil, f
	}
	parts := []*selector.Expr{e}
	if namespaces != "" {
		ns, f := parseSelector(namespaces, path{"spec", "namespaceSelector"}, true)
		if f != nil {
			return nil, f
		}
		parts = append(parts, onNamespaces(ns))
	}
	if accounts != "" {
		sa, f := parseSelector(accounts, path{"spec", "serviceAccountSelector"}, false)
		if f != nil {
			return nil, f
		}
		parts = append(parts, sa.Prefix(prefixAccount, selector.HasKey(labelServiceAccount), nil))
	}
	return selector.All(parts...), nil
}

// onNamespaces turns a namespace selector into one on endpoints: all() means
// every pod, global() what is in no namespace.
func onNamespaces(ns *selector.Expr) *selector.Expr {
	namespaced := selector.HasKey(labelNamespace)
	return ns.Prefix(prefixNamespace, namespaced, selector.Negate(namespaced))
}

// parseSelector reads Calico's selector language; global() is for namespace
// selectors only.
func parseSelector(text string, at path, namespaces bool) (*selector.Expr, *fault) {
	e, err := selector.Parse(text)
	if err != nil {
		return nil, faultAt(at, "the selector %q does not parse: %s", text, err)
	}
	if !namespaces && e.UsesGlobal() {
		return nil, faultAt(at, "global() has a meaning in namespaceSelector only")
	}
	return e, nil
}

// calicoPolicy compiles what both kinds of policy share and places the policy.
func (c *compiler) calicoPolicy(p *compiled, tierAsked, ns string, types []calicov3.PolicyType, ingress, egress []calicov3.Rule) {
	if c.calicoBody(p, tierAsked, ns, types, ingress, egress) {
		c.place(tierName(tierAsked), p)
	}
}

// calicoBody compiles all of a policy but its subject; false where the policy
// was left out.
func (c *compiler) calicoBody(p *compiled, tierAsked, ns string, types []calicov3.PolicyType, ingress, egress []calicov3.Rule) bool {
	p.places = calicoPlaces(ingress, egress)
	if f := c.calicoRules(p, ns, types, ingress, egress); f != nil {
		c.leaveOut(p.object, f, p.subject)
		return false
	}
	name := tierName(tierAsked)
	c.askTier(name)
	if c.tiers[name] == nil && name != defaultTier && name != adminTier && name != baselineTier {
		c.leaveOut(p.object, faultAt(path{"spec", "tier"}, "tier %q is not in the input; add the Tier, its order decides", name), p.subject)
		return false
	}
	return true
}

func (c *compiler) calicoRules(p *compiled, ns string, types []calicov3.PolicyType, ingress, egress []calicov3.Rule) *fault {
	for i, t := range types {
		if t != calicov3.PolicyTypeIngress && t != calicov3.PolicyTypeEgress {
			return faultAt(path{"spec", "types", i}, "%q is not a policy type; use Ingress or Egress", t)
		}
	}
	switch {
	case len(types) > 0:
		p.applies[Ingress] = slices.Contains(types, calicov3.PolicyTypeIngress)
		p.applies[Egress] = slices.Contains(types, calicov3.PolicyTypeEgress)
	case stored(p.object):
		p.applies = [2]bool{true, true}
	default: // as admission fills it in
		p.applies[Egress] = len(egress) > 0
		p.applies[Ingress] = len(ingress) > 0 || len(egress) == 0
	}
	for _, d := range []Direction{Ingress, Egress} {
		rules := ingress
		if d == Egress {
			rules = egress
		}
		for i := range rules {
			r, f := c.calicoRule(ns, d, i, &rules[i])
			if f != nil {
				return f
			}
			p.rules[d] = append(p.rules[d], r)
		}
	}
	return nil
}

// profiled gives the pods among some ends that have a profile.
func (w *calicoWorld) profiled(name string, within bits.Set) bits.Set {
	var out bits.Set
	for n := range within.Intersect(w.top.pods).All {
		pod := w.top.podAt(n)
		usual := "kns." + pod.Namespace
		if name == usual || (name == "ksa."+pod.Namespace+"."+accountOf(pod) && w.profiles[usual] != nil) {
			out.Add(n)
		}
	}
	return out
}

// profileKey is the same as long as a profile has the same host endpoints.
func (w *calicoWorld) profileKey(name string) string {
	var ends bits.Set
	for _, h := range w.hosts {
		if slices.Contains(h.profiles, name) {
			ends = ends.Union(h.ends)
		}
	}
	return ends.Key()
}

// hostsKey is the same as long as a selector selects the same host endpoints.
func (w *calicoWorld) hostsKey(e *selector.Expr) string {
	var key strings.Builder
	for _, h := range w.hosts {
		if e.Matches(h.labels) {
			key.WriteString(h.name + "\x00" + h.node + "\x00" + h.iface + "\x00" + h.ends.Key() + "\x00")
		}
	}
	return key.String()
}

// calicoProfile compiles a profile: what applies to its pods after every tier.
// Pods have the profiles kns.<namespace> and ksa.<namespace>.<account>; where
// kns is not in the input it is the usual one, which allows all.
func (c *compiler) calicoProfile(o *cluster.Object, profile *calicov3.Profile) {
	p := &compiled{object: o, profile: true, applies: [2]bool{true, true}, places: calicoPlaces(profile.Spec.Ingress, profile.Spec.Egress)}
	c.asked("profile\x00"+profile.Name, hangsOnProfiles|hangsOnHosts, func(c *compiler) string { return c.calico.profileKey(profile.Name) })
	if strings.HasPrefix(profile.Name, "ksa.") {
		p.tieBreak = "~" // after kns
	}
	p.subject = c.selection("profile\x00pods\x00"+profile.Name, hangsOnProfiles, func(t *topology, within bits.Set) bits.Set {
		return t.calico.profiled(profile.Name, within)
	})
	for _, h := range c.calico.hosts {
		if slices.Contains(h.profiles, profile.Name) {
			p.subject = p.subject.Union(h.ends)
		}
	}
	for _, d := range []Direction{Ingress, Egress} {
		rules := profile.Spec.Ingress
		if d == Egress {
			rules = profile.Spec.Egress
		}
		for i := range rules {
			r, f := c.calicoRule("", d, i, &rules[i])
			if f != nil {
				c.leaveOut(o, f, p.subject)
				return
			}
			p.rules[d] = append(p.rules[d], r)
		}
	}
	c.place(profileTier, p)
}
