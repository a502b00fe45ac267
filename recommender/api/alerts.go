// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/klauspost/compress/gzhttp"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/store"
)

// Alerts is what the routes of alerts and baselines work with. Its methods are
// called by many goroutines.
type Alerts interface {
	// Keeper gives the alerts of a cluster, the first one's for the empty name.
	Keeper(cluster string) *alert.Keeper
	// Record writes entries to the audit trail, shows them in the alerts, and has
	// the view made anew.
	Record(ctx context.Context, cluster string, entries []store.Decision) error
	// Trail gives the audit trail of a cluster, the first entry first.
	Trail(ctx context.Context, cluster string) ([]store.Decision, error)
	// Import puts a baseline file in force.
	Import(ctx context.Context, cluster, name string, file *alert.BaselineFile, o alert.Order) (alert.Imported, error)
}

// alertRoutes are the routes of alerts, silences, baselines and the trail, but
// for the list of alerts.
func (s *Server) alertRoutes(a *mux.Router) {
	read, write := []string{http.MethodGet, http.MethodHead}, []string{http.MethodPost}
	both := append(slices.Clone(read), write...)
	for _, one := range []struct {
		path    string
		handler handler
		methods []string
	}{
		{"/alerts/{id}", s.alert, read},
		{"/alerts/{id}/accept", s.decide(store.Accepted), write},
		{"/alerts/{id}/reject", s.decide(store.Rejected), write},
		{"/alerts/{id}/reopen", s.decide(store.Reopened), write},
		{"/silences", s.silences, both},
		{"/silences/{id}/end", s.endSilence, write},
		{"/baselines", s.baselines, read},
		{"/baselines/file", s.baselineFile, both},
		{"/decisions", s.trail, read},
	} {
		a.Handle(one.path, s.only(s.guard(gzhttp.GzipHandler(s.handle(one.handler))), one.methods...))
	}
}

type alertsBody struct {
	Meta   meta               `json:"meta"`
	Items  []alert.Alert      `json:"items"`
	Total  int                `json:"total"`
	Next   string             `json:"next,omitempty"`
	Counts map[alert.Kind]int `json:"counts"` // of every kind, whichever is asked for
	Told   int                `json:"toldToday"`
	Budget int                `json:"budget"`
}

var alertStatuses = []alert.Status{alert.Firing, alert.Silenced, alert.Rejected, alert.Accepted, alert.Resolved}

// keeper gives the alerts of the cluster that is asked for, with the view that
// they go with: it says what may be shown.
func (s *Server) keeper(r *http.Request) (*alert.Keeper, *View, question, error) {
	v, q, err := s.view(r)
	if err != nil {
		return nil, nil, q, err
	}
	if s.alertsOf == nil {
		return nil, nil, q, problemf(http.StatusNotFound, "This recommender keeps no alerts.")
	}
	k := s.alertsOf.Keeper(q.span.Cluster)
	if k == nil || k.Stamp() == 0 {
		return nil, nil, q, ErrNotReady
	}
	return k, v, q, nil
}

// mayShow says whether the caller may see an alert: one of its workloads is in
// a namespace that they may see. Names of others are veiled when it is written.
func mayShow(r *http.Request, a *alert.Alert) bool {
	h := veilOf(r.Context())
	return h == nil || slices.ContainsFunc(a.Workloads, func(w string) bool {
		namespace, _, _ := strings.Cut(w, "/")
		return h.rights.See(namespace)
	})
}

// shown gives what the caller may see of an alert. Manifests are written whole,
// so that one which names what is hidden is left out.
func shown(r *http.Request, a alert.Alert) alert.Alert {
	h := veilOf(r.Context())
	if h == nil {
		return a
	}
	a.Narrowing, a.Accept = h.edit(a.Narrowing), h.edit(a.Accept)
	return a
}

func (h *veil) edit(e *alert.Edit) *alert.Edit {
	if e == nil || (e.Policy == nil || h.ref(e.Policy.Namespace)) && !h.tells(e.After) && !h.tells(e.Diff) {
		return e
	}
	return &alert.Edit{Text: "The edit is of a policy that you may not see, or names what you may not see.", Exact: e.Exact}
}

