// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// socket is one end of a connection.
type socket struct {
	addr     netip.AddrPort
	protocol flow.Protocol
}

// tuple is a connection, client first.
type tuple struct {
	client, server netip.AddrPort
	protocol       flow.Protocol
}

// sighting is what an event says about connections at one of their ends.
type sighting struct {
	at       time.Time
	edge     flow.Edge // without outcome and reason
	atServer bool      // the server's end tells it
	reply    bool      // it is about what the server sent

	// Either tuple is set, and the connection counts once a window and end
	// whatever the number of its events, or counters say how many there were.
	tuple    *tuple
	counters flow.Counters

	began   bool // the packet that opens a connection
	dropped bool
	reset   bool // the server refused it
	reason  string
	settled bool // the log itself says that it was let through: no answer is waited for
}

// end is what one end of a connection saw in a window.
type end struct {
	edge             flow.Edge // with what all events say of it
	counters         flow.Counters
	forward, replied bool
	beganOnly        bool // nothing but opening packets went there
	dropped, reset   bool
	settled          bool
	reason           string
}

// seat is one end of an edge in a window.
type seat struct {
	edge     flow.Edge
	atServer bool
}

// held is a connection at one of its ends.
type held struct {
	tuple    tuple
	atServer bool
}

func (h held) turned() held {
	return held{tuple{h.tuple.server, h.tuple.client, h.tuple.protocol}, !h.atServer}
}

// window collects what began in one time bin.
type window struct {
	tuples  map[held]*end
	counted map[seat]*flow.Counters // edge with outcome
	replies [2]bool                 // by end: whether the log has replies at all
}

// folder folds sightings to windows and hands out their records. Logs are
// nearly in order of time: a window is closed when a later one but one begins.
type folder struct {
	options Options
	summary *Summary
	emit    func(flow.Record) error
	open    map[int64]*window // by start, Unix nanoseconds
	size    int
}

func newFolder(o Options, s *Summary, emit func(flow.Record) error) *folder {
	return &folder{options: o, summary: s, emit: emit, open: map[int64]*window{}}
}

func (f *folder) add(s *sighting) error {
	start := s.at.Truncate(f.options.Window).UnixNano()
	w := f.open[start]
	if w == nil {
		w = &window{tuples: map[held]*end{}, counted: map[seat]*flow.Counters{}}
		f.open[start] = w
		if err := f.closeBefore(start - 2*int64(f.options.Window)); err != nil {
			return err
		}
	}
	if s.tuple == nil {
		f.count(w, s)
	} else {
		f.keep(w, s)
	}
	if f.size > f.options.MaxOpen {
		f.summary.Early++
		return f.closeOldest()
	}
	return nil
}

// count adds connections that the log has counted itself.
func (f *folder) count(w *window, s *sighting) {
	at := seat{s.edge, s.atServer}
	if s.dropped {
		at.edge.Outcome, at.edge.Reason = flow.Dropped, s.reason
	}
	c := w.counted[at]
	if c == nil {
		c = &flow.Counters{}
		w.counted[at] = c
		f.size++
	}
	*c = c.Add(s.counters)
}

func (f *folder) keep(w *window, s *sighting) {
	k := held{*s.tuple, s.atServer}
	e := w.tuples[k]
	if e == nil {
		e = &end{beganOnly: true, edge: s.edge}
		w.tuples[k] = e
		f.size++
	}
	e.learn(&s.edge)
	e.counters = e.counters.Add(s.counters)
	if s.reply {
		w.replies[at(s.atServer)] = true
		if s.reset && !e.replied {
			e.reset = true
		} else {
			e.replied = true
		}
		return
	}
	e.forward = true
	e.beganOnly = e.beganOnly && s.began
	e.dropped, e.settled = e.dropped || s.dropped, e.settled || s.settled
	if s.reason != "" {
		e.reason = s.reason
	}
}

// learn completes an edge by what another event says of the same connection:
// replies carry less than what opens it.
func (e *end) learn(o *flow.Edge) {
	e.edge.Guessed = e.edge.Guessed && o.Guessed
	if e.edge.Service == "" {
		e.edge.Service = o.Service
	}
	for _, pair := range [][2]*flow.Endpoint{{&e.edge.Client, &o.Client}, {&e.edge.Server, &o.Server}} {
		mine, other := pair[0], pair[1]
		if mine.Pod == "" && mine.Workload.Name == "" && mine.Node == "" {
			dns := mine.DNS
			if other.Pod != "" || other.Workload.Name != "" || other.Node != "" {
				*mine = *other
			} else if dns == "" {
				mine.DNS = other.DNS
			}
		}
	}
}

