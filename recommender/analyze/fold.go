// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
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

// id is the edge's identity: the same for the same parties, protocol and port
// on every run.
func (k key) id() string {
	var room [256]byte
	text := append(room[:0], "edge\x00"...)
	text = append(k.client.appendIdentity(text), 0)
	text = append(k.server.appendIdentity(text), 0)
	text = append(append(text, k.protocol.String()...), 0)
	text = strconv.AppendUint(text, uint64(k.port), 10)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// folded is one edge while it is summed up.
type folded struct {
	key
	services, processes, reasons texts
	bins                         []int64 // start of each window in which it was seen, Unix nanoseconds, ascending
	pairs                        tallies
	four, six                    bool // address families that were seen
	guessed                      bool
	first, last                  time.Time
	callers                      map[flow.Endpoint]int32 // numbers of ends, where nobody else gives them
}

// reset makes room for another edge.
func (e *folded) reset(k key) {
	e.key = k
	e.services, e.processes, e.reasons, e.bins = e.services[:0], e.processes[:0], e.reasons[:0], e.bins[:0]
	e.pairs.reset()
	e.four, e.six, e.guessed = false, false, false
	e.first, e.last = time.Time{}, time.Time{}
}

// pair tells apart what one end may count for itself: the same connection is
// never counted under two pairs of the same window. Ends are given by number.
type pair struct {
	client, server int32
	window         int64
}

// tally is what the two ends counted on one pair.
type tally struct {
	pair
	client, server            flow.Counters
	byOutcomeAtClient, atServ [4]uint64
}

// tallies are the tallies of an edge, by pair. Most edges have few.
type tallies struct {
	list []tally
	at   map[pair]int // all of them, where there are many
}

// fewPairs is up to how many pairs are looked through one by one.
const fewPairs = 8

func (t *tallies) reset() {
	t.list, t.at = t.list[:0], nil
}

// of gives the tally of a pair, to be changed before the next is asked for.
func (t *tallies) of(p pair) *tally {
	if at := t.find(p); at >= 0 {
		return &t.list[at]
	}
	t.list = append(t.list, tally{pair: p})
	switch {
	case t.at != nil:
		t.at[p] = len(t.list) - 1
	case len(t.list) > fewPairs:
		t.at = make(map[pair]int, 2*fewPairs)
		for i := range t.list {
			t.at[t.list[i].pair] = i
		}
	}
	return &t.list[len(t.list)-1]
}

func (t *tallies) find(p pair) int {
	if t.at != nil {
		if at, ok := t.at[p]; ok {
			return at
		}
		return -1
	}
	return slices.IndexFunc(t.list, func(c tally) bool { return c.pair == p })
}

// texts are few texts, sorted, each once.
type texts []string

// add puts a text in; none is no member.
func (t *texts) add(text string) {
	if text == "" {
		return
	}
	if at, found := slices.BinarySearch(*t, text); !found {
		*t = slices.Insert(*t, at, text)
	}
}

// list gives them to keep.
func (t texts) list() []string { return append([]string{}, t...) }

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

// add counts a record of which nobody has numbered the ends.
func (e *folded) add(r *flow.Record) {
	if e.callers == nil {
		e.callers = map[flow.Endpoint]int32{}
	}
	number := func(end flow.Endpoint) int32 {
		n, ok := e.callers[end]
		if !ok {
			n = int32(len(e.callers))
			e.callers[end] = n
		}
		return n
	}
	e.count(r, number(bare(r.Edge.Client)), number(bare(r.Edge.Server)))
}

// count adds a record; the numbers tell its ends apart.
func (e *folded) count(r *flow.Record, client, server int32) {
	e.services.add(r.Edge.Service)
	e.processes.add(r.Edge.Client.Process)
	e.reasons.add(r.Edge.Reason)
	e.guessed = e.guessed || r.Edge.Guessed
	for _, ip := range [...]netip.Addr{r.Edge.Client.IP, r.Edge.Server.IP} {
		e.four, e.six = e.four || ip.Unmap().Is4(), e.six || ip.Is6() && !ip.Is4In6()
	}
	widen(&e.first, &e.last, r.Window.Start, r.Window.End)
	bin := r.Window.Start.UnixNano()
	insertBin(&e.bins, bin)
	t := e.pairs.of(pair{client: client, server: server, window: bin})
	t.client, t.server = t.client.Add(r.ByClient), t.server.Add(r.ByServer)
	if int(r.Edge.Outcome) < len(t.atServ) {
		t.byOutcomeAtClient[r.Edge.Outcome] += r.ByClient.Connections
		t.atServ[r.Edge.Outcome] += r.ByServer.Connections
	}
}

// insertBin puts a bin among others, ascending, each once.
func insertBin(bins *[]int64, bin int64) {
	if n := len(*bins); n > 0 && (*bins)[n-1] == bin {
		return
	}
	if at, seen := slices.BinarySearch(*bins, bin); !seen {
		*bins = slices.Insert(*bins, at, bin)
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

// widen makes a stretch of time include another.
func widen(first, last *time.Time, from, to time.Time) {
	if !from.IsZero() && (first.IsZero() || from.Before(*first)) {
		*first = from
	}
	if to.After(*last) {
		*last = to
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
	told                   told
}

// told is what both ends have had the time to tell: connections that came
// about, and whether anything was counted.
type told struct {
	here, there    uint64
	client, server bool
}

// sum merges both ends. Each end counts no connection that was not there, so
// the larger count of the two is nearer to the truth, and nothing is doubled.
// settled says of a window, by its start, whether both ends have told of it.
func (e *folded) sum(settled func(bin int64) bool) counted {
	var c counted
	var outcomes [4]uint64
	for i := range e.pairs.list {
		t := &e.pairs.list[i]
		c.client, c.server = c.client.Add(t.client), c.server.Add(t.server)
		c.merged = c.merged.Add(larger(t.client, t.server))
		if settled(t.window) {
			c.told.here += t.byOutcomeAtClient[flow.Established]
			c.told.there += t.atServ[flow.Established]
			c.told.client, c.told.server = c.told.client || !t.client.IsZero(), c.told.server || !t.server.IsZero()
		}
		better := t.byOutcomeAtClient
		if t.server.Connections > t.client.Connections {
			better = t.atServ
		}
		for i := range better {
			outcomes[i] += better[i]
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
// one end was watched. One connection may lie astride the edges of what was
// asked for, where one end counted it before and the other after.
func (c counted) conflict() string {
	if !c.told.client || !c.told.server {
		return ""
	}
	here, there := c.told.here, c.told.there
	most, least := max(here, there), min(here, there)
	switch {
	case most-least < 2:
		return ""
	case least == 0:
		end := "client"
		if there > here {
			end = "server"
		}
		return fmt.Sprintf("only the %s's end saw connections come about (%d)", end, most)
	case float64(most-least) > conflictShare*float64(most):
		return fmt.Sprintf("the client's end counted %d connections, the server's end %d", here, there)
	}
	return ""
}

// always settles every window.
func always(int64) bool { return true }
