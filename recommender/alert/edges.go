// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// sensitive ports lead to data, or to a machine: a new connection there is
// ranked higher. The kind of server is told.
var sensitive = map[uint16]string{
	22: "SSH", 23: "Telnet", 445: "SMB", 1433: "SQL Server", 1521: "Oracle", 2375: "Docker", 2376: "Docker", 2379: "etcd", 3306: "MySQL", 3389: "RDP",
	5432: "PostgreSQL", 5900: "VNC", 5984: "CouchDB", 6379: "Redis", 8500: "Consul", 9042: "Cassandra", 9200: "Elasticsearch", 10250: "the kubelet",
	11211: "memcached", 26257: "CockroachDB", 27017: "MongoDB",
}

// connection says what an edge is a sign of: at most one kind, the gravest.
// What was denied and scans are seen elsewhere.
func (l *look) connection(e *analyze.Edge) {
	cut := e.Verdict.State == analyze.StateDenied || onlyDropped(e.Outcomes)
	if l.accepted(e.ID) || e.Risky == "" && (cut || !e.Unseen) {
		return
	}
	s := signal{edges: []*analyze.Edge{e}, identities: []string{e.ID}, title: edgeText(e), evidence: l.evidenceOf(e), rank: l.rank(e)}
	s.pair(e)
	switch {
	case e.Risky == analyze.RiskAPIServer:
		s.kind = APIServer
	case e.Risky != "":
		s.kind = Risky
		if !e.Unseen || cut { // it did so while it was learnt, or it did not get there
			s.severity = analyze.SeverityMedium
		}
	case e.Client.Kind == analyze.PartyOutside || e.Server.Kind == analyze.PartyOutside:
		l.outside(&s, e)
	default:
		l.inside(&s, e)
	}
	if c := l.classes[e.ID]; c.name != "" && e.Risky == "" {
		s.severity, s.held = analyze.SeverityInfo, fmt.Sprintf("known class, %s: %s", c.name, c.evidence)
	}
	l.raise(s)
}

// pair groups by the ends of an edge: outside addresses of a client are one,
// so are the names of one domain, so are all nodes.
func (s *signal) pair(e *analyze.Edge) {
	client, server := e.Client.Habitual(), e.Server.Habitual()
	for _, p := range []*analyze.Party{&client, &server} {
		if p.Kind == analyze.PartyOutside {
			*p = analyze.Party{Kind: analyze.PartyOutside, DNS: domain(p.DNS)}
		}
	}
	s.client, s.server = &client, &server
}

// domain gives the last two labels of a name.
func domain(name string) string {
	labels := strings.Split(name, ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

func (l *look) outside(s *signal, e *analyze.Edge) {
	s.kind = UnseenOutside
	if e.Server.Kind == analyze.PartyOutside && e.Server.DNS != "" {
		s.kind = UnseenName
	}
	if e.Client.Kind == analyze.PartyOutside {
		s.severity = analyze.SeverityMedium // somebody came; nothing went out
	}
	if g, ok := l.grace(e); ok {
		s.severity = analyze.SeverityMedium
		s.evidence = append(s.evidence, graceText(g))
	}
}

func (l *look) inside(s *signal, e *analyze.Edge) {
	s.kind, s.severity = UnseenInside, analyze.SeverityMedium
	if gap := l.gap(e); gap != "" {
		s.kind = PolicyGap
		s.evidence = append(s.evidence, gap)
	}
	if sensitive[e.Port] != "" && e.Client.Namespace != e.Server.Namespace {
		s.severity = analyze.SeverityHigh
	}
	if g, ok := l.grace(e); ok {
		s.severity, s.held = analyze.SeverityLow, "grace after a rollout: "+graceText(g)
	}
}

// grace finds the rollout of the client, or else of the server, that a new edge
// may have come with.
func (l *look) grace(e *analyze.Edge) (Generation, bool) {
	for _, p := range []analyze.Party{e.Client, e.Server} {
		if b := l.baselines[p.Workload()]; b != nil && p.Kind == analyze.PartyWorkload {
			if g, ok := b.rollout(e.First, l.options.Grace); ok {
				return g, true
			}
		}
	}
	return Generation{}, false
}

func graceText(g Generation) string {
	text := "its pods were rolled out at " + analyze.Moment(g.First)
	if len(g.Images) > 0 {
		text += " with " + analyze.List(g.Images, 3)
	}
	return text + "."
}

// gap says which rule let an edge through that nobody had used before: all
// edges that use it are unseen. Empty where there is none.
func (l *look) gap(e *analyze.Edge) string {
	for _, side := range []analyze.Side{e.Verdict.Ingress, e.Verdict.Egress} {
		for _, step := range side.Why {
			if step.Allowance != nil && l.unusedBefore(*step.Allowance) {
				return fmt.Sprintf("Nobody had used %s before, in the %s that are kept.", step.Text, analyze.Span(l.Report.Window.To.Sub(l.Report.Window.From)))
			}
		}
	}
	return ""
}

// unusedBefore says whether only unseen edges use an allowance, and it is the
// rule as a whole that nobody used: a further peer of a rule in use is the
// matter of unseen edges.
func (l *look) unusedBefore(a analyze.Allowance) bool {
	for i := range l.Report.Usage {
		u := &l.Report.Usage[i]
		if u.Allowance.Policy != a.Policy || u.Allowance.Direction != a.Direction || u.Allowance.Rule != a.Rule {
			continue
		}
		for _, id := range u.Edges {
			if e := l.edges[id]; e != nil && !e.Unseen {
				return false
			}
		}
	}
	return true
}

func onlyDropped(o analyze.Outcomes) bool {
	return o.Dropped > 0 && o.Established == 0 && o.Refused == 0 && o.Unanswered == 0
}

// rank says how much an edge stands out, from -30 to 70: policy.md's order is
// peer popularity, same namespace, sensitive port, outside.
func (l *look) rank(e *analyze.Edge) int {
	n := 0
	add := func(when bool, by int) {
		if when {
			n += by
		}
	}
	known := l.clients[portOf{e.Server, e.Number, e.Port}]
	add(e.Server.Kind == analyze.PartyOutside, 20)
	add(sensitive[e.Port] != "", 15)
	add(e.Client.Namespace != e.Server.Namespace, 10)
	add(e.Client.Namespace == e.Server.Namespace, -10)
	add(known <= 1, 10)
	add(known >= 5, -10)
	add(e.Outcomes.Established > 0, 5)
	add(e.Outcomes.Established == 0 && e.Outcomes.Refused+e.Outcomes.Unanswered > 0, -10)
	add(slices.ContainsFunc(e.Processes, isTool), 10)
	return n
}

func edgeText(e *analyze.Edge) string {
	return e.Client.String() + " → " + e.Server.String() + " " + analyze.PortText(e.Number, e.Port)
}

// evidenceOf says what was seen of an edge, and what let it through.
func (l *look) evidenceOf(e *analyze.Edge) []string {
	text := fmt.Sprintf("%s: %s, first seen %s, last seen %s", edgeText(e), analyze.Plural(e.Counters.Connections, "connection"), analyze.Moment(e.First), analyze.Moment(e.Last))
	if len(e.Processes) > 0 {
		text += ", opened by " + analyze.List(e.Processes, 3)
	}
	if o := e.Outcomes; o.Refused+o.Unanswered+o.Dropped > 0 {
		text += fmt.Sprintf(" (%d established, %d refused, %d unanswered, %d dropped)", o.Established, o.Refused, o.Unanswered, o.Dropped)
	}
	return []string{text + "."}
}
