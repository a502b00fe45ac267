// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func into[T any](t *testing.T, body []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

type items struct {
	Items []map[string]any `json:"items"`
}

// Every route and every answer, good and bad, is as openapi.yaml says.
func TestContract(t *testing.T) {
	s := newSource()
	c := newContract(t, serve(t, s))
	get := func(path string, status int) []byte {
		t.Helper()
		return c.do(ask{method: http.MethodGet, path: path, status: status})
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/api/v1/openapi.yaml", "/api/v1/status", "/api/v1/events"} {
		get(path, http.StatusOK)
	}
	lists := []string{"graph", "timeline", "workloads", "edges", "policies", "findings", "alerts", "recommendations", "coverage"}
	for _, list := range lists {
		for _, query := range []string{"", "?namespace=data", "?from=-2h", "?from=2026-03-01T01:00:00Z&to=2026-03-01T03:00:00Z", "?cluster=test&from=-7d"} {
			if list == "coverage" && strings.Contains(query, "namespace") {
				continue
			}
			get("/api/v1/"+list+query, http.StatusOK)
		}
		for _, query := range []string{"?cluster=other", "?from=yesterday", "?from=2h", "?from=-1h&to=-2h"} {
			get("/api/v1/"+list+query, http.StatusBadRequest)
		}
	}
	get("/api/v1/graph?level=namespace&open=data", http.StatusOK)
	get("/api/v1/graph?pods=workload:shop/Deployment/web&fold=data&q=port:8080", http.StatusOK)
	get("/api/v1/graph?from=-1h&beforeFrom=-9h&beforeTo=-1h", http.StatusOK)
	edges := into[items](t, get("/api/v1/edges", http.StatusOK))
	for _, e := range edges.Items {
		get("/api/v1/edges/"+e["id"].(string), http.StatusOK)
	}
	get("/api/v1/edges/none", http.StatusNotFound)
	get("/api/v1/recommendations/download", http.StatusOK)
	get("/api/v1/recommendations/download?id=none", http.StatusNotFound)
	for _, format := range []string{"kubernetes", "calico", "calico-staged", "cluster"} {
		get("/api/v1/recommendations/download?format="+format, http.StatusOK)
	}
	get("/api/v1/recommendations/download?format=cilium", http.StatusBadRequest)

	post := func(path, body string, status int) {
		t.Helper()
		c.do(ask{method: http.MethodPost, path: path, body: body, status: status})
	}
	post("/api/v1/check", `{"from":"shop/web","to":"data/db","port":5432}`, http.StatusOK)
	post("/api/v1/check", `{"from":"shop/web","to":"data/db","port":"sql"}`, http.StatusOK)
	post("/api/v1/check", `{"from":"203.0.113.1","to":"data/db","port":5432,"protocol":"TCP"}`, http.StatusOK)
	post("/api/v1/check", `{"from":"203.0.113.1","to":"data/db","port":5432,"explain":true}`, http.StatusOK)
	post("/api/v1/replay", replayed(t, "podSelector: {}\n  policyTypes: [Ingress]"), http.StatusOK)
	contractOfAlerts(c)
	contractOfSinks(c)
	c.do(ask{method: http.MethodPost, path: "/api/v1/session", body: `{"token":"` + token + `"}`, header: map[string]string{"X-Netcinch": "test"}, status: http.StatusNoContent})
	c.do(ask{method: http.MethodDelete, path: "/api/v1/session", header: map[string]string{"X-Netcinch": "test"}, status: http.StatusNoContent})

	s.ready = false
	get("/readyz", http.StatusServiceUnavailable)
	get("/api/v1/status", http.StatusOK)
	for _, list := range lists {
		get("/api/v1/"+list, http.StatusServiceUnavailable)
	}
	c.complete()
}

// An empty cluster is answered in the same shapes: lists are lists, not null.
func TestContractEmpty(t *testing.T) {
	s := &source{ready: true}
	c := newContract(t, serve(t, s))
	for _, route := range []string{"status", "graph", "timeline", "workloads", "edges", "policies", "findings", "alerts", "recommendations", "coverage"} {
		body := c.do(ask{method: http.MethodGet, path: "/api/v1/" + route, status: http.StatusOK})
		if strings.Contains(string(body), "null") {
			t.Errorf("%s has a null: %s", route, body)
		}
	}
}

