// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/store"
)

type alertList struct {
	Items  []alert.Alert
	Total  int
	Counts map[alert.Kind]int
}

type alertAnswer struct {
	Alert alert.Alert
	Trail []store.Decision
}

// contractOfAlerts asks every route of alerts, good and bad.
func contractOfAlerts(c *contract) {
	c.t.Helper()
	get := func(path string, status int) []byte {
		c.t.Helper()
		return c.do(ask{method: http.MethodGet, path: "/api/v1" + path, status: status})
	}
	post := func(path, body string, status int) []byte {
		c.t.Helper()
		return c.do(ask{method: http.MethodPost, path: "/api/v1" + path, body: body, status: status})
	}
	list := into[alertList](c.t, get("/alerts", http.StatusOK))
	for _, a := range list.Items {
		get("/alerts/"+a.ID, http.StatusOK)
	}
	for _, query := range []string{"?kind=unseen-outside", "?status=firing", "?severity=high", "?q=cart", "?limit=1"} {
		get("/alerts"+query, http.StatusOK)
	}
	for _, query := range []string{"?kind=odd", "?status=odd", "?severity=odd", "?state=firing"} {
		get("/alerts"+query, http.StatusBadRequest)
	}
	get("/alerts/none", http.StatusNotFound)
	id := list.Items[0].ID
	for _, verdict := range []string{"accept", "reject", "reopen"} {
		post("/alerts/"+id+"/"+verdict, `{"reason":"seen"}`, http.StatusOK)
		post("/alerts/"+id+"/"+verdict, `{"reason":""}`, http.StatusBadRequest)
		post("/alerts/none/"+verdict, `{"reason":"seen"}`, http.StatusNotFound)
	}
	post("/alerts/"+id+"/accept", `{"reason":"seen","until":"2001-01-01T00:00:00Z"}`, http.StatusBadRequest)
	silence := into[alert.Silence](c.t, post("/silences", `{"kind":"denied-slow","reason":"upkeep","until":"`+soon()+`"}`, http.StatusCreated))
	post("/silences", `{"reason":"all","until":"`+soon()+`"}`, http.StatusBadRequest)
	post("/silences", `{"kind":"odd","reason":"upkeep","until":"`+soon()+`"}`, http.StatusBadRequest)
	post("/silences", `{"kind":"shell","reason":"upkeep","until":"2001-01-01T00:00:00Z"}`, http.StatusBadRequest)
	get("/silences", http.StatusOK)
	post("/silences/"+silence.ID+"/end", `{"reason":"done"}`, http.StatusNoContent)
	post("/silences/"+silence.ID+"/end", `{"reason":"done"}`, http.StatusNotFound)
	get("/baselines", http.StatusOK)
	get("/baselines?namespace=shop", http.StatusOK)
	get("/baselines/file", http.StatusOK)
	post("/baselines/file", `{"file":"schema: netcinch.baseline/v1\ncluster: test\nworkloads:\n  - workload: shop/Deployment/cart\n    edges:\n      - {to: name pay.example, port: TCP 443}\n","reason":"from git"}`, http.StatusOK)
	for _, file := range []string{"", "schema: netcinch.baseline/v9\ncluster: test\nworkloads: []", "schema: netcinch.baseline/v1\ncluster: other\nworkloads: []"} {
		post("/baselines/file", `{"file":"`+file+`","reason":"from git"}`, http.StatusBadRequest)
	}
	get("/decisions", http.StatusOK)
	get("/decisions?limit=1", http.StatusOK)
}

// TestDecideOnAnAlert: the answer shows the decision, the edit and the trail.
func TestDecideOnAnAlert(t *testing.T) {
	s := newSource()
	c := newContract(t, serve(t, s))
	var id string
	for _, a := range into[alertList](t, c.do(ask{method: "GET", path: "/api/v1/alerts?kind=unseen-outside", status: 200})).Items {
		id = a.ID
	}
	if id == "" {
		t.Fatal("the connection outside raises no alert")
	}
	got := into[alertAnswer](t, c.do(ask{method: "POST", path: "/api/v1/alerts/" + id + "/accept", body: `{"reason":"the partner's new address","by":"ada"}`, status: 200}))
	if got.Alert.Status != alert.Accepted || got.Alert.Decision == nil || got.Alert.Decision.By != "holder of the token (ada)" || got.Alert.Accept == nil {
		t.Errorf("accepted: %s, %+v, edit %+v", got.Alert.Status, got.Alert.Decision, got.Alert.Accept)
	}
	if len(got.Trail) != 1 || got.Trail[0].Reason != "the partner's new address" {
		t.Errorf("trail %+v", got.Trail)
	}
	edges := map[string]bool{}
	for _, d := range s.trail {
		edges[d.Finding] = true
	}
	if !edges[id] || !edges[got.Alert.Edge] {
		t.Errorf("the trail names %v; want the alert %s and its edge %s", edges, id, got.Alert.Edge)
	}
	got = into[alertAnswer](t, c.do(ask{method: "POST", path: "/api/v1/alerts/" + id + "/reject", body: `{"reason":"nobody knows it"}`, status: 200}))
	if got.Alert.Status != alert.Rejected || len(got.Trail) != 2 || got.Alert.Narrowing == nil {
		t.Errorf("rejected: %s, %d entries, narrowing %+v", got.Alert.Status, len(got.Trail), got.Alert.Narrowing)
	}
}

// TestWhoMayDecide: seeing an alert is not deciding on it.
func TestWhoMayDecide(t *testing.T) {
	s := newVault()
	server := serveTown(t, s)
	for _, a := range s.Keeper("").Alerts() {
		own := true
		for _, w := range a.Workloads {
			own = own && strings.HasPrefix(w, "shop/")
		}
		if len(a.Workloads) == 0 || own {
			continue
		}
		if w := ring(server, "POST /api/v1/alerts/"+a.ID+`/accept {"reason":"mine"}`, "shop"); w.Code != http.StatusForbidden && w.Code != http.StatusNotFound {
			t.Errorf("shop decides on %q: %d %s", a.Title, w.Code, w.Body)
		}
	}
	if len(s.trail) > 0 {
		t.Errorf("the trail has %+v", s.trail)
	}
	for _, request := range []string{"GET /api/v1/baselines/file", "GET /api/v1/decisions"} {
		if w := ring(server, request, "shop"); w.Code != http.StatusForbidden {
			t.Errorf("%s as shop: %d", request, w.Code)
		}
	}
}

func soon() string { return time.Now().Add(time.Hour).UTC().Format(time.RFC3339) }
