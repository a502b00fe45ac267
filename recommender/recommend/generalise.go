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
// remote procedure calls, are many, high and close together: a range is
// proposed for them.
const (
	manyPorts = 4
	highPort  = 1024
)

// maxWidenings bounds how many ways of one kind are tried in a round.
const maxWidenings = 60

// widening is a way to write a book with less, which lets pairs through that
// were not seen.
type widening struct {
	puts []placed
	text string // what it does, for people; the pairs that it adds are listed elsewhere
}

// placed is a pair of target and port.
type placed struct {
	target target
	port   portSpec
}

// tried is a widening with what it costs and saves.
type tried struct {
	book                     *book
	direction                policy.Direction
	text                     string
	cost, rulesLess, lessAll int
}

// better prefers what saves most rules for each pair that it adds, then most
// rules, peers and ports together.
func (t tried) better(o *tried) bool {
	switch {
	case o == nil:
		return true
	case (t.cost == 0) != (o.cost == 0):
		return t.cost == 0
	case t.rulesLess*o.cost != o.rulesLess*t.cost:
		return t.rulesLess*o.cost > o.rulesLess*t.cost
	case t.lessAll*o.cost != o.lessAll*t.cost:
		return t.lessAll*o.cost > o.lessAll*t.cost
	}
	return t.cost < o.cost
}

// generalise spends the budget, again and again on what saves most for each
// pair, until nothing that saves has room.
func (f *fresh) generalise(budget int) {
	if budget == 0 {
		return
	}
	for {
		var best *tried
		for _, d := range f.directions {
			b := f.books[d]
			rules, all := f.size(b)
			for _, w := range f.widenings(b, budget) {
				next := b.clone()
				cost, ok := f.putAll(next, w.puts, budget)
				if !ok {
					continue
				}
				rulesAfter, allAfter := f.size(next)
				if rulesAfter > rules || rulesAfter == rules && allAfter >= all || !f.sound(next) {
					continue
				}
				if t := (tried{next, d, w.text, cost, rules - rulesAfter, all - allAfter}); t.better(best) {
					best = &t
				}
			}
		}
		if best == nil {
			return
		}
		f.books[best.direction] = best.book
		budget -= best.cost
		f.say(upper(best.text) + fmt.Sprintf(": %d beyond what was seen.", best.cost))
	}
}

// size counts the rules of a book, and with them their peers and ports.
func (f *fresh) size(b *book) (rules, all int) {
	for _, g := range b.needs.cover() {
		n := len(f.written(b, g)) * len(protocolsIn(b, g))
		if !f.input.Format.isCalico() {
			n = 1
		}
		var ports []portKey
		for _, k := range g.ports {
			ports = append(ports, b.ports[k].portKey)
		}
		rules += n
		all += n + len(g.peers) + len(runs(ports))*len(f.written(b, g))
	}
	return rules, all
}

func protocolsIn(b *book, g group) map[flow.Protocol]bool {
	protocols := map[flow.Protocol]bool{}
	for _, k := range g.ports {
		protocols[b.ports[k].protocol] = true
	}
	return protocols
}

// written parts the peers of a group by the rules that they become: with
// Calico one for each kind of peer.
func (f *fresh) written(b *book, g group) map[string][]string {
	parts := map[string][]string{}
	for _, k := range g.peers {
		kind := ""
		switch t := b.targets[k]; {
		case !f.input.Format.isCalico(), t.anyone:
		case t.space != "":
			kind = "all " + t.space
		case !t.workload.IsZero():
			kind = "in " + t.workload.Namespace
		case t.name != "" && !t.isNode() && !f.inline:
			kind = "name " + t.name
		default:
			kind = "nets"
		}
		parts[kind] = append(parts[kind], k)
	}
	return parts
}

// sound says whether each port, or range of ports, and each peer of each rule
// was seen: no part of a rule is there for what was not seen alone.
func (f *fresh) sound(b *book) bool {
	met := func(peer string, p portKey) bool {
		s := b.seen[[2]string{peer, portSpec{portKey: p, original: -1}.key()}]
		return s != nil && (s.edges > 0 || s.dns)
	}
	for _, g := range b.needs.cover() {
		var ports []portKey
		for _, k := range g.ports {
			if !b.ports[k].any {
				ports = append(ports, b.ports[k].portKey)
			}
		}
		all := runs(ports)
		for _, peers := range f.written(b, g) {
			for _, r := range all {
				if !slices.ContainsFunc(peers, func(peer string) bool { return r.any(func(p portKey) bool { return met(peer, p) }) }) {
					return false
				}
			}
		}
		for _, peer := range g.peers {
			if len(all) > 0 && !slices.ContainsFunc(all, func(r portRun) bool { return r.any(func(p portKey) bool { return met(peer, p) }) }) {
				return false
			}
		}
	}
	return true
}

