// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"

	"github.com/netcinch/netcinch/recommender/flow"
)

// sightings is what the records tell beside their edges: which pods there were,
// and which parties were watched when.
type sightings struct {
	pods     map[Party]set
	asClient map[Party]map[int64]struct{} // windows in which a party's own end counted as client
	asServer map[Party]map[int64]struct{}
}

func newSightings() *sightings {
	return &sightings{pods: map[Party]set{}, asClient: map[Party]map[int64]struct{}{}, asServer: map[Party]map[int64]struct{}{}}
}

func (s *sightings) add(k key, r *flow.Record) {
	bin := r.Window.Start.UnixNano()
	if !r.ByClient.IsZero() {
		mark(s.asClient, k.client, bin)
	}
	if !r.ByServer.IsZero() {
		mark(s.asServer, k.server, bin)
	}
	for _, end := range []struct {
		party Party
		pod   string
	}{{k.client, r.Edge.Client.Pod}, {k.server, r.Edge.Server.Pod}} {
		if end.pod != "" && end.party.Kind == PartyWorkload {
			pods := s.pods[end.party]
			pods.add(end.pod)
			s.pods[end.party] = pods
		}
	}
}

func mark(in map[Party]map[int64]struct{}, p Party, bin int64) {
	if p.Kind != PartyWorkload {
		return // nobody asks
	}
	bins := in[p]
	if bins == nil {
		bins = map[int64]struct{}{}
		in[p] = bins
	}
	bins[bin] = struct{}{}
}

// silent says that one end saw connections come about and the other, which was
// watched in all of that time, counted none; empty where that is not so. One
// connection may lie astride the windows' edges.
func (s *sightings) silent(x *Index, f *folded, c counted) string {
	there, here := c.atClient[flow.Established], c.atServer[flow.Established]
	switch {
	case there > 1 && c.server.IsZero() && watched(x, s.asServer, f.server, f.bins):
		return fmt.Sprintf("the client's end saw %d connections come about; the server's end was watched and saw none", there)
	case here > 1 && c.client.IsZero() && watched(x, s.asClient, f.client, f.bins):
		return fmt.Sprintf("the server's end saw %d connections come about; the client's end was watched and saw none", here)
	}
	return ""
}

func watched(x *Index, in map[Party]map[int64]struct{}, p Party, bins []int64) bool {
	if p.Kind != PartyWorkload || x.onHost(p) || len(x.pods[p.Workload()]) != 1 {
		return false // of several pods some may be on a node that nobody watches
	}
	for _, b := range bins {
		if _, ok := in[p][b]; !ok {
			return false
		}
	}
	return len(bins) > 0
}
