// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strconv"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// RuleID names a rule of a policy. Rule counts from 0 in the manifest's order.
type RuleID struct {
	Policy    cluster.Ref
	Direction Direction
	Rule      int
}

// position is a policy where it stands among others: the ends at which these
// policies come before it, and one group of ends that has them in their order.
type position struct {
	direction Direction
	group     *group
	tier      int // of the group's tiers
	at        int // of the tier's policies
	ends      bits.Set
}

func (p *position) policy() *compiled { return p.group.tiers[p.tier].policies[p.at] }

// positions lists each policy once for each list of policies that come before
// it. Of a NetworkPolicy of Kubernetes' own only those that are none count:
// among themselves they have no order.
func (e *Engine) positions(d Direction) []*position {
	type step struct {
		before int32
		policy *compiled
	}
	numbers := map[step]int32{}
	number := func(s step) int32 {
		n, ok := numbers[s]
		if !ok {
			n = int32(len(numbers) + 1)
			numbers[s] = n
		}
		return n
	}
	of := e.endsOfGroups(d)
	known := map[step]*position{}
	var out []*position
	for g := range e.groups[d] {
		all, ordered := int32(0), int32(0)
		for t, gt := range e.groups[d][g].tiers {
			for i, p := range gt.policies {
				s := step{all, p}
				if p.kubernetes {
					s.before = ordered
				}
				at := known[s]
				if at == nil {
					at = &position{direction: d, group: &e.groups[d][g], tier: t, at: i}
					known[s] = at
					out = append(out, at)
				}
				at.ends = at.ends.Union(of[g])
				all = number(step{all, p})
				if !p.kubernetes {
					ordered = number(step{ordered, p})
				}
			}
		}
	}
	return out
}

func (e *Engine) endsOfGroups(d Direction) []bits.Set {
	of := make([]bits.Set, len(e.groups[d]))
	for end, g := range e.group[d] {
		of[g].Add(end)
	}
	return of
}

// first says whether nothing that has an order comes before the policy.
func (p *position) first() bool {
	target := p.policy()
	for t := 0; t <= p.tier; t++ {
		for i, q := range p.group.tiers[t].policies {
			if t == p.tier && i == p.at {
				return true
			}
			if !q.kubernetes || !target.kubernetes {
				return false
			}
		}
	}
	return true
}

// before calls visit with every policy that is asked before this one, in order.
func (p *position) before(visit func(tier int, q *compiled)) {
	target := p.policy()
	for t := 0; t <= p.tier; t++ {
		for i, q := range p.group.tiers[t].policies {
			if t == p.tier && i == p.at {
				return
			}
			if t == p.tier && q.kubernetes && target.kubernetes {
				continue
			}
			visit(t, q)
		}
	}
}

// sides cuts own ends and all others into classes that the policies given do
// not tell apart, in the direction.
func (e *Engine) sides(d Direction, policies []*compiled, own bits.Set) (local, remote []class) {
	near, far := newSplitter(len(e.top.ends), own), newSplitter(len(e.top.ends), e.top.everyEnd())
	var peers []*peer
	seen := map[*peer]bool{nil: true}
	named := false
	for _, p := range policies {
		for i := range p.rules[d] {
			for k := range p.rules[d][i].clauses {
				c := &p.rules[d][i].clauses[k]
				named = named || c.named
				if c.local != nil {
					near.by(c.local.ends)
				}
				if !seen[c.peer] {
					seen[c.peer] = true
					peers = append(peers, c.peer)
					far.by(c.peer.ends)
				}
			}
		}
	}
	byFamily := func(n int) string { return strconv.Itoa(int(e.top.ends[n].family)) }
	near.byKey(byFamily)
	far.byKey(byFamily)
	if named {
		declares := near
		if d == Egress {
			declares = far
		}
		declares.byKey(func(n int) string { return portsKey(e.top.ends[n].ports) })
	}
	return near.classes(e.top), append(far.classes(e.top), e.top.outsideClasses(peers)...)
}

// meeting orders two classes as source and destination and gives the family of
// what they say to each other; false where they cannot, or no policy can cut it.
func (e *Engine) meeting(d Direction, local, remote *class) (from, to *class, f family, ok bool) {
	from, to = remote, local
	if d == Egress {
		from, to = local, remote
	}
	if !from.family.meets(to.family) || e.top.alwaysAll(from, to) {
		return from, to, familyAny, false
	}
	if f = from.family; f == familyAny {
		f = to.family
	}
	return from, to, f, true
}

// takes gives what of the points a policy decides by itself, by action. decided
// is told of each rule that takes some.
func (e *Engine) takes(p *compiled, d Direction, upto int, from, to *endpoint, f family, points l4.Set, decided func(rule int, a Action, hit l4.Set)) (rest l4.Set) {
	for k := range p.rules[d] {
		r := &p.rules[d][k]
		if k >= upto || points.Empty() {
			break
		}
		if r.action == ActionLog {
			continue
		}
		hit := e.ruleSet(r, d, from, to, f).Intersect(points)
		if hit.Empty() {
			continue
		}
		points = points.Minus(hit)
		decided(k, r.action, hit)
	}
	return points
}

func compareRules(a, b RuleID) int {
	switch {
	case a.Direction != b.Direction:
		return int(b.Direction) - int(a.Direction)
	case a.Policy != b.Policy:
		return slices.Compare(
			[]string{a.Policy.Namespace, a.Policy.Name, a.Policy.Kind, a.Policy.APIVersion},
			[]string{b.Policy.Namespace, b.Policy.Name, b.Policy.Kind, b.Policy.APIVersion})
	}
	return a.Rule - b.Rule
}
