// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/store"
)

// tools are the programs that somebody uses who is inside: shells, package
// managers, and what downloads, connects and scans.
var tools = []string{
	"sh", "ash", "bash", "dash", "fish", "ksh", "mksh", "zsh", "busybox", "toybox",
	"apk", "apt", "apt-get", "dnf", "dpkg", "microdnf", "pip", "pip3", "rpm", "yum", "zypper", "npm", "gem",
	"curl", "wget", "nc", "nc.openbsd", "nc.traditional", "ncat", "socat", "telnet", "ssh", "scp", "sftp", "nmap", "masscan", "tcpdump", "kubectl",
}

func isTool(executable string) bool { return slices.Contains(tools, path.Base(executable)) }

// programs raises executables that never opened, or never served, an edge
// before; tools where the workload never had one.
func (l *look) programs() {
	had := map[analyze.Party]bool{} // used tools while they were learnt
	for i := range l.Catalogue {
		c := &l.Catalogue[i]
		client := l.clientOf(c)
		b := l.baselines[client.Workload()]
		if b == nil || client.Kind != analyze.PartyWorkload {
			continue
		}
		for _, p := range c.Client.Seen {
			if isTool(p.Path) && (b.Closed.IsZero() || p.FirstSeen.Before(b.Closed)) {
				had[client] = true
			}
		}
	}
	for i := range l.Catalogue {
		c := &l.Catalogue[i]
		e := l.edgeOf(c.Edge, windowOf(c))
		if e == nil {
			continue // not seen in the time that is kept
		}
		l.programsOf(e, c.Client, e.Client, true, had[e.Client])
		l.programsOf(e, c.Server, e.Server, false, true)
	}
}

func (l *look) clientOf(c *store.Catalogued) analyze.Party {
	return l.Index.Party(c.Edge.Client, windowOf(c))
}

// programsOf looks at the programs of one end of an edge.
func (l *look) programsOf(e *analyze.Edge, programs store.Programs, end analyze.Party, opens, hadTools bool) {
	b := l.closed(end)
	if b == nil || end.Kind != analyze.PartyWorkload {
		return
	}
	var before []string
	for _, p := range programs.Seen {
		if p.FirstSeen.Before(b.Closed) || l.accepted(programID(e, p.Path)) {
			before = append(before, p.Path)
		}
	}
	for _, p := range programs.Seen {
		if p.FirstSeen.Before(b.Closed) || l.accepted(programID(e, p.Path)) {
			continue
		}
		switch {
		case opens && isTool(p.Path) && !hadTools:
			l.program(Shell, e, p, end, before, opens)
		case len(before) > 0 && !e.Unseen && !programs.More:
			l.program(NewProcess, e, p, end, before, opens)
		}
	}
}

// programID names that a program belongs to an edge, for decisions.
func programID(e *analyze.Edge, executable string) string {
	return identity("program", e.ID, executable)
}

func (l *look) program(kind Kind, e *analyze.Edge, p store.Program, end analyze.Party, before []string, opens bool) {
	verb, side := "opened", "client"
	if !opens {
		verb, side = "served", "server"
	}
	s := signal{
		kind: kind, about: side, edges: []*analyze.Edge{e}, processes: []string{p.Path}, identities: []string{programID(e, p.Path)},
		title: fmt.Sprintf("%s in %s %s %s", p.Path, end, verb, edgeText(e)), first: p.FirstSeen, last: p.LastSeen, rank: l.rank(e), evidence: l.evidenceOf(e),
	}
	s.pair(e)
	s.evidence = append(s.evidence, fmt.Sprintf("%s was first seen there at %s.", p.Path, analyze.Moment(p.FirstSeen)))
	if len(before) > 0 {
		s.evidence = append(s.evidence, fmt.Sprintf("Before, it was always %s.", analyze.List(before, 3)))
	}
	if b := l.baselines[end.Workload()]; b != nil && kind == NewProcess {
		if g, ok := b.rollout(p.FirstSeen, l.options.Grace); ok {
			s.severity, s.held = analyze.SeverityLow, "grace after a rollout: "+graceText(g)
		}
	}
	// The program's last sight in the catalogue may be an hour behind.
	if recent := l.recentProgram(e, p.Path, opens); recent.After(s.last) {
		s.last = recent
	}
	l.raise(s)
}

// recentProgram is when a program was last at its end of an edge, within the
// recent records.
func (l *look) recentProgram(e *analyze.Edge, executable string, opens bool) (last time.Time) {
	for i := range l.recent {
		s := &l.recent[i]
		at := s.Edge.Server.Process
		if opens {
			at = s.Edge.Client.Process
		}
		if s.edge == e && at == executable && s.Window.End.After(last) {
			last = s.Window.End
		}
	}
	return last
}
