// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"maps"
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// ruleShape is a rule as its author wrote it, whatever the kind of policy.
type ruleShape struct {
	id    ruleID
	peers []peerShape // empty: the rule leaves the peer open
	ports []portShape // empty: the rule leaves the port open
	fixed bool        // it can stay or go, and not be narrowed
}

// peerShape is what matters of a peer.
type peerShape struct {
	addresses bool // by address, not by labels
	prefix    netip.Prefix
	everybody bool // every address of a family
	fixed     bool // it can stay or go, and not be narrowed
}

// portShape is a port item: one port, a name, a range, or with all every port
// of the protocol.
type portShape struct {
	protocol    flow.Protocol
	first, last uint16
	named, all  bool
}

func (p portShape) single() bool { return p.named || !p.all && p.first == p.last }

// plan is what has to become of a rule.
type plan struct {
	shape  ruleShape
	book   *book
	groups []group
	source map[string]int // which peer item a new target comes from
	root   *yaml.Node     // of the manifest, for its author's style
}

// maxAddresses is up to how many outside addresses a rule that is open to all
// is narrowed to; beyond, the list would be no help to anybody.
const maxAddresses = 32

// plan finds the fewest products that let through what the rule owns.
func (o *owners) plan(shape ruleShape) plan {
	p := plan{shape: shape, book: newBook(), source: map[string]int{}}
	byPeer := map[int][]owned{}
	for _, id := range o.atomsOf(shape.id) {
		for _, d := range o.owned[id] {
			byPeer[id.Peer] = append(byPeer[id.Peer], owned{id, d})
		}
	}
	full := fullRanges(shape, byPeer)
	for _, i := range slices.Sorted(maps.Keys(byPeer)) {
		o.planPeer(&p, i, byPeer[i], full)
	}
	p.book.absorb(p.source)
	p.book.settle()
	p.groups = p.book.needs.cover()
	return p
}

// owned is a demand with the atom that owns it.
type owned struct {
	atom policy.AllowanceID
	demand
}

// fullRanges says which port items are used from end to end.
func fullRanges(shape ruleShape, byPeer map[int][]owned) map[int]bool {
	used := map[int]map[uint16]bool{}
	for _, list := range byPeer {
		for _, d := range list {
			if d.wholePort {
				continue
			}
			if used[d.atom.Port] == nil {
				used[d.atom.Port] = map[uint16]bool{}
			}
			used[d.atom.Port][d.port.port] = true
		}
	}
	full := map[int]bool{}
	for j, item := range shape.ports {
		full[j] = !item.all && !item.named && len(used[j]) == int(item.last)-int(item.first)+1
	}
	return full
}

// planPeer adds what one peer item has to let through.
func (o *owners) planPeer(p *plan, i int, list []owned, full map[int]bool) {
	write := o.writer(p.shape, i, list)
	for _, d := range list {
		port := portFor(p.shape, d, full)
		targets := []target{original(i)}
		if !d.wholePeer {
			targets = slices.DeleteFunc(write(d), func(t target) bool { return !o.meets(d, t) })
		}
		for _, t := range targets {
			if _, known := p.source[t.key()]; !known {
				p.source[t.key()] = i
			}
			p.book.add(t, port, d.edge, d.dns)
			if d.wholePort {
				p.book.seen[[2]string{t.key(), port.key()}].scheduled = true
			}
		}
	}
}

