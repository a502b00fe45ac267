// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/netcinch/netcinch/recommender/auth"
)

// Options say what a Server works with.
type Options struct {
	Source Source // required
	Alerts Alerts // nil for none
	// Delivery tells alerts to sinks; nil where they are told to nobody.
	Delivery Delivery
	Token    string           // lets people and scripts in, and see everything; needed without People
	People   People           // knows whose other tokens are; nil for nobody's
	Page     fs.FS            // the built page; nil for none
	Hosts    []string         // names that the page is opened by, beside addresses and localhost
	Metrics  http.Handler     // answers /metrics; nil for none
	Now      func() time.Time // required
	Log      *slog.Logger     // nil discards
	// Register takes the counters of who was turned away; nil for nobody.
	Register prometheus.Registerer
}

// Server answers the page's port.
type Server struct {
	source   Source   // what each caller may see of it
	gate     *gate    // the same
	alertsOf Alerts   // nil for none
	delivery Delivery // nil for none
	people   People
	sessions *sessions
	token    string
	files    fs.FS
	hosts    []string
	now      func() time.Time
	log      *slog.Logger
	attempts *auth.Limits // to open a session, by address
	requests *auth.Limits // by person and address
	wrong    *auth.Limits // tokens, by address
	quiet    *auth.Limits // of refusals in the log, by address
	refused  *prometheus.CounterVec
	hub      *Hub
	formats  formats
	router   http.Handler
}

type handler func(w http.ResponseWriter, r *http.Request) error

// New gives a server; the error says which option is missing.
func New(o Options) (*Server, error) {
	switch {
	case o.Source == nil:
		return nil, errors.New("api: no source given")
	case o.Token == "" && o.People == nil:
		return nil, errors.New("api: nobody is let in: give a token or who knows people's")
	case o.Token != "" && len(o.Token) < 16:
		return nil, errors.New("api: the page's token is shorter than 16 characters")
	case o.Now == nil:
		return nil, errors.New("api: no clock given")
	}
	s := &Server{
		gate: &gate{source: o.Source}, alertsOf: o.Alerts, delivery: o.Delivery, people: o.People, sessions: newSessions(), token: o.Token, files: o.Page, now: o.Now, log: o.Log,
		attempts: auth.NewLimits(5, 10, o.Now), requests: auth.NewLimits(200, 1000, o.Now), wrong: auth.NewLimits(5, 50, o.Now), quiet: auth.NewLimits(0.1, 3, o.Now),
		hub: newHub(),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netcinch_api_refusals_total", Help: "Requests that were turned away before any route, by status: 401 no or a wrong token, 403 no right, 421 a foreign name, 429 too many.",
		}, []string{"status"}),
	}
	s.source = s.gate
	if o.Register != nil {
		if err := o.Register.Register(s.refused); err != nil {
			return nil, fmt.Errorf("registering the metrics of the API: %w", err)
		}
	}
	for _, h := range o.Hosts {
		s.hosts = append(s.hosts, strings.ToLower(h))
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.files == nil {
		s.files = emptyFS{}
	}
	s.router = s.routes(o.Metrics)
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// Hub is where the streams' events come from.
func (s *Server) Hub() *Hub { return s.hub }

func (s *Server) routes(metrics http.Handler) http.Handler {
	m := mux.NewRouter()
	m.Use(headers)
	read := []string{http.MethodGet, http.MethodHead}
	m.Handle("/healthz", s.only(s.handle(s.health), read...))
	m.Handle("/readyz", s.only(s.handle(s.ready), read...))
	if metrics != nil {
		m.Handle("/metrics", s.only(s.scrape(metrics), read...))
	}
	a := m.PathPrefix("/api/v1").Subrouter()
	a.Handle("/session", s.only(s.handle(s.session), http.MethodPost, http.MethodDelete))
	a.Handle("/openapi.yaml", s.only(s.handle(s.description), read...))
	a.Handle("/events", s.only(s.guard(s.handle(s.events)), http.MethodGet))
	for path, h := range map[string]handler{
		"/status": s.status, "/graph": s.graph, "/timeline": s.timeline, "/workloads": s.workloads, "/edges": s.edges, "/edges/{id}": s.edge,
		"/policies": s.policies, "/findings": s.findings, "/alerts": s.alerts, "/recommendations": s.recommendations,
		"/recommendations/download": s.download, "/coverage": s.coverage,
	} {
		a.Handle(path, s.only(s.guard(gzhttp.GzipHandler(s.handle(h))), read...))
	}
	for path, h := range map[string]handler{"/replay": s.replay, "/check": s.check} {
		a.Handle(path, s.only(s.guard(gzhttp.GzipHandler(s.handle(h))), http.MethodPost))
	}
	s.alertRoutes(a)
	s.sinkRoutes(a)
	missing := headers(s.handle(func(_ http.ResponseWriter, r *http.Request) error {
		return problemf(http.StatusNotFound, "There is no route %s; /api/v1/openapi.yaml describes those that there are.", r.URL.Path)
	}))
	a.NotFoundHandler = missing
	page := headers(gzhttp.GzipHandler(s.handle(s.page)))
	// What is no route is the page.
	m.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			missing.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
	return m
}

// only lets through the methods that a route is for. (mux has such a matcher,
// but forgets a mismatch when a later route matches in part.)
func (s *Server) only(next http.Handler, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(methods, r.Method) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		s.fail(w, r, problemf(http.StatusMethodNotAllowed, "Method %s is not for %s; it takes %s.", r.Method, r.URL.Path, strings.Join(methods, ", ")))
	})
}

// handle turns a handler's error into a problem.
func (s *Server) handle(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// answer writes a body of a view, or nothing where the caller has it already.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, v *View, body any) error {
	return s.answerLazily(w, r, v.Key, func() any { return body })
}

// answerLazily is answer for a body that costs something to make.
func (s *Server) answerLazily(w http.ResponseWriter, r *http.Request, key string, body func() any) error {
	tag := `W/"` + key + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Add("Vary", "Cookie, Authorization")
	for known := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimSpace(known) == tag {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	return s.json(w, r, body())
}

func (s *Server) json(w http.ResponseWriter, r *http.Request, body any) error {
	text, err := json.Marshal(filled(veilOf(r.Context()).mask(body)))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	s.write(w, r, text)
	return nil
}

func (s *Server) description(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	s.write(w, r, Description)
	return nil
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	s.write(w, r, []byte("ok\n"))
	return nil
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	if err := s.gate.ready(r.Context()); err != nil {
		return err
	}
	return s.health(w, r)
}

type emptyFS struct{}

func (emptyFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
