// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

// TestRegister keeps when findings were first seen over a restart, and gives
// the analysis what is accepted.
func TestRegister(t *testing.T) {
	dir, now := t.TempDir(), epoch
	open := func() stored {
		t.Helper()
		s, err := sqlite.Open(sqlite.Options{Dir: dir, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return stored{s, s}
	}
	view := func(at time.Time, ids ...string) *api.View {
		v := &api.View{Cluster: "c", Computed: at, Report: &analyze.Report{}}
		for _, id := range ids {
			v.Report.Findings = append(v.Report.Findings, analyze.Finding{ID: id, Kind: analyze.FindingUnseen, Workloads: []string{"shop/cart"}})
		}
		return v
	}
	p := open()
	note := func(v *api.View) {
		t.Helper()
		if err := newNoter(p).note(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	note(view(epoch, "a"))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = open()
	note(view(epoch.Add(time.Hour), "a", "b"))
	found, err := p.Findings(t.Context(), store.FindingQuery{Cluster: "c"})
	if err != nil || len(found) != 2 || !found[0].FirstSeen.Equal(epoch) || !found[0].LastSeen.Equal(epoch.Add(time.Hour)) || found[1].Subject != "shop/cart" {
		t.Errorf("findings %+v, %v", found, err)
	}
	for i, d := range []store.Decision{
		{Finding: "a", Verdict: store.Accepted},
		{Finding: "b", Verdict: store.Rejected},
		{Finding: "c", Verdict: store.Accepted, Until: epoch.Add(2 * time.Hour)},
		{Finding: "d", Cluster: "other", Verdict: store.Accepted},
	} {
		d.ID, d.By, d.At, d.Reason = fmt.Sprintf("decision-%08d", i), "ada", epoch.Add(time.Hour), "planned"
		if d.Cluster == "" {
			d.Cluster = "c"
		}
		if err = p.Decide(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	keeper, err := alert.New("c", alert.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{cluster: "c", register: p, keeper: keeper}
	for hours, want := range map[int][2][]string{0: {}, 1: {{"a", "c"}, {"b"}}, 2: {{"a"}, {"b"}}} {
		got, err := w.terms(t.Context(), epoch.Add(time.Duration(hours)*time.Hour))
		if err != nil || !slices.Equal(got.Accepted, want[0]) || !slices.Equal(got.Excluded, want[1]) {
			t.Errorf("after %d hours: %v and %v, %v; want %v", hours, got.Accepted, got.Excluded, err, want)
		}
	}
}
