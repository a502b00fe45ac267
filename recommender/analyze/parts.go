// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Part is what one pair of pods had of an edge. A pod's name is empty where
// the end is no pod, and where it is no longer kept which pod it was.
type Part struct {
	ClientPod string
	ServerPod string
	Counters  Counters
	Outcomes  Outcomes
	First     time.Time
	Last      time.Time
}

// Detail is what the records of an edge tell beyond its sums. Lists are sorted
// and hold nothing twice.
type Detail struct {
	Clients   []string // executables at the client
	Servers   []string // executables at the server
	Names     []string // DNS names that were asked for
	Addresses []string // of both ends, as they were seen
	Parts     []Part   // by pods, those with most connections first
}

// pods names the two ends of a part.
type pods struct{ client, server string }

// gathering is a Detail in the making.
type gathering struct {
	clients, servers, names, addresses set
	parts                              map[pods]*folded
}

// Details gives what the records tell of edges; wanted says by its identity of
// which.
func (x *Index) Details(records []flow.Record, wanted func(id string) bool) map[string]*Detail {
	ids := map[key]string{}
	found := map[string]*gathering{}
	for i := range records {
		r := &records[i]
		k := x.keyOf(r)
		id, known := ids[k]
		if !known {
			if id = k.id(); !wanted(id) {
				id = ""
			}
			ids[k] = id
		}
		if id == "" {
			continue
		}
		g := found[id]
		if g == nil {
			g = &gathering{parts: map[pods]*folded{}}
			found[id] = g
		}
		g.add(k, r)
	}
	out := make(map[string]*Detail, len(found))
	for id, g := range found {
		out[id] = g.detail()
	}
	return out
}

// EdgesAt gives the identities of the edges with an end that had an address of
// those that are meant, whoever has it now.
func (x *Index) EdgesAt(records []flow.Record, meant func(netip.Addr) bool) map[string]bool {
	out := map[string]bool{}
	known := map[key]bool{}
	for i := range records {
		r := &records[i]
		if !meant(r.Edge.Client.IP.Unmap()) && !meant(r.Edge.Server.IP.Unmap()) {
			continue
		}
		if k := x.keyOf(r); !known[k] {
			known[k] = true
			out[k.id()] = true
		}
	}
	return out
}

func (x *Index) keyOf(r *flow.Record) key {
	return key{x.party(r.Edge.Client, r.Window), x.party(r.Edge.Server, r.Window), r.Edge.Protocol, r.Edge.Port}
}

// Parties gives the two ends of a record as the report has them.
func (x *Index) Parties(r *flow.Record) (client, server Party) {
	return x.party(r.Edge.Client, r.Window), x.party(r.Edge.Server, r.Window)
}

func (g *gathering) add(k key, r *flow.Record) {
	g.clients.add(r.Edge.Client.Process)
	g.servers.add(r.Edge.Server.Process)
	for _, e := range []*flow.Endpoint{&r.Edge.Client, &r.Edge.Server} {
		g.names.add(e.DNS)
		if e.IP.IsValid() {
			g.addresses.add(e.IP.Unmap().String())
		}
	}
	p := pods{r.Edge.Client.Pod, r.Edge.Server.Pod}
	f := g.parts[p]
	if f == nil {
		f = &folded{key: k}
		g.parts[p] = f
	}
	f.add(r)
}

func (g *gathering) detail() *Detail {
	d := &Detail{Clients: g.clients.sorted(), Servers: g.servers.sorted(), Names: g.names.sorted(), Addresses: g.addresses.sorted()}
	for p, f := range g.parts {
		sum := f.sum(always)
		d.Parts = append(d.Parts, Part{
			ClientPod: p.client, ServerPod: p.server, Counters: countersOf(sum.merged), Outcomes: sum.outcomes, First: f.first, Last: f.last,
		})
	}
	slices.SortFunc(d.Parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.Counters.Connections, a.Counters.Connections), cmp.Compare(a.ClientPod, b.ClientPod), cmp.Compare(a.ServerPod, b.ServerPod))
	})
	return d
}
