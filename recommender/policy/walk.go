// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// walk evaluates one direction step by step and writes down why.
type walk struct {
	engine    *Engine
	direction Direction
	q         *query
	steps     []Step
	doubts    []string
	perhaps   []possible
}

// possible is a rule that may match or not, and would be asked before what
// decides.
type possible struct {
	action Action
	text   string
}

// hit is a rule that matches, with its policy.
type hit struct {
	policy *compiled
	rule   *rule
}

func (w *walk) run() DirectionVerdict {
	local := w.q.local(w.direction)
	if local.end < 0 {
		text := "outside the cluster; no policy applies at this end"
		return DirectionVerdict{Allowed: true, Why: []Step{{Kind: StepAlways, Text: text}}}
	}
	g := &w.engine.groups[w.direction][w.engine.group[w.direction][local.end]]
	if !g.selected() {
		if len(g.tiers) == 0 && w.engine.top.ends[local.end].isNode() {
			text := "a node, or a pod on the node's network; no policy applies at this end"
			return DirectionVerdict{Allowed: true, Why: []Step{{Kind: StepAlways, Text: text}}}
		}
		if len(g.tiers) == 0 {
			text := fmt.Sprintf("no policy selects the pod for %s, so everything is allowed", lower(w.direction))
			return DirectionVerdict{Allowed: true, Why: []Step{{Kind: StepNotIsolated, Text: text}}}
		}
	}
	v := DirectionVerdict{Allowed: true, Isolated: g.selected()}
	decided := false
	for i := range g.tiers {
		action := w.tier(g.tiers[i])
		if action == ActionAllow || action == ActionDeny {
			v.Allowed, decided = action == ActionAllow, true
			break
		}
	}
	if !decided {
		w.steps = append(w.steps, Step{Kind: StepDefault, Action: ActionAllow, Text: "no tier decided, so it is allowed"})
	}
	for _, p := range w.perhaps {
		if p.action == ActionPass || (p.action == ActionAllow) != v.Allowed {
			w.doubts = append(w.doubts, p.text)
		}
	}
	v.Why = w.steps
	return v
}

// selected says whether any policy, profiles and failsafe ports aside, applies.
func (g *group) selected() bool {
	return slices.ContainsFunc(g.tiers, func(t *groupTier) bool {
		return t.tier.name != profileTier && t.tier.name != failsafeTier
	})
}

// tier writes down what one tier says and gives its action.
func (w *walk) tier(t *groupTier) Action {
	hits := w.hits(t)
	w.ambiguous(t, hits)
	for i, h := range hits {
		switch h.rule.action {
		case ActionLog:
			w.rule(t, h)
		case ActionAllow:
			w.allowances(t, hits[i:])
			if t.tier.stage == stageUntracked {
				w.doubts = append(w.doubts, fmt.Sprintf("%s allows it without connection tracking; whether the replies are allowed as well is not part of the question", h.policy.ref()))
			}
			return ActionAllow
		case ActionDeny, ActionPass:
			w.rule(t, h)
			return h.rule.action
		}
	}
	for _, p := range t.policies {
		if !p.profile {
			w.noMatch(t, p)
		}
	}
	if t.tier.name == failsafeTier {
		return ActionPass
	}
	if t.tier.fallback == ActionPass {
		w.steps = append(w.steps, Step{Kind: StepDefault, Action: ActionPass, Tier: t.name(), Text: fmt.Sprintf("tier %s: nothing matched, so the next tier is asked", t.tier.name)})
	} else if t.name() != "" {
		w.steps = append(w.steps, Step{Kind: StepDefault, Action: ActionDeny, Tier: t.name(), Text: fmt.Sprintf("tier %s: nothing matched, so its default denies", t.tier.name)})
	}
	return t.tier.fallback
}

// name is the tier as a verdict tells it: none for plain Kubernetes.
func (t *groupTier) name() string {
	if t.tier.name != defaultTier {
		return t.tier.name
	}
	for _, p := range t.policies {
		if !p.kubernetes {
			return t.tier.name
		}
	}
	return ""
}

