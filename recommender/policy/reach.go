// SPDX-License-Identifier: Apache-2.0

package policy

import "github.com/netcinch/netcinch/recommender/policy/bits"

// Reach says who may be the other end of an allowance, whatever the port: the
// indexes in Snapshot.Pods, ascending. anyone says that the rule leaves the
// peer open, to every pod and address; pods then has all pods.
func (e *Engine) Reach(id AllowanceID) (pods []int, anyone bool) {
	var ends bits.Set
	for _, p := range e.inForce() {
		if p.ref() != id.Policy {
			continue
		}
		for i := range p.rules[id.Direction] {
			r := &p.rules[id.Direction][i]
			if r.index != id.Rule || r.action != ActionAllow {
				continue
			}
			for k := range r.clauses {
				c := &r.clauses[k]
				switch {
				case c.index != id.Peer:
				case c.peer == nil:
					anyone = true
				default:
					ends = ends.Union(c.peer.ends)
				}
			}
		}
	}
	if anyone {
		ends = e.top.everyEnd()
	}
	return e.top.podIndexes(ends), anyone
}