func (s *Server) alerts(w http.ResponseWriter, r *http.Request) error {
	k, v, q, err := s.keeper(r)
	if err != nil {
		return err
	}
	values := r.URL.Query()
	kind, status, severity := alert.Kind(values.Get("kind")), alert.Status(values.Get("status")), analyze.Severity(values.Get("severity"))
	if _, known := alert.Info(kind); kind != "" && !known {
		return wrong("kind", "There is no kind of alert %q.", kind)
	}
	if status != "" && !slices.Contains(alertStatuses, status) {
		return wrong("status", "There is no status %q; there are firing, silenced, rejected, accepted and resolved.", status)
	}
	if severity != "" && !slices.Contains([]analyze.Severity{analyze.SeverityHigh, analyze.SeverityMedium, analyze.SeverityLow, analyze.SeverityInfo}, severity) {
		return wrong("severity", "There is no severity %q; there are high, medium, low and info.", severity)
	}
	body := alertsBody{Counts: map[alert.Kind]int{}}
	var items []alert.Alert
	for _, a := range k.Alerts() {
		here := q.namespace == "" || slices.ContainsFunc(a.Workloads, func(w string) bool { return strings.HasPrefix(w, q.namespace+"/") })
		when := (q.span.From.IsZero() || a.LastSeen.After(q.span.From)) && (q.span.To.IsZero() || a.Started.Before(q.span.To))
		if !here || !when || !mayShow(r, &a) || status != "" && a.Status != status || severity != "" && a.Severity != severity ||
			!search(q.text, append(slices.Clone(a.Workloads), a.Title, a.ID)...) {
			continue
		}
		body.Counts[a.Kind]++
		if kind == "" || kind == a.Kind {
			items = append(items, shown(r, a))
		}
	}
	page := paged(v, q, items, func(a *alert.Alert) string { return a.ID })
	body.Meta, body.Items, body.Total, body.Next = page.Meta, page.Items, page.Total, page.Next
	body.Told, body.Budget = k.Spent(s.source.Now())
	key := fmt.Sprintf("%s-%d-%s", v.Key, k.Stamp(), values.Encode())
	return s.answerLazily(w, r, key, func() any { return body })
}

// alertBody is one alert with what was decided about it.
type alertBody struct {
	Meta  meta             `json:"meta"`
	Alert alert.Alert      `json:"alert"`
	Info  alert.KindInfo   `json:"info"`
	Trail []store.Decision `json:"trail"` // the first entry first
}

// found gives the alert that the path names.
func (s *Server) found(r *http.Request, k *alert.Keeper) (alert.Alert, error) {
	id := mux.Vars(r)["id"]
	a, ok := k.Alert(id)
	if !ok || !mayShow(r, &a) {
		return a, problemf(http.StatusNotFound, "There is no alert %q; GET /api/v1/alerts lists them.", id)
	}
	return a, nil
}

func (s *Server) alert(w http.ResponseWriter, r *http.Request) error {
	k, v, q, err := s.keeper(r)
	if err != nil {
		return err
	}
	a, err := s.found(r, k)
	if err != nil {
		return err
	}
	return s.alertAnswer(w, r, v, q.span.Cluster, a)
}

func (s *Server) alertAnswer(w http.ResponseWriter, r *http.Request, v *View, cluster string, a alert.Alert) error {
	body := alertBody{Meta: metaOf(v), Alert: a}
	body.Info, _ = alert.Info(a.Kind)
	if info := body.Info; info.Edges && len(a.Edges) > 0 && (a.Accept == nil || a.Accept.After == "" && a.Accept.Recommendation != "") {
		var ids []string
		for _, e := range a.Edges {
			ids = append(ids, e.ID)
		}
		in := alert.Input{Snapshot: v.Snapshot, Engine: v.Engine, Index: v.Index, Report: v.Report, Recommendations: v.Recommendations}
		narrowing, accept, err := in.Edits(ids)
		if err != nil {
			return err
		}
		body.Alert.Narrowing, body.Alert.Accept = narrowing, accept
	}
	body.Alert = shown(r, body.Alert)
	trail, err := s.alertsOf.Trail(r.Context(), cluster)
	if err != nil {
		return err
	}
	for _, d := range trail {
		if d.Finding == a.ID {
			d.Detail = nil
			body.Trail = append(body.Trail, d)
		}
	}
	return s.json(w, r, body)
}

