// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"strconv"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// total collects what a part of a policy was used for. While edges are added
// it remembers the edge and the need at hand, so that each counts once.
type total struct {
	entry  Total
	states map[UseState]int // of its allowances
	edge   *Edge            // that was added last
	alone  bool             // it counts as alone already
	need   int              // that was looked at last
	atoms  int              // of that need
}

// totalKey names a part of a policy.
type totalKey struct {
	scope      Scope
	policy     cluster.Ref
	direction  policy.Direction
	rule       int
	peer, port int
}

// totals gives the parts of its policy that an allowance belongs to, making
// them as needed.
func (u *uses) totals(a *policy.Allowance) []*total {
	id := a.ID
	keys := []totalKey{{ScopePolicy, id.Policy, 0, -1, -1, -1}, {ScopeRule, id.Policy, id.Direction, id.Rule, -1, -1}}
	texts := []string{id.Policy.String(), lower(id.Direction) + " rule " + strconv.Itoa(id.Rule+1)}
	if id.Peer >= 0 {
		keys, texts = append(keys, totalKey{ScopePeer, id.Policy, id.Direction, id.Rule, id.Peer, -1}), append(texts, a.Peer)
	}
	if id.Port >= 0 {
		keys, texts = append(keys, totalKey{ScopePort, id.Policy, id.Direction, id.Rule, -1, id.Port}), append(texts, a.Port)
	}
	out := make([]*total, len(keys))
	for i, k := range keys {
		t := u.parts[k]
		if t == nil {
			t = &total{states: map[UseState]int{}, entry: Total{
				Scope: k.scope, Policy: RefOf(k.policy), Rule: k.rule, Peer: k.peer, Port: k.port, Text: texts[i], UsedBy: []string{}, Peers: []string{},
			}}
			if k.scope != ScopePolicy {
				t.entry.Direction = k.direction.String()
			}
			u.parts[k] = t
			u.sums = append(u.sums, t)
		}
		out[i] = t
	}
	return out
}

// sum counts an edge for the parts of policies that let it through.
func (u *uses) sum(e *Edge, needs [][]*use, client, server string) {
	for i, by := range needs {
		for _, a := range by {
			for _, t := range a.parts {
				t.meet(e, i, a.allowance.ID.Direction, client, server)
			}
		}
		for _, a := range by {
			for _, t := range a.parts {
				t.lone(e, len(e.Needs[i].Atoms))
			}
		}
	}
}

func (t *total) meet(e *Edge, need int, d policy.Direction, client, server string) {
	if t.edge != e {
		t.edge, t.alone, t.need = e, false, -1
		t.entry.Hits += e.Counters.Connections
		if e.Last.After(t.entry.LastHit) {
			t.entry.LastHit = e.Last
		}
		own, far := client, server
		if d == policy.Ingress {
			own, far = server, client
		}
		noteText(&t.entry.UsedBy, own)
		noteText(&t.entry.Peers, far)
	}
	if t.need != need {
		t.need, t.atoms = need, 0
	}
	t.atoms++
}

// lone counts a need that is met from within the part only.
func (t *total) lone(e *Edge, atoms int) {
	if t.atoms == atoms && !t.alone {
		t.alone = true
		t.entry.AloneHits += e.Counters.Connections
	}
}

// state sums up the states of a part's allowances.
func (t *total) state() UseState {
	idle, partly, spare, used := t.states[UseUnused], t.states[UsePartly], t.states[UseRedundant], t.states[UseUsed]
	switch {
	case t.states[UseUnknown] > 0:
		return UseUnknown
	case partly+spare+used == 0:
		return UseUnused
	case idle+partly > 0:
		return UsePartly
	case used == 0:
		return UseRedundant
	}
	return UseUsed
}

// sumsUp gives the totals for the report, in the order of the usage.
func (u *uses) sumsUp() []Total {
	for _, id := range u.order {
		a := u.all[id]
		for _, t := range a.parts {
			t.states[a.entry.State]++
		}
	}
	out := make([]Total, len(u.sums))
	each(len(out), func(i int) {
		t := u.sums[i]
		t.entry.State = t.state()
		t.entry.UsedBy, t.entry.Peers = sortUnique(t.entry.UsedBy), sortUnique(t.entry.Peers)
		out[i] = t.entry
	})
	return out
}
