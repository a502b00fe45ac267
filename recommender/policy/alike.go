// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strconv"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// Kinds numbers pods and nodes so that no policy of the engine tells apart two
// with the same number: what holds for one as source or destination holds for
// the other, but for what is allowed whatever the policies (a pod's traffic to
// itself, a node's to its own pods). It may be used by several goroutines.
type Kinds struct {
	top *topology
	of  []int32 // by end
}

// Alike computes the kinds.
func (e *Engine) Alike() *Kinds {
	s := newSplitter(len(e.top.ends), e.top.everyEnd())
	s.byKey(func(n int) string {
		x := &e.top.ends[n]
		return strconv.Itoa(int(x.family)) + strconv.FormatBool(x.isNode()) + portsKey(x.ports)
	})
	for _, d := range []Direction{Egress, Ingress} {
		s.byKey(func(n int) string { return strconv.Itoa(int(e.group[d][n])) })
	}
	seen := map[*peer]bool{nil: true}
	for _, p := range e.policies {
		for d := range p.rules {
			for i := range p.rules[d] {
				for k := range p.rules[d][i].clauses {
					c := &p.rules[d][i].clauses[k]
					for _, x := range []*peer{c.peer, c.local} {
						if !seen[x] {
							seen[x] = true
							s.by(x.ends)
						}
					}
				}
			}
		}
	}
	for _, l := range e.left {
		s.by(l.ends)
	}
	return &Kinds{e.top, s.of}
}

// Of gives the number of a pod's or node's kind; false for outside addresses.
// A pod with several addresses is to be asked for with one of them.
func (k *Kinds) Of(p Peer) (int32, bool) {
	at := k.top.resolve(&p, familyAny)
	if at.end < 0 {
		return 0, false
	}
	return k.of[at.end], true
}

// Reaches gives a Reach that is fast when asked for many allowances.
func (e *Engine) Reaches() func(AllowanceID) (pods []int, anyone bool) {
	type ruleKey struct {
		policy    cluster.Ref
		direction Direction
		rule      int
	}
	rules := map[ruleKey][]*rule{}
	for _, p := range e.policies {
		for d := range p.rules {
			for i := range p.rules[d] {
				if r := &p.rules[d][i]; r.action == ActionAllow {
					k := ruleKey{p.ref(), Direction(d), r.index} //nolint:gosec // an index of a table of two
					rules[k] = append(rules[k], r)
				}
			}
		}
	}
	everyone := e.top.podIndexes(e.top.everyEnd())
	return func(id AllowanceID) ([]int, bool) {
		var ends bits.Set
		for _, r := range rules[ruleKey{id.Policy, id.Direction, id.Rule}] {
			for k := range r.clauses {
				c := &r.clauses[k]
				switch {
				case c.index != id.Peer:
				case c.peer == nil:
					return everyone, true
				default:
					ends = ends.Union(c.peer.ends)
				}
			}
		}
		return e.top.podIndexes(ends), false
	}
}
