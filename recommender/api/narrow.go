// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/recommend"
	"github.com/netcinch/netcinch/recommender/store"
)

// view gives what may be seen of a view. The engine stays the whole cluster's:
// a verdict on a pod that may be seen is the true one, also where a policy
// decides that may not be seen. What is written of it goes through the veil
// once more (see mask).
func (h *veil) view(v *View, key string) *View {
	snapshot := h.snapshot(v.Snapshot)
	n := &View{
		Version: v.Version, Key: key, Cluster: v.Cluster, Computed: v.Computed, Span: v.Span,
		Snapshot: snapshot, Engine: v.Engine, Index: analyze.NewIndex(snapshot), Problems: h.problems(v.Problems),
		Input: v.Input, Report: h.report(v.Report), Coverage: h.coverage(v.Coverage),
	}
	n.Input.Snapshot, n.Input.Records, n.Input.Catalogue, n.Input.Coverage = snapshot, h.records(v.Input.Records), nil, nil
	n.Recommendations = h.recommendations(v)
	return n
}

// snapshot leaves out what is hidden. Pods keep their places, since the engine
// tells them by these: of a hidden one nothing is left.
func (h *veil) snapshot(s *cluster.Snapshot) *cluster.Snapshot {
	out := &cluster.Snapshot{Taken: s.Taken, Problems: h.problems(s.Problems)}
	out.Namespaces = only(s.Namespaces, func(n *cluster.Namespace) bool { return h.ref(n.Name) })
	for i := range s.Nodes {
		out.Nodes = append(out.Nodes, cluster.Node{Name: h.node(s.Nodes[i].Name)})
	}
	out.Pods = slices.Clone(s.Pods)
	for i := range out.Pods {
		if !h.ref(out.Pods[i].Namespace) {
			out.Pods[i] = cluster.Pod{Finished: true}
		} else {
			out.Pods[i].Node = h.node(out.Pods[i].Node)
		}
	}
	out.Workloads = only(s.Workloads, func(w *cluster.Workload) bool { return h.ref(w.Namespace) })
	out.ServiceAccounts = only(s.ServiceAccounts, func(a *cluster.ServiceAccount) bool { return h.ref(a.Namespace) })
	for _, service := range s.Services {
		if h.ref(service.Namespace) {
			out.Services = append(out.Services, service)
		}
	}
	for _, slice := range s.EndpointSlices {
		if h.ref(slice.Namespace) {
			out.EndpointSlices = append(out.EndpointSlices, slice)
		}
	}
	out.Policies = only(s.Policies, func(o *cluster.Object) bool { return h.ref(o.Ref.Namespace) })
	return out
}

func only[T any](list []T, keep func(*T) bool) (out []T) {
	for i := range list {
		if keep(&list[i]) {
			out = append(out, list[i])
		}
	}
	return out
}

// coverage keeps the figures, which say how far the rest can be trusted, and
// hides whose they are.
func (h *veil) coverage(nodes []store.NodeCoverage) []store.NodeCoverage {
	out := slices.Clone(nodes)
	for i := range out {
		out[i].Node = h.node(out[i].Node)
	}
	return out
}

func (h *veil) records(list []flow.Record) (out []flow.Record) {
	for i := range list {
		r := list[i]
		seen := false
		for _, end := range []*flow.Endpoint{&r.Edge.Client, &r.Edge.Server} {
			seen = seen || end.Kind() == flow.KindPod && h.rights.See(end.Workload.Namespace)
			*end = h.endpoint(*end)
		}
		if !seen {
			continue
		}
		if h.tells(r.Edge.Service) {
			r.Edge.Service = ""
		}
		out = append(out, r)
	}
	return out
}

func (h *veil) report(r *analyze.Report) *analyze.Report {
	out := &analyze.Report{Window: r.Window, Learning: r.Learning, Notes: r.Notes}
	ids := map[string]string{} // identity in the whole report → in this one
	at := map[string]int{}     // identity in this one → place
	for i := range r.Edges {
		e := r.Edges[i]
		if !h.inside(&e.Client) && !h.inside(&e.Server) {
			continue
		}
		id := e.ID
		h.edge(&e)
		ids[id] = e.ID
		if k, known := at[e.ID]; known {
			join(&out.Edges[k], &e)
			continue
		}
		at[e.ID] = len(out.Edges)
		out.Edges = append(out.Edges, e)
	}
	for i := range out.Edges {
		if out.Edges[i].Conflict != "" {
			out.Conflicts++
		}
	}
	renamed := func(list []string) (known []string) {
		for _, id := range list {
			if to, ok := ids[id]; ok && !slices.Contains(known, to) {
				known = append(known, to)
			}
		}
		return known
	}
	for i := range r.Usage {
		if u := r.Usage[i]; h.ref(u.Allowance.Policy.Namespace) {
			u.Edges = renamed(u.Edges)
			out.Usage = append(out.Usage, u)
		}
	}
	out.Totals = only(r.Totals, func(t *analyze.Total) bool { return h.ref(t.Policy.Namespace) })
	out.Readiness = only(r.Readiness, func(one *analyze.Readiness) bool { return h.inside(&one.Workload) })
	out.Findings = h.findings(r.Findings, ids)
	return out
}

