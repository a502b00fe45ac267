// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/mux"
	"github.com/klauspost/compress/gzhttp"

	"github.com/netcinch/netcinch/recommender/alert/deliver"
)

// Delivery is what tells alerts to sinks. Its methods are called by many
// goroutines.
type Delivery interface {
	// Status says how each sink fares.
	Status() deliver.Status
	// Test tells a sink a test alert now; the error is deliver.ErrNoSink where
	// there is no such sink.
	Test(ctx context.Context, name string) ([]deliver.TestResult, error)
}

func (s *Server) sinkRoutes(a *mux.Router) {
	a.Handle("/sinks", s.only(s.guard(gzhttp.GzipHandler(s.handle(s.sinks))), http.MethodGet, http.MethodHead))
	a.Handle("/sinks/{name}/test", s.only(s.guard(s.handle(s.testSink)), http.MethodPost))
}

// sinksBody is how alerts are told. Configured is false where they are told to
// nobody.
type sinksBody struct {
	Configured bool `json:"configured"`
	deliver.Status
}

// sinks is for those who may see the whole cluster: what waits tells of all
// namespaces.
func (s *Server) sinks(w http.ResponseWriter, r *http.Request) error {
	if err := s.wholeCluster(r); err != nil {
		return err
	}
	if s.delivery == nil {
		return s.json(w, r, sinksBody{Status: deliver.Status{Sinks: []deliver.SinkStatus{}}})
	}
	return s.json(w, r, sinksBody{Configured: true, Status: s.delivery.Status()})
}

func (s *Server) wholeCluster(r *http.Request) error {
	q, err := s.question(r)
	if err != nil {
		return err
	}
	whole, err := seesAll(r, q.span.Cluster)
	if err != nil {
		return err
	}
	if !whole {
		return problemf(http.StatusForbidden, "Sinks are for those who may see the whole cluster.")
	}
	return nil
}

func (s *Server) testSink(w http.ResponseWriter, r *http.Request) error {
	if err := s.wholeCluster(r); err != nil {
		return err
	}
	q, err := s.question(r)
	if err != nil {
		return err
	}
	if err = s.mayDecide(r, q.span.Cluster, []string{""}); err != nil {
		return err
	}
	if s.delivery == nil {
		return problemf(http.StatusNotFound, "This recommender tells alerts to nobody; start it with --alerts FILE.")
	}
	results, err := s.delivery.Test(r.Context(), mux.Vars(r)["name"])
	if errors.Is(err, deliver.ErrNoSink) {
		return problemf(http.StatusNotFound, "%v.", upper(err.Error()))
	}
	if err != nil {
		return err
	}
	return s.json(w, r, results[0])
}

// deliveryBody says in the status whether alerts arrive.
type deliveryBody struct {
	Sinks   int      `json:"sinks"`
	Failing []string `json:"failing"` // that the last try did not reach
	Dead    []string `json:"dead"`    // that have failed for long
	Dropped uint64   `json:"dropped"` // alerts that were never told
	Problem string   `json:"problem,omitempty"`
}

func deliveryOf(d Delivery) *deliveryBody {
	if d == nil {
		return nil
	}
	now := d.Status()
	b := &deliveryBody{Sinks: len(now.Sinks), Failing: []string{}, Dead: []string{}, Problem: now.Problem}
	for i := range now.Sinks {
		one := &now.Sinks[i]
		b.Dropped += one.Overflowed + one.Refused
		switch one.State {
		case deliver.Dead:
			b.Dead = append(b.Dead, one.Name)
		case deliver.Failing:
			b.Failing = append(b.Failing, one.Name)
		case deliver.Up, deliver.Untried:
		}
	}
	return b
}
