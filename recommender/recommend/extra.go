// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// beyond is a pair of peer and port that a rule lets through and that was not
// seen; of addresses a prefix stands for as many pairs as it has addresses.
type beyond struct {
	peer  string // as people read it
	port  portKey
	pairs int
}

// clone copies a book, so that a widening can be tried.
func (b *book) clone() *book {
	next := newBook()
	for peer, ports := range b.needs {
		next.needs[peer] = maps.Clone(ports)
	}
	next.targets, next.ports, next.extra = maps.Clone(b.targets), maps.Clone(b.ports), maps.Clone(b.extra)
	for at, s := range b.seen {
		c := *s
		c.processes = maps.Clone(s.processes)
		next.seen[at] = &c
	}
	return next
}

// putAll puts pairs and gives how many that were not seen that lets through; not
// ok where they are more than the budget, or no pairs that can be counted.
func (f *fresh) putAll(b *book, puts []placed, budget int) (cost int, ok bool) {
	for _, p := range puts {
		n, ok := f.put(b, p.target, p.port, budget-cost)
		if !ok {
			return 0, false
		}
		cost += n
	}
	return cost, true
}

// put adds a pair and takes out what it makes superfluous.
func (f *fresh) put(b *book, t target, p portSpec, budget int) (cost int, ok bool) {
	tk, pk := t.key(), p.key()
	if t.anyone || t.original >= 0 || p.any || p.original >= 0 || !p.protocol.HasPorts() {
		return 0, b.needs[tk][pk]
	}
	if b.needs[tk][pk] {
		return 0, true
	}
	var within []string // peers that the target stands for, on this port
	for _, key := range slices.Sorted(maps.Keys(b.needs)) {
		switch o := b.targets[key]; {
		case !b.needs[key][pk]:
		case o.anyone || o.covers(t):
			return 0, true
		case t.covers(o):
			within = append(within, key)
		}
	}
	extra := f.beyondOf(b, t, p.portKey, within)
	for _, e := range extra {
		cost += e.pairs
	}
	if cost > budget {
		return 0, false
	}
	b.add(t, p, nil, false)
	at := [2]string{tk, pk}
	for _, key := range within {
		old := [2]string{key, pk}
		b.seen[at].merge(*b.seen[old])
		extra = append(extra, b.extra[old]...)
		delete(b.extra, old)
		delete(b.needs[key], pk)
		if len(b.needs[key]) == 0 {
			delete(b.needs, key)
		}
	}
	if len(extra) > 0 {
		b.extra[at] = extra
	}
	return cost, true
}

// covers says whether a target stands for another one, too.
func (t target) covers(o target) bool {
	switch {
	case t.space != "":
		return o.workload.Namespace == t.space
	case t.prefix.IsValid() && o.prefix.IsValid():
		return t.prefix.Bits() < o.prefix.Bits() && t.prefix.Contains(o.prefix.Addr())
	}
	return false
}

// beyondOf lists whom a target stands for beside those that are written.
func (f *fresh) beyondOf(b *book, t target, port portKey, within []string) []beyond {
	var out []beyond
	switch {
	case t.space != "":
		for _, wl := range f.membersOf(t.space) {
			if !slices.ContainsFunc(within, func(k string) bool { return b.targets[k].workload == wl }) {
				out = append(out, beyond{wl.String(), port, 1})
			}
		}
	case t.prefix.IsValid() && !t.prefix.IsSingleIP():
		var known []netip.Prefix
		for _, k := range within {
			known = append(known, b.targets[k].prefix)
		}
		for _, p := range rest(t.prefix, known) {
			out = append(out, beyond{p.String(), port, int(addressCount(p).Int64())})
		}
	case t.prefix.IsValid():
		out = append(out, beyond{t.prefix.String(), port, 1})
	default:
		out = append(out, beyond{t.text(), port, 1})
	}
	return out
}

// membersOf lists the workloads that a selector of all pods of a namespace
// selects: all but those on their node's network.
func (w *world) membersOf(namespace string) []flow.Workload {
	var out []flow.Workload
	for _, wl := range w.index.Workloads() {
		if wl.Namespace == namespace && !w.index.OnHost(analyze.PartyOf(wl)) {
			out = append(out, wl)
		}
	}
	return out
}

// comment is what stands above a rule: the evidence, and what it lets through
// beyond that.
func (b *book) comment(g group) string {
	text := b.of(g).text()
	var list []beyond
	for _, peer := range g.peers {
		for _, port := range g.ports {
			list = append(list, b.extra[[2]string{peer, port}]...)
		}
	}
	if len(list) == 0 {
		return text
	}
	lines := []string{text, "beyond what was seen, as --allow-extra lets it:"}
	for _, c := range cellsBeyond(list, "", policy.Ingress) {
		lines = append(lines, fmt.Sprintf("  %s on %s %s", c.From, c.Protocol, c.Ports))
	}
	return strings.Join(lines, "\n")
}

