// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
)

// denied raises attempts that policies deny, or that the kernel dropped: many
// within minutes, or some again and again over hours.
func (l *look) denied() {
	recent := map[string]uint64{}
	since := l.Now.Add(-l.options.BurstWithin)
	for i := range l.recent {
		s := &l.recent[i]
		if s.Window.End.After(since) && cutRecord(s) {
			recent[s.edge.ID] += max(s.ByClient.Connections, s.ByServer.Connections)
		}
	}
	bursts := map[string]uint64{} // by alert
	for id, n := range recent {
		s := l.deniedSignal(DeniedBurst, l.edges[id])
		bursts[s.id(l.cluster)] += n
	}
	for i := range l.Report.Edges {
		e := &l.Report.Edges[i]
		if e.Verdict.State != analyze.StateDenied && !onlyDropped(e.Outcomes) || l.accepted(e.ID) {
			continue
		}
		s := l.deniedSignal(DeniedBurst, e)
		if n := bursts[s.id(l.cluster)]; n >= uint64(l.options.BurstCount) && recent[e.ID] > 0 {
			s.evidence = append(s.evidence, fmt.Sprintf("%s to this server were cut in the last %s.", analyze.Plural(n, "attempt"), analyze.Span(l.options.BurstWithin)))
			l.raise(s)
			continue
		}
		if e.Bins >= l.options.SlowBins && e.Last.Sub(e.First) >= l.options.SlowOver && l.lasts(e) {
			s = l.deniedSignal(DeniedSlow, e)
			s.evidence = append(s.evidence, fmt.Sprintf("It was tried in %d time bins over %s.", e.Bins, analyze.Span(e.Last.Sub(e.First))))
			l.raise(s)
		}
	}
}

// lasts says whether something goes on, rather than being a thing of the past.
func (l *look) lasts(e *analyze.Edge) bool { return l.Now.Sub(e.Last) < max(l.options.Resolve, day/2) }

// cutRecord says whether the connections of a record were cut, as far as one
// can tell of an edge that is denied for some pods.
func cutRecord(s *seen) bool {
	switch s.edge.Verdict.State {
	case analyze.StateDenied:
		return true
	case analyze.StateMixed:
		return s.Edge.Outcome != flow.Established
	case analyze.StateAllowed, analyze.StateUnknown:
	}
	return s.Edge.Outcome == flow.Dropped
}

func (l *look) deniedSignal(kind Kind, e *analyze.Edge) signal {
	s := signal{kind: kind, edges: []*analyze.Edge{e}, identities: []string{e.ID}, title: edgeText(e), evidence: l.evidenceOf(e), rank: l.rank(e)}
	s.pair(e)
	if e.Outcomes.Established > 0 && e.Verdict.State == analyze.StateDenied {
		s.severity = analyze.SeverityHigh
		s.evidence = append(s.evidence, fmt.Sprintf("%s came about all the same: the policies are not enforced here, or are newer than the traffic.", analyze.Plural(e.Outcomes.Established, "connection")))
	}
	return s
}

// scans raises clients that tried many ports of one server, or many servers,
// within an hour. While a client is learnt only what failed counts: everything
// is new then.
func (l *look) scans() {
	ports, peers := map[[2]analyze.Party][]*analyze.Edge{}, map[analyze.Party]map[analyze.Party][]*analyze.Edge{}
	since := l.Now.Add(-l.options.ScanWithin)
	for i := range l.Report.Edges {
		e := &l.Report.Edges[i]
		if e.First.Before(since) || l.accepted(e.ID) || l.classes[e.ID].name != "" || !l.tried(e) {
			continue
		}
		client, server := e.Client.Habitual(), e.Server.Habitual()
		if e.Server.Kind == analyze.PartyNode || e.Server.Kind == analyze.PartyOutside && e.Server.DNS == "" {
			server = e.Server // a scan of nodes, or of addresses, is one of each
		}
		ports[[2]analyze.Party{client, server}] = append(ports[[2]analyze.Party{client, server}], e)
		if peers[client] == nil {
			peers[client] = map[analyze.Party][]*analyze.Edge{}
		}
		peers[client][server] = append(peers[client][server], e)
	}
	for pair, edges := range ports {
		if len(edges) >= l.options.ScanPorts {
			l.scan(PortScan, pair[0], &pair[1], edges, fmt.Sprintf("%s tried %s of %s", pair[0], analyze.Plural(len(edges), "new port"), pair[1]))
		}
	}
	for client, servers := range peers {
		if len(servers) < l.options.FanOutPeers {
			continue
		}
		var edges []*analyze.Edge
		for _, some := range servers {
			edges = append(edges, some...)
		}
		l.scan(FanOut, client, nil, edges, fmt.Sprintf("%s tried %s that it had never talked with", client, analyze.Plural(len(servers), "server")))
	}
}

