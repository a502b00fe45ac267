// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// Shadow is a rule that never decides anything: whatever it matches, what is
// asked before it decides. It could go, and nothing would change.
type Shadow struct {
	RuleID
	Action Action
	By     []RuleID // rules that decide instead, in the order of evaluation
	Tiers  []string // tiers before it whose default decides
	Line   int      // of the rule in Source.YAML, from 1; 0 where not known
}

// Shadowed lists every rule that is shadowed at all ends that its policy
// selects, computed over all pods, addresses and ports. Rules of Kubernetes
// NetworkPolicies do not shadow each other, since they have no order; a rule
// that matches nothing at all, or that hangs on what no connection tells, is
// not listed.
func (e *Engine) Shadowed() []Shadow {
	found := map[RuleID]*shade{}
	for _, d := range []Direction{Ingress, Egress} {
		for _, p := range e.positions(d) {
			e.shade(p, found)
		}
	}
	var out []Shadow
	for _, s := range found {
		if s.live || !s.matched {
			continue
		}
		at := s.policy.places.rule(AllowanceID{Policy: s.shadow.Policy, Direction: s.shadow.Direction, Rule: s.shadow.Rule, Peer: -1, Port: -1})
		s.shadow.Line = newLocator(s.policy.object.Source.YAML).line(at)
		out = append(out, s.done())
	}
	slices.SortFunc(out, func(a, b Shadow) int { return compareRules(a.RuleID, b.RuleID) })
	return out
}

// shade is what is known of a rule so far.
type shade struct {
	policy        *compiled
	shadow        Shadow
	live, matched bool
	by            map[RuleID]*compiled // the policies of shadow.By
	tiers         map[*tier]bool       // those of shadow.Tiers
}

func newShade(p *compiled, s Shadow) *shade {
	return &shade{policy: p, shadow: s, by: map[RuleID]*compiled{}, tiers: map[*tier]bool{}}
}

// done puts what decides instead into the order of evaluation: it is found in
// the order of the crowds that were asked, which says nothing.
func (s *shade) done() Shadow {
	s.shadow.By = slices.SortedFunc(maps.Keys(s.by), func(a, b RuleID) int {
		return cmp.Or(comparePolicies(s.by[a], s.by[b]), compareRules(a, b))
	})
	for _, t := range slices.SortedFunc(maps.Keys(s.tiers), compareTiers) {
		s.shadow.Tiers = append(s.shadow.Tiers, t.name)
	}
	return s.shadow
}

// shade looks at the rules of a policy where it stands.
func (e *Engine) shade(p *position, found map[RuleID]*shade) {
	target := p.policy()
	if target.profile {
		return
	}
	rules := target.rules[p.direction]
	first := p.first()
	var local, remote []class
	for k := range rules {
		r := &rules[k]
		if r.action == ActionLog || r.maybe != "" {
			continue
		}
		id := RuleID{Policy: target.ref(), Direction: p.direction, Rule: r.index}
		s := found[id]
		if s == nil {
			s = newShade(target, Shadow{RuleID: id, Action: r.action})
			found[id] = s
		}
		if first && (k == 0 || target.kubernetes) {
			s.live = true
		}
		if s.live {
			continue
		}
		if local == nil {
			policies := []*compiled{target}
			p.before(func(_ int, q *compiled) { policies = append(policies, q) })
			local, remote = e.sides(p.direction, policies, p.ends.Intersect(target.subject))
		}
		e.reachRule(p, k, s, local, remote)
	}
}

// reachRule looks for a connection that a rule decides.
func (e *Engine) reachRule(p *position, k int, s *shade, local, remote []class) {
	r := &p.policy().rules[p.direction][k]
	for i := range local {
		for j := range remote {
			from, to, f, ok := e.meeting(p.direction, &local[i], &remote[j])
			if !ok {
				continue
			}
			wanted := e.ruleSet(r, p.direction, &from.member, &to.member, f)
			if wanted.Empty() {
				continue
			}
			s.matched = true
			if rest := e.open(p, k, &from.member, &to.member, f, wanted, s); !rest.Empty() {
				s.live = true
				return
			}
		}
	}
}

// open gives what of the points is left to decide when the k-th rule of the
// policy is asked, and notes in the shade what decided the others.
func (e *Engine) open(p *position, k int, from, to *endpoint, f family, points l4.Set, s *shade) l4.Set {
	tier := 0
	var passed l4.Set
	end := func() { // of a tier
		t := p.group.tiers[tier].tier
		if t.fallback != ActionPass {
			if !points.Empty() {
				s.tiers[t] = true
			}
			points = nil
		}
		points, passed = points.Union(passed), nil
		tier++
	}
	ask := func(t int, q *compiled, upto int) {
		for tier < t {
			end()
		}
		points = e.takes(q, p.direction, upto, from, to, f, points, func(rule int, a Action, hit l4.Set) {
			if a == ActionPass {
				passed = passed.Union(hit)
			}
			id := RuleID{Policy: q.ref(), Direction: p.direction, Rule: q.rules[p.direction][rule].index}
			if (a != ActionPass || t == p.tier) && !q.profile {
				s.by[id] = q
			}
		})
	}
	p.before(func(t int, q *compiled) { ask(t, q, math.MaxInt) })
	for tier < p.tier {
		end()
	}
	if target := p.policy(); !target.kubernetes {
		ask(p.tier, target, k)
	}
	return points
}
