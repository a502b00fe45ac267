// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/alert/deliver"
	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/auth"
)

// told is a delivery with a sink that works and two that do not.
type told struct{}

func (told) Status() deliver.Status {
	return deliver.Status{File: "alerts.yaml", Read: start, Problem: "alerts.yaml:3: sinks[0].url: wrong", Sinks: []deliver.SinkStatus{
		{Name: "chat", Type: "slack", Target: "https://hooks.example.org", State: deliver.Up, Success: start, Limit: 100, Delivered: 7},
		{Name: "log", Type: "syslog", Target: "tcp://log.example.org:514", State: deliver.Failing, Failing: start, Problem: "refused", Waiting: 2, Oldest: start, Limit: 100},
		{Name: "am", Type: "alertmanager", Target: "http://am.example.org", State: deliver.Dead, Failing: start.Add(-time.Hour), Limit: 5, Waiting: 5, Overflowed: 3, Refused: 1},
	}}
}

func (told) Test(_ context.Context, name string) ([]deliver.TestResult, error) {
	switch name {
	case "chat":
		return []deliver.TestResult{{Sink: name, Type: "slack", Target: "https://hooks.example.org", OK: true, Millis: 12}}, nil
	case "log":
		return []deliver.TestResult{{Sink: name, Type: "syslog", Target: "tcp://log.example.org:514", Problem: "refused"}}, nil
	}
	return nil, fmt.Errorf("%w: %q; there are am, chat, log", deliver.ErrNoSink, name)
}

// contractOfSinks asks every route of sinks, good and bad.
func contractOfSinks(c *contract) {
	c.t.Helper()
	do := func(method, path string, status int) []byte {
		c.t.Helper()
		return c.do(ask{method: method, path: "/api/v1" + path, status: status})
	}
	list := into[struct {
		Configured bool
		Sinks      []deliver.SinkStatus
	}](c.t, do(http.MethodGet, "/sinks", http.StatusOK))
	if !list.Configured || len(list.Sinks) != 3 || list.Sinks[2].Overflowed != 3 {
		c.t.Errorf("%+v", list)
	}
	do(http.MethodGet, "/sinks?cluster=other", http.StatusBadRequest)
	for name, ok := range map[string]bool{"chat": true, "log": false} {
		if r := into[deliver.TestResult](c.t, do(http.MethodPost, "/sinks/"+name+"/test", http.StatusOK)); r.OK != ok || r.Sink != name {
			c.t.Errorf("%+v", r)
		}
	}
	if body := do(http.MethodPost, "/sinks/nope/test", http.StatusNotFound); !strings.Contains(string(body), "there are am, chat, log") {
		c.t.Errorf("%s", body)
	}
}

// The status says whether alerts arrive.
func TestStatusOfDelivery(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	got := into[struct {
		Delivery struct {
			Sinks         int
			Failing, Dead []string
			Dropped       int
			Problem       string
		}
	}](t, c.do(ask{method: http.MethodGet, path: "/api/v1/status", status: http.StatusOK})).Delivery
	if got.Sinks != 3 || len(got.Failing) != 1 || got.Failing[0] != "log" || len(got.Dead) != 1 || got.Dead[0] != "am" || got.Dropped != 4 || got.Problem == "" {
		t.Errorf("%+v", got)
	}
}

// Without sinks the list is empty, and there is nothing to try.
func TestNoSinks(t *testing.T) {
	server, err := api.New(api.Options{Source: newSource(), Token: token, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	c := newContract(t, server)
	if body := c.do(ask{method: http.MethodGet, path: "/api/v1/sinks", status: http.StatusOK}); !strings.Contains(string(body), `"configured":false`) || strings.Contains(string(body), "null") {
		t.Errorf("%s", body)
	}
	if body := c.do(ask{method: http.MethodGet, path: "/api/v1/status", status: http.StatusOK}); strings.Contains(string(body), `"delivery"`) {
		t.Errorf("%s", body)
	}
	c.do(ask{method: http.MethodPost, path: "/api/v1/sinks/chat/test", status: http.StatusNotFound})
}

// Who sees a part of the cluster sees no sinks; trying one takes the right to
// decide, too.
func TestSinksFollowRights(t *testing.T) {
	people := town{"part": sees("shop"), "viewer": {rights: auth.All()}, "keeper": {rights: auth.All(), decide: true}}
	server, err := api.New(api.Options{Source: newSource(), Delivery: told{}, People: people, Token: token, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	const yes, no = http.StatusOK, http.StatusForbidden
	for who, wants := range map[string][2]int{"part": {no, no}, "viewer": {yes, no}, "keeper": {yes, yes}} {
		for i, ask := range [][2]string{{http.MethodGet, "/api/v1/sinks"}, {http.MethodPost, "/api/v1/sinks/chat/test"}} {
			want := wants[i]
			r := httptest.NewRequestWithContext(t.Context(), ask[0], "http://127.0.0.1"+ask[1], nil)
			r.Header.Set("Authorization", "Bearer "+who)
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s %s %s: %d, want %d: %s", who, ask[0], ask[1], w.Code, want, w.Body)
			}
			if want != http.StatusOK && strings.Contains(w.Body.String(), "example.org") {
				t.Errorf("%s is shown: %s", who, w.Body)
			}
		}
	}
}
