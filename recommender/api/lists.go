// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

type edgeBody struct {
	analyze.Edge
	Noise string `json:"noise,omitempty"`
}

func (s *Server) edges(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	f, err := filterOf(q.text)
	if err != nil {
		return err
	}
	f.locate(v)
	noise, all := noiseOf(v), newFacts(v, elsewhereOf(v))
	var items []edgeBody
	for i := range v.Report.Edges {
		if e := &v.Report.Edges[i]; touches(e, q.namespace) && f.edge(all.talk(e)) {
			items = append(items, edgeBody{Edge: *e, Noise: noise[e.ID]})
		}
	}
	slices.SortStableFunc(items, func(a, b edgeBody) int {
		return cmp.Compare(b.Counters.Connections, a.Counters.Connections)
	})
	return s.answer(w, r, v, paged(v, q, items, func(e *edgeBody) string { return e.ID }))
}

type workloadBody struct {
	ID              string             `json:"id"`
	Party           analyze.Party      `json:"party"`
	Pods            int                `json:"pods"`
	HostNetwork     bool               `json:"hostNetwork"`
	Labels          map[string]string  `json:"labels,omitempty"`
	IsolatedIngress bool               `json:"isolatedIngress"`
	IsolatedEgress  bool               `json:"isolatedEgress"`
	Policies        []analyze.Ref      `json:"policies"`
	EdgesIn         int                `json:"edgesIn"`
	EdgesOut        int                `json:"edgesOut"`
	Connections     uint64             `json:"connections"`
	Unseen          int                `json:"unseen"`
	Denied          int                `json:"denied"`
	Last            time.Time          `json:"lastSeen,omitzero"`
	Readiness       *analyze.Readiness `json:"readiness,omitempty"`
}

func (s *Server) workloads(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	var items []workloadBody
	at := map[analyze.Party]int{}
	for _, one := range v.Index.Workloads() {
		if q.namespace == "" || one.Namespace == q.namespace {
			at[analyze.PartyOf(one)] = len(items)
			items = append(items, workloadOf(v, one))
		}
	}
	for i := range v.Report.Readiness {
		if k, ok := at[v.Report.Readiness[i].Workload]; ok {
			items[k].Readiness = &v.Report.Readiness[i]
		}
	}
	for i := range v.Report.Edges {
		e := &v.Report.Edges[i]
		if k, ok := at[e.Client]; ok {
			items[k].EdgesOut++
			items[k].count(e)
		}
		if k, ok := at[e.Server]; ok {
			items[k].EdgesIn++
			items[k].count(e)
		}
	}
	return s.answer(w, r, v, paged(v, q, items, func(one *workloadBody) string { return one.ID }))
}

func (b *workloadBody) count(e *analyze.Edge) {
	b.Connections += e.Counters.Connections
	state, denied := stateOf(e)
	if state == stateUnseen {
		b.Unseen++
	}
	if denied {
		b.Denied++
	}
	if e.Last.After(b.Last) {
		b.Last = e.Last
	}
}

func workloadOf(v *View, w flow.Workload) workloadBody {
	b := workloadBody{Party: analyze.PartyOf(w)}
	b.ID = partyID(b.Party)
	refs := map[cluster.Ref]bool{}
	for _, pod := range v.Index.Pods(w) {
		if !pod.Template {
			b.Pods++
		}
		b.HostNetwork = b.HostNetwork || pod.HostNetwork
		b.IsolatedIngress = b.IsolatedIngress || v.Engine.Isolated(pod, policy.Ingress)
		b.IsolatedEgress = b.IsolatedEgress || v.Engine.Isolated(pod, policy.Egress)
		b.Labels = pod.Labels
		for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
			for _, ref := range v.Engine.Selecting(pod, d) {
				refs[ref] = true
			}
		}
	}
	if known := v.Index.Workload(w); known != nil && known.TemplateLabels != nil {
		b.Labels = known.TemplateLabels
	}
	for ref := range refs {
		b.Policies = append(b.Policies, analyze.RefOf(ref))
	}
	slices.SortFunc(b.Policies, compareRefs)
	return b
}

func compareRefs(a, b analyze.Ref) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.APIVersion, b.APIVersion))
}

type findingBody struct {
	analyze.Finding
	Recommendation string `json:"recommendation,omitempty"`
}

func findingOf(v *View, f *analyze.Finding) findingBody {
	b := findingBody{Finding: *f}
	if f.Policy == nil {
		return b
	}
	switch f.Kind {
	case analyze.FindingUnused, analyze.FindingPartlyUsed, analyze.FindingRedundant:
		b.Recommendation = tightening(v, *f.Policy)
	case analyze.FindingSelectsNothing, analyze.FindingUnseen, analyze.FindingDenied, analyze.FindingRisky, analyze.FindingConflict,
		analyze.FindingShadowed, analyze.FindingAmbiguous, analyze.FindingNotUnderstood:
	}
	return b
}

var findingKinds = []analyze.FindingKind{
	analyze.FindingUnused, analyze.FindingRedundant, analyze.FindingPartlyUsed, analyze.FindingSelectsNothing, analyze.FindingShadowed, analyze.FindingAmbiguous,
	analyze.FindingNotUnderstood, analyze.FindingUnseen, analyze.FindingDenied, analyze.FindingRisky, analyze.FindingConflict,
}

type findingsBody struct {
	Meta   meta                        `json:"meta"`
	Items  []findingBody               `json:"items"`
	Total  int                         `json:"total"`
	Next   string                      `json:"next,omitempty"`
	Counts map[analyze.FindingKind]int `json:"counts"` // of every kind, whichever is asked for
}

func (s *Server) findings(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	edges := map[string]*analyze.Edge{}
	for i := range v.Report.Edges {
		edges[v.Report.Edges[i].ID] = &v.Report.Edges[i]
	}
	kind := analyze.FindingKind(r.URL.Query().Get("kind"))
	if kind != "" && !slices.Contains(findingKinds, kind) {
		return wrong("kind", "There is no kind of finding %q.", kind)
	}
	counts := map[analyze.FindingKind]int{}
	var items []findingBody
	for i := range v.Report.Findings {
		f := &v.Report.Findings[i]
		here := q.namespace == "" || f.Namespace == q.namespace || edges[f.Edge] != nil && touches(edges[f.Edge], q.namespace)
		if !here || !search(q.text, append(slices.Clone(f.Workloads), f.Title)...) {
			continue
		}
		counts[f.Kind]++
		if kind == "" || kind == f.Kind {
			items = append(items, findingOf(v, f))
		}
	}
	page := paged(v, q, items, func(f *findingBody) string { return f.ID })
	return s.answer(w, r, v, findingsBody{Meta: page.Meta, Items: page.Items, Total: page.Total, Next: page.Next, Counts: counts})
}
