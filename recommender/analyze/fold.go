// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// key is what records are folded to.
type key struct {
	client, server Party
	protocol       flow.Protocol
	port           uint16
}

// ID is the edge's identity: the same for the same parties, protocol and port
// on every run.
func (k key) id() string {
	return identity("edge", k.client.identity(), k.server.identity(), k.protocol.String(), fmt.Sprint(k.port))
}

// folded is one edge while it is summed up.
type folded struct {
	key
	place
	services, processes, reasons set
	bins                         []int64 // start of each window in which it was seen, Unix nanoseconds, ascending
	pairs                        tallies
	four, six                    bool // address families that were seen
	guessed                      bool
	first, last                  time.Time
}

// pair tells apart what one end may count for itself: the same connection is
// never counted under two pairs of the same window.
type pair struct {
	client, server flow.Endpoint
	window         int64
}

// tally is what the two ends counted on one pair.
type tally struct {
	client, server            flow.Counters
	byOutcomeAtClient, atServ [4]uint64
}

// tallies are the tallies of an edge, by pair. Most edges have few.
type tallies struct {
	first []counting
	at    map[pair]*tally // all of them, where there are many
}

type counting struct {
	pair  pair
	tally *tally
}

// fewPairs is up to how many pairs are looked through one by one.
const fewPairs = 8

func (t *tallies) of(p pair) *tally {
	if t.at != nil {
		found := t.at[p]
		if found == nil {
			found = &tally{}
			t.at[p] = found
		}
		return found
	}
	for i := range t.first {
		if t.first[i].pair == p {
			return t.first[i].tally
		}
	}
	fresh := &tally{}
	t.first = append(t.first, counting{p, fresh})
	if len(t.first) > fewPairs {
		t.at = make(map[pair]*tally, 2*fewPairs)
		for _, c := range t.first {
			t.at[c.pair] = c.tally
		}
		t.first = nil
	}
	return fresh
}

func (t *tallies) all(yield func(*tally) bool) {
	for _, c := range t.first {
		if !yield(c.tally) {
			return
		}
	}
	for _, c := range t.at {
		if !yield(c) {
			return
		}
	}
}

type set map[string]struct{}

// add puts a text into the set; none is no member.
func (s *set) add(text string) {
	if text == "" {
		return
	}
	if *s == nil {
		*s = set{}
	}
	(*s)[text] = struct{}{}
}

func (s set) sorted() []string {
	list := slices.AppendSeq(make([]string, 0, len(s)), maps.Keys(s))
	slices.Sort(list)
	return list
}

// fold sums records to workload edges.
func (x *Index) fold(records []flow.Record) (*foldings, *sightings) {
	edges := newFoldings()
	seen := newSightings()
	for i := range records {
		r := &records[i]
		k := key{x.party(r.Edge.Client, r.Window), x.party(r.Edge.Server, r.Window), r.Edge.Protocol, r.Edge.Port}
		edges.of(k).add(r)
		seen.add(k, r)
	}
	return edges, seen
}

func (e *folded) add(r *flow.Record) {
	e.services.add(r.Edge.Service)
	e.processes.add(r.Edge.Client.Process)
	e.reasons.add(r.Edge.Reason)
	e.guessed = e.guessed || r.Edge.Guessed
	for _, ip := range []netip.Addr{r.Edge.Client.IP, r.Edge.Server.IP} {
		e.four, e.six = e.four || ip.Unmap().Is4(), e.six || ip.Is6() && !ip.Is4In6()
	}
	e.seen(r.Window.Start, r.Window.End)
	bin := r.Window.Start.UnixNano()
	if at, seen := slices.BinarySearch(e.bins, bin); !seen {
		e.bins = slices.Insert(e.bins, at, bin)
	}
	t := e.pairs.of(pair{client: bare(r.Edge.Client), server: bare(r.Edge.Server), window: bin})
	t.client, t.server = t.client.Add(r.ByClient), t.server.Add(r.ByServer)
	if int(r.Edge.Outcome) < len(t.atServ) {
		t.byOutcomeAtClient[r.Edge.Outcome] += r.ByClient.Connections
		t.atServ[r.Edge.Outcome] += r.ByServer.Connections
	}
}

// speaks says whether two ends may be those that were seen, by their family.
func (e *folded) speaks(from, to policy.Peer) bool {
	if e.four == e.six {
		return true // both, or not known
	}
	fourFrom, sixFrom := families(from)
	fourTo, sixTo := families(to)
	return e.four && fourFrom && fourTo || e.six && sixFrom && sixTo
}

func (e *folded) seen(from, to time.Time) {
	if !from.IsZero() && (e.first.IsZero() || from.Before(e.first)) {
		e.first = from
	}
	if to.After(e.last) {
		e.last = to
	}
}

// bare leaves of an endpoint what both ends know alike.
func bare(e flow.Endpoint) flow.Endpoint {
	return flow.Endpoint{Workload: e.Workload, Pod: e.Pod, IP: e.IP, Node: e.Node}
}

// counted is the sum over the pairs of an edge.
type counted struct {
	merged, client, server flow.Counters
	outcomes               Outcomes
	atClient, atServer     [4]uint64
}

// sum merges both ends. Each end counts no connection that was not there, so
// the larger count of the two is nearer to the truth, and nothing is doubled.
func (e *folded) sum() counted {
	var c counted
	var outcomes [4]uint64
	for t := range e.pairs.all {
		c.client, c.server = c.client.Add(t.client), c.server.Add(t.server)
		c.merged = c.merged.Add(larger(t.client, t.server))
		better := t.byOutcomeAtClient
		if t.server.Connections > t.client.Connections {
			better = t.atServ
		}
		for i := range better {
			outcomes[i] += better[i]
			c.atClient[i] += t.byOutcomeAtClient[i]
			c.atServer[i] += t.atServ[i]
		}
	}
	c.outcomes = Outcomes{
		Established: outcomes[flow.Established], Refused: outcomes[flow.Refused],
		Unanswered: outcomes[flow.Unanswered], Dropped: outcomes[flow.Dropped],
	}
	return c
}

func larger(a, b flow.Counters) flow.Counters {
	return flow.Counters{
		Connections:     max(a.Connections, b.Connections),
		BytesSent:       max(a.BytesSent, b.BytesSent),
		BytesReceived:   max(a.BytesReceived, b.BytesReceived),
		PacketsSent:     max(a.PacketsSent, b.PacketsSent),
		PacketsReceived: max(a.PacketsReceived, b.PacketsReceived),
	}
}

// conflictShare is how far apart, as a share of the larger, the two ends may
// be before it is said: connections that straddle a window's edge are counted
// in different windows.
const conflictShare = 0.1

// conflict says what the two ends disagree on; empty where they agree or only
// one end was watched.
func (c counted) conflict() string {
	if c.client.IsZero() || c.server.IsZero() {
		return ""
	}
	here, there := c.atClient[flow.Established], c.atServer[flow.Established]
	most, least := max(here, there), min(here, there)
	switch {
	case most > 0 && least == 0:
		end := "client"
		if there > here {
			end = "server"
		}
		return fmt.Sprintf("only the %s's end saw connections come about (%d)", end, most)
	case most-least > 1 && float64(most-least) > conflictShare*float64(most):
		return fmt.Sprintf("the client's end counted %d connections, the server's end %d", here, there)
	}
	return ""
}
