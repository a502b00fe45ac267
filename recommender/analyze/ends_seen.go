// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"math"
	"slices"
)

// sightings is what the records tell beside their edges: which pods there were,
// and which parties were watched when.
type sightings struct {
	pods     []set     // by party
	asClient [][]int64 // by party: windows in which its own end counted as client
	asServer [][]int64
	newest   int64 // start of the newest window that somebody may still tell of; none: the highest number
}

func newSightings(parties int) *sightings {
	return &sightings{pods: make([]set, parties), asClient: make([][]int64, parties), asServer: make([][]int64, parties), newest: math.MaxInt64}
}

// await notes that the newest window is still being told of, where records are
// coming in.
func (s *sightings) await(in Input) {
	if !in.Live || len(in.Records) == 0 {
		return
	}
	s.newest = math.MinInt64
	for i := range in.Records {
		s.newest = max(s.newest, in.Records[i].Window.Start.UnixNano())
	}
}

// settled says of which windows both ends of an edge have told what they saw:
// those that are not the newest, and up to which each end has told anything. An
// end that told nothing since is late, or is watched no more.
func (s *sightings) settled(f *folded, from, to int32) func(bin int64) bool {
	until := s.newest - 1
	for _, end := range [...]struct {
		party *Party
		n     int32
	}{{&f.client, from}, {&f.server, to}} {
		if end.party.Kind == PartyWorkload {
			until = min(until, max(newestOf(s.asClient[end.n]), newestOf(s.asServer[end.n])))
		}
	}
	return func(bin int64) bool { return bin <= until }
}

func newestOf(bins []int64) int64 {
	if len(bins) == 0 {
		return math.MinInt64
	}
	return bins[len(bins)-1]
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
	there, here := c.told.here, c.told.there
	if there < 2 && here < 2 || !c.client.IsZero() && !c.server.IsZero() {
		return ""
	}
	settled := s.settled(f, from, to)
	bins := slices.DeleteFunc(slices.Clone(f.bins), func(bin int64) bool { return !settled(bin) })
	switch {
	case there > 1 && c.server.IsZero() && x.watched(f.server, s.asServer[to], bins):
		return fmt.Sprintf("the client's end saw %d connections come about; the server's end was watched and saw none", there)
	case here > 1 && c.client.IsZero() && x.watched(f.client, s.asClient[from], bins):
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