// any says whether one of the ports of a run is as asked.
func (r portRun) any(is func(portKey) bool) bool {
	for n := int(r.port); n <= int(r.last); n++ {
		if is(portKey{r.protocol, uint16(n)}) {
			return true
		}
	}
	return false
}

// widenings lists what can be tried within the budget.
func (f *fresh) widenings(b *book, budget int) []widening {
	return slices.Concat(f.portRanges(b, budget), f.spaces(b), f.prefixes(b, budget), f.merges(b, budget))
}

// portRanges fills the gaps between many high ports of a peer.
func (f *fresh) portRanges(b *book, budget int) []widening {
	var out []widening
	for _, peer := range slices.Sorted(maps.Keys(b.needs)) {
		for _, protocol := range []flow.Protocol{flow.TCP, flow.UDP, flow.SCTP} {
			var ports []portKey
			for key := range b.needs[peer] {
				if p := b.ports[key]; !p.any && p.original < 0 && p.protocol == protocol && p.port >= highPort {
					ports = append(ports, p.portKey)
				}
			}
			if len(ports) < manyPorts {
				continue
			}
			slices.SortFunc(ports, comparePorts)
			first, last := ports[0].port, ports[len(ports)-1].port
			missing := int(last-first) + 1 - len(ports)
			if missing == 0 || missing > budget {
				continue
			}
			w := widening{text: fmt.Sprintf("a range of ports, %s %d-%d of %s, for %d that were seen", protocol, first, last, b.targets[peer].text(), len(ports))}
			for number := int(first); number <= int(last); number++ {
				p := portSpec{portKey: portKey{protocol, uint16(number)}, original: -1}
				if !b.needs[peer][p.key()] {
					w.puts = append(w.puts, placed{b.targets[peer], p})
				}
			}
			out = append(out, w)
		}
	}
	return out
}

// spaces writes all workloads of a namespace as one peer.
func (f *fresh) spaces(b *book) []widening {
	inSpace := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(b.needs)) {
		if wl := b.targets[key].workload; !wl.IsZero() {
			inSpace[wl.Namespace] = append(inSpace[wl.Namespace], key)
		}
	}
	var out []widening
	for _, ns := range slices.Sorted(maps.Keys(inSpace)) {
		peers := inSpace[ns]
		if len(peers) < 2 {
			continue
		}
		text := fmt.Sprintf("all of namespace %s instead of %d of its %d workloads", ns, len(peers), len(f.membersOf(ns)))
		for _, ports := range portSets(b, peers) {
			w := widening{text: text}
			for _, key := range ports {
				w.puts = append(w.puts, placed{target{space: ns, original: -1}, b.ports[key]})
			}
			out = append(out, w)
		}
	}
	return out
}

// portSets are the sets of ports that are tried for a wider peer: those of each
// peer that it stands for, all together, and each port that several have.
func portSets(b *book, peers []string) [][]string {
	known := map[string]bool{}
	var out [][]string
	add := func(set map[string]bool) {
		list := sortedKeys(set)
		if key := fmt.Sprint(list); len(list) > 0 && !known[key] {
			known[key] = true
			out = append(out, list)
		}
	}
	all := map[string]bool{}
	count := map[string]int{}
	for _, peer := range peers {
		for port := range b.needs[peer] {
			all[port] = true
			count[port]++
		}
	}
	add(all)
	for _, peer := range peers {
		add(b.needs[peer])
	}
	for _, port := range slices.Sorted(maps.Keys(count)) {
		if count[port] > 1 {
			add(map[string]bool{port: true})
		}
	}
	return out[:min(len(out), maxWidenings)]
}

// merges makes one rule of two, by letting all peers of both have all ports of
// both.
func (f *fresh) merges(b *book, budget int) []widening {
	groups := b.needs.cover()
	var out []widening
	for i, g := range groups {
		for _, h := range groups[i+1:] {
			w := widening{text: "one rule instead of two"}
			for _, peer := range union(g.peers, h.peers) {
				for _, port := range union(g.ports, h.ports) {
					if !b.needs[peer][port] {
						w.puts = append(w.puts, placed{b.targets[peer], b.ports[port]})
					}
				}
			}
			if len(w.puts) <= budget {
				out = append(out, w)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b widening) int { return len(a.puts) - len(b.puts) })
	return out[:min(len(out), maxWidenings)]
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