// listExtra puts into the proof what a new policy allows beyond what was seen.
func (f *fresh) listExtra(r *Recommendation) {
	p := &r.Proof
	subject := f.subject.String()
	for _, d := range f.directions {
		var list []beyond
		for _, at := range slices.SortedFunc(maps.Keys(f.books[d].extra), comparePairs) {
			list = append(list, f.books[d].extra[at]...)
		}
		for _, e := range list {
			p.ExtraTotal += e.pairs
			r.beyond = append(r.beyond, directed{d, e})
		}
		p.Extra = append(p.Extra, cellsBeyond(list, subject, d)...)
	}
	if p.ExtraTotal > 0 {
		p.state(NamesExtra, true, fmt.Sprintf("It allows %s of peer and port that %s not seen, each listed, to be written with less.",
			analyze.Plural(p.ExtraTotal, "pair"), map[bool]string{true: "was", false: "were"}[p.ExtraTotal == 1]))
	}
}

// directed is a pair of one direction.
type directed struct {
	direction policy.Direction
	beyond
}

func comparePairs(a, b [2]string) int {
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
}

// cellsBeyond lists pairs by peer and protocol, with ports in ranges. Nothing is
// cut short.
func cellsBeyond(list []beyond, subject string, d policy.Direction) []Cell {
	type key struct {
		peer     string
		protocol flow.Protocol
	}
	ports := map[key][]portKey{}
	var order []key
	for _, e := range list {
		k := key{e.peer, e.port.protocol}
		if ports[k] == nil {
			order = append(order, k)
		}
		ports[k] = append(ports[k], e.port)
	}
	slices.SortFunc(order, func(a, b key) int { return cmp.Or(cmp.Compare(a.peer, b.peer), cmp.Compare(a.protocol, b.protocol)) })
	var out []Cell
	for _, k := range order {
		c := Cell{From: k.peer, To: subject, Protocol: k.protocol.String(), Ports: portList(ports[k])}
		if d == policy.Egress {
			c.From, c.To = c.To, c.From
		}
		out = append(out, c)
	}
	return out
}

// portList writes ports of one protocol, those side by side as ranges.
func portList(ports []portKey) string {
	if !ports[0].protocol.HasPorts() {
		return "any"
	}
	slices.SortFunc(ports, comparePorts)
	ports = slices.Compact(ports)
	var parts []string
	for i := 0; i < len(ports); {
		j := i
		for j+1 < len(ports) && ports[j+1].port == ports[j].port+1 {
			j++
		}
		if part := strconv.Itoa(int(ports[i].port)); i == j {
			parts = append(parts, part)
		} else {
			parts = append(parts, part+"-"+strconv.Itoa(int(ports[j].port)))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// lists says whether all that an atom lets through is listed as beyond what was
// seen: then it is not superfluous, but what the budget was spent on.
func (r *Recommendation) lists(w *world, a *policy.Allowance, reached *policy.Reached) bool {
	if len(r.beyond) == 0 || reached == nil {
		return false
	}
	peers := map[string]bool{}
	block, err := netip.ParsePrefix(a.Peer)
	switch {
	case err == nil:
		peers[block.String()] = true
	case reached.Anyone:
		return false
	default:
		for _, i := range reached.Pods {
			if p := &w.snapshot.Pods[i]; !p.Finished {
				peers[w.owner(p).String()] = true
			}
		}
	}
	protocol, text, _ := strings.Cut(a.Port, " ")
	first, last, ranged := strings.Cut(text, "-")
	if !ranged {
		last = first
	}
	from, err := strconv.ParseUint(first, 10, 16)
	to, err2 := strconv.ParseUint(last, 10, 16)
	if len(peers) == 0 || err != nil || err2 != nil {
		return false
	}
	for peer := range peers {
		for port := from; port <= to; port++ {
			if !r.listed(a.ID.Direction, protocol, port, peer) {
				return false
			}
		}
	}
	return true
}

// listed says whether a peer on a port is beyond what was seen: by its name, or
// all of a block of addresses, piece by piece.
func (r *Recommendation) listed(d policy.Direction, protocol string, port uint64, peer string) bool {
	var pieces netipx.IPSetBuilder
	for _, e := range r.beyond {
		if e.direction != d || e.port.protocol.String() != protocol || uint64(e.port.port) != port {
			continue
		}
		if e.peer == peer {
			return true
		}
		if p, err := netip.ParsePrefix(e.peer); err == nil {
			pieces.AddPrefix(p)
		}
	}
	block, err := netip.ParsePrefix(peer)
	if err != nil {
		return false
	}
	all, err := pieces.IPSet()
	return err == nil && all.ContainsPrefix(block)
}
