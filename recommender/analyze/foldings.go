// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"

	"github.com/netcinch/netcinch/recommender/flow"
)

// foldings are the records put together by the edges that they are folded to.
// Parties are numbered in their order, so that an edge is found and put in its
// place by small numbers.
type foldings struct {
	records []flow.Record
	marks   []mark  // of all records, edge by edge, in the order of the records
	starts  []int32 // first mark of each edge, and the number of all
	parties []Party // by number, in order
	number  map[Party]int32
	plain   map[netip.Addr]int32 // numbers of outside addresses without a name
}

// mark says which edge a record is of.
type mark struct {
	from, to    int32
	door        uint32 // protocol and port
	record      int32
	here, there int32 // tell apart who may count for itself at each end
}

func door(p flow.Protocol, port uint16) uint32 { return uint32(p)<<16 | uint32(port) }

func compareMarks(a, b mark) int {
	switch {
	case a.from != b.from:
		return cmp.Compare(a.from, b.from)
	case a.to != b.to:
		return cmp.Compare(a.to, b.to)
	case a.door != b.door:
		return cmp.Compare(a.door, b.door)
	}
	return cmp.Compare(a.record, b.record)
}

// fold puts the records of each workload edge together, in the order of client,
// server, protocol and port.
func (x *Index) fold(records []flow.Record) (*foldings, *sightings) {
	f := &foldings{records: records, marks: make([]mark, len(records)), number: map[Party]int32{}, plain: map[netip.Addr]int32{}}
	f.parties = make([]Party, 0, min(len(records)/2, 1<<17)) // most are there for several records
	c := callers{index: x, foldings: f, plain: map[netip.Addr]caller{}, named: map[flow.Endpoint]caller{}}
	for i := range records {
		r := &records[i]
		client, server := c.of(&r.Edge.Client, r.Window), c.of(&r.Edge.Server, r.Window)
		f.marks[i] = mark{client.party, server.party, door(r.Edge.Protocol, r.Edge.Port), int32(i), client.bare, server.bare}
	}
	f.rank()
	seen := newSightings(len(f.parties))
	for i := range f.marks {
		seen.add(f, &f.marks[i])
	}
	slices.SortFunc(f.marks, compareMarks)
	for i := range f.marks {
		if m, o := &f.marks[i], &f.marks[max(i-1, 0)]; i == 0 || m.from != o.from || m.to != o.to || m.door != o.door {
			f.starts = append(f.starts, int32(i))
		}
	}
	f.starts = append(f.starts, int32(len(f.marks)))
	return f, seen
}

// rank numbers the parties in their order.
func (f *foldings) rank() {
	order := make([]int32, len(f.parties))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return f.parties[a].compare(&f.parties[b]) })
	rank, sorted := make([]int32, len(order)), make([]Party, len(order))
	for i, n := range order {
		rank[n], sorted[i] = int32(i), f.parties[n]
	}
	f.parties = sorted
	for p, n := range f.number {
		f.number[p] = rank[n]
	}
	for a, n := range f.plain {
		f.plain[a] = rank[n]
	}
	for i := range f.marks {
		f.marks[i].from, f.marks[i].to = rank[f.marks[i].from], rank[f.marks[i].to]
	}
}

// len is the number of edges.
func (f *foldings) len() int { return len(f.starts) - 1 }

// of gives the marks of an edge.
func (f *foldings) of(i int) []mark { return f.marks[f.starts[i]:f.starts[i+1]] }

// ends gives the numbers of an edge's parties.
func (f *foldings) ends(i int) (from, to int32) {
	m := &f.marks[f.starts[i]]
	return m.from, m.to
}

func (f *foldings) key(i int) key {
	m := &f.marks[f.starts[i]]
	return key{f.parties[m.from], f.parties[m.to], flow.Protocol(m.door >> 16), uint16(m.door)}
}

// find gives the number of an edge; -1 where there is none.
func (f *foldings) find(k *key) int {
	from, to := f.numberOf(&k.client), f.numberOf(&k.server)
	if from < 0 || to < 0 {
		return -1
	}
	wanted := mark{from: from, to: to, door: door(k.protocol, k.port), record: -1}
	i, _ := sort.Find(f.len(), func(i int) int { return compareMarks(wanted, f.marks[f.starts[i]]) })
	if i == f.len() {
		return -1
	}
	if m := f.marks[f.starts[i]]; m.from != from || m.to != to || m.door != wanted.door {
		return -1
	}
	return i
}

// numberOf gives the number of a party; -1 where no record has it.
func (f *foldings) numberOf(p *Party) int32 {
	if p.plain() {
		if n, ok := f.plain[p.IP]; ok {
			return n
		}
		return -1
	}
	if n, ok := f.number[*p]; ok {
		return n
	}
	return -1
}

// plain says whether a party is an outside address without a name.
func (p *Party) plain() bool {
	return p.Kind == PartyOutside && *p == Party{Kind: PartyOutside, IP: p.IP}
}

// put gives the number of a party, which it takes in where it is not known.
func (f *foldings) put(p Party) int32 {
	n := f.numberOf(&p)
	if n >= 0 {
		return n
	}
	n = int32(len(f.parties))
	f.parties = append(f.parties, p)
	if p.plain() {
		f.plain[p.IP] = n
	} else {
		f.number[p] = n
	}
	return n
}

// callers number the ends of records, each looked up once.
type callers struct {
	*foldings
	index *Index
	plain map[netip.Addr]caller
	named map[flow.Endpoint]caller
	count int32
}

// caller is an end of a record: its party, and what both ends know alike.
type caller struct {
	party, bare int32
	timed       bool // who has its address hangs on when it was seen
}

func (c *callers) of(e *flow.Endpoint, seen flow.Window) caller {
	end := *e
	end.Process, end.Container = "", ""
	out, known := c.get(&end)
	switch {
	case known && out.party >= 0 && !out.timed:
		return out
	case !known:
		out.bare = c.bare(bare(end))
	}
	out.party, out.timed = c.put(c.index.party(end, seen)), c.index.timed(e)
	c.set(&end, out)
	return out
}

// bare gives the number of an end that has nothing but what both ends know.
func (c *callers) bare(end flow.Endpoint) int32 {
	out, known := c.get(&end)
	if !known {
		out = caller{party: -1, bare: c.count}
		c.count++
		c.set(&end, out)
	}
	return out.bare
}

func (c *callers) get(e *flow.Endpoint) (out caller, known bool) {
	if *e == (flow.Endpoint{IP: e.IP}) {
		out, known = c.plain[e.IP]
	} else {
		out, known = c.named[*e]
	}
	return out, known
}

func (c *callers) set(e *flow.Endpoint, to caller) {
	if *e == (flow.Endpoint{IP: e.IP}) {
		c.plain[e.IP] = to
	} else {
		c.named[*e] = to
	}
}

// timed says whether a pod has the address of an end that tells nothing else.
func (x *Index) timed(e *flow.Endpoint) bool {
	return e.Workload.Name == "" && e.Pod == "" && e.Node == "" && x.podAddr[e.IP.Unmap()] != nil
}
