// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// signal is one thing that departs from what is usual, in one analysis.
type signal struct {
	kind           Kind
	severity       analyze.Severity
	client, server *analyze.Party // the pair that it is grouped by
	node, about    string         // further parts of the group's key
	edges          []*analyze.Edge
	workloads      []string // where it is about no edge
	processes      []string
	identities     []string // that a decision has to name
	title          string   // of the signal alone
	evidence       []string
	first, last    time.Time
	held           string // why it wakes nobody
	rank           int    // beside the severity's
	open           bool   // the sign is there now, whenever it was last seen
}

// group is the signals of one alert.
type group struct {
	signal
	count    int
	rejected bool // all of it was rejected before
	titles   []string
}

// id names the alert that the signal belongs to.
func (s *signal) id(cluster string) string {
	parts := []string{"alert", cluster, string(s.kind), s.node, s.about}
	for _, p := range []*analyze.Party{s.client, s.server} {
		if p == nil {
			parts = append(parts, "")
			continue
		}
		parts = append(parts, strings.Join([]string{string(p.Kind), p.Namespace, p.WorkloadKind, p.Name, p.DNS, p.IP.String()}, "\x01"))
	}
	return identity(parts...)
}

func identity(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// groups folds signals to alerts. What was rejected counts only where nothing
// else is left of its group.
func (l *look) groups() map[string]*group {
	slices.SortStableFunc(l.signals, func(a, b signal) int {
		return cmp.Or(weight(b.severity)-weight(a.severity), b.rank-a.rank, a.first.Compare(b.first))
	})
	all := map[string]*group{}
	for i := range l.signals {
		s := &l.signals[i]
		id := s.id(l.cluster)
		gone := len(s.identities) > 0 && !slices.ContainsFunc(s.identities, func(one string) bool { return !l.rejected(one) })
		g := all[id]
		switch {
		case g == nil || g.rejected && !gone:
			all[id] = &group{signal: *s, count: 1, rejected: gone, titles: []string{s.title}}
		case g.rejected == gone:
			g.add(s)
		}
	}
	return all
}

// add takes in a further signal. One that wakes somebody makes the group do so.
func (g *group) add(s *signal) {
	g.count++
	for _, e := range s.edges {
		if !slices.Contains(g.edges, e) {
			g.edges = append(g.edges, e)
		}
	}
	if s.held == "" {
		g.held = ""
	}
	g.identities = append(g.identities, s.identities...)
	g.processes = union(g.processes, s.processes)
	g.workloads = union(g.workloads, s.workloads)
	g.titles = append(g.titles, s.title)
	g.rank = max(g.rank, s.rank)
	g.open = g.open || s.open
	if len(g.evidence) < maxEvidence {
		g.evidence = append(g.evidence, s.evidence...)
	}
	if s.first.Before(g.first) {
		g.first = s.first
	}
	if s.last.After(g.last) {
		g.last = s.last
	}
}

// maxEvidence bounds the sentences of an alert, and maxText one of them.
const (
	maxEvidence = 12
	maxText     = 600
)

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// weight orders severities: the most severe is the largest.
func weight(s analyze.Severity) int {
	return 4 - slices.Index([]analyze.Severity{analyze.SeverityHigh, analyze.SeverityMedium, analyze.SeverityLow, analyze.SeverityInfo}, s)
}

func (l *look) raise(s signal) {
	if info, ok := Info(s.kind); ok && s.severity == "" {
		s.severity = info.Severity
	}
	for _, e := range s.edges {
		if s.first.IsZero() || e.First.Before(s.first) {
			s.first = e.First
		}
		if e.Last.After(s.last) {
			s.last = e.Last
		}
	}
	l.signals = append(l.signals, s)
}

// detect runs every detector.
func (l *look) detect() {
	for i := range l.Report.Edges {
		l.connection(&l.Report.Edges[i])
	}
	l.denied()
	l.scans()
	l.programs()
	l.resolution()
	l.images()
	l.gaps()
	l.lost()
}
