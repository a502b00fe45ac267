// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// describe writes what the group of the last look says into the alert.
func (k *Keeper) describe(l *look, rec *record) {
	a, g := &rec.Alert, rec.group
	a.Severity, a.LastSeen = g.severity, g.last
	a.Client, a.Server, a.Node, a.Processes = g.client, g.server, g.node, g.processes
	a.Held, a.With = g.held, ""
	a.Rank = 100*weight(g.severity) + g.rank
	rec.identities = g.identities
	slices.SortStableFunc(g.edges, func(x, y *analyze.Edge) int {
		return cmp.Compare(y.Counters.Connections, x.Counters.Connections)
	})
	a.Edges, a.EdgeCount, a.Edge = nil, len(g.edges), ""
	for i, e := range g.edges {
		if i < MaxEdges {
			a.Edges = append(a.Edges, edgeOf(e))
		}
	}
	if len(g.edges) > 0 {
		a.Edge = g.edges[0].ID
	}
	a.Workloads, a.Namespace = l.concerned(g)
	a.Title = title(g)
	info, _ := Info(a.Kind)
	a.Text = info.Meaning + " " + info.Does
	a.Evidence = nil
	for i, sentence := range g.evidence {
		if i < maxEvidence && !slices.Contains(a.Evidence, cut(sentence)) {
			a.Evidence = append(a.Evidence, cut(sentence))
		}
	}
	if more := len(g.edges) - maxEvidence; more > 0 && info.Edges {
		a.Evidence = append(a.Evidence, fmt.Sprintf("And %s.", analyze.Plural(more, "more connection")))
	}
	l.through(a, g)
	a.Link = "/alerts/" + a.ID + "?cluster=" + url.QueryEscape(k.cluster)
	a.Labels = labels(a)
}

func edgeOf(e *analyze.Edge) Edge {
	return Edge{
		ID: e.ID, Client: e.Client, Server: e.Server, Protocol: e.Protocol, Port: e.Port, Connections: e.Counters.Connections, Outcomes: e.Outcomes,
		Processes: e.Processes, State: e.Verdict.State, First: e.First, Last: e.Last,
	}
}

func cut(text string) string {
	if len(text) > maxText {
		return text[:maxText] + "…"
	}
	return text
}

// concerned names the workloads, the client first, and the namespace.
func (l *look) concerned(g *group) (names []string, namespace string) {
	add := func(p *analyze.Party) {
		if p != nil && p.Kind == analyze.PartyWorkload && !slices.Contains(names, p.String()) && len(names) < MaxEdges {
			names = append(names, p.String())
			namespace = cmp.Or(namespace, p.Namespace)
		}
	}
	add(g.client)
	add(g.server)
	for _, e := range g.edges {
		add(&e.Client)
		add(&e.Server)
	}
	for _, name := range g.workloads {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, namespace
}

// title says in one line what the alert is about.
func title(g *group) string {
	if g.count > 1 && g.client != nil && g.server != nil && (g.kind == NewProcess || g.kind == Shell) {
		return fmt.Sprintf("%s %s", analyze.List(g.processes, 3), processVerb(g))
	}
	what := g.titles[0]
	phrase := map[Kind]string{
		UnseenInside: " was never there before", UnseenOutside: " was never there before", UnseenName: " was never there before",
		PolicyGap: " passed by a rule that nobody had used", DeniedBurst: ": policies denied many attempts", DeniedSlow: ": policies deny attempts again and again",
		APIServer: ": first use of the API server",
	}[g.kind]
	if g.kind == Risky && len(g.edges) > 0 {
		phrase = " reaches " + g.edges[0].Risky
		if g.edges[0].Verdict.State == analyze.StateDenied {
			phrase = " was tried, and denied: " + g.edges[0].Risky
		}
	}
	if g.count > 1 && phrase != "" {
		return fmt.Sprintf("%s and %s%s", what, analyze.Plural(g.count-1, "more"), phrase)
	}
	return what + phrase
}

func processVerb(g *group) string {
	verb := "opened"
	if g.about == "server" {
		verb = "served"
	}
	return fmt.Sprintf("%s %s from %s to %s", verb, analyze.Plural(len(g.edges), "connection"), g.client, g.server)
}

// through says which allowances let the edges pass.
func (l *look) through(a *Alert, g *group) {
	a.Allowances, a.Denied, a.Open = nil, len(g.edges) > 0, len(g.edges) > 0
	for _, e := range g.edges {
		denied := e.Verdict.State == analyze.StateDenied || onlyDropped(e.Outcomes)
		a.Denied = a.Denied && denied
		a.Open = a.Open && !e.Verdict.Egress.Isolated && !e.Verdict.Ingress.Isolated && !denied
		for _, side := range []analyze.Side{e.Verdict.Egress, e.Verdict.Ingress} {
			for _, step := range side.Why {
				l.step(a, step)
			}
		}
	}
	info, _ := Info(a.Kind)
	switch {
	case !info.Edges || len(g.edges) == 0:
		a.Open, a.Denied = false, false
	case a.Open:
		a.Evidence = append(a.Evidence, "No policy isolates either end: nothing could have stopped it.")
	}
	for _, through := range a.Allowances {
		where := ""
		if through.File != "" {
			where = fmt.Sprintf(" (%s:%d)", through.File, through.Line)
		}
		a.Evidence = append(a.Evidence, cut(fmt.Sprintf("%s let it through: %s%s.", through.Direction, through.Text, where)))
	}
}

// maxAllowances bounds how many allowances an alert names.
const maxAllowances = 6

func (l *look) step(a *Alert, step analyze.Step) {
	if step.Allowance == nil || step.Action != "allow" || len(a.Allowances) == maxAllowances {
		return
	}
	if !slices.ContainsFunc(a.Allowances, func(have Allowance) bool { return have.Allowance == *step.Allowance }) {
		a.Allowances = append(a.Allowances, Allowance{Allowance: *step.Allowance, Text: step.Text, File: step.File, Line: step.Line})
	}
}

// labels are those that routes and Alertmanager tell alerts apart by.
func labels(a *Alert) map[string]string {
	info, _ := Info(a.Kind)
	out := map[string]string{"alertname": "Netcinch" + info.Name, "cluster": a.Cluster, "kind": string(a.Kind), "severity": string(a.Severity), "alert_id": a.ID}
	set := func(name, value string) {
		if value != "" {
			out[name] = value
		}
	}
	set("namespace", a.Namespace)
	set("node", a.Node)
	if a.Client != nil {
		set("client", a.Client.String())
	}
	if a.Server != nil {
		set("server", a.Server.String())
	}
	if len(a.Workloads) > 0 {
		set("workload", a.Workloads[0])
	}
	return out
}
