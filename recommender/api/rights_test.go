// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/auth"
	"github.com/netcinch/netcinch/recommender/flow"
)

// member is a person with rights in some namespaces.
type member struct {
	rights auth.Rights
	decide bool
	err    error
}

func (member) Name() string { return "jane" }

func (m member) Rights(context.Context, string, []string) (auth.Rights, error) {
	return m.rights, m.err
}

func (m member) MayDecide(context.Context, string, string) (bool, error) { return m.decide, m.err }

func (m member) MayScrape(context.Context) (bool, error) { return m.rights.Cluster, m.err }

// town knows people by their tokens.
type town map[string]member

func (t town) Person(_ context.Context, token string) (api.Person, error) {
	switch m, ok := t[token]; {
	case token == "down":
		return nil, errors.New("connection refused")
	case !ok:
		return nil, api.ErrStranger
	default:
		return m, nil
	}
}

func sees(namespaces ...string) member {
	r := auth.Rights{Namespaces: map[string]bool{}}
	for _, n := range namespaces {
		r.Namespaces[n] = true
	}
	return member{rights: r}
}

var people = town{"shop": sees("shop"), "vault": sees("vaultns"), "nothing": sees("elsewhere"), "all": {rights: auth.All()}, "broken": {err: errors.New("no answer")}}

// secrets are in the world of these tests, and for nobody who sees shop alone:
// another namespace, the nodes, a policy of the whole cluster, another cluster.
var secrets = []string{
	"vaultns", "ledger", "worker-x1", "192.0.2.10", "2001:db8:f::10", "fleet-guard", "198.51.100.0/24", "farcluster", "10.9.8.7", "/bin/ledgerd", "8008",
}

// newVault is the shop whose database is nobody's business.
func newVault() *source {
	s := newSource()
	rename := strings.NewReplacer("namespace: data", "namespace: vaultns", "name: data", "name: vaultns", "name: db", "name: ledger", "app: db", "app: ledger", "node-1", "worker-x1")
	s.text = rename.Replace(manifests) + `---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: fleet-guard}
spec:
  selector: app == "cart"
  types: [Egress]
  egress: [{action: Deny, protocol: TCP, destination: {ports: [4444]}}, {action: Allow}]
---
apiVersion: v1
kind: Pod
metadata: {name: ledger-0, namespace: vaultns, labels: {app: ledger}}
spec: {nodeName: worker-x1, containers: [{name: c}]}
status: {podIP: 10.9.8.7, podIPs: [{ip: 10.9.8.7}], phase: Running}
`
	for i := range s.records {
		for _, end := range []*flow.Endpoint{&s.records[i].Edge.Client, &s.records[i].Edge.Server} {
			if end.Workload.Name == "db" {
				end.Workload.Namespace, end.Workload.Name, end.Process = "vaultns", "ledger", "/bin/ledgerd"
			}
			if end.Node != "" {
				end.Node = "worker-x1"
			}
		}
	}
	more := s.records[0]
	more.Edge.Client = workload("vaultns", "StatefulSet", "ledger")
	more.Edge.Client.Process = "/bin/ledgerd"
	more.Edge.Server = workload("shop", "Deployment", "cart")
	far := more
	far.Edge.Client = outside("203.0.113.77", "")
	far.Edge.Client.Elsewhere = "farcluster/payroll"
	inner := more
	inner.Edge.Server = flow.Endpoint{IP: netip.MustParseAddr("198.51.100.99")}
	late := s.records[len(s.records)-1] // in the last hour: it raises an alert
	late.Edge.Client, late.Edge.Server = workload("shop", "Deployment", "cart"), workload("vaultns", "StatefulSet", "ledger")
	late.Edge.Port = 5432
	s.records = append(s.records, more, far, inner, late)
	s.nodes[0].Node = "worker-x1"
	s.failure = "reading vaultns/ledger"
	return s
}

