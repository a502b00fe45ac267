// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

// notebook is a notifier that fails while it is told to.
type notebook struct {
	broken bool
	told   []string
}

func (n *notebook) Notify(_ context.Context, changed []alert.Alert) error {
	if n.broken {
		return errors.New("no room")
	}
	for _, a := range changed {
		n.told = append(n.told, a.ID+" "+string(a.Status))
	}
	return nil
}

// TestAlertsOutliveTheProcess: what was saved and not told is told after a
// restart, once; decisions hold.
func TestAlertsOutliveTheProcess(t *testing.T) {
	dir, now := t.TempDir(), epoch.Add(3*time.Hour)
	end := func(name string) flow.Endpoint {
		return flow.Endpoint{Workload: flow.Workload{Namespace: "shop", Kind: "Deployment", Name: name}, Pod: name + "-0"}
	}
	const objects = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}}\n---\n" +
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: db, namespace: shop}\nspec: {selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: i}]}}}\n"
	var records []flow.Record
	add := func(at time.Time, port uint16) {
		records = append(records, flow.Record{
			Window: flow.Window{Start: at, End: at.Add(5 * time.Minute)}, Edge: flow.Edge{Client: end("web"), Server: end("db"), Protocol: flow.TCP, Port: port}, ByClient: flow.Counters{Connections: 3},
		})
	}
	for at := epoch; at.Before(now); at = at.Add(5 * time.Minute) {
		add(at, 80)
	}
	add(now.Add(-10*time.Minute), 5432)
	open := func(n *notebook) (*watch, stored) {
		t.Helper()
		s, err := sqlite.Open(sqlite.Options{Dir: dir, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		p := stored{s, s}
		saved, err := p.Findings(t.Context(), store.FindingQuery{Cluster: "c"})
		if err != nil {
			t.Fatal(err)
		}
		k, err := alert.New("c", alert.Options{Learning: time.Hour}, saved)
		if err != nil {
			t.Fatal(err)
		}
		return &watch{cluster: "c", past: p, register: p, notifier: n, keeper: k, shown: map[string]string{}}, p
	}
	look := func(w *watch) error {
		t.Helper()
		snapshot := manifest.LoadText("x.yaml", []byte(objects), manifest.Options{})
		engine, _ := policy.Compile(snapshot, policy.Options{})
		options, err := w.terms(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		options.Learning = time.Hour
		report, err := analyze.Analyze(analyze.Input{Snapshot: snapshot, Engine: engine, Records: records, Window: flow.Window{Start: epoch, End: now}, Options: options})
		if err != nil {
			t.Fatal(err)
		}
		return w.look(t.Context(), &api.View{Cluster: "c", Computed: now, Snapshot: snapshot, Engine: engine, Index: analyze.NewIndex(snapshot), Report: report}, now, now)
	}
	book := &notebook{broken: true}
	w, p := open(book)
	if err := look(w); err == nil {
		t.Error("that nobody could be told is not said")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	book.broken = false
	for range 3 {
		w, p = open(book)
		if err := look(w); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	list := w.keeper.Alerts()
	if len(list) != 1 || list[0].Kind != alert.UnseenInside || !slices.Equal(book.told, []string{list[0].ID + " firing"}) {
		t.Fatalf("alerts %+v, told %v", list, book.told)
	}
	w, p = open(book)
	entries, err := w.keeper.Decide(list[0].ID, alert.Order{Verdict: store.Accepted, By: "ada", Reason: "planned", At: now, NewID: rand.Text})
	if err != nil || len(entries) != 2 || entries[1].Finding != list[0].Edge {
		t.Fatalf("%+v, %v; want one for the alert and one for edge %s", entries, err, list[0].Edge)
	}
	for i := range entries {
		if err = p.Decide(t.Context(), entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Minute)
	if err = look(w); err != nil {
		t.Fatal(err)
	}
	if a := w.keeper.Alerts()[0]; a.Status != alert.Accepted || len(book.told) != 2 || book.told[1] != a.ID+" accepted" {
		t.Errorf("%s, told %v", a.Status, book.told)
	}
	if err = p.Close(); err != nil {
		t.Fatal(err)
	}
}
