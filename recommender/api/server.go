// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/klauspost/compress/gzhttp"
	"golang.org/x/time/rate"
)

// Options say what a Server works with.
type Options struct {
	Source  Source           // required
	Token   string           // required: lets people and scripts in
	Page    fs.FS            // the built page; nil for none
	Hosts   []string         // names that the page is opened by, beside addresses and localhost
	Metrics http.Handler     // answers /metrics; nil for none
	Now     func() time.Time // required
	Log     *slog.Logger     // nil discards
}

// Server answers the page's port.
type Server struct {
	source   Source
	token    string
	files    fs.FS
	hosts    []string
	now      func() time.Time
	log      *slog.Logger
	attempts *rate.Limiter
	hub      *Hub
	router   http.Handler
}

type handler func(w http.ResponseWriter, r *http.Request) error

// New gives a server; the error says which option is missing.
func New(o Options) (*Server, error) {
	switch {
	case o.Source == nil:
		return nil, errors.New("api: no source given")
	case len(o.Token) < 16:
		return nil, errors.New("api: the page's token is shorter than 16 characters")
	case o.Now == nil:
		return nil, errors.New("api: no clock given")
	}
	s := &Server{
		source: o.Source, token: o.Token, files: o.Page, now: o.Now, log: o.Log,
		attempts: rate.NewLimiter(5, 10), hub: newHub(),
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
	m.Handle("/healthz", s.handle(s.health)).Methods(http.MethodGet, http.MethodHead)
	m.Handle("/readyz", s.handle(s.ready)).Methods(http.MethodGet, http.MethodHead)
	if metrics != nil {
		m.Handle("/metrics", s.guard(metrics)).Methods(http.MethodGet)
	}
	a := m.PathPrefix("/api/v1").Subrouter()
	a.Handle("/session", s.handle(s.openSession)).Methods(http.MethodPost)
	a.Handle("/session", s.handle(s.closeSession)).Methods(http.MethodDelete)
	a.Handle("/openapi.yaml", s.handle(s.description)).Methods(http.MethodGet)
	a.Handle("/events", s.guard(s.handle(s.events))).Methods(http.MethodGet)
	for path, h := range map[string]handler{
		"/status": s.status, "/graph": s.graph, "/workloads": s.workloads, "/edges": s.edges, "/edges/{id}": s.edge,
		"/policies": s.policies, "/findings": s.findings, "/alerts": s.alerts, "/recommendations": s.recommendations,
		"/recommendations/download": s.download, "/coverage": s.coverage,
	} {
		a.Handle(path, s.guard(gzhttp.GzipHandler(s.handle(h)))).Methods(http.MethodGet, http.MethodHead)
	}
	a.Handle("/replay", s.guard(gzhttp.GzipHandler(s.handle(s.replay)))).Methods(http.MethodPost)
	a.Handle("/check", s.guard(s.handle(s.check))).Methods(http.MethodPost)
	missing := s.handle(func(_ http.ResponseWriter, r *http.Request) error {
		return problemf(http.StatusNotFound, "There is no route %s; /api/v1/openapi.yaml describes those that there are.", r.URL.Path)
	})
	a.NotFoundHandler = headers(missing)
	m.PathPrefix("/api/").Handler(missing)
	m.MethodNotAllowedHandler = headers(s.handle(func(_ http.ResponseWriter, r *http.Request) error {
		return problemf(http.StatusMethodNotAllowed, "Method %s is not for %s.", r.Method, r.URL.Path)
	}))
	m.PathPrefix("/").Handler(gzhttp.GzipHandler(s.handle(s.page)))
	return m
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
	tag := `W/"` + v.Key + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("Vary", "Cookie, Authorization")
	for known := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimSpace(known) == tag {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	return s.json(w, r, body)
}

func (s *Server) json(w http.ResponseWriter, r *http.Request, body any) error {
	text, err := json.Marshal(filled(body))
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
	if _, err := s.source.View(r.Context(), Span{}); err != nil {
		return err
	}
	return s.health(w, r)
}

type emptyFS struct{}

func (emptyFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