// meets says whether a connection with one address of several that a party has
// is what the atom lets through: the author may have meant one family only, and
// a node's own pods need no rule.
func (o *owners) meets(d owned, t target) bool {
	if !t.prefix.IsValid() || d.client == (analyze.Party{}) {
		return true
	}
	met := false
	o.pairsAt(d.client, d.server, d.atom.Direction, t.prefix.Addr(), func(from, to policy.Peer) {
		c := policy.Connection{From: from, To: to, Protocol: d.port.protocol, Port: d.port.port, ICMPType: -1, ICMPCode: -1}
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

// pairsAt visits pairs of ends where the far end is one address.
func (w *world) pairsAt(client, server analyze.Party, d policy.Direction, far netip.Addr, visit func(from, to policy.Peer)) {
	at := []policy.Peer{{Addr: far}}
	if d == policy.Ingress {
		analyze.Pairs(at, w.index.Ends(server, everyPod), visit)
	} else {
		analyze.Pairs(w.index.Ends(client, everyPod), at, visit)
	}
}

// original is a peer item that stays; -1 stands for a rule without peers.
func original(i int) target { return target{original: i, anyone: i < 0} }

// portFor gives the port to write for a demand: the author's item where that
// is no wider than what was used.
func portFor(shape ruleShape, d owned, full map[int]bool) portSpec {
	j := d.atom.Port
	switch {
	case j < 0 && (d.wholePort || shape.fixed):
		return portSpec{any: true, original: -1}
	case j < 0:
		return writable(d.port)
	case d.wholePort || shape.fixed || j >= len(shape.ports) || shape.ports[j].single() || full[j]:
		return portSpec{original: j, portKey: portKey{d.port.protocol, d.port.port}}
	}
	return writable(d.port)
}

// writer decides how the demands of one peer item are written: by the author's
// item, where all that it reaches is used alike, else one by one.
func (o *owners) writer(shape ruleShape, i int, list []owned) func(owned) []target {
	whole := func(owned) []target { return []target{original(i)} }
	oneByOne := func(d owned) []target { return o.peersOf(d.other) }
	open := i < 0 || i < len(shape.peers) && shape.peers[i].everybody
	switch {
	case shape.fixed || i >= 0 && i < len(shape.peers) && shape.peers[i].fixed:
		return whole
	case open:
		return o.openWriter(shape, i, list)
	case i < len(shape.peers) && shape.peers[i].addresses && slices.ContainsFunc(list, func(d owned) bool { return d.other.Kind != analyze.PartyWorkload }):
		return whole // a range that the author gave for addresses that come and go
	case o.usedAlike(list):
		return whole
	case !o.separable(list), i < len(shape.peers) && !o.within(shape.peers[i], list):
		return whole
	}
	return oneByOne
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
			outside[d.port][d.other] = true
		}
	}
	if i >= 0 && !o.within(shape.peers[i], list) {
		return func(owned) []target { return []target{original(i)} }
	}
	return func(d owned) []target {
		ingress := shape.id.direction == policy.Ingress
		switch {
		case ingress && (len(outside[d.port]) > 0 || o.isPublic(shape.id, d.port)),
			!ingress && d.other.Kind == analyze.PartyOutside && len(outside[d.port]) > maxAddresses:
			return []target{original(i)}
		}
		if peers := o.peersOf(d.other); len(peers) > 0 {
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
		if ports[d.other] == nil {
			ports[d.other] = map[string]bool{}
		}
		key := d.port.String()
		if d.wholePort {
			key = "whole"
		}
		ports[d.other][key] = true
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

// separable says whether each party can be written for itself, without letting
// anybody in whom the item did not let in.
func (o *owners) separable(list []owned) bool {
	reach := o.reach[list[0].atom]
	for _, d := range list {
		if d.wholePeer {
			continue
		}
		peers := o.peersOf(d.other)
		if d.other.Kind != analyze.PartyWorkload || len(peers) == 0 || !reach.workloads[d.other.Workload()] {
			return false
		}
		for _, t := range peers {
			if slices.ContainsFunc(t.selected.caught, func(wl flow.Workload) bool { return !reach.workloads[wl] }) {
				return false
			}
		}
	}
	return true
}

// within says whether a peer given by address reaches every address of the
// workloads that used it. Labels would let in the others too: of a dual-stack
// pod, say, the other family.
func (o *owners) within(p peerShape, list []owned) bool {
	if !p.addresses {
		return true
	}
	for _, d := range list {
		for _, pod := range o.index.Pods(d.other.Workload()) {
			if slices.ContainsFunc(pod.IPs, func(a netip.Addr) bool { return !p.prefix.Contains(a) }) {
				return false
			}
		}
	}
	return true
}

// unchanged says whether the rule stays as it is.
func (p plan) unchanged() bool {
	if p.shape.fixed {
		return len(p.groups) > 0
	}
	if len(p.groups) != 1 {
		return false
	}
	g := p.groups[0]
	peers, ports := max(len(p.shape.peers), 1), max(len(p.shape.ports), 1)
	return len(g.peers) == peers && len(g.ports) == ports &&
		!slices.ContainsFunc(g.peers, func(k string) bool { t := p.book.targets[k]; return t.original < 0 && !t.anyone }) &&
		!slices.ContainsFunc(g.ports, func(k string) bool { s := p.book.ports[k]; return s.original < 0 && (!s.any || len(p.shape.ports) > 0) })
}

// main is the group that stays closest to the author's rule.
func (p plan) main() int {
	best, most := 0, -1
	for i, g := range p.groups {
		n := 0
		for _, k := range g.peers {
			if t := p.book.targets[k]; t.original >= 0 || t.anyone {
				n++
			}
		}
		for _, k := range g.ports {
			if p.book.ports[k].original >= 0 {
				n++
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	return best
}
