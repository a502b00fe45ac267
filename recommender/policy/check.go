// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Check answers a connection with its reasons.
func (e *Engine) Check(c Connection) Verdict {
	q := e.query(&c)
	v := Verdict{Uncertain: e.doubts(&c, &q)}
	if q.always {
		why := []Step{{Kind: StepAlways, Text: e.top.alwaysText(&q)}}
		v.Egress = DirectionVerdict{Allowed: true, Why: why}
		v.Ingress = DirectionVerdict{Allowed: true, Why: why}
		v.Allowed = true
		return v
	}
	var doubts [2][]string
	for _, d := range []Direction{Egress, Ingress} {
		w := walk{engine: e, direction: d, q: &q}
		dv := w.run()
		if d == Egress && !dv.Allowed && e.top.toOwnNode(&q) {
			w.doubts = append(w.doubts, ownNodeText)
		}
		doubts[d] = w.doubts
		if d == Egress {
			v.Egress = dv
		} else {
			v.Ingress = dv
		}
	}
	v.Allowed = v.Egress.Allowed && v.Ingress.Allowed
	// What one end denies for certain is denied, whatever the other would say.
	sure := len(v.Uncertain) == 0 && ((!v.Egress.Allowed && len(doubts[Egress]) == 0) || (!v.Ingress.Allowed && len(doubts[Ingress]) == 0))
	if !sure {
		v.Uncertain = slices.Concat(v.Uncertain, doubts[Egress], doubts[Ingress])
	}
	return v
}

// doubts collects what makes the answer uncertain whatever the rules say.
func (e *Engine) doubts(c *Connection, q *query) []string {
	var out []string
	add := func(text string) {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	for _, side := range []struct {
		name string
		peer *Peer
		at   *endpoint
	}{{"source", &c.From, &q.from}, {"destination", &c.To, &q.to}} {
		if side.peer.Rewritten {
			add(fmt.Sprintf("the %s address was rewritten on the way; the real one is not known", side.name))
		}
		if side.peer.Pod != nil && side.at.end < 0 {
			add(fmt.Sprintf("pod %s/%s is not in the snapshot", side.peer.Pod.Namespace, side.peer.Pod.Name))
		}
		if side.peer.Pod == nil && !side.peer.Addr.IsValid() && side.at.name == "" {
			add(fmt.Sprintf("the %s is not known", side.name))
		}
		if service, ok := e.top.services[side.at.addr]; ok && side.at.end < 0 {
			add(fmt.Sprintf("%s is the virtual address of Service %s; policies apply after it is translated, so ask for one of its pods", side.at.addr, service))
		}
	}
	if e.toOwnHost(q) {
		add(hostText)
	}
	for _, d := range []Direction{Egress, Ingress} {
		for _, text := range e.forwardDoubts(d, q) {
			add(text)
		}
	}
	for _, l := range e.left {
		if l.all || (q.from.end >= 0 && l.ends.Has(int(q.from.end))) || (q.to.end >= 0 && l.ends.Has(int(q.to.end))) {
			add(l.text)
		}
	}
	return out
}

// ownNodeText says why a denial on the way to the own node is doubtful.
const ownNodeText = "Kubernetes says that a pod's traffic to its own node is always allowed, while some network plugins, Calico among them, hold egress policies against it"

// toOwnNode says whether a pod talks to the node that it runs on.
func (t *topology) toOwnNode(q *query) bool {
	if q.from.end < 0 || q.to.end < 0 {
		return false
	}
	from, to := &t.ends[q.from.end], &t.ends[q.to.end]
	return !from.isNode() && to.isNode() && from.node >= 0 && from.node == to.node
}

func (t *topology) alwaysText(q *query) string {
	if t.ends[q.from.end].isNode() {
		if t.ends[q.to.end].isNode() {
			return "a node's traffic to itself is always allowed"
		}
		return "a node's traffic to the pods on it is always allowed (probes)"
	}
	return "a pod's traffic to itself is always allowed"
}

// Isolated says whether the pod is denied by default in the direction: whether
// a policy selects it in a tier that ends in deny.
func (e *Engine) Isolated(pod *cluster.Pod, d Direction) bool {
	at := e.top.resolve(&Peer{Pod: pod}, familyAny)
	if at.end < 0 {
		return false
	}
	return slices.ContainsFunc(e.groups[d][e.group[d][at.end]].tiers, func(t *groupTier) bool {
		return t.tier.fallback == ActionDeny && t.tier.name != profileTier
	})
}