func replayed(t *testing.T, spec string) string {
	t.Helper()
	policy := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed, namespace: data}\nspec:\n  " + spec + "\n"
	body, err := json.Marshal(map[string]string{"policies": policy})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestBadRequestsNameTheParameter(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	for _, test := range []struct{ method, path, body, parameter string }{
		{"GET", "/api/v1/edges?cluster=prod", "", "cluster"},
		{"GET", "/api/v1/edges?namespace=shopp", "", "namespace"},
		{"GET", "/api/v1/edges?from=last+tuesday", "", "from"},
		{"GET", "/api/v1/edges?to=24h", "", "to"},
		{"GET", "/api/v1/edges?from=-1h&to=-3h", "", "from"},
		{"GET", "/api/v1/graph?level=pod", "", "level"},
		{"POST", "/api/v1/check", `{"from":"shop","to":"data/db","port":1}`, "from"},
		{"POST", "/api/v1/check", `{"from":"shop/web","to":"data/nothing","port":1}`, "to"},
		{"POST", "/api/v1/check", `{"from":"shop/web","to":"data/db","port":"http"}`, "port"},
		{"POST", "/api/v1/check", `{"from":"shop/web","to":"data/db","port":70000}`, "port"},
		{"POST", "/api/v1/check", `{"from":"shop/web","to":"data/db"}`, "port"},
		{"POST", "/api/v1/check", `{"from":"shop/web","to":"data/db","port":1,"protocol":"TPC"}`, "protocol"},
		{"POST", "/api/v1/check", `{"form":"shop/web"}`, "form"},
		{"POST", "/api/v1/replay", `{"policies":"kind: ["}`, "policies"},
		{"POST", "/api/v1/replay", `{}`, "policies"},
		{"POST", "/api/v1/replay", `{"remove":["networking.k8s.io/v1/NetworkPolicy/data/none"]}`, "remove"},
		{"GET", "/api/v1/edges?limit=0", "", "limit"},
		{"GET", "/api/v1/edges?limit=all", "", "limit"},
		{"GET", "/api/v1/edges?limit=5&cursor=?", "", "cursor"},
		{"GET", "/api/v1/edges?cursor=eyJvIjoxLCJsIjoieCJ9", "", "limit"},
		{"GET", "/api/v1/findings?kind=odd", "", "kind"},
		{"GET", "/api/v1/policies?brief=yes", "", "brief"},
		{"GET", "/api/v1/recommendations?format=cilium", "", "format"},
		{"GET", "/api/v1/recommendations/download?as=tar", "", "as"},
	} {
		body := c.do(ask{method: test.method, path: test.path, body: test.body, status: http.StatusBadRequest})
		p := into[struct{ Detail, Parameter string }](t, body)
		if p.Parameter != test.parameter || p.Detail == "" {
			t.Errorf("%s %s %s: parameter %q, want %q; detail %q", test.method, test.path, test.body, p.Parameter, test.parameter, p.Detail)
		}
	}
}