// decisionBody is what a person sends with a decision.
type decisionBody struct {
	Reason string    `json:"reason"`
	By     string    `json:"by"`    // who, beside what the authenticator says
	Until  time.Time `json:"until"` // end of an acceptance
}

// decide makes the handler of one verdict.
func (s *Server) decide(verdict store.Verdict) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		k, v, q, err := s.keeper(r)
		if err != nil {
			return err
		}
		a, err := s.found(r, k)
		if err != nil {
			return err
		}
		var body decisionBody
		if err = decode(w, r, &body); err != nil {
			return err
		}
		order, err := s.order(r, body)
		if err != nil {
			return err
		}
		if err = s.mayDecide(r, q.span.Cluster, spacesOf(a.Workloads)); err != nil {
			return err
		}
		order.Verdict = verdict
		entries, err := k.Decide(a.ID, order)
		switch {
		case errors.Is(err, store.ErrInvalid):
			return wrong("reason", "%v.", err)
		case err != nil:
			return problemf(http.StatusConflict, "%v.", err)
		}
		if err = s.alertsOf.Record(r.Context(), q.span.Cluster, entries); err != nil {
			return err
		}
		if now, ok := k.Alert(a.ID); ok {
			a = now
		}
		return s.alertAnswer(w, r, v, q.span.Cluster, a)
	}
}

// order checks what goes with every decision.
func (s *Server) order(r *http.Request, b decisionBody) (alert.Order, error) {
	now := s.now().UTC()
	o := alert.Order{By: callerOf(r.Context()).Name(), Reason: strings.TrimSpace(b.Reason), At: now, Until: b.Until, NewID: rand.Text}
	if by := strings.TrimSpace(b.By); by != "" {
		o.By += " (" + by + ")"
	}
	switch {
	case o.Reason == "":
		return o, wrong("reason", "Say why: the reason stays in the audit trail.")
	case len(o.Reason) > store.MaxReason:
		return o, wrong("reason", "It has %d bytes; at most %d are kept.", len(o.Reason), store.MaxReason)
	case len(o.By) > store.MaxName:
		return o, wrong("by", "It has more than %d bytes.", store.MaxName)
	case !b.Until.IsZero() && !b.Until.After(now):
		return o, wrong("until", "%s is not ahead.", b.Until.Format(time.RFC3339))
	}
	return o, nil
}

func spacesOf(workloads []string) []string {
	spaces := []string{}
	for _, w := range workloads {
		if namespace, _, ok := strings.Cut(w, "/"); ok && !slices.Contains(spaces, namespace) {
			spaces = append(spaces, namespace)
		}
	}
	if len(spaces) == 0 {
		spaces = append(spaces, "") // it is of the whole cluster
	}
	return spaces
}

// mayDecide refuses who may not change policies in every namespace concerned.
func (s *Server) mayDecide(r *http.Request, cluster string, spaces []string) error {
	who := callerOf(r.Context())
	for _, namespace := range spaces {
		ok, err := who.MayDecide(r.Context(), cluster, namespace)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", errUnjudged, err)
		case ok:
		case namespace != "" && veilOf(r.Context()) != nil && !veilOf(r.Context()).ref(namespace):
			return problemf(http.StatusForbidden, "You may not decide on this: it takes the right to update network policies in every namespace that it concerns, and you may not see all of them.")
		case namespace == "":
			return problemf(http.StatusForbidden, "You may not decide on this: it is of the whole cluster, and takes the right to update network policies in every namespace.")
		default:
			return problemf(http.StatusForbidden, "You may not decide on this: it takes the right to update network policies in namespace %s.", namespace)
		}
	}
	return nil
}
