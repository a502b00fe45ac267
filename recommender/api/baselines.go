// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
)

type baselinesBody struct {
	Meta  meta           `json:"meta"`
	Items []baselineBody `json:"items"`
}

type baselineBody struct {
	Workload analyze.Party      `json:"workload"`
	State    analyze.ReadyState `json:"state"`
	Version  int                `json:"version"`
	Since    string             `json:"since,omitempty"`
	Closed   string             `json:"closed,omitempty"`
	Early    bool               `json:"early"`
	Reasons  []string           `json:"reasons"`
	Images   []string           `json:"images"`
	Edges    int                `json:"edges"`
	Changes  []alert.Change     `json:"changes"`
}

const instant = "2006-01-02T15:04:05Z07:00"

// baselines lists what is learnt of each workload, and how far it is.
func (s *Server) baselines(w http.ResponseWriter, r *http.Request) error {
	k, v, q, err := s.keeper(r)
	if err != nil {
		return err
	}
	file, err := s.baselineOf(r, k, q)
	if err != nil {
		return err
	}
	edges := map[analyze.Party]int{}
	for i := range file.Workloads {
		edges[analyze.PartyOf(file.Workloads[i].Workload)] = len(file.Workloads[i].Habits)
	}
	body := baselinesBody{Meta: metaOf(v), Items: []baselineBody{}}
	h := veilOf(r.Context())
	for _, b := range k.Baselines() {
		if h != nil && !h.rights.See(b.Workload.Namespace) || q.namespace != "" && b.Workload.Namespace != q.namespace {
			continue
		}
		one := baselineBody{
			Workload: analyze.PartyOf(b.Workload), State: b.State, Version: b.Version, Early: b.Early, Reasons: b.Reasons, Images: b.Images, Changes: b.Changes,
			Edges: edges[analyze.PartyOf(b.Workload)],
		}
		if !b.Since.IsZero() {
			one.Since = b.Since.UTC().Format(instant)
		}
		if !b.Closed.IsZero() {
			one.Closed = b.Closed.UTC().Format(instant)
		}
		body.Items = append(body.Items, one)
	}
	return s.json(w, r, body)
}

// baselineOf makes the file of what the caller may see.
func (s *Server) baselineOf(r *http.Request, k *alert.Keeper, q question) (*alert.BaselineFile, error) {
	trail, err := s.alertsOf.Trail(r.Context(), q.span.Cluster)
	if err != nil {
		return nil, err
	}
	v, err := s.source.View(r.Context(), Span{Cluster: q.span.Cluster})
	if err != nil {
		return nil, err
	}
	file, _ := k.Export(v.Catalogue, trail, s.source.Now())
	file.Keep(q.namespace)
	return file, nil
}

// exportBaseline writes the closed baselines as a file for git.
func (s *Server) exportBaseline(w http.ResponseWriter, r *http.Request) error {
	k, _, q, err := s.keeper(r)
	if err != nil {
		return err
	}
	if veilOf(r.Context()) != nil {
		return problemf(http.StatusForbidden, "A baseline file names both ends of every connection: it is for those who may see the whole cluster.")
	}
	file, err := s.baselineOf(r, k, q)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err = file.Write(&b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Content-Disposition", `attachment; filename="baseline.yaml"`)
	w.Header().Set("Cache-Control", "no-store")
	s.write(w, r, []byte(b.String()))
	return nil
}

// importBody is a baseline file to put in force.
type importBody struct {
	Name   string `json:"name"` // of the file, for errors
	File   string `json:"file"`
	Reason string `json:"reason"`
	By     string `json:"by"`
}

func (s *Server) importBaseline(w http.ResponseWriter, r *http.Request) error {
	_, _, q, err := s.keeper(r)
	if err != nil {
		return err
	}
	var body importBody
	if err = decode(w, r, &body); err != nil {
		return err
	}
	order, err := s.order(r, decisionBody{Reason: body.Reason, By: body.By})
	if err != nil {
		return err
	}
	if body.Name == "" {
		body.Name = "baseline"
	}
	file, err := alert.ParseBaseline(body.Name, []byte(body.File))
	if err != nil {
		return wrong("file", "%v.", err)
	}
	spaces := []string{}
	for i := range file.Workloads {
		spaces = append(spaces, file.Workloads[i].Workload.Namespace+"/")
	}
	if err = s.mayDecide(r, q.span.Cluster, spacesOf(spaces)); err != nil {
		return err
	}
	sum, err := s.alertsOf.Import(r.Context(), q.span.Cluster, body.Name, file, order)
	if fault, ok := errors.AsType[*alert.FileError](err); ok {
		return wrong("file", "%v.", fault)
	}
	if err != nil {
		return err
	}
	return s.json(w, r, sum)
}

// importOrExport is one route with two methods.
func (s *Server) baselineFile(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodPost {
		return s.importBaseline(w, r)
	}
	return s.exportBaseline(w, r)
}
