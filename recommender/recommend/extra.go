// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"maps"
	"slices"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Ports that a server makes up as it goes, such as those of passive FTP or of
// remote procedure calls, are many, high and close together. Within the budget
// that somebody gave, they are written as a range.
const (
	manyPorts = 4
	highPort  = 1024
)

// generalise fills the gaps between many high ports of a peer, where the budget
// has room for all of them, and gives what is left of it. What it adds is in
// the book's extra.
func (b *book) generalise(budget int) int {
	for _, peer := range slices.Sorted(maps.Keys(b.needs)) {
		for _, protocol := range []flow.Protocol{flow.TCP, flow.UDP, flow.SCTP} {
			budget -= b.fill(peer, protocol, budget)
		}
	}
	return budget
}

// fill adds the ports that lie between those of a peer; 0 where the budget has
// no room.
func (b *book) fill(peer string, protocol flow.Protocol, budget int) int {
	var ports []portKey
	for key := range b.needs[peer] {
		if p := b.ports[key]; !p.any && p.original < 0 && p.protocol == protocol && p.port >= highPort {
			ports = append(ports, p.portKey)
		}
	}
	if len(ports) < manyPorts {
		return 0
	}
	slices.SortFunc(ports, comparePorts)
	first, last := ports[0].port, ports[len(ports)-1].port
	missing := int(last-first) + 1 - len(ports)
	if missing == 0 || missing > budget {
		return 0
	}
	for number := int(first); number <= int(last); number++ {
		p := portSpec{portKey: portKey{protocol, uint16(number)}, original: -1}
		if !b.needs[peer][p.key()] {
			b.add(b.targets[peer], p, nil, false)
			b.extra = append(b.extra, [2]string{peer, p.key()})
		}
	}
	b.ranges = append(b.ranges, fmt.Sprintf("%s %d-%d of %s: %d ports were seen, %d more are allowed", protocol, first, last, b.targets[peer].text(), len(ports), missing))
	return missing
}

// listExtra puts into the proof what a new policy allows beyond what was seen.
func (f *fresh) listExtra(p *Proof) {
	subject := f.subject.String()
	for _, d := range f.directions {
		b := f.books[d]
		for _, at := range b.extra {
			port := b.ports[at[1]]
			from, to := b.targets[at[0]].text(), subject
			if d == policy.Egress {
				from, to = to, from
			}
			p.Extra = append(p.Extra, Cell{From: from, To: to, Protocol: port.protocol.String(), Ports: fmt.Sprint(port.port)})
		}
	}
	if len(p.Extra) > 0 {
		p.state(NamesExtra, true, fmt.Sprintf("It allows %d pairs of peer and port that were not seen, each listed, to write ranges.", len(p.Extra)))
	}
}
