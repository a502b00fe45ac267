// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// Tie is two policies of one tier and order that say different things about
// the same connections: which of them is asked first decides.
type Tie struct {
	Policies  [2]cluster.Ref // in the order in which they are asked here
	Direction Direction
	Tier      string
	Order     string // "100", or "none" for policies that give none
	// Defined: the specification orders such policies by name, as Calico's does.
	// Otherwise nobody knows which is asked first.
	Defined bool
	Cells   []Cell // what they disagree on
}

// Ties lists the policies with equal order whose result hangs on which of them
// is asked first, computed over all pods, addresses and ports.
func (e *Engine) Ties() []Tie {
	found := map[tieKey]*tied{}
	var order []tieKey
	for _, d := range []Direction{Ingress, Egress} {
		of := e.endsOfGroups(d)
		for g := range e.groups[d] {
			for t, gt := range e.groups[d][g].tiers {
				for i := range gt.policies {
					at := &position{direction: d, group: &e.groups[d][g], tier: t, at: i, ends: of[g]}
					for j := i + 1; j < len(gt.policies) && gt.policies[j].order == gt.policies[i].order; j++ {
						k := tieKey{gt.policies[i], gt.policies[j], d}
						if !differ(k) {
							continue
						}
						if found[k] == nil {
							found[k] = &tied{}
							order = append(order, k)
						}
						e.tie(at, j, found[k])
					}
				}
			}
		}
	}
	var out []Tie
	for _, k := range order {
		if cells := e.cells(found[k].cells); len(cells) > 0 {
			out = append(out, Tie{
				Policies: [2]cluster.Ref{k.first.ref(), k.second.ref()}, Direction: k.direction,
				Tier: k.first.tier.name, Order: orderText(k.first.order), Defined: !k.first.tier.unordered, Cells: cells,
			})
		}
	}
	return out
}

type tieKey struct {
	first, second *compiled
	direction     Direction
}

type tied struct{ cells []cell }

// differ says whether two policies can say different things at all.
func differ(k tieKey) bool {
	if k.first.profile || k.second.profile {
		return false
	}
	said := map[Action]bool{}
	for _, p := range []*compiled{k.first, k.second} {
		if len(p.rules[k.direction]) == 0 {
			return false
		}
		for i := range p.rules[k.direction] {
			if a := p.rules[k.direction][i].action; a != ActionLog {
				said[a] = true
			}
		}
	}
	return len(said) > 1
}

// tie collects what the policy at a position and the j-th of its tier disagree on.
func (e *Engine) tie(at *position, j int, out *tied) {
	first, second := at.policy(), at.group.tiers[at.tier].policies[j]
	// What comes before the first of their order decides before both.
	lead := *at
	for lead.at > 0 && at.group.tiers[at.tier].policies[lead.at-1].order == first.order {
		lead.at--
	}
	policies := []*compiled{first, second}
	lead.before(func(_ int, q *compiled) { policies = append(policies, q) })
	local, remote := e.sides(at.direction, policies, at.ends)
	unread := newShade(nil, Shadow{})
	for i := range local {
		for k := range remote {
			from, to, f, ok := e.meeting(at.direction, &local[i], &remote[k])
			if !ok {
				continue
			}
			open := e.open(&lead, 0, &from.member, &to.member, f, everything, unread)
			if points := e.disagree(first, second, at.direction, &from.member, &to.member, f, open); !points.Empty() {
				out.cells = append(out.cells, cellOf(from, to, points))
			}
		}
	}
}

// disagree gives the points that two policies decide differently.
func (e *Engine) disagree(first, second *compiled, d Direction, from, to *endpoint, f family, points l4.Set) l4.Set {
	by := [2]map[Action]l4.Set{{}, {}}
	for i, p := range []*compiled{first, second} {
		e.takes(p, d, math.MaxInt, from, to, f, points, func(_ int, a Action, hit l4.Set) {
			by[i][a] = by[i][a].Union(hit)
		})
	}
	var out l4.Set
	for a, x := range by[0] {
		for b, y := range by[1] {
			if a != b {
				out = out.Union(x.Intersect(y))
			}
		}
	}
	return out
}

func orderText(order float64) string {
	if order == lastOrder {
		return "none"
	}
	return strconv.FormatFloat(order, 'f', -1, 64)
}

// String is the tie in one line for people.
func (t Tie) String() string {
	return fmt.Sprintf("%s and %s, order %s in tier %s", t.Policies[0], t.Policies[1], t.Order, t.Tier)
}

// Unread lists what could not be read or compiled, each once, with the pods
// that it may apply to, as indexes in Snapshot.Pods.
func (e *Engine) Unread() []Unread {
	out := make([]Unread, 0, len(e.left))
	for _, l := range e.left {
		u := Unread{Ref: l.ref, Text: l.text, Pods: e.top.podIndexes(l.ends)}
		if !slices.ContainsFunc(out, func(o Unread) bool { return o.Ref == u.Ref && o.Text == u.Text && slices.Equal(o.Pods, u.Pods) }) {
			out = append(out, u)
		}
	}
	return out
}

// Unread is an object that may change verdicts at some pods, and is not
// understood.
type Unread struct {
	Ref  cluster.Ref
	Text string // "NetworkPolicy a/b was left out, its spec.x is not understood; it may apply here"
	Pods []int
}
