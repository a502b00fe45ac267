// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"

	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// forward is a policy that applies to what nodes pass on to and from their
// pods: one with applyOnForward that selects host endpoints.
type forward struct {
	policy *compiled
	stage  stage
	hosts  []host
}

// earlyPolicy compiles a policy with doNotTrack or preDNAT. It is for host
// endpoints only, applies to what they pass on as well, and denies only by its
// rules.
func (c *compiler) earlyPolicy(p *compiled, spec *calicov3.GlobalNetworkPolicySpec, hosts []host) {
	var ends bits.Set
	for _, h := range hosts {
		ends = ends.Union(h.ends)
	}
	p.subject = ends
	if f := earlyFault(spec); f != nil {
		c.leaveOut(p.object, f, ends)
		return
	}
	s := stageUntracked
	if spec.PreDNAT {
		s = stagePreDNAT
	}
	c.forwarded(p, s, spec, hosts)
	if !c.calicoBody(p, spec.Tier, "", spec.Types, spec.Ingress, spec.Egress) {
		return
	}
	if spec.PreDNAT {
		p.applies[Egress] = false
	}
	c.settle(tierName(spec.Tier), s, p)
	c.unit.policies = append(c.unit.policies, p)
}

// earlyFault is what Calico's validation says of such policies.
func earlyFault(spec *calicov3.GlobalNetworkPolicySpec) *fault {
	switch {
	case spec.DoNotTrack && spec.PreDNAT:
		return faultAt(path{"spec", "preDNAT"}, "preDNAT and doNotTrack cannot both be true")
	case !spec.ApplyOnForward:
		return faultAt(path{"spec", "applyOnForward"}, "applyOnForward must be true with doNotTrack and preDNAT")
	case spec.PreDNAT && len(spec.Egress) > 0:
		return faultAt(path{"spec", "egress"}, "a preDNAT policy has no egress rules")
	case spec.PreDNAT && slices.Contains(spec.Types, calicov3.PolicyTypeEgress):
		return faultAt(path{"spec", "types"}, "a preDNAT policy has no egress")
	}
	return nil
}

// forwarded notes a policy for what nodes pass on.
func (c *compiler) forwarded(p *compiled, s stage, spec *calicov3.GlobalNetworkPolicySpec, hosts []host) {
	if len(hosts) == 0 {
		return
	}
	own := *p
	quiet := compiler{top: c.top, options: c.options, tiers: c.tiers, calico: c.calico, before: c.before, units: c.units, unit: &unit{object: c.unit.object}}
	if quiet.calicoBody(&own, spec.Tier, "", spec.Types, spec.Ingress, spec.Egress) {
		quiet.settle(tierName(spec.Tier), s, &own)
		c.unit.forwards = append(c.unit.forwards, forward{&own, s, hosts})
	}
}

// forwardDoubts says what host endpoints do to a connection of a pod on its way
// through the pod's node. Whether it passes a host endpoint hangs on interfaces
// and tunnels, so what they would deny is a doubt and no verdict.
func (e *Engine) forwardDoubts(d Direction, q *query) []string {
	local, remote := q.local(d), q.remote(d)
	if len(e.forwards) == 0 || local.end < 0 || e.top.ends[local.end].isNode() {
		return nil
	}
	at := &e.top.ends[local.end]
	sameNode := remote.end >= 0 && at.node >= 0 && e.top.ends[remote.end].node == at.node
	var out []string
	for _, h := range e.calico.hosts {
		if h.node == "" || h.node != e.top.nodeName(at) || (sameNode && (h.iface != "*" || e.top.ends[remote.end].isNode())) {
			continue
		}
		if text := e.passing(d, q, &h); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// passing gives what one host endpoint does to a connection, where it is not
// simply let through.
func (e *Engine) passing(d Direction, q *query, h *host) string {
	where := fmt.Sprintf("on its way through node %s (HostEndpoint %s)", h.node, h.name)
	for _, s := range []stage{stageUntracked, stagePreDNAT, stageNormal} {
		for _, t := range e.forwardTiers(d, s, h) {
			action, by := e.decidedBy(t, d, q)
			switch {
			case by != nil && action == ActionDeny:
				return fmt.Sprintf("%s denies it %s", by.ref(), where)
			case by != nil && action == ActionAllow && s != stageNormal:
				return fmt.Sprintf("%s accepts it %s before other policies are asked", by.ref(), where)
			case by == nil && t.tier.fallback == ActionDeny:
				return fmt.Sprintf("tier %s has policies with applyOnForward and none of their rules matches, which denies it %s", t.tier.name, where)
			case action == ActionAllow:
				return ""
			}
		}
	}
	return ""
}

// decidedBy gives what the first rule that matches says, and its policy; none
// where the tier's default says it.
func (e *Engine) decidedBy(t *groupTier, d Direction, q *query) (Action, *compiled) {
	for _, p := range t.policies {
		for i := range p.rules[d] {
			if r := &p.rules[d][i]; r.action != ActionLog && e.matches(r, d, q) == yes {
				return r.action, p
			}
		}
	}
	return t.tier.fallback, nil
}

// forwardTiers gives the tiers of a stage that apply at a host endpoint.
func (e *Engine) forwardTiers(d Direction, s stage, h *host) []*groupTier {
	var list []*compiled
	for _, f := range e.forwards {
		if f.stage == s && f.policy.applies[d] && slices.ContainsFunc(f.hosts, func(x host) bool { return x.name == h.name }) {
			list = append(list, f.policy)
		}
	}
	g := grouped(list)
	return g.tiers
}