// edge hides what an edge may not tell, and gives it the identity of what is left.
func (h *veil) edge(e *analyze.Edge) {
	whole := h.inside(&e.Client) && h.inside(&e.Server)
	client, server := h.party(e.Client), h.party(e.Server)
	if client.Kind == analyze.PartyWorkload && client.Namespace == veiled {
		e.Processes, e.Addresses = nil, nil
	}
	if client != e.Client || server != e.Server {
		e.Client, e.Server = client, server
		e.ID = e.Identity()
	}
	e.Needs = nil
	if !whole {
		e.Verdict.Mixed = nil
	}
}

// join adds an edge to one that looks the same now.
func join(to, e *analyze.Edge) {
	to.Counters, to.ByClient, to.ByServer = sum(to.Counters, e.Counters), sum(to.ByClient, e.ByClient), sum(to.ByServer, e.ByServer)
	to.Outcomes.Established += e.Outcomes.Established
	to.Outcomes.Refused += e.Outcomes.Refused
	to.Outcomes.Unanswered += e.Outcomes.Unanswered
	to.Outcomes.Dropped += e.Outcomes.Dropped
	to.Bins = max(to.Bins, e.Bins)
	if e.First.Before(to.First) {
		to.First = e.First
	}
	if e.Last.After(to.Last) {
		to.Last = e.Last
	}
	to.Unseen, to.Teaches, to.Guessed = to.Unseen || e.Unseen, to.Teaches && e.Teaches, to.Guessed || e.Guessed
	if to.Risky == "" {
		to.Risky = e.Risky
	}
	if to.Verdict.State != e.Verdict.State {
		to.Verdict.State = analyze.StateMixed
	}
}

func sum(a, b analyze.Counters) analyze.Counters {
	return analyze.Counters{
		Connections: a.Connections + b.Connections, BytesSent: a.BytesSent + b.BytesSent, BytesReceived: a.BytesReceived + b.BytesReceived,
		PacketsSent: a.PacketsSent + b.PacketsSent, PacketsReceived: a.PacketsReceived + b.PacketsReceived,
	}
}

// findings keeps those of the namespaces that are seen, and those of edges that are.
func (h *veil) findings(list []analyze.Finding, ids map[string]string) (out []analyze.Finding) {
	for i := range list {
		f := list[i]
		edge, ofEdge := ids[f.Edge]
		switch {
		case f.Edge != "" && !ofEdge, f.Edge == "" && !h.ref(f.Namespace), f.Edge == "" && f.Policy != nil && !h.ref(f.Policy.Namespace):
			continue
		}
		f.Edge = edge
		if !h.ref(f.Namespace) {
			f.Namespace = veiled
		}
		if f.Policy != nil && !h.ref(f.Policy.Namespace) {
			f.Policy, f.Allowances, f.File, f.Line, f.EndLine = nil, nil, "", 0, 0
		}
		out = append(out, f)
	}
	return out
}

const withheldNames = "it names what you may not see; ask somebody who may see all namespaces that it is about"

// recommendations keeps those of the namespaces that are seen. A policy names
// the other ends of its workloads: where one of these is hidden, so is what is
// recommended.
func (h *veil) recommendations(v *View) []recommend.Recommendation {
	talksOut := map[string]bool{} // namespace/name of workloads with a hidden other end
	for i := range v.Report.Edges {
		e := &v.Report.Edges[i]
		for _, pair := range [2][2]*analyze.Party{{&e.Client, &e.Server}, {&e.Server, &e.Client}} {
			if h.inside(pair[0]) && pair[1].Kind == analyze.PartyWorkload && !h.inside(pair[1]) {
				talksOut[pair[0].String()] = true
			}
		}
	}
	var out []recommend.Recommendation
	for i := range v.Recommendations {
		r := v.Recommendations[i]
		if r.Namespace == "" || !h.ref(r.Namespace) {
			continue
		}
		closed := slices.ContainsFunc(r.Workloads, func(w string) bool { return talksOut[w] || !h.name(w) })
		if closed || h.namesSpace(r.After) {
			r.After, r.Diff, r.Changes, r.Evidence, r.Proof, r.Ready = "", "", nil, nil, recommend.Proof{}, false
			r.Withheld = withheldNames
		}
		out = append(out, r)
	}
	return out
}

// name says whether namespace/name may be told.
func (h *veil) name(text string) bool {
	namespace, _, ok := strings.Cut(text, "/")
	return !ok || h.ref(namespace)
}

// namesSpace says whether a manifest names a hidden namespace.
func (h *veil) namesSpace(text string) bool {
	for token := range strings.FieldsFuncSeq(text, notInName) {
		if h.spaces[token] {
			return true
		}
	}
	return false
}