func serveTown(t *testing.T, s *source) *api.Server {
	t.Helper()
	server, err := api.New(api.Options{Source: s, Alerts: s, People: people, Now: time.Now, Metrics: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// asked are requests to every route, more than one where they show different
// things. A route that is added must be added here.
func asked(t *testing.T, server *api.Server) map[string][]string {
	t.Helper()
	ids := map[string]string{}
	for _, list := range []string{"edges", "recommendations", "policies", "findings", "alerts"} {
		for _, one := range into[items](t, send(server, "GET", origin+"/api/v1/"+list, "", bearer("shop")).Body.Bytes()).Items {
			ids[list] = fmt.Sprint(one["id"])
		}
	}
	gets := func(path string, queries ...string) (list []string) {
		for _, q := range append(queries, "", "?namespace=shop", "?namespace=vaultns", "?from=-2h") {
			list = append(list, "GET "+path+q)
		}
		return list
	}
	v := "/api/v1"
	return map[string][]string{
		"/healthz": {"GET /healthz"}, "/readyz": {"GET /readyz"}, "/metrics": {"GET /metrics"},
		v + "/openapi.yaml":             {"GET " + v + "/openapi.yaml"},
		v + "/session":                  {"POST " + v + `/session {"token":"shop"}`},
		v + "/events":                   {"GET " + v + "/events"},
		v + "/status":                   {"GET " + v + "/status"},
		v + "/coverage":                 {"GET " + v + "/coverage"},
		v + "/graph":                    gets(v+"/graph", "?level=namespace", "?level=workload", "?level=workload&pods=workload:shop/Deployment/web", "?level=namespace&open=vaultns", "?q=ledger", "?beforeFrom=-9h&beforeTo=-1h&from=-1h"),
		v + "/timeline":                 gets(v + "/timeline"),
		v + "/workloads":                gets(v + "/workloads"),
		v + "/edges":                    gets(v+"/edges", "?q=vaultns", "?q=ip:10.9.8.7", "?q=port:5432"),
		v + "/edges/{id}":               {"GET " + v + "/edges/" + ids["edges"]},
		v + "/policies":                 gets(v+"/policies", "?brief=true", "?q=ledger"),
		v + "/findings":                 gets(v+"/findings", "?q=ledger"),
		v + "/alerts":                   gets(v+"/alerts", "?status=firing", "?q=ledger"),
		v + "/alerts/{id}":              {"GET " + v + "/alerts/" + ids["alerts"]},
		v + "/alerts/{id}/accept":       {"POST " + v + "/alerts/" + ids["alerts"] + `/accept {"reason":"planned"}`},
		v + "/alerts/{id}/reject":       {"POST " + v + "/alerts/" + ids["alerts"] + `/reject {"reason":"nobody knows it"}`},
		v + "/alerts/{id}/reopen":       {"POST " + v + "/alerts/" + ids["alerts"] + `/reopen {"reason":"a mistake"}`},
		v + "/silences":                 {"GET " + v + "/silences", "POST " + v + `/silences {"namespace":"vaultns","reason":"upkeep","until":"2099-01-01T00:00:00Z"}`},
		v + "/silences/{id}/end":        {"POST " + v + `/silences/none/end {"reason":"done"}`},
		v + "/baselines":                gets(v + "/baselines"),
		v + "/baselines/file":           {"GET " + v + "/baselines/file", "POST " + v + `/baselines/file {"file":"schema: netcinch.baseline/v1\ncluster: test\nworkloads: [{workload: vaultns/StatefulSet/ledger}]","reason":"x"}`},
		v + "/decisions":                {"GET " + v + "/decisions"},
		v + "/sinks":                    gets(v + "/sinks"),
		v + "/sinks/{name}/test":        {"POST " + v + "/sinks/none/test"},
		v + "/recommendations":          gets(v+"/recommendations", "?format=calico", "?brief=true", "?q=ledger"),
		v + "/recommendations/download": gets(v+"/recommendations/download", "?id="+ids["recommendations"], "?format=cluster"),
		v + "/replay":                   {"POST " + v + "/replay " + replayed(t, "podSelector: {}\n  policyTypes: [Egress]")},
		v + "/check": {
			"POST " + v + `/check {"from":"shop/cart","to":"198.51.100.7","port":4444,"explain":true}`,
			"POST " + v + `/check {"from":"shop/web","to":"10.9.8.7","port":5432,"explain":true}`,
			"POST " + v + `/check {"from":"shop/web","to":"shop/cart","port":8080,"explain":true}`,
		},
	}
}

func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token}
}

func ring(server http.Handler, request, token string) *httptest.ResponseRecorder {
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	header := map[string]string{"X-Netcinch": "test"}
	if token != "" {
		header["Authorization"] = "Bearer " + token
	}
	if body != "" {
		header["Content-Type"] = "application/json"
	}
	r := httptest.NewRequest(method, origin+path, strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	if strings.HasSuffix(path, "/events") {
		ctx, cancel := context.WithCancel(r.Context())
		cancel() // it says what there is and ends
		r = r.WithContext(ctx)
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return w
}

// Every route that there is asks who comes, and none tells of what the caller
// may not see.
func TestEveryRouteShowsWhatTheCallerMaySee(t *testing.T) {
	server := serveTown(t, newVault())
	table := asked(t, server)
	open := []string{"/healthz", "/readyz", "/api/v1/openapi.yaml", "/api/v1/session"}
	for _, path := range server.Routes() {
		requests, ok := table[path]
		if !ok && path != "/api/v1" {
			t.Errorf("%s is not in this test: say how it is asked", path)
		}
		for _, request := range requests {
			if w := ring(server, request, ""); !slices.Contains(open, path) && w.Code != http.StatusUnauthorized {
				t.Errorf("%s without a token: %d, want 401", request, w.Code)
			}
			for token, want := range map[string]int{"stranger": 401, "nothing": 403, "broken": 503, "down": 503} {
				if w := ring(server, request, token); !slices.Contains(open, path) && w.Code != want && w.Code != 400 {
					t.Errorf("%s as %s: %d, want %d: %.200s", request, token, w.Code, want, w.Body)
				}
			}
			w := ring(server, request, "shop")
			for _, secret := range secrets {
				if told := strings.ReplaceAll(w.Body.String(), `no namespace \"vaultns\"`, ""); path != "/api/v1/openapi.yaml" && strings.Contains(told, secret) {
					at := strings.Index(told, secret)
					t.Errorf("%s tells %q: …%s…", request, secret, told[max(0, at-160):min(len(told), at+60)])
				}
			}
		}
	}
}

// The test above proves something only if the others are told.
func TestWhoMaySeeItIsTold(t *testing.T) {
	server := serveTown(t, newVault())
	var all strings.Builder
	for _, requests := range asked(t, server) {
		for _, request := range requests {
			all.WriteString(ring(server, request, "all").Body.String())
		}
	}
	for _, secret := range secrets {
		if secret != "10.9.8.7" && !strings.Contains(all.String(), secret) {
			t.Errorf("nobody is told %q: it is not in these tests' world", secret)
		}
	}
	edges := into[items](t, ring(server, "GET /api/v1/edges", "shop").Body.Bytes()).Items
	if len(edges) < 5 {
		t.Errorf("shop sees %d edges of its own", len(edges))
	}
	text, err := json.Marshal(edges)
	if err != nil || !strings.Contains(string(text), "(hidden)") {
		t.Errorf("that somebody hidden is at the other end is not told: %s %v", text, err)
	}
	if w := ring(server, "GET /api/v1/workloads", "vault"); !strings.Contains(w.Body.String(), "ledger") || strings.Contains(w.Body.String(), `"cart"`) {
		t.Errorf("vault is shown %s", w.Body)
	}
}

// A name that is hidden is answered as one that is not there.
func TestHiddenNamesLookLikeNone(t *testing.T) {
	server := serveTown(t, newVault())
	for _, request := range []string{
		"GET /api/v1/edges?namespace=NAME", "GET /api/v1/graph?namespace=NAME",
		`POST /api/v1/check {"from":"shop/web","to":"NAME/x","port":5432}`,
	} {
		there := ring(server, strings.ReplaceAll(request, "NAME", "vaultns"), "shop")
		none := ring(server, strings.ReplaceAll(request, "NAME", "nowhere"), "shop")
		if there.Code != none.Code || strings.ReplaceAll(there.Body.String(), "vaultns", "nowhere") != none.Body.String() {
			t.Errorf("%s: %d %s, of a name that is not there %d %s", request, there.Code, there.Body, none.Code, none.Body)
		}
	}
}

// Answers of one are never another's, from no cache.
func TestAnswersAreKeptApart(t *testing.T) {
	server := serveTown(t, newVault())
	tags := map[string]bool{}
	for _, token := range []string{"shop", "vault", "all"} {
		w := ring(server, "GET /api/v1/edges", token)
		tags[w.Header().Get("ETag")] = true
		if v := strings.Join(w.Header().Values("Vary"), ", "); !strings.Contains(v, "Authorization") || !strings.Contains(v, "Cookie") {
			t.Errorf("Vary is %q", v)
		}
	}
	if len(tags) != 3 {
		t.Errorf("%d different tags for three with different rights", len(tags))
	}
}

// Events are told as far as they may be seen, and what no one said who may see
// it to those alone who see everything.
func TestEventsFollowRights(t *testing.T) {
	s := newVault()
	server := serveTown(t, s)
	view, err := s.View(t.Context(), api.Span{})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Hub().Send(api.EventView, api.ViewEventOf(view)); err != nil {
		t.Fatal(err)
	}
	for _, one := range s.Keeper("").Alerts() {
		if err := server.Hub().Send(api.EventAlert, api.AlertChange{Alert: one}); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Hub().Send("new-kind", map[string]string{"text": "something"}); err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]bool{"all": true, "shop": false} {
		stream := listen(t, server, token)
		for _, secret := range secrets {
			if !want && strings.Contains(stream, secret) {
				t.Errorf("%s is told %q: %s", token, secret, stream)
			}
		}
		if strings.Contains(stream, "new-kind") != want || strings.Contains(stream, "ledger") != want {
			t.Errorf("%s hears %s", token, stream)
		}
		if !strings.Contains(stream, "event: alert") {
			t.Errorf("%s hears of no alert: %s", token, stream)
		}
	}
}

// listen gives what a stream says that comes back after the first event.
func listen(t *testing.T, server *api.Server, token string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, origin+"/api/v1/events", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Last-Event-ID", server.Hub().ID(1))
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r.WithContext(ctx))
	return w.Body.String()
}

// A session stands for its person, ends with them, and is over when they leave.
func TestSessionsOfPeople(t *testing.T) {
	server := serveTown(t, newVault())
	login := ring(server, `POST /api/v1/session {"token":"shop"}`, "")
	if login.Code != http.StatusNoContent || len(login.Result().Cookies()) != 1 {
		t.Fatalf("%d %s", login.Code, login.Body)
	}
	cookie := login.Result().Cookies()[0]
	if strings.Contains(cookie.Value, "shop") || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.MaxAge > 13*3600 {
		t.Errorf("the cookie is %+v", cookie)
	}
	session := map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}
	get := func() int { return send(server, "GET", origin+"/api/v1/edges", "", session).Code }
	if code := get(); code != http.StatusOK {
		t.Errorf("with the session: %d", code)
	}
	gone := people["shop"]
	delete(people, "shop")
	if code := get(); code != http.StatusUnauthorized {
		t.Errorf("after the token was withdrawn: %d, want 401", code)
	}
	people["shop"] = gone
	session["X-Netcinch"] = "page"
	if w := send(server, "DELETE", origin+"/api/v1/session", "", session); w.Code != http.StatusNoContent {
		t.Fatal(w.Code)
	}
	if code := get(); code != http.StatusUnauthorized {
		t.Errorf("after logging out: %d, want 401", code)
	}
	if w := ring(server, `POST /api/v1/session {"token":"stranger"}`, ""); w.Code != http.StatusUnauthorized || len(w.Result().Cookies()) != 0 {
		t.Errorf("a stranger: %d", w.Code)
	}
}

// One who asks without end is slowed down, and nobody else.
func TestRequestsAreLimited(t *testing.T) {
	now := time.Now()
	server, err := api.New(api.Options{Source: newVault(), People: people, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	codes := map[int]int{}
	for range 1100 {
		codes[ring(server, "GET /api/v1/status", "shop").Code]++
	}
	if codes[http.StatusOK] != 1000 || codes[http.StatusTooManyRequests] != 100 {
		t.Errorf("answers: %v", codes)
	}
	now = now.Add(time.Second)
	if w := ring(server, "GET /api/v1/status", "shop"); w.Code != http.StatusOK {
		t.Errorf("a second later: %d", w.Code)
	}
}
