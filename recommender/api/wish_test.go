// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/recommend"
)

// TestWishes: what is wished for is what is made, within the description.
func TestWishes(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	list := func(query string) []recommend.Recommendation {
		var body struct{ Items []recommend.Recommendation }
		if err := json.Unmarshal(c.do(ask{method: "GET", path: "/api/v1/recommendations" + query, status: http.StatusOK}), &body); err != nil {
			t.Fatal(err)
		}
		return body.Items
	}
	usual := list("")
	companions := 0
	for _, r := range list("?defaultDeny=true") {
		if r.Companion {
			companions++
			if r.Withheld == "" && (!strings.Contains(r.After, "podSelector: {}") || !r.Proof.Holds) {
				t.Errorf("%s: %+v\n%s", r.Title, r.Proof.Statements, r.After)
			}
		}
	}
	if companions == 0 {
		t.Error("no default deny is offered or withheld")
	}
	for _, r := range usual {
		if r.Companion {
			t.Errorf("%s was not asked for", r.Title)
		}
	}
	for _, r := range list("?direction=egress&format=calico") {
		if r.Kind == recommend.KindNew && strings.Contains(r.After, "\n  ingress:") {
			t.Errorf("%s has ingress\n%s", r.Title, r.After)
		}
	}
	for _, r := range list("?allowExtra=2") {
		if r.Proof.ExtraTotal > 2 {
			t.Errorf("%s: %d pairs beyond what was seen", r.Title, r.Proof.ExtraTotal)
		}
	}
	if one := list("?workload=data/db"); len(one) == 0 || len(one) >= len(usual) {
		t.Errorf("of one workload: %d of %d", len(one), len(usual))
	}
	for parameter, value := range map[string]string{"direction": "sideways", "allowExtra": "-1", "defaultDeny": "perhaps", "order": "first"} {
		body := c.do(ask{method: "GET", path: "/api/v1/recommendations?" + url.Values{parameter: {value}}.Encode(), status: http.StatusBadRequest})
		if p := into[struct{ Parameter string }](t, body); p.Parameter != parameter {
			t.Errorf("%s=%s: the problem is about %q", parameter, value, p.Parameter)
		}
	}
	c.do(ask{method: "GET", path: "/api/v1/recommendations?format=calico&tier=nowhere", status: http.StatusBadRequest})
}

// TestReplayAgainst: two sets of policies on the same history, and the readiness
// of whom it is about.
func TestReplayAgainst(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	const deny = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db, namespace: data}\nspec: {podSelector: {}}\n"
	ask1 := func(body map[string]any) recommend.ReplayReport {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return into[recommend.ReplayReport](t, c.do(ask{method: "POST", path: "/api/v1/replay", body: string(text), status: http.StatusOK}))
	}
	now, against := ask1(map[string]any{"policies": deny}), ask1(map[string]any{"policies": deny, "against": deny})
	if len(now.Denied) == 0 || len(against.Denied) > 0 || len(now.Readiness) == 0 {
		t.Errorf("%d denied, against itself %d; %d states", len(now.Denied), len(against.Denied), len(now.Readiness))
	}
	if alone := ask1(map[string]any{"policies": deny, "alone": true}); len(alone.Denied) < len(now.Denied) {
		t.Errorf("alone %d denied, beside the others %d", len(alone.Denied), len(now.Denied))
	}
	c.do(ask{method: "POST", path: "/api/v1/replay", body: `{"policies":` + quoted(t, deny) + `,"against":"kind: ["}`, status: http.StatusBadRequest})
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	out, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
