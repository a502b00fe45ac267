// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// maxAddresses is up to how many outside addresses a rule that is open to all
// is narrowed to; beyond, the list would be no help to anybody.
const maxAddresses = 32

// meets says whether a connection with one address of several that a party has
// is what the atom lets through: the author may have meant one family only, and
// a node's own pods need no rule.
func (o *owners) meets(d owned, t target) bool {
	if !t.prefix.IsValid() || *d.client == (analyze.Party{}) {
		return true
	}
	met := false
	o.pairsAt(*d.client, *d.server, d.atom.Direction, t.prefix.Addr(), func(from, to policy.Peer) {
		c := connection(from, to, d.port)
		if met || !permits(o.engine, c) {
			return
		}
		n := 0
		same := true
		o.engine.Matching(c, func(id policy.AllowanceID) {
			if id.Direction == d.atom.Direction {
				n++
				same = same && slices.Contains(d.atoms, id)
			}
		})
		met = same && n == len(d.atoms)
	})
	return met
}

// pairsAt visits pairs of ends that policies have a say in, where the far end
// is one address.
func (w *world) pairsAt(client, server analyze.Party, d policy.Direction, far netip.Addr, visit func(from, to policy.Peer)) {
	at := w.crowds.Group([]policy.Peer{{Addr: far}})
	each := func(from, to policy.Peer, _ int) { visit(from, to) }
	if d == policy.Ingress {
		w.crowds.Pairs(at, w.crowds.Of(server), each)
	} else {
		w.crowds.Pairs(w.crowds.Of(client), at, each)
	}
}

// writer decides how the demands of one peer item are written: by the author's
// item, where all that it reaches is used alike, else one by one. Whether one
// can be written for itself hangs on it alone: were it to hang on the others of
// its rule, a second run would decide otherwise once the rule is split.
func (o *owners) writer(shape ruleShape, i int, list []owned) func(owned) []target {
	whole := []target{original(i)}
	var item peerShape
	if i >= 0 && i < len(shape.peers) {
		item = shape.peers[i]
	}
	switch {
	case shape.fixed || item.fixed:
		return func(owned) []target { return whole }
	case i < 0 || item.everybody:
		return o.openWriter(shape, i, list)
	case o.usedAlike(list):
		return func(owned) []target { return whole }
	}
	return func(d owned) []target {
		// Other than workloads, a range that the author gave is for addresses that
		// come and go.
		if d.other.Kind != analyze.PartyWorkload || !o.separable(d) || !o.within(item, d) {
			return whole
		}
		return o.peersOf(*d.other)
	}
}

// openWriter is for peers that are open to everybody. Where outside addresses
// come in by that port, or a load balancer or node port leads to it, it stays
// open: nobody can list the clients. Else it is narrowed to who was seen.
func (o *owners) openWriter(shape ruleShape, i int, list []owned) func(owned) []target {
	outside := map[portKey]map[analyze.Party]bool{}
	for _, d := range list {
		if d.other.Kind == analyze.PartyOutside {
			if outside[d.port] == nil {
				outside[d.port] = map[analyze.Party]bool{}
			}
			outside[d.port][*d.other] = true
		}
	}
	return func(d owned) []target {
		ingress := shape.id.direction == policy.Ingress
		switch {
		case i >= 0 && !o.within(shape.peers[i], d):
			return []target{original(i)}
		case ingress && (len(outside[d.port]) > 0 || o.isPublic(shape.id, d.port)),
			!ingress && d.other.Kind == analyze.PartyOutside && len(outside[d.port]) > maxAddresses:
			return []target{original(i)}
		}
		if peers := o.peersOf(*d.other); len(peers) > 0 {
			return peers
		}
		return []target{original(i)}
	}
}

// isPublic says whether a load balancer or node port leads to the port of a
// workload that the rule's policy selects.
func (o *owners) isPublic(r ruleID, port portKey) bool {
	for _, id := range o.atomsOf(r)[:1] {
		for _, s := range o.atoms[id].Subjects {
			if slices.Contains(o.public[o.owner(&o.snapshot.Pods[s])], port) {
				return true
			}
		}
	}
	return false
}

// usedAlike says whether every workload that the item reaches used it, all on
// the same ports.
func (o *owners) usedAlike(list []owned) bool {
	ports := map[analyze.Party]map[string]bool{}
	for _, d := range list {
		if d.other.Kind == "" {
			continue
		}
		if ports[*d.other] == nil {
			ports[*d.other] = map[string]bool{}
		}
		key := d.port.String()
		if d.wholePort {
			key = "whole"
		}
		ports[*d.other][key] = true
	}
	var first map[string]bool
	for wl := range o.reach[list[0].atom].workloads {
		used := ports[analyze.PartyOf(wl)]
		if used == nil || first != nil && !maps.Equal(first, used) {
			return false
		}
		first = used
	}
	return true
}

// separable says whether a party can be written for itself, without letting
// anybody in whom the item did not let in.
func (o *owners) separable(d owned) bool {
	reach := o.reach[d.atom]
	peers := o.peersOf(*d.other)
	if len(peers) == 0 || !reach.workloads[d.other.Workload()] {
		return false
	}
	return !slices.ContainsFunc(peers, func(t target) bool {
		return slices.ContainsFunc(t.selected.caught, func(wl flow.Workload) bool { return !reach.workloads[wl] })
	})
}

// within says whether a peer given by address reaches every address of the
// workload that used it. Labels would let in the others too: of a dual-stack
// pod, say, the other family.
func (o *owners) within(p peerShape, d owned) bool {
	if !p.addresses {
		return true
	}
	return !slices.ContainsFunc(o.index.Pods(d.other.Workload()), func(pod *cluster.Pod) bool {
		return slices.ContainsFunc(pod.IPs, func(a netip.Addr) bool { return !p.prefix.Contains(a) })
	})
}
