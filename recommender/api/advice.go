// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/recommend"
)

func (s *Server) recommendations(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	all, err := s.advised(v, r)
	if err != nil {
		return err
	}
	var items []recommend.Recommendation
	for i := range all {
		one := &all[i]
		if about(one, q.namespace) && (q.id == "" || one.ID == q.id) && search(q.text, append(slices.Clone(one.Workloads), one.Title, one.Policy.Name)...) {
			items = append(items, *one)
		}
	}
	body := paged(v, q, items, func(r *recommend.Recommendation) string { return r.ID })
	if q.brief {
		brief := make([]recommend.Recommendation, len(body.Items))
		for i := range body.Items {
			brief[i] = short(&body.Items[i])
		}
		body.Items = brief
	}
	return s.answer(w, r, v, body)
}

// short is a recommendation without what is long: its texts and the lists of
// its proof.
func short(r *recommend.Recommendation) recommend.Recommendation {
	out := *r
	out.Before, out.After, out.Diff, out.Evidence = "", "", "", nil
	out.Proof = recommend.Proof{
		Holds: r.Proof.Holds, ObservedEdges: r.Proof.ObservedEdges, Connections: r.Proof.Connections, ClosedTotal: r.Proof.ClosedTotal,
	}
	return out
}

// advised gives all recommendations of a view as they are wished for, made and
// proved anew where that is not the usual way.
func (s *Server) advised(v *View, r *http.Request) ([]recommend.Recommendation, error) {
	in, usual, err := wish(r.URL.Query())
	if err != nil {
		return nil, err
	}
	if usual {
		return v.Recommendations, nil
	}
	if veilOf(r.Context()) != nil {
		return nil, problemf(http.StatusForbidden, "Other formats are made of the whole cluster's policies: it takes the right to see all of it.")
	}
	in.Snapshot, in.Report, in.Engine = v.Snapshot, v.Report, v.Engine
	all, err := s.formats.of(v.Key+" "+wishKey(&in), func() ([]recommend.Recommendation, error) { return recommend.Build(in) })
	if errors.Is(err, recommend.ErrInput) {
		return nil, problemf(http.StatusBadRequest, "This can not be made: %v.", err)
	}
	if err != nil {
		return nil, fmt.Errorf("making recommendations as %s: %w", in.Format, err)
	}
	return all, nil
}

func about(r *recommend.Recommendation, namespace string) bool {
	return namespace == "" || r.Namespace == namespace ||
		slices.ContainsFunc(r.Workloads, func(w string) bool { return strings.HasPrefix(w, namespace+"/") })
}

// offered counts the recommendations that can be applied.
func offered(v *View) int {
	n := 0
	for i := range v.Recommendations {
		if v.Recommendations[i].Withheld == "" {
			n++
		}
	}
	return n
}

func (s *Server) download(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	pack, known := packs[r.URL.Query().Get("as")]
	if !known {
		return wrong("as", "There is no %q; there are yaml, zip and kustomize.", r.URL.Query().Get("as"))
	}
	all, err := s.advised(v, r)
	if err != nil {
		return err
	}
	chosen, err := choose(v, all, q)
	if err != nil {
		return err
	}
	b := bundle{cluster: v.Cluster, at: v.Computed.UTC(), chosen: chosen}
	body, err := pack.write(&b)
	if err != nil {
		return fmt.Errorf("packing recommendations: %w", err)
	}
	w.Header().Set("Content-Type", pack.kind)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", fileName(q, chosen)+pack.ending))
	w.Header().Set("Cache-Control", "no-store")
	s.write(w, r, body)
	return nil
}

// choose gives the recommendation of an id, or those of a namespace, or all.
// The id may also be that of the usual format: it then means what is for the
// same policy, or else the same workloads, in the format that is asked for.
func choose(v *View, all []recommend.Recommendation, q question) ([]*recommend.Recommendation, error) {
	var chosen []*recommend.Recommendation
	for i := range all {
		if one := &all[i]; (q.id == "" || one.ID == q.id) && about(one, q.namespace) {
			chosen = append(chosen, one)
		}
	}
	if q.id == "" {
		return chosen, nil
	}
	usual := slices.IndexFunc(v.Recommendations, func(one recommend.Recommendation) bool { return one.ID == q.id })
	if len(chosen) == 0 && usual >= 0 {
		wanted := &v.Recommendations[usual]
		for i := range all {
			if one := &all[i]; one.Before == wanted.Before && slices.Equal(one.Workloads, wanted.Workloads) {
				chosen = append(chosen, one)
			}
		}
	}
	if len(chosen) == 0 {
		p := problemf(http.StatusNotFound, "There is no recommendation %q in the time looked at.", q.id)
		p.Parameter = "id"
		return nil, p
	}
	if chosen[0].Withheld != "" && len(chosen) == 1 {
		return nil, problemf(http.StatusConflict, "This recommendation is withheld: %s.", chosen[0].Withheld)
	}
	return chosen, nil
}
