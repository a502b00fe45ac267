// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Trail is how a verdict comes about, step by step: everything that was asked,
// in the order in which it was asked, and what each answered.
type Trail struct {
	Verdict Verdict
	Egress  TrailSide
	Ingress TrailSide
	// Changes are the smallest edits that together would turn the verdict
	// around; none where nothing can.
	Changes []Change
}

// TrailSide is the trail at one end.
type TrailSide struct {
	Allowed bool
	Note    string // why nothing was asked; "" where tiers were
	Tiers   []TrailTier
}

// TrailTier is one tier that applies at an end. Its policies come in the order
// of evaluation.
type TrailTier struct {
	Name     string
	Reached  bool // false where an earlier tier decided
	Policies []TrailPolicy
	Text     string // what came of the tier: "rule 2 of NetworkPolicy shop/db allows", "nothing matched, so its default denies"
}

// TrailPolicy is one policy that selects the end.
type TrailPolicy struct {
	Policy cluster.Ref
	Rules  []TrailRule
}

// TrailRule is one rule and whether it matches.
type TrailRule struct {
	Rule    int // from 0, in the manifest's order
	Action  Action
	Asked   bool // false where an earlier rule or tier decided
	Matched bool
	Why     string // what matched, or why it did not
	Line    int    // in Source.YAML, from 1; 0 where not known
}

// Explain answers a connection as Check does and tells all of the way to the
// answer.
func (e *Engine) Explain(c Connection) Trail {
	q := e.query(&c)
	out := Trail{Verdict: e.Check(c)}
	if q.always {
		note := e.top.alwaysText(&q)
		out.Egress, out.Ingress = TrailSide{Allowed: true, Note: note}, TrailSide{Allowed: true, Note: note}
		return out
	}
	out.Egress = e.trail(Egress, &q, out.Verdict.Egress)
	out.Ingress = e.trail(Ingress, &q, out.Verdict.Ingress)
	out.Changes = e.changesFor(&q, out.Verdict)
	return out
}

func (e *Engine) trail(d Direction, q *query, v DirectionVerdict) TrailSide {
	out := TrailSide{Allowed: v.Allowed}
	if len(v.Why) == 1 && (v.Why[0].Kind == StepAlways || v.Why[0].Kind == StepNotIsolated) {
		out.Note = v.Why[0].Text
	}
	local := q.local(d)
	if local.end < 0 {
		return out
	}
	reached := true
	for _, t := range e.groups[d][e.group[d][local.end]].tiers {
		trail, action := e.tierTrail(t, d, q, reached)
		out.Tiers = append(out.Tiers, trail)
		reached = reached && action == ActionPass
	}
	return out
}

// tierTrail asks the rules of a tier in order.
func (e *Engine) tierTrail(t *groupTier, d Direction, q *query, reached bool) (TrailTier, Action) {
	out := TrailTier{Name: t.tier.name, Reached: reached}
	action, decided := t.tier.fallback, false
	for _, p := range t.policies {
		pt := TrailPolicy{Policy: p.ref()}
		lines := newLocator(p.object.Source.YAML)
		for i := range p.rules[d] {
			r := &p.rules[d][i]
			id := AllowanceID{Policy: p.ref(), Direction: d, Rule: r.index, Peer: -1, Port: -1}
			rt := TrailRule{Rule: r.index, Action: r.action, Asked: reached && !decided, Line: lines.line(p.places.rule(id))}
			matched := e.matches(r, d, q)
			rt.Matched, rt.Why = matched == yes, e.ruleText(r, d, q, matched)
			pt.Rules = append(pt.Rules, rt)
			if rt.Asked && rt.Matched && r.action != ActionLog {
				action, decided = r.action, true
				out.Text = fmt.Sprintf("rule %d of %s %s", r.index+1, p.ref(), actionVerb[r.action])
			}
		}
		out.Policies = append(out.Policies, pt)
	}
	switch {
	case !reached:
		out.Text = "not asked, an earlier tier decided"
	case !decided && action == ActionPass:
		out.Text = "nothing matched, so the next tier is asked"
	case !decided:
		out.Text = "nothing matched, so its default denies"
	}
	return out, action
}

var actionVerb = map[Action]string{ActionAllow: "allows", ActionDeny: "denies", ActionPass: "passes to the next tier", ActionLog: "logs"}

// ruleText says what of a rule matches a connection and what does not.
func (e *Engine) ruleText(r *rule, d Direction, q *query, matched truth) string {
	switch {
	case matched == maybe && r.maybe != "":
		return "may match or not: " + r.maybe
	case matched == maybe:
		return "may match or not: the ICMP type and code are not known"
	case !r.family.meets(q.family):
		return fmt.Sprintf("it is for %s only", map[family]string{family4: "IPv4", family6: "IPv6"}[r.family])
	case len(r.clauses) == 0:
		return "it names nobody"
	}
	var peers, ports, both []string
	for i := range r.clauses {
		c := &r.clauses[i]
		bare := *c
		bare.peer, bare.local = nil, nil
		peer, port := c.peer.has(q.remote(d)), e.holds(&bare, d, q) != no
		switch {
		case matched == yes && e.holds(c, d, q) == yes:
			return e.clauseText(c) + " matches"
		case peer && port:
			both = append(both, c.text)
		case peer:
			peers = append(peers, e.clauseText(c))
		case port:
			ports = append(ports, c.text)
		}
	}
	asked := (&walk{engine: e, direction: d, q: q}).asked()
	remote := e.top.endpointText(q.remote(d))
	switch {
	case len(both) > 0:
		return fmt.Sprintf("the other end and %s match, and the rule is for other ends of its own side", asked)
	case len(peers) > 0:
		return fmt.Sprintf("%s is among those named, %s is not: it says %s", remote, asked, strings.Join(slices.Compact(peers), "; "))
	case len(ports) > 0:
		return fmt.Sprintf("%s matches, %s is not among those named: %s", asked, remote, strings.Join(slices.Compact(ports), "; "))
	default:
		return fmt.Sprintf("neither %s nor %s matches", remote, asked)
	}
}

// clauseText is a clause with all of its ports.
func (e *Engine) clauseText(c *clause) string {
	var ports []string
	for i := range c.ports {
		ports = append(ports, e.top.portItemText(&c.ports[i]))
	}
	text := strings.Join(ports, ", ")
	if c.ports == nil {
		text = "any port"
	}
	if len(c.not) > 0 {
		var not []string
		for i := range c.not {
			not = append(not, e.top.portItemText(&c.not[i]))
		}
		text += " except " + strings.Join(not, ", ")
	}
	return c.text + " on " + text
}
