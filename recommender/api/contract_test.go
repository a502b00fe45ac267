// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// contract holds requests and answers against openapi.yaml.
type contract struct {
	t      *testing.T
	doc    *openapi3.T
	router routers.Router
	server http.Handler
	seen   map[string]map[int]bool // operation → statuses answered
}

func newContract(t *testing.T, server http.Handler) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatalf("reading openapi.yaml: %v", err)
	}
	if err = doc.Validate(context.Background()); err != nil {
		t.Fatalf("openapi.yaml is not valid: %v", err)
	}
	openapi3filter.RegisterBodyDecoder("application/problem+json", openapi3filter.JSONBodyDecoder)
	for _, kind := range []string{"text/event-stream", "application/yaml"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.FileBodyDecoder)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &contract{t: t, doc: doc, router: router, server: server, seen: map[string]map[int]bool{}}
}

type ask struct {
	method, path, body string
	header             map[string]string
	status             int
}

// do sends one request and checks the answer against the description; it
// gives the body.
func (c *contract) do(a ask) []byte {
	c.t.Helper()
	r := httptest.NewRequest(a.method, "http://127.0.0.1:8080"+a.path, strings.NewReader(a.body))
	if a.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for name, value := range a.header {
		r.Header.Set(name, value)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	w := httptest.NewRecorder()
	if strings.HasSuffix(r.URL.Path, "/events") {
		cancel() // the stream says what there is and ends
	}
	c.server.ServeHTTP(w, r.WithContext(ctx))
	if w.Code != a.status {
		c.t.Fatalf("%s %s: status %d, want %d: %s", a.method, a.path, w.Code, a.status, w.Body)
	}
	c.check(r, w)
	return w.Body.Bytes()
}

func (c *contract) check(r *http.Request, w *httptest.ResponseRecorder) {
	c.t.Helper()
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		c.t.Fatalf("%s %s is not described: %v", r.Method, r.URL, err)
	}
	id := route.Operation.OperationID
	if c.seen[id] == nil {
		c.seen[id] = map[int]bool{}
	}
	c.seen[id][w.Code] = true
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true}
	input := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	body := w.Body.Bytes()
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(body)), Options: options,
	})
	if err != nil {
		c.t.Errorf("%s %s answers otherwise than described: %v\n%.2000s", r.Method, r.URL, err, body)
	}
}

// complete fails for described operations that no request of the test reached.
func (c *contract) complete() {
	c.t.Helper()
	var missing []string
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if len(c.seen[op.OperationID]) == 0 {
				missing = append(missing, method+" "+path)
			}
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		c.t.Errorf("described and not tried: %s", strings.Join(missing, ", "))
	}
}
