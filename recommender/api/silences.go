// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/store"
)

type silencesBody struct {
	Meta  meta            `json:"meta"`
	Items []alert.Silence `json:"items"`
}

// silenceBody asks for a silence.
type silenceBody struct {
	Alert     string           `json:"alert"`
	Kind      alert.Kind       `json:"kind"`
	Severity  analyze.Severity `json:"severity"`
	Namespace string           `json:"namespace"`
	Workload  string           `json:"workload"`
	Reason    string           `json:"reason"`
	By        string           `json:"by"`
	Until     time.Time        `json:"until"`
}

func (s *Server) silences(w http.ResponseWriter, r *http.Request) error {
	k, v, q, err := s.keeper(r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		return s.silence(w, r, k, q)
	}
	body := silencesBody{Meta: metaOf(v), Items: []alert.Silence{}}
	h := veilOf(r.Context())
	for _, one := range k.Silences() {
		namespace := one.Namespace
		if space, _, ok := strings.Cut(one.Workload, "/"); ok {
			namespace = space
		}
		if h == nil || namespace != "" && h.rights.See(namespace) {
			body.Items = append(body.Items, one)
		}
	}
	return s.json(w, r, body)
}

func (s *Server) silence(w http.ResponseWriter, r *http.Request, k *alert.Keeper, q question) error {
	var body silenceBody
	if err := decode(w, r, &body); err != nil {
		return err
	}
	order, err := s.order(r, decisionBody{Reason: body.Reason, By: body.By, Until: body.Until})
	if err != nil {
		return err
	}
	want := alert.Silence{
		Alert: body.Alert, Kind: body.Kind, Severity: body.Severity, Namespace: body.Namespace, Workload: body.Workload,
		By: order.By, At: order.At, Until: body.Until, Reason: order.Reason,
	}
	spaces, err := s.silenced(r, k, &want)
	if err != nil {
		return err
	}
	if err = s.mayDecide(r, q.span.Cluster, spaces); err != nil {
		return err
	}
	entry, err := k.Silence(want, rand.Text)
	if err != nil {
		return problemf(http.StatusBadRequest, "%s.", upper(err.Error()))
	}
	if err = s.alertsOf.Record(r.Context(), q.span.Cluster, []store.Decision{entry}); err != nil {
		return err
	}
	want.ID, want.Decision = strings.TrimPrefix(entry.Finding, "silence:"), entry.ID
	w.WriteHeader(http.StatusCreated)
	return s.json(w, r, want)
}

// silenced gives the namespaces that a silence is for: none named is the whole
// cluster.
func (s *Server) silenced(r *http.Request, k *alert.Keeper, want *alert.Silence) ([]string, error) {
	switch namespace, _, ok := strings.Cut(want.Workload, "/"); {
	case want.Alert != "":
		a, there := k.Alert(want.Alert)
		if !there || !mayShow(r, &a) {
			return nil, wrong("alert", "There is no alert %q.", want.Alert)
		}
		return spacesOf(a.Workloads), nil
	case ok:
		return []string{namespace}, nil
	default:
		return []string{want.Namespace}, nil
	}
}

// endSilence ends one before its time.
func (s *Server) endSilence(w http.ResponseWriter, r *http.Request) error {
	k, _, q, err := s.keeper(r)
	if err != nil {
		return err
	}
	all := k.Silences()
	i := slices.IndexFunc(all, func(one alert.Silence) bool { return one.ID == mux.Vars(r)["id"] })
	if i < 0 {
		return problemf(http.StatusNotFound, "There is no silence %q that holds.", mux.Vars(r)["id"])
	}
	var body decisionBody
	if err = decode(w, r, &body); err != nil {
		return err
	}
	order, err := s.order(r, body)
	if err != nil {
		return err
	}
	spaces, err := s.silenced(r, k, &all[i])
	if err != nil {
		return err
	}
	if err = s.mayDecide(r, q.span.Cluster, spaces); err != nil {
		return err
	}
	entry, err := k.EndSilence(all[i].ID, order)
	if err != nil {
		return err
	}
	if err = s.alertsOf.Record(r.Context(), q.span.Cluster, []store.Decision{entry}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func upper(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

type trailBody struct {
	Meta  meta             `json:"meta"`
	Items []store.Decision `json:"items"`
	Total int              `json:"total"`
	Next  string           `json:"next,omitempty"`
}

// trail is the audit trail, the newest entry first. It names what belongs to
// the whole cluster, so that who sees a part does not see it.
func (s *Server) trail(w http.ResponseWriter, r *http.Request) error {
	_, v, q, err := s.keeper(r)
	if err != nil {
		return err
	}
	if veilOf(r.Context()) != nil {
		return problemf(http.StatusForbidden, "The audit trail is for those who may see the whole cluster; an alert's own entries are at /api/v1/alerts/ID.")
	}
	all, err := s.alertsOf.Trail(r.Context(), q.span.Cluster)
	if err != nil {
		return err
	}
	slices.Reverse(all)
	page := paged(v, q, all, func(d *store.Decision) string { return d.ID })
	return s.json(w, r, trailBody(page))
}