// hits gives every rule that matches, in order.
func (w *walk) hits(t *groupTier) []hit {
	var out []hit
	var decider *compiled
	for _, p := range t.policies {
		for i := range p.rules[w.direction] {
			r := &p.rules[w.direction][i]
			early := decider == nil || (t.tier.unordered && p != decider && p.order == decider.order)
			switch matched := w.engine.matches(r, w.direction, w.q); {
			case matched == yes:
				out = append(out, hit{p, r})
				if decider == nil && r.action != ActionLog {
					decider = p
				}
			case !early || r.action == ActionLog:
			case matched == maybe:
				w.perhaps = append(w.perhaps, possible{r.action, w.maybeText(p, r)})
			case w.mayLieIn(r):
				w.perhaps = append(w.perhaps, possible{r.action, fmt.Sprintf("%s %s rule %d may match or not: %s has no address in the input, and the rule names address blocks",
					p.ref(), lower(w.direction), r.index+1, w.engine.top.endpointText(w.q.remote(w.direction)))})
			}
		}
	}
	return out
}

// mayLieIn says whether a rule would match if the other end, a pod without an
// address, had one that pods are usually given.
func (w *walk) mayLieIn(r *rule) bool {
	remote := w.q.remote(w.direction)
	if remote.end < 0 || w.engine.top.ends[remote.end].isNode() || w.engine.top.ends[remote.end].addr.IsValid() {
		return false
	}
	return slices.ContainsFunc(r.clauses, func(c clause) bool {
		if !c.peer.inUsualBlocks() {
			return false
		}
		c.peer = nil
		return w.engine.holds(&c, w.direction, w.q) != no
	})
}

// usual are the blocks that pods get their addresses from (RFC 1918, RFC 6598,
// RFC 4193).
var usual = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
}

func (w *walk) maybeText(p *compiled, r *rule) string {
	why := r.maybe
	if why == "" {
		why = "the ICMP type and code are not known"
	}
	return fmt.Sprintf("%s %s rule %d may match or not: %s", p.ref(), lower(w.direction), r.index+1, why)
}

// ambiguous tells of policies with equal priority that say different things.
func (w *walk) ambiguous(t *groupTier, hits []hit) {
	if !t.tier.unordered || len(hits) == 0 {
		return
	}
	first := hits[0]
	for _, h := range hits[1:] {
		if h.policy != first.policy && h.policy.order == first.policy.order && h.rule.action != first.rule.action && w.leads(h, hits) {
			w.doubts = append(w.doubts, fmt.Sprintf("%s and %s have the same priority %d and say different things; which one counts is not defined",
				first.policy.ref(), h.policy.ref(), int(first.policy.order)))
		}
	}
}

// leads says whether a hit is the first of its policy.
func (w *walk) leads(h hit, hits []hit) bool {
	for _, other := range hits {
		if other.policy == h.policy {
			return other.rule == h.rule
		}
	}
	return false
}

// allowances writes down every atom that allows: those of the first rule that
// matched and of each further one, up to a rule that says something else.
func (w *walk) allowances(t *groupTier, hits []hit) {
	for _, h := range hits {
		if h.rule.action == ActionDeny || h.rule.action == ActionPass {
			return
		}
		if h.rule.action == ActionLog {
			continue
		}
		w.engine.atoms(h.policy, h.rule, w.direction, w.q, func(id AllowanceID, c *clause, p *port) {
			w.steps = append(w.steps, Step{
				Kind: StepRule, Action: ActionAllow, Policy: id.Policy, Tier: t.name(), Allowance: id,
				Text: w.engine.atomText(id, c, p),
			})
		})
	}
}

// atoms visits the atoms of a rule that match.
func (e *Engine) atoms(p *compiled, r *rule, d Direction, q *query, visit func(AllowanceID, *clause, *port)) {
	for i := range r.clauses {
		c := &r.clauses[i]
		if e.holds(c, d, q) != yes {
			continue
		}
		id := AllowanceID{Policy: p.ref(), Direction: d, Rule: r.index, Peer: c.index, Port: -1}
		if c.ports == nil {
			visit(id, c, nil)
			continue
		}
		for k := range c.ports {
			if e.portMatches(&c.ports[k], q) == yes {
				id.Port = c.ports[k].index
				visit(id, c, &c.ports[k])
			}
		}
	}
}

// rule writes down a rule that does not allow.
func (w *walk) rule(t *groupTier, h hit) {
	verb := map[Action]string{ActionDeny: "denies", ActionPass: "passes to the next tier", ActionLog: "logs"}[h.rule.action]
	w.steps = append(w.steps, Step{
		Kind: StepRule, Action: h.rule.action, Policy: h.policy.ref(), Tier: t.name(),
		Text: fmt.Sprintf("%s %s rule %d %s", h.policy.ref(), lower(w.direction), h.rule.index+1, verb),
	})
}
