// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"slices"

	"github.com/netcinch/netcinch/recommender/flow"
)

// sightings is what the records tell beside their edges: which pods there were,
// and which parties were watched when.
type sightings struct {
	pods     []set     // by party
	asClient [][]int64 // by party: windows in which its own end counted as client
	asServer [][]int64
}

func newSightings(parties int) *sightings {
	return &sightings{pods: make([]set, parties), asClient: make([][]int64, parties), asServer: make([][]int64, parties)}
}

func (s *sightings) add(f *foldings, m *mark) {
	r := &f.records[m.record]
	bin := r.Window.Start.UnixNano()
	client, server := f.parties[m.from].Kind == PartyWorkload, f.parties[m.to].Kind == PartyWorkload // of others nobody asks
	if client && !r.ByClient.IsZero() {
		insertBin(&s.asClient[m.from], bin)
	}
	if server && !r.ByServer.IsZero() {
		insertBin(&s.asServer[m.to], bin)
	}
	if client {
		s.pods[m.from].add(r.Edge.Client.Pod)
	}
	if server {
		s.pods[m.to].add(r.Edge.Server.Pod)
	}
}

// podsOf names the pods of a party that were seen.
func (s *sightings) podsOf(f *foldings, p Party) set {
	if n := f.numberOf(&p); n >= 0 {
		return s.pods[n]
	}
	return nil
}

// silent says that one end saw connections come about and the other, which was
// watched in all of that time, counted none; empty where that is not so. One
// connection may lie astride the windows' edges.
func (s *sightings) silent(x *Index, f *folded, from, to int32, c counted) string {
	there, here := c.atClient[flow.Established], c.atServer[flow.Established]
	switch {
	case there > 1 && c.server.IsZero() && x.watched(f.server, s.asServer[to], f.bins):
		return fmt.Sprintf("the client's end saw %d connections come about; the server's end was watched and saw none", there)
	case here > 1 && c.client.IsZero() && x.watched(f.client, s.asClient[from], f.bins):
		return fmt.Sprintf("the server's end saw %d connections come about; the client's end was watched and saw none", here)
	}
	return ""
}

// watched says whether a party's own end counted something in all of some
// windows.
func (x *Index) watched(p Party, in, bins []int64) bool {
	if p.Kind != PartyWorkload || x.onHost(p) || len(x.pods[p.Workload()]) != 1 {
		return false // of several pods some may be on a node that nobody watches
	}
	for _, b := range bins {
		if _, ok := slices.BinarySearch(in, b); !ok {
			return false
		}
	}
	return len(bins) > 0
}
