// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// What is wrong is named in the API's words, not in those of a parser.
func TestWrongInputIsNamed(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	for _, test := range []struct {
		method, path, body string
		status             int
		parameter, detail  string
	}{
		{http.MethodGet, "/api/v1/graph?bogus=1", "", http.StatusBadRequest, "bogus", "cluster, namespace, from, to, level, open"},
		{http.MethodGet, "/api/v1/findings?namespce=data", "", http.StatusBadRequest, "namespce", "cluster, namespace, from, to"},
		{http.MethodGet, "/api/v1/edges?level=auto", "", http.StatusBadRequest, "level", "There is no parameter"},
		{http.MethodPost, "/api/v1/check?bogus=1", `{}`, http.StatusBadRequest, "bogus", "There is no parameter"},
		{http.MethodPost, "/api/v1/check", `{"form":"shop/web"}`, http.StatusBadRequest, "form", `There is no field "form"`},
		{http.MethodPost, "/api/v1/check", `{"from":3}`, http.StatusBadRequest, "from", "A number is not what is wanted"},
		{http.MethodPost, "/api/v1/check", `{"port":[]}`, http.StatusBadRequest, "port", "want a number or a name"},
		{http.MethodPost, "/api/v1/check", `{"from"`, http.StatusBadRequest, "body", "breaks off"},
		{http.MethodPost, "/api/v1/check", `{]`, http.StatusBadRequest, "body", "byte 2"},
		{http.MethodPost, "/api/v1/replay", `{"policies":"` + strings.Repeat("x", 5<<20) + `"}`, http.StatusRequestEntityTooLarge, "", "more than the 4194304 bytes"},
	} {
		t.Run(test.path+" "+test.body[:min(len(test.body), 20)], func(t *testing.T) {
			body := c.do(ask{method: test.method, path: test.path, body: test.body, status: test.status})
			p := into[struct{ Parameter, Detail string }](t, body)
			if p.Parameter != test.parameter || !strings.Contains(p.Detail, test.detail) || strings.Contains(p.Detail, "json:") {
				t.Errorf("got %+v, want %q at %q", p, test.detail, test.parameter)
			}
		})
	}
}
