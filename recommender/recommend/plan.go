// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"maps"
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v3"

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

// plan finds the fewest products that let through what the rule owns.
func (o *owners) plan(shape ruleShape) plan {
	p := plan{shape: shape, book: newBook(), source: map[string]int{}}
	byPeer := map[int][]owned{}
	for _, id := range o.atomsOf(shape.id) {
		for _, d := range o.owned[id] {
			byPeer[id.Peer] = append(byPeer[id.Peer], owned{id, d})
		}
	}
	if o.spares(shape, byPeer) {
		p.keep(byPeer)
		return p
	}
	full := fullRanges(shape, byPeer, o.input.AllowExtra)
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
	*demand
}

// fullRanges says which port items are used from end to end, but for as many
// ports as are allowed beyond what was seen.
func fullRanges(shape ruleShape, byPeer map[int][]owned, extra int) map[int]bool {
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
		full[j] = !item.all && !item.named && len(used[j]) > 0 && len(used[j])+extra >= int(item.last)-int(item.first)+1
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
		pk := port.key()
		for _, t := range targets {
			key := t.key()
			if _, known := p.source[key]; !known {
				p.source[key] = i
			}
			if s := p.book.addAs(key, pk, t, port, d.edge, d.dns); d.wholePort {
				s.scheduled = true
			}
		}
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