// tried says whether a new edge may be part of a scan.
func (l *look) tried(e *analyze.Edge) bool {
	failed := e.Outcomes.Established == 0 && e.Outcomes.Refused+e.Outcomes.Unanswered+e.Outcomes.Dropped > 0
	if e.Client.Kind == analyze.PartyWorkload && l.closed(e.Client) != nil {
		return e.Unseen || failed || e.Verdict.State == analyze.StateDenied
	}
	return failed
}

func (l *look) scan(kind Kind, client analyze.Party, server *analyze.Party, edges []*analyze.Edge, title string) {
	s := signal{kind: kind, client: &client, server: server, edges: edges, title: title}
	var o analyze.Outcomes
	for _, e := range edges {
		s.identities = append(s.identities, e.ID)
		s.processes = union(s.processes, e.Processes)
		o.Established, o.Refused = o.Established+e.Outcomes.Established, o.Refused+e.Outcomes.Refused
		o.Unanswered, o.Dropped = o.Unanswered+e.Outcomes.Unanswered, o.Dropped+e.Outcomes.Dropped
	}
	s.evidence = []string{fmt.Sprintf("%s within %s: %d connections established, %d refused, %d unanswered, %d dropped.", title, analyze.Span(l.options.ScanWithin), o.Established, o.Refused, o.Unanswered, o.Dropped)}
	if client.Kind == analyze.PartyOutside {
		s.severity = analyze.SeverityMedium
	}
	l.raise(s)
}

// resolution raises clients that send far more over name resolution than ever
// before: a tunnel hides data in the names that it asks for.
func (l *look) resolution() {
	sent, edges := map[analyze.Party]uint64{}, map[analyze.Party][]*analyze.Edge{}
	since := l.Now.Add(-time.Hour)
	for i := range l.recent {
		s := &l.recent[i]
		if !resolves(s.edge) || s.edge.Client.Kind != analyze.PartyWorkload || s.edge.Server.Kind != analyze.PartyWorkload || !s.Window.End.After(since) {
			continue
		}
		if sent[s.edge.Client] == 0 {
			edges[s.edge.Client] = nil
		}
		sent[s.edge.Client] += max(s.ByClient.BytesSent, s.ByServer.BytesSent)
		if list := edges[s.edge.Client]; len(list) == 0 || list[len(list)-1] != s.edge {
			edges[s.edge.Client] = append(list, s.edge)
		}
	}
	for client, n := range sent {
		b := l.baselines[client.Workload()]
		if b == nil {
			continue
		}
		if b.Closed.IsZero() || b.NameBytes == 0 {
			b.NameBytes = max(b.NameBytes, n)
			continue
		}
		if n < max(l.options.DNSFloor, b.NameBytes*l.options.DNSFactor) {
			continue
		}
		id := identity("name-bytes", client.String())
		if l.accepted(id) {
			b.NameBytes = n
			continue
		}
		l.raise(signal{
			kind: DNSVolume, client: &client, edges: edges[client][:1], identities: []string{id}, title: fmt.Sprintf("%s sends %s over name resolution in an hour", client, sizeText(n)),
			evidence: []string{fmt.Sprintf("%s were sent in the last hour; the most before was %s.", sizeText(n), sizeText(b.NameBytes))},
		})
	}
}

func sizeText(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%d KiB", n>>10)
	}
}
