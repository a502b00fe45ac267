// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/netcinch/netcinch/recommender/api"
)

// What is served is described, and what is described is served.
func TestEveryRouteIsDescribed(t *testing.T) {
	server := serve(t, newSource())
	doc := newContract(t, server).doc
	var described []string
	for path := range doc.Paths.Map() {
		described = append(described, path)
	}
	slices.Sort(described)
	if served := leaves(server.Routes()); !slices.Equal(served, described) {
		t.Errorf("served:    %v\ndescribed: %v", served, described)
	}
}

// leaves leaves out the prefix that the routes of the API share.
func leaves(paths []string) []string {
	return slices.DeleteFunc(paths, func(p string) bool { return p == "/api/v1" })
}

// Methods that are not described are refused, with the ones that are.
func TestOtherMethodsAreRefused(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	for path, item := range c.doc.Paths.Map() {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			if item.GetOperation(method) != nil {
				continue
			}
			w := send(c.server, method, origin+placed(path), "", map[string]string{"Authorization": "Bearer " + token})
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s: %d, Allow %q, %s", method, path, w.Code, w.Header().Get("Allow"), w.Header().Get("Content-Type"))
			}
		}
	}
}

func placed(path string) string {
	return strings.NewReplacer("{id}", "none", "{name}", "none").Replace(path)
}

// gets are the described GET routes that answer at once and look at the query.
func gets(doc *openapi3.T) map[string]*openapi3.Operation {
	out := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		if item.Get != nil && strings.HasPrefix(path, "/api/v1/") && !strings.HasSuffix(path, "/openapi.yaml") && !strings.HasSuffix(path, "/events") {
			out[path] = item.Get
		}
	}
	return out
}

// everywhere are the parameters that each route knows, whether they say
// anything there or not.
var everywhere = []string{"cluster", "namespace", "from", "to"}

func parametersOf(op *openapi3.Operation) []string {
	var names []string
	for _, p := range op.Parameters {
		if p.Value.In == "query" {
			names = append(names, p.Value.Name)
		}
	}
	return names
}

// Each parameter that is described is taken, and each other one is refused.
func TestEveryParameterIsDescribed(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	all := map[string]bool{"colour": true}
	for _, op := range gets(c.doc) {
		for _, name := range parametersOf(op) {
			all[name] = true
		}
	}
	for path, op := range gets(c.doc) {
		described := parametersOf(op)
		for name := range all {
			w := send(c.server, "GET", origin+placed(path)+"?"+name+"=%00", "", map[string]string{"Authorization": "Bearer " + token})
			refused := w.Code == http.StatusBadRequest && strings.Contains(w.Body.String(), "There is no parameter")
			known := slices.Contains(described, name) || slices.Contains(everywhere, name)
			if refused == known {
				t.Errorf("%s?%s: described %v, refused %v: %d %.120s", path, name, known, refused, w.Code, w.Body)
			}
		}
	}
}

// Every list and picture is compressed, and not sent again where it is known.
func TestAnswersAreShort(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	for path, op := range gets(c.doc) {
		header := map[string]string{"Authorization": "Bearer " + token, "Accept-Encoding": "gzip"}
		url := origin + placed(path)
		plain := send(c.server, "GET", url, "", map[string]string{"Authorization": "Bearer " + token})
		if plain.Code != http.StatusOK {
			continue
		}
		packed := send(c.server, "GET", url, "", header)
		if plain.Body.Len() > 2048 {
			if packed.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(strings.Join(packed.Header().Values("Vary"), ","), "Accept-Encoding") {
				t.Errorf("%s: %d bytes are not compressed: %v", path, plain.Body.Len(), packed.Header())
				continue
			}
			r, err := gzip.NewReader(packed.Body)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(r); err != nil || len(text) == 0 {
				t.Errorf("%s: what was compressed cannot be read: %v", path, err)
			}
		}
		if op.Responses.Status(http.StatusNotModified) == nil {
			continue
		}
		tag := packed.Header().Get("ETag")
		if again := c.do(ask{method: "GET", path: placed(path), header: map[string]string{"If-None-Match": tag}, status: http.StatusNotModified}); tag == "" || len(again) != 0 {
			t.Errorf("%s: ETag %q, and %d bytes again", path, tag, len(again))
		}
	}
	if len(c.seen) < 8 {
		t.Errorf("only %d routes know an ETag: %v", len(c.seen), c.seen)
	}
}

// A stream that comes back gets what it missed, and nothing twice.
func TestStreamsResume(t *testing.T) {
	server := serve(t, newSource())
	hub := server.Hub()
	for version := range uint64(4) {
		if err := hub.Send(api.EventView, api.ViewEvent{Cluster: "test", Version: version + 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, last string
		want       []string
	}{
		{"after the second", hub.ID(2), []string{hub.ID(3), hub.ID(4)}},
		{"after the last", hub.ID(4), nil},
		{"of another process", "other-2", []string{""}}, // one view event that says it all
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // it says what there is, and ends
		r := httptest.NewRequest(http.MethodGet, origin+"/api/v1/events", nil).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Last-Event-ID", test.last)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		var got []string
		id := ""
		for lines := bufio.NewScanner(w.Body); lines.Scan(); {
			switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
			case "id":
				id = value
			case "data":
				got = append(got, id)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got the events %q, want %q", test.name, got, test.want)
		}
	}
}

// Whatever goes wrong is a problem with words, never an empty page or HTML.
func TestEveryErrorIsAProblem(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Security != nil && len(*op.Security) == 0 {
				continue // open to all
			}
			body := c.do(ask{method: method, path: placed(path), header: map[string]string{"Authorization": "Bearer wrong"}, status: http.StatusUnauthorized})
			p := into[struct{ Title, Detail string }](t, body)
			if p.Title == "" || p.Detail == "" {
				t.Errorf("%s %s: the problem says nothing: %s", method, path, body)
			}
			if method == http.MethodPost {
				c.do(ask{method: method, path: placed(path) + "?cluster=" + url.QueryEscape("no such"), body: `{}`, status: http.StatusBadRequest})
			}
		}
	}
}
