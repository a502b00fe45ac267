// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"slices"

	"github.com/netcinch/netcinch/recommender/flow"
)

// foldings are the edges that records are folded to. Parties are numbered, so
// that an edge is found and put in its place by small numbers.
type foldings struct {
	list    []*folded // in the order in which they came
	at      map[place]*folded
	parties []Party // by number
	number  map[Party]int32
}

// place is a key by the numbers of its parties.
type place struct {
	from, to int32
	number   flow.Protocol
	door     uint16
}

func newFoldings() *foldings {
	return &foldings{at: map[place]*folded{}, number: map[Party]int32{}}
}

// of gives the edge of a key, which it makes where there is none.
func (f *foldings) of(k key) *folded {
	at := place{f.numberOf(k.client), f.numberOf(k.server), k.protocol, k.port}
	e := f.at[at]
	if e == nil {
		e = &folded{key: k, place: at}
		f.at[at] = e
		f.list = append(f.list, e)
	}
	return e
}

// find gives the edge of a key; nil where there is none.
func (f *foldings) find(k key) *folded {
	from, ok := f.number[k.client]
	to, known := f.number[k.server]
	if !ok || !known {
		return nil
	}
	return f.at[place{from, to, k.protocol, k.port}]
}

func (f *foldings) numberOf(p Party) int32 {
	n, ok := f.number[p]
	if !ok {
		n = int32(len(f.parties))
		f.number[p] = n
		f.parties = append(f.parties, p)
	}
	return n
}

// sort puts the edges in the order of client, server, protocol and port.
func (f *foldings) sort() {
	order := make([]int32, len(f.parties))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return f.parties[a].compare(&f.parties[b]) })
	rank := make([]int32, len(order))
	for i, n := range order {
		rank[n] = int32(i)
	}
	type ranked struct {
		place
		edge *folded
	}
	list := make([]ranked, len(f.list))
	for i, e := range f.list {
		list[i] = ranked{place{rank[e.from], rank[e.to], e.protocol, e.port}, e}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		switch {
		case a.from != b.from:
			return cmp.Compare(a.from, b.from)
		case a.to != b.to:
			return cmp.Compare(a.to, b.to)
		case a.number != b.number:
			return cmp.Compare(a.number, b.number)
		}
		return cmp.Compare(a.door, b.door)
	})
	for i := range list {
		f.list[i] = list[i].edge
	}
}
