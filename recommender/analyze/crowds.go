// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"github.com/netcinch/netcinch/recommender/policy"
)

// Crowd is ends of one party that no policy tells apart. What holds for one of
// them holds for all, but for what is allowed whatever the policies.
type Crowd struct {
	Kin   policy.Kin
	Peers []policy.Peer
}

// Crowds gives the ends of parties crowd by crowd: a question to each crowd
// stands for one to each pod. It is read only once made.
type Crowds struct {
	index  *Index
	engine constant
	kin    *policy.Kinship
	known  map[Party][]Crowd
}

// constant says what is allowed whatever the policies.
type constant interface {
	Always(policy.Connection) bool
}

// NewCrowds finds the crowds of all workloads and nodes.
func NewCrowds(x *Index, engine *policy.Engine, kin *policy.Kinship) *Crowds {
	c := &Crowds{index: x, engine: engine, kin: kin, known: map[Party][]Crowd{}}
	for _, w := range x.order {
		p := PartyOf(w)
		c.known[p] = c.find(p)
	}
	for name := range x.nodes {
		p := Party{Kind: PartyNode, Name: name}
		c.known[p] = c.find(p)
	}
	return c
}

// Of gives the crowds of a party, in the order of their first ends.
func (c *Crowds) Of(p Party) []Crowd {
	if known, ok := c.known[p]; ok {
		return known
	}
	return c.find(p)
}

func (c *Crowds) find(p Party) []Crowd {
	return c.Group(c.index.Ends(p))
}

// Group puts peers of one kin together.
func (c *Crowds) Group(peers []policy.Peer) []Crowd {
	if len(peers) == 1 {
		return []Crowd{{Kin: c.kin.Of(peers[0]), Peers: peers}}
	}
	var out []Crowd
	at := map[policy.Kin]int{}
	for _, p := range peers {
		kin := c.kin.Of(p)
		i, ok := at[kin]
		if !ok {
			i = len(out)
			at[kin] = i
			out = append(out, Crowd{Kin: kin})
		}
		out[i].Peers = append(out[i].Peers, p)
	}
	return out
}

// Pairs calls visit with one pair of ends for each pair of crowds that can talk
// and is subject to policies, and with the number of pairs that it stands for.
// It gives how many pairs are allowed whatever the policies.
func (c *Crowds) Pairs(from, to []Crowd, visit func(from, to policy.Peer, pairs int)) (always int) {
	return c.PairsOfKin(from, to, func(a, b policy.Peer, _ [2]policy.Kin, pairs int) { visit(a, b, pairs) })
}

// PairsOfKin is Pairs, and tells of what kin the ends are.
func (c *Crowds) PairsOfKin(from, to []Crowd, visit func(from, to policy.Peer, kin [2]policy.Kin, pairs int)) (always int) {
	for i := range from {
		for k := range to {
			n := c.always(&from[i], &to[k])
			always += n
			if all := len(from[i].Peers) * len(to[k].Peers); n < all {
				c.pair(&from[i], &to[k], func(a, b policy.Peer, free bool) {
					if !free {
						visit(a, b, [2]policy.Kin{from[i].Kin, to[k].Kin}, all-n)
					}
				})
			}
		}
	}
	return always
}

// pair visits one pair of two crowds that is subject to policies, and one that
// is not, where there are such and where they can talk.
func (c *Crowds) pair(from, to *Crowd, visit func(from, to policy.Peer, always bool)) {
	pairOf(c.index, c.engine, from, to, visit)
}

func pairOf(x *Index, engine constant, from, to *Crowd, visit func(from, to policy.Peer, always bool)) {
	if !speak(from.Peers[0], to.Peers[0]) {
		return
	}
	if !x.near(from, to) {
		visit(from.Peers[0], to.Peers[0], false)
		return
	}
	var done [2]bool
	for _, a := range from.Peers {
		for _, b := range to.Peers {
			if always := engine.Always(policy.Connection{From: a, To: b}); !done[number(always)] {
				done[number(always)] = true
				visit(a, b, always)
				if done[0] && done[1] {
					return
				}
			}
		}
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// near says whether two crowds may have pairs that no policy has a say in: a
// pod and itself, a node and its own pods.
func (x *Index) near(from, to *Crowd) bool {
	a, b := from.Peers[0], to.Peers[0]
	if a.Pod != nil && !a.Pod.HostNetwork { // only itself
		if b.Pod == nil {
			return false
		}
		return from.Kin == to.Kin && a.Pod.Workload == b.Pod.Workload
	}
	return x.inside(a) && x.inside(b)
}

// always counts the pairs that no policy has a say in.
func (c *Crowds) always(from, to *Crowd) int {
	if !speak(from.Peers[0], to.Peers[0]) || !c.index.near(from, to) {
		return 0
	}
	n := 0
	for _, a := range from.Peers {
		for _, b := range to.Peers {
			if c.engine.Always(policy.Connection{From: a, To: b}) {
				n++
			}
		}
	}
	return n
}

// inside says whether a peer is a pod or a node.
func (x *Index) inside(p policy.Peer) bool {
	if p.Pod != nil {
		return true
	}
	_, ok := x.nodeAddr[p.Addr]
	if !ok {
		_, ok = x.podAddr[p.Addr]
	}
	return ok
}