// turn joins connections whose direction was guessed wrong with what the rest
// of the log says of them.
func (w *window) turn() {
	for k, e := range w.tuples {
		if !e.edge.Guessed {
			continue
		}
		turned := k.turned()
		right := w.tuples[turned]
		if right == nil { // the log tells the end by itself, whatever was guessed
			turned.atServer = k.atServer
			right = w.tuples[turned]
		}
		if right == nil || right.edge.Guessed {
			continue
		}
		c := e.counters
		right.counters = right.counters.Add(flow.Counters{BytesSent: c.BytesReceived, BytesReceived: c.BytesSent, PacketsSent: c.PacketsReceived, PacketsReceived: c.PacketsSent})
		right.forward, right.replied = right.forward || e.replied, right.replied || e.forward && !e.reset
		right.beganOnly = right.beganOnly && !e.replied
		delete(w.tuples, k)
	}
}

func at(server bool) int {
	if server {
		return 1
	}
	return 0
}

// outcome says what became of a connection. Where the log has no replies at
// all, that none came says nothing.
func (e *end) outcome(replies bool) flow.Outcome {
	switch {
	case e.dropped && !e.replied:
		return flow.Dropped
	case e.replied || e.settled:
		return flow.Established
	case e.reset && e.forward && e.beganOnly:
		return flow.Refused
	case replies && e.beganOnly:
		return flow.Unanswered
	}
	return flow.Established
}

func (f *folder) closeBefore(start int64) error {
	for _, s := range f.starts() {
		if s > start {
			return nil
		}
		if err := f.close(s); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) closeOldest() error { return f.close(f.starts()[0]) }

func (f *folder) closeAll() error {
	for _, s := range f.starts() {
		if err := f.close(s); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) starts() []int64 {
	out := make([]int64, 0, len(f.open))
	for s := range f.open {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// close hands out a window's records, sorted.
func (f *folder) close(start int64) error {
	w := f.open[start]
	delete(f.open, start)
	f.size -= len(w.tuples) + len(w.counted)
	w.turn()
	for k, e := range w.tuples {
		s := seat{e.edge, k.atServer}
		if s.edge.Outcome = e.outcome(w.replies[at(s.atServer)]); s.edge.Outcome == flow.Dropped {
			s.edge.Reason = e.reason
		}
		c := w.counted[s]
		if c == nil {
			c = &flow.Counters{}
			w.counted[s] = c
		}
		e.counters.Connections = 1
		*c = c.Add(e.counters)
	}
	begin := time.Unix(0, start).UTC()
	records := map[flow.Edge]*flow.Record{}
	for s, c := range w.counted {
		r := records[s.edge]
		if r == nil {
			r = &flow.Record{Window: flow.Window{Start: begin, End: begin.Add(f.options.Window)}, Edge: s.edge}
			records[s.edge] = r
		}
		if s.atServer {
			r.ByServer = *c
		} else {
			r.ByClient = *c
		}
	}
	list := make([]*flow.Record, 0, len(records))
	for _, r := range records {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *flow.Record) int { return compareEdges(&a.Edge, &b.Edge) })
	for _, r := range list {
		f.summary.Records++
		if err := f.emit(*r); err != nil {
			return err
		}
	}
	return nil
}

func compareEdges(a, b *flow.Edge) int {
	return cmp.Or(
		compareEndpoints(&a.Client, &b.Client), compareEndpoints(&a.Server, &b.Server), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port),
		cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Service, b.Service), cmp.Compare(at(a.Guessed), at(b.Guessed)),
	)
}

func compareEndpoints(a, b *flow.Endpoint) int {
	return cmp.Or(
		cmp.Compare(a.Workload.Namespace, b.Workload.Namespace), cmp.Compare(a.Workload.Name, b.Workload.Name), cmp.Compare(a.Workload.Kind, b.Workload.Kind),
		cmp.Compare(a.Pod, b.Pod), a.IP.Compare(b.IP), cmp.Compare(a.Node, b.Node), cmp.Compare(a.DNS, b.DNS), cmp.Compare(a.Process, b.Process),
	)
}
