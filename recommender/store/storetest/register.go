// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/store"
)

// Finding makes a finding of cluster c, first and last seen at an offset.
func Finding(id string, offset time.Duration) store.Finding {
	return store.Finding{
		Cluster: "c", ID: id, Kind: "unseen", Subject: "shop/cart", FirstSeen: Day.Add(offset), LastSeen: Day.Add(offset + time.Minute),
		Detail: json.RawMessage(`{"port":8080}`),
	}
}

// Decision makes an entry of cluster c that holds for ever.
func Decision(n int, finding string, verdict store.Verdict) store.Decision {
	return store.Decision{
		ID: fmt.Sprintf("decision-%08d", n), Cluster: "c", Finding: finding, Verdict: verdict, By: "ada@example.org",
		At: Day.Add(time.Duration(n) * time.Minute), Reason: "it is the new cart", Detail: json.RawMessage(`{"edit":"…"}`),
	}
}

func (on suite) findings() {
	t, s := on.t, on.store
	note := func(want []string, findings ...store.Finding) {
		t.Helper()
		fresh, err := s.Note(t.Context(), findings)
		if err != nil || !slices.Equal(fresh, want) {
			t.Errorf("new are %v, error %v; want %v", fresh, err, want)
		}
	}
	a, b := Finding("a", 0), Finding("b", time.Hour)
	note([]string{"b", "a"}, b, a)
	later := Finding("a", 2*time.Hour)
	later.Detail, later.Kind = json.RawMessage(`{"port":1}`), "denied"
	elsewhere := later
	elsewhere.Cluster = "d"
	note([]string{"c", "a"}, later, Finding("c", 2*time.Hour), elsewhere)
	note(nil, a) // an analysis that was slow: the last sight stays the later one
	a.LastSeen = later.LastSeen
	for _, c := range []struct {
		q    store.FindingQuery
		want []store.Finding
	}{
		{store.FindingQuery{Cluster: "c"}, []store.Finding{a, b, Finding("c", 2*time.Hour)}},
		{store.FindingQuery{}, []store.Finding{a, b, Finding("c", 2*time.Hour), elsewhere}},
		{store.FindingQuery{Cluster: "c", IDs: []string{"c", "x"}}, []store.Finding{Finding("c", 2*time.Hour)}},
		{store.FindingQuery{Cluster: "c", Since: Day.Add(90 * time.Minute)}, []store.Finding{a, Finding("c", 2*time.Hour)}},
		{store.FindingQuery{Cluster: "x"}, nil},
	} {
		got, err := s.Findings(t.Context(), c.q)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got, equal); d != "" {
			t.Errorf("%+v (-want +got):\n%s", c.q, d)
		}
	}
}

func (on suite) trail() {
	t, s := on.t, on.store
	until := Decision(3, "b", store.Accepted)
	until.Until = until.At.Add(time.Hour)
	elsewhere := Decision(4, "a", store.Accepted)
	elsewhere.Cluster = "d"
	all := []store.Decision{Decision(1, "a", store.Accepted), Decision(2, "a", store.Rejected), until, elsewhere, Decision(5, "a", store.Reopened)}
	for _, d := range slices.Concat(all, all[:2]) { // the last two are repeated: they are there once
		if err := s.Decide(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	other := all[0]
	other.Reason = "another story"
	if err := s.Decide(t.Context(), other); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("changing an entry: %v, want ErrInvalid", err)
	}
	for _, c := range []struct {
		q    store.DecisionQuery
		want []store.Decision
	}{
		{store.DecisionQuery{}, all},
		{store.DecisionQuery{Cluster: "c", Finding: "a"}, []store.Decision{all[0], all[1], all[4]}},
		{store.DecisionQuery{Cluster: "d"}, all[3:4]},
		{store.DecisionQuery{Finding: "b"}, all[2:3]},
		{store.DecisionQuery{Cluster: "x"}, nil},
	} {
		got, err := s.Decisions(t.Context(), c.q)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got, equal); d != "" {
			t.Errorf("%+v (-want +got):\n%s", c.q, d)
		}
	}
}

func (on suite) registerRefusals() {
	t, s := on.t, on.store
	for name, spoil := range map[string]func(*store.Decision){
		"short identity": func(d *store.Decision) { d.ID = "1" },
		"no cluster":     func(d *store.Decision) { d.Cluster = "" },
		"no finding":     func(d *store.Decision) { d.Finding = "" },
		"other verdict":  func(d *store.Decision) { d.Verdict = "maybe" },
		"nobody":         func(d *store.Decision) { d.By = "" },
		"no reason":      func(d *store.Decision) { d.Reason = "" },
		"no time":        func(d *store.Decision) { d.At = time.Time{} },
		"ended before":   func(d *store.Decision) { d.Until = d.At },
		"long reason":    func(d *store.Decision) { d.Reason = strings.Repeat("x", store.MaxReason+1) },
		"no JSON":        func(d *store.Decision) { d.Detail = json.RawMessage(`{`) },
	} {
		d := Decision(1, "a", store.Accepted)
		spoil(&d)
		if err := s.Decide(t.Context(), d); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	bad := Finding("b", 0)
	bad.LastSeen = bad.FirstSeen.Add(-1)
	if _, err := s.Note(t.Context(), []store.Finding{Finding("a", 0), bad}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a finding that ends before it begins: %v, want ErrInvalid", err)
	}
	found, err := s.Findings(t.Context(), store.FindingQuery{})
	if err != nil || len(found) != 0 {
		t.Errorf("half of a note is kept: %v, %v", found, err)
	}
	if all, err := s.Decisions(t.Context(), store.DecisionQuery{}); err != nil || len(all) != 0 {
		t.Errorf("a refused decision is kept: %v, %v", all, err)
	}
}

func (on suite) concurrentDecisions() {
	t, s := on.t, on.store
	const people, each = 6, 10
	var all sync.WaitGroup
	for p := range people {
		all.Go(func() {
			for i := range each {
				if err := s.Decide(t.Context(), Decision(p*each+i, "a", store.Accepted)); err != nil {
					t.Error(err)
				}
				if _, err := s.Note(t.Context(), []store.Finding{Finding(fmt.Sprint(i), 0)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	trail, err := s.Decisions(t.Context(), store.DecisionQuery{})
	if err != nil || len(trail) != people*each {
		t.Errorf("%d entries, %v; want %d", len(trail), err, people*each)
	}
	if found, err := s.Findings(t.Context(), store.FindingQuery{}); err != nil || len(found) != each {
		t.Errorf("%d findings, %v; want %d", len(found), err, each)
	}
}
