// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// reassign looks for an atom that is superfluous once everything is applied:
// what it owns, other atoms let through too, because they had to stay wider
// than what they own. It moves those demands there, so that the next round can
// do without the atom, and says whether there is anything to gain by one.
func (o *owners) reassign(all []Recommendation, moved moves) bool {
	scratch := slices.Clone(all)
	objects := decodeAll(scratch)
	offered := standing(scratch)
	edited := map[cluster.Ref]bool{}
	for _, r := range offered {
		edited[r.Policy.Cluster()] = r.Kind == KindTighten
	}
	together := o.together(offered, objects)
	needed := o.needed(together)
	for _, a := range together.Allowances() {
		if edited[a.ID.Policy] && !needed[a.ID] && o.move(together, a.ID, edited, moved) {
			return true
		}
	}
	return false
}

// before gives the rule that a rule of an edited policy comes from.
func (o *owners) before(r ruleID, edited map[cluster.Ref]bool) (ruleID, bool) {
	if !edited[r.policy] {
		return r, true
	}
	from := o.lineage[lineageKey{r.policy, r.direction}]
	if r.rule >= len(from) {
		return r, false
	}
	r.rule = from[r.rule]
	return r, true
}

// move gives what a superfluous atom owns to others that let it through.
func (o *owners) move(together *policy.Engine, spare policy.AllowanceID, edited map[cluster.Ref]bool, moved moves) bool {
	home, ok := o.before(ruleOf(spare), edited)
	if !ok {
		return false
	}
	any := false
	for _, id := range o.atomsOf(home) {
		for _, d := range o.owned[id] {
			if _, before := moved[d.name]; before || d.name == "" {
				continue
			}
			for _, other := range o.covering(together, spare, d) {
				rule, ok := o.before(ruleOf(other), edited)
				if ok && slices.ContainsFunc(d.atoms, func(a policy.AllowanceID) bool { return ruleOf(a) == rule }) {
					moved[d.name] = rule
					any = true
					break
				}
			}
		}
	}
	return any
}

// covering lists the atoms that let through all of a demand that the spare one
// does.
func (o *owners) covering(together *policy.Engine, spare policy.AllowanceID, d demand) []policy.AllowanceID {
	var common []policy.AllowanceID
	asked := false
	visit := o.allowedPairs
	if d.dns { // each end by itself
		visit = o.everyPair
	}
	visit(d.client, d.server, d.port, func(c policy.Connection) {
		var here []policy.AllowanceID
		hit := false
		together.Matching(c, func(id policy.AllowanceID) {
			hit = hit || id == spare
			if id != spare && id.Direction == spare.Direction {
				here = append(here, id)
			}
		})
		switch {
		case !hit:
		case !asked:
			common, asked = here, true
		default:
			common = slices.DeleteFunc(common, func(id policy.AllowanceID) bool { return !slices.Contains(here, id) })
		}
	})
	slices.SortFunc(common, compareAtoms)
	return common
}

func compareAtoms(a, b policy.AllowanceID) int {
	return cmp.Or(
		cmp.Compare(a.Policy.Namespace, b.Policy.Namespace), cmp.Compare(a.Policy.Name, b.Policy.Name), cmp.Compare(a.Policy.Kind, b.Policy.Kind),
		cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port),
	)
}
