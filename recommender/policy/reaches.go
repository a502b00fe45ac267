// SPDX-License-Identifier: Apache-2.0

package policy

import "github.com/netcinch/netcinch/recommender/policy/bits"

// Reached is who may be the other end of an allowance, as Reach says it.
type Reached struct {
	Pods   []int // indexes in Snapshot.Pods, ascending; all pods with Anyone
	Anyone bool
}

// Reaches gives for every allowance what Reach gives for one. Allowances that
// reach the same have the same pointer.
func (e *Engine) Reaches() map[AllowanceID]*Reached {
	type union struct {
		ends   bits.Set
		only   *peer // where it is the one peer of the allowance
		anyone bool
	}
	out := map[AllowanceID]*Reached{}
	byPeer := map[*peer]*Reached{}
	anyone := &Reached{Pods: e.top.podIndexes(e.top.everyEnd()), Anyone: true}
	for _, p := range e.inForce() {
		for d := range p.rules {
			for i := range p.rules[d] {
				r := &p.rules[d][i]
				if r.action != ActionAllow {
					continue
				}
				unions := map[int]*union{}
				for k := range r.clauses {
					c := &r.clauses[k]
					u := unions[c.index]
					switch {
					case u == nil:
						u = &union{only: c.peer}
						unions[c.index] = u
					case u.only != c.peer:
						u.only = nil
					}
					if c.peer == nil {
						u.anyone = true
					} else {
						u.ends = u.ends.Union(c.peer.ends)
					}
				}
				for k := range r.clauses {
					c := &r.clauses[k]
					u := unions[c.index]
					reached := anyone
					switch {
					case u.anyone:
					case u.only != nil && byPeer[u.only] != nil:
						reached = byPeer[u.only]
					default:
						reached = &Reached{Pods: e.top.podIndexes(u.ends)}
						if u.only != nil {
							byPeer[u.only] = reached
						}
					}
					id := AllowanceID{Policy: p.ref(), Direction: Direction(d), Rule: r.index, Peer: c.index, Port: -1}
					if c.ports == nil {
						out[id] = reached
					}
					for n := range c.ports {
						id.Port = c.ports[n].index
						out[id] = reached
					}
				}
			}
		}
	}
	return out
}
