// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
)

func workload(namespace, kind, name string) flow.Workload {
	return flow.Workload{Namespace: namespace, Kind: kind, Name: name}
}

func TestFoldKeepsCountsAndEndsApart(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	window := flow.Window{Start: at, End: at.Add(time.Second)}
	later := flow.Window{Start: window.End, End: window.End.Add(time.Second)}
	record := func(w flow.Window, pod string, byClient, byServer uint64) flow.Record {
		return flow.Record{
			Window: w,
			Edge: flow.Edge{
				Client:   flow.Endpoint{Workload: workload("x", "Deployment", "a"), Pod: pod},
				Server:   flow.Endpoint{Workload: workload("x", "Deployment", "b"), Pod: "b-1"},
				Protocol: flow.TCP, Port: 80,
			},
			ByClient: flow.Counters{Connections: byClient}, ByServer: flow.Counters{Connections: byServer},
		}
	}
	got := fold([]flow.Record{
		record(later, "a-1", 4, 0), record(window, "a-1", 1, 0), record(window, "a-2", 2, 0), record(window, "a-1", 0, 3),
	})
	if len(got) != 2 || got[0].Window != window || got[1].Window != later {
		t.Fatalf("got %+v, want one record of each window, in order", got)
	}
	if got[0].ByClient.Connections != 3 || got[0].ByServer.Connections != 3 || got[0].Edge.Client.Pod != "" {
		t.Errorf("got %+v, want 3 connections at each end, without pods", got[0])
	}
}

// TestSample holds the recorded file against the manifests that it is shown
// with: every workload is there, and what the demo promises is in it.
func TestSample(t *testing.T) {
	file, err := os.Open("../sample/flows.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, unknown, err := jsonl.ReadAll(file, "flows.jsonl")
	if err != nil || len(unknown) > 0 {
		t.Fatalf("reading: %v; unknown fields %v", err, unknown)
	}
	snapshot, err := manifest.Load([]string{"../manifests"})
	if err != nil {
		t.Fatal(err)
	}
	known := map[flow.Workload]bool{}
	for _, w := range snapshot.Workloads {
		known[w.Workload] = true
	}
	type edge struct {
		client, server flow.Workload
		port           uint16
	}
	first := map[edge]time.Time{}
	outside := map[string]bool{}
	for _, r := range records {
		e := edge{r.Edge.Client.Workload, r.Edge.Server.Workload, r.Edge.Port}
		for _, w := range []flow.Workload{e.client, e.server} {
			if !w.IsZero() && !known[w] {
				t.Errorf("%s is not in the manifests", w)
			}
		}
		if _, seen := first[e]; !seen {
			first[e] = r.Window.Start
		}
		outside[r.Edge.Server.DNS] = true
	}
	frontend, database := workload("shop", "Deployment", "frontend"), workload("data", "StatefulSet", "database")
	unseen, ok := first[edge{frontend, database, 5432}]
	if !ok || unseen.Sub(records[0].Window.Start) < 35*time.Second {
		t.Errorf("the unseen connection comes %s after the start; want more than 35s", unseen.Sub(records[0].Window.Start))
	}
	for _, e := range []edge{
		{workload("kube-system", "Deployment", "scraper"), database, 9187},
		{workload("data", "CronJob", "report"), database, 5432},
		{workload("shop", "Deployment", "catalogue"), workload("shop", "Deployment", "search"), 8080},
	} {
		if _, ok := first[e]; !ok {
			t.Errorf("no %+v", e)
		}
	}
	if !outside["api.fastpay.example"] {
		t.Error("the payment provider has no name")
	}
}
