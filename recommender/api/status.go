// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"time"
)

type statusBody struct {
	Version  uint64       `json:"version"`
	Cluster  string       `json:"cluster"`
	Clusters []string     `json:"clusters"`
	Release  string       `json:"release"`
	Mode     string       `json:"mode"`
	Started  time.Time    `json:"started"`
	Now      time.Time    `json:"now"`
	Sources  []string     `json:"sources"`
	Ingest   string       `json:"ingest,omitempty"`
	Ready    bool         `json:"ready"`
	Learning learningBody `json:"learning"`
	Kept     *window      `json:"kept,omitempty"`
	Totals   totals       `json:"totals"`
	Problems int          `json:"problems"`
	Failure  string       `json:"failure,omitempty"`
	// Delivery says whether alerts arrive; nil where they are told to nobody.
	Delivery *deliveryBody `json:"delivery,omitempty"`
}

type learningBody struct {
	Active  bool      `json:"active"`
	Seconds float64   `json:"seconds"`
	Until   time.Time `json:"until,omitzero"`
}

type totals struct {
	Namespaces      int    `json:"namespaces"`
	Workloads       int    `json:"workloads"`
	Pods            int    `json:"pods"`
	Edges           int    `json:"edges"`
	Connections     uint64 `json:"connections"`
	Policies        int    `json:"policies"`
	Findings        int    `json:"findings"`
	Recommendations int    `json:"recommendations"`
	Agents          int    `json:"agents"`
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	q, err := s.question(r)
	if err != nil {
		return err
	}
	st := s.source.Status(q.span.Cluster)
	now := s.source.Now()
	b := statusBody{
		Cluster: st.Cluster, Clusters: st.Clusters, Release: st.Release, Mode: "files", Started: st.Started, Now: now, Sources: st.Sources,
		Ingest: st.Ingest, Failure: st.Failure, Learning: learningBody{Active: st.Live, Seconds: st.Learning.Seconds()},
	}
	b.Delivery = deliveryOf(s.delivery)
	if st.Live {
		b.Mode = "live"
	}
	if st.Kept != (Span{}) {
		b.Kept = &window{From: st.Kept.From, To: st.Kept.To}
		b.Learning.Until = st.Kept.From.Add(st.Learning)
		b.Learning.Active = b.Learning.Until.After(now)
	}
	if err = b.hide(r); err != nil {
		return err
	}
	v, err := s.source.View(r.Context(), Span{Cluster: q.span.Cluster})
	if errors.Is(err, ErrNotReady) {
		return s.json(w, r, b)
	}
	if err != nil {
		return err
	}
	b.Ready, b.Version, b.Problems = true, v.Version, len(v.Problems)
	b.Totals = totalsOf(v)
	return s.json(w, r, b)
}

// hide leaves out what is for those who may see everything.
func (b *statusBody) hide(r *http.Request) error {
	whole, err := seesAll(r, b.Cluster)
	if err != nil || whole {
		return err
	}
	b.Sources, b.Ingest, b.Delivery = nil, "", nil
	if b.Failure != "" {
		b.Failure = "The last recomputation failed; the recommender's log says why."
	}
	return nil
}

func totalsOf(v *View) totals {
	t := totals{
		Namespaces: len(namespaces(v)), Workloads: len(v.Index.Workloads()), Edges: len(v.Report.Edges),
		Findings: len(v.Report.Findings), Recommendations: offered(v), Agents: len(v.Coverage),
	}
	for i := range v.Snapshot.Pods {
		if p := &v.Snapshot.Pods[i]; !p.Template && !p.Finished {
			t.Pods++
		}
	}
	for i := range v.Report.Edges {
		t.Connections += v.Report.Edges[i].Counters.Connections
	}
	for i := range v.Snapshot.Policies {
		if isPolicy(v.Snapshot.Policies[i].Ref) {
			t.Policies++
		}
	}
	return t
}
