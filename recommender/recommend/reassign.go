// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// reassign looks for atoms that are superfluous once everything is applied:
// what they own, other atoms let through too, because they had to stay wider
// than what they own. It moves those demands there, so that the next round can
// do without the atoms. A policy takes part in one move a round. The policies
// that did are dirty: they have to be made again.
func (s *search) reassign(g *gathering) (moved bool) {
	for _, a := range g.atoms {
		r := s.made[a.ID.Policy]
		if r == nil || !g.offers(a.ID.Policy) || g.needed[a.ID] || s.dirty[a.ID.Policy] || len(s.moved) >= maxMoves {
			continue
		}
		moved = s.move(g, a.ID) || moved
	}
	return moved
}

// before gives the rule that a rule of an edited policy comes from.
func (s *search) before(g *gathering, r ruleID) (ruleID, bool) {
	made := s.made[r.policy]
	if made == nil || !g.offers(r.policy) {
		return r, true
	}
	from := made.from[r.direction]
	if r.rule >= len(from) {
		return r, false
	}
	r.rule = from[r.rule]
	return r, true
}

// move gives what a superfluous atom owns to others that let it through.
func (s *search) move(g *gathering, spare policy.AllowanceID) bool {
	home, ok := s.before(g, ruleOf(spare))
	if !ok {
		return false
	}
	any := false
	for _, id := range s.atomsOf(home) {
		for _, d := range s.owned[id] {
			if _, before := s.moved[d.name]; before || d.name == (demandName{}) {
				continue
			}
			for _, other := range s.covering(g, spare, *d) {
				rule, ok := s.before(g, ruleOf(other))
				if ok && (!s.dirty[rule.policy] || rule.policy == home.policy) && slices.ContainsFunc(d.atoms, func(a policy.AllowanceID) bool { return ruleOf(a) == rule }) {
					s.moved[d.name] = rule
					s.touched[rule.policy], s.touched[home.policy] = true, true
					any = true
					break
				}
			}
		}
	}
	for ref := range s.touched {
		s.dirty[ref] = true
	}
	clear(s.touched)
	return any
}

// covering lists the atoms that let through all of a demand that the spare one
// does.
func (s *search) covering(g *gathering, spare policy.AllowanceID, d demand) []policy.AllowanceID {
	var common []policy.AllowanceID
	started := false
	visit := func(c policy.Connection, _ int) {
		var here []policy.AllowanceID
		hit := false
		g.engine.Matching(c, func(id policy.AllowanceID) {
			hit = hit || id == spare
			if id != spare && id.Direction == spare.Direction {
				here = append(here, id)
			}
		})
		switch {
		case !hit:
		case !started:
			common, started = here, true
		default:
			common = slices.DeleteFunc(common, func(id policy.AllowanceID) bool { return !slices.Contains(here, id) })
		}
	}
	if d.dns { // each end by itself
		everyPair(g.crowds, *d.client, *d.server, d.port, visit)
	} else {
		s.allowedPairs(g.crowds, *d.client, *d.server, d.port, visit)
	}
	slices.SortFunc(common, compareAtoms)
	return common
}

func compareAtoms(a, b policy.AllowanceID) int {
	return cmp.Or(
		compareRefs(a.Policy, b.Policy),
		cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port),
	)
}

func compareRefs(a, b cluster.Ref) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.APIVersion, b.APIVersion))
}