func TestGraph(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	g := into[struct {
		Nodes []struct{ ID, Kind, Label string }
		Edges []struct {
			Source, Target, State, Noise, PortText string
			Port                                   int
			Denied                                 bool
		}
	}](t, c.do(ask{method: "GET", path: "/api/v1/graph", status: 200}))
	got := map[string]string{}
	for _, e := range g.Edges {
		text := e.State
		if e.Denied {
			text += " denied"
		}
		if e.Noise != "" {
			text += " " + e.Noise
		}
		got[e.Source+" > "+e.Target+" "+strings.TrimSpace(e.PortText+" ")+itoa(e.Port)] = text
	}
	want := map[string]string{
		"outside:203.0.113.9 > workload:shop/Deployment/web 8080":           "allowed",
		"outside:2001:db8::9 > workload:shop/Deployment/web 8080":           "allowed",
		"workload:shop/Deployment/web > workload:shop/Deployment/cart 8080": "allowed",
		"workload:shop/Deployment/web > workload:shop/Deployment/cart 9102": "allowed scrape",
		"workload:shop/Deployment/web > node:node-1 53":                     "allowed dns",
		"node:node-1 > workload:shop/Deployment/web 8080":                   "allowed probe",
		"workload:shop/Deployment/web > workload:data/StatefulSet/db 5432":  "allowed",
		"workload:shop/Deployment/web > workload:data/StatefulSet/db 8008":  "unused",
		"workload:shop/Deployment/cart > workload:data/StatefulSet/db 5432": "unused",
		"workload:shop/Deployment/cart > workload:data/StatefulSet/db 8008": "unused",
		"workload:shop/Deployment/cart > outside:pay.example 443":           "allowed",
		"workload:shop/Deployment/cart > outside:198.51.100.7 4444":         "unseen",
		"outside:203.0.113.66 > workload:data/StatefulSet/db 5432":          "denied denied",
		"outside:198.51.100.0/24 > workload:data/StatefulSet/db 5432":       "unused",
	}
	for edge, state := range want {
		if got[edge] != state {
			t.Errorf("%s is %q, want %q", edge, got[edge], state)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d edges, want %d: %v", len(got), len(want), got)
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestFoldedGraphKeepsWhatStandsOut(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	g := into[struct {
		Level string
		Nodes []struct {
			ID      string
			Members int
		}
		Edges []struct {
			Source, Target, State string
			Count                 int
		}
	}](t, c.do(ask{method: "GET", path: "/api/v1/graph?level=namespace", status: 200}))
	members := map[string]int{}
	for _, n := range g.Nodes {
		members[n.ID] = n.Members
	}
	if members["namespace:shop"] != 2 || members["namespace:data"] != 1 {
		t.Errorf("nodes %v: want shop with 2 workloads and data with 1", members)
	}
	counts := map[string]int{}
	for _, e := range g.Edges {
		counts[e.Source+" > "+e.Target+" "+e.State] += e.Count
	}
	for edge, n := range map[string]int{"namespace:shop > namespace:data allowed": 1, "namespace:shop > namespace:data unused": 3, "namespace:shop > outside:198.51.100.7 unseen": 1} {
		if counts[edge] != n {
			t.Errorf("%s stands for %d edges, want %d: %v", edge, counts[edge], n, counts)
		}
	}
}

func TestEvidence(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	type evidence struct {
		Series []struct {
			Counters struct{ Connections int }
			Failed   int
		}
		Excerpts []struct {
			Direction string
			Lines     []struct {
				Text   string
				Marked bool
			}
		}
	}
	for _, e := range into[items](t, c.do(ask{method: "GET", path: "/api/v1/edges", status: 200})).Items {
		body := into[evidence](t, c.do(ask{method: "GET", path: "/api/v1/edges/" + e["id"].(string), status: 200}))
		total := 0
		for _, b := range body.Series {
			total += b.Counters.Connections
		}
		if want := int(e["counters"].(map[string]any)["connections"].(float64)); total != want {
			t.Errorf("%v: the series has %d connections, the edge %d", e["id"], total, want)
		}
		server, client := e["server"].(map[string]any), e["client"].(map[string]any)
		if server["name"] != "db" || client["name"] != "web" {
			continue
		}
		if len(body.Series) != 10 {
			t.Errorf("web → db: %d windows, want 10", len(body.Series))
		}
		marked := ""
		for _, l := range body.Excerpts[0].Lines {
			if l.Marked {
				marked = strings.TrimSpace(l.Text)
			}
		}
		if marked != "- port: 5432" {
			t.Errorf("web → db: the marked line is %q", marked)
		}
	}
}

func TestPoliciesShowUseOnTheirLines(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	list := into[struct {
		Items []struct {
			Ref        struct{ Name string }
			Manifest   string
			Selects    []string
			Allowances []struct {
				State, PortText string
				ManifestLine    int
			}
			Recommendation string
		}
	}](t, c.do(ask{method: "GET", path: "/api/v1/policies", status: 200}))
	found := map[string]string{}
	for _, p := range list.Items {
		if p.Ref.Name == "nobody" && len(p.Selects) != 0 {
			t.Errorf("nobody selects %v", p.Selects)
		}
		if p.Ref.Name != "db" {
			continue
		}
		if p.Recommendation == "" {
			t.Error("db has an unused port and no recommendation")
		}
		lines := strings.Split(p.Manifest, "\n")
		for _, a := range p.Allowances {
			found[strings.TrimSpace(lines[a.ManifestLine-1])+" "+a.PortText] += a.State + " "
		}
	}
	if found["- port: 8008 TCP 8008"] != "unused " {
		t.Errorf("use by line: %v; want port 8008 unused on its own line", found)
	}
}

func TestDownload(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	all := c.do(ask{method: "GET", path: "/api/v1/recommendations/download", status: 200})
	documents := strings.Split(string(all), "\n---\n")
	if len(documents) < 3 {
		t.Fatalf("%d documents in\n%s", len(documents)-1, all)
	}
	for _, text := range documents[1:] {
		o := map[string]any{}
		if err := yaml.UnmarshalStrict([]byte(text), &o); err != nil {
			t.Errorf("a document does not parse: %v\n%s", err, text)
		}
		if o["kind"] == nil || o["apiVersion"] == nil {
			t.Errorf("a document is no object:\n%s", text)
		}
	}
	one := into[items](t, c.do(ask{method: "GET", path: "/api/v1/recommendations?namespace=data", status: 200})).Items[0]
	body := c.do(ask{method: "GET", path: "/api/v1/recommendations/download?id=" + one["id"].(string), status: 200})
	if !strings.Contains(string(body), strings.TrimSpace(one["after"].(string))) {
		t.Errorf("the download is not the recommendation's manifest:\n%s", body)
	}
	trial := c.do(ask{method: "GET", path: "/api/v1/recommendations/download?format=calico-staged&id=" + one["id"].(string), status: 200})
	if !strings.Contains(string(trial), "\nkind: StagedKubernetesNetworkPolicy\n") || strings.Count(string(trial), "\n---\n") != 1 {
		t.Errorf("the trial of one recommendation is\n%s", trial)
	}
}

func TestReplaySaysWhatWouldBeCut(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	r := into[struct {
		DeniedConnections int
		Denied            []struct{ Server struct{ Name string } }
	}](t, c.do(ask{method: "POST", path: "/api/v1/replay", body: replayed(t, "podSelector: {}\n  policyTypes: [Egress]"), status: 200}))
	if r.DeniedConnections != 0 {
		t.Errorf("nothing leaves data, yet %d connections would be cut", r.DeniedConnections)
	}
	closed := `{"policies":"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db, namespace: data}\nspec: {podSelector: {}, policyTypes: [Ingress]}"}`
	r = into[struct {
		DeniedConnections int
		Denied            []struct{ Server struct{ Name string } }
	}](t, c.do(ask{method: "POST", path: "/api/v1/replay", body: closed, status: 200}))
	if r.DeniedConnections != 70 || len(r.Denied) != 1 || r.Denied[0].Server.Name != "db" {
		t.Errorf("closing db would cut %+v, want the 70 connections of shop/web", r)
	}
}

// What goes and what comes is told, whether anybody used it or not.
func TestReplaySaysExactlyWhatChanges(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	type outcome struct {
		DeniedConnections, AllowedConnections int
		Policies                              []struct {
			Ref    struct{ Name string }
			Effect string
		}
		Exact *struct {
			Added, Removed           []struct{ From, To, Ports string }
			AddedTotal, RemovedTotal int
		}
	}
	gone := into[outcome](t, c.do(ask{method: "POST", path: "/api/v1/replay", body: `{"remove":["networking.k8s.io/v1/NetworkPolicy/data/db"],"exact":true}`, status: 200}))
	if len(gone.Policies) != 1 || gone.Policies[0].Effect != "removes" || gone.Exact == nil || gone.Exact.AddedTotal == 0 || gone.Exact.RemovedTotal != 0 {
		t.Errorf("without the policy of db: %+v, want more allowed and nothing less", gone)
	}
	if gone.AllowedConnections != 70 || gone.DeniedConnections != 0 {
		t.Errorf("without the policy of db %d connections more pass and %d fewer; want the 70 from outside and none", gone.AllowedConnections, gone.DeniedConnections)
	}
	narrow := `{"exact":true,"policies":"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db, namespace: data}\nspec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: shop}}}], ports: [{port: 5432}]}]}"}`
	less := into[outcome](t, c.do(ask{method: "POST", path: "/api/v1/replay", body: narrow, status: 200}))
	if less.DeniedConnections != 0 || less.Policies[0].Effect != "replaces" || less.Exact.AddedTotal != 0 {
		t.Errorf("with an unused port less: %+v, want nothing denied and nothing opened", less)
	}
	found := false
	for _, cell := range less.Exact.Removed {
		found = found || strings.Contains(cell.From, "shop") && cell.Ports == "TCP 8008"
	}
	if !found {
		t.Errorf("port 8008 is not among what is no longer allowed: %+v", less.Exact.Removed)
	}
	if without := into[outcome](t, c.do(ask{method: "POST", path: "/api/v1/replay", body: strings.Replace(narrow, `"exact":true,`, "", 1), status: 200})); without.Exact != nil {
		t.Error("the exact comparison is there, and nobody asked for it")
	}
}
