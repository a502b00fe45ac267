// SPDX-License-Identifier: Apache-2.0

// Package storetest is the suite that every engine of the store passes.
package storetest

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// Day is the day that the suite's batches are from; the engine's clock must
// stand at its noon.
var Day = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// Resolution is the finest bucket that the suite reckons with.
const Resolution = 5 * time.Minute

// Tested is what an engine gives.
type Tested interface {
	store.Store
	store.Register
}

// Engine makes an empty store, closed by the test's end.
type Engine func(t *testing.T) Tested

// suite is one test on an empty store.
type suite struct {
	t     *testing.T
	store Tested
}

// Run runs the suite.
func Run(t *testing.T, engine Engine) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(suite)
	}{
		{"both ends fold into one record", suite.bothEnds},
		{"a description does not split an edge", suite.descriptions},
		{"an address of another cluster is named", suite.elsewhere},
		{"programs are kept beside each other", suite.severalPrograms},
		{"what is new is what was first seen since", suite.byFirstSight},
		{"findings keep their first sight", suite.findings},
		{"the audit trail only grows", suite.trail},
		{"the register refuses what is not whole", suite.registerRefusals},
		{"decisions at once from many sides", suite.concurrentDecisions},
		{"pods and addresses fold, outside peers do not", suite.foldsToWorkloads},
		{"a repeated batch changes nothing", suite.idempotence},
		{"batches may come in any order", suite.anyOrder},
		{"queries choose by time", suite.byTime},
		{"queries choose by cluster and namespace", suite.byCluster},
		{"queries choose by workload", suite.byWorkload},
		{"a series has one record a bucket", suite.series},
		{"pods are kept as they came", suite.podRows},
		{"coverage sums losses and counts a window once", suite.coverage},
		{"what cannot be is refused", suite.refusals},
		{"a long query equals its parts", suite.partsEqualWhole},
		{"appending at once from many sides", suite.concurrent},
		{"a closed store says so", suite.closed},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(suite{t, engine(t)}) })
	}
}

var equal = cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateApproxTime(0), cmpopts.EquateEmpty()}

// Window gives 30 seconds that start at an offset of the suite's day.
func Window(offset time.Duration) flow.Window {
	return flow.Window{Start: Day.Add(offset), End: Day.Add(offset + 30*time.Second)}
}

// Batch makes a batch of node n1 of cluster c.
func Batch(sequence uint64, offset time.Duration, records ...flow.Record) store.Batch {
	return store.Batch{Cluster: "c", Node: "n1", Epoch: "e", Sequence: sequence, Window: Window(offset), Records: records}
}

// Pod makes a pod of a Deployment.
func Pod(namespace, workload, suffix, ip string) flow.Endpoint {
	return flow.Endpoint{
		Workload: flow.Workload{Namespace: namespace, Kind: "Deployment", Name: workload},
		Pod:      workload + "-" + suffix, IP: netip.MustParseAddr(ip), Node: "n1",
	}
}

// Workload makes the endpoint that a pod folds to.
func Workload(namespace, name string) flow.Endpoint {
	return flow.Endpoint{Workload: flow.Workload{Namespace: namespace, Kind: "Deployment", Name: name}}
}

// Count makes counters that are all different.
func Count(n uint64) flow.Counters {
	return flow.Counters{Connections: n, BytesSent: 100 * n, BytesReceived: 200 * n, PacketsSent: 3 * n, PacketsReceived: 4 * n}
}

func frontToCart() flow.Edge {
	return flow.Edge{Client: Pod("shop", "front", "a", "10.0.0.1"), Server: Pod("shop", "cart", "x", "10.0.0.2"), Protocol: flow.TCP, Port: 8080}
}

func frontToCartFolded() flow.Edge {
	return flow.Edge{Client: Workload("shop", "front"), Server: Workload("shop", "cart"), Protocol: flow.TCP, Port: 8080}
}

func mustAppend(t *testing.T, s store.Store, batches ...store.Batch) {
	t.Helper()
	for _, b := range batches {
		duplicate, err := s.Append(t.Context(), b)
		if err != nil {
			t.Fatalf("appending %d: %v", b.Sequence, err)
		}
		if duplicate {
			t.Fatalf("appending %d: a duplicate, want none", b.Sequence)
		}
	}
}

func wantEdges(t *testing.T, s store.Store, q store.Query, want ...flow.Record) {
	t.Helper()
	got, err := s.Edges(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(want, func(a, b flow.Record) int { return store.Compare(a.Edge, b.Edge) })
	if d := cmp.Diff(want, got, equal); d != "" {
		t.Errorf("edges (-want +got):\n%s", d)
	}
}

func wantCatalogue(t *testing.T, s store.Store, q store.Query, want ...store.Catalogued) {
	t.Helper()
	got, err := s.Catalogue(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(want, func(a, b store.Catalogued) int { return store.Compare(a.Edge, b.Edge) })
	if d := cmp.Diff(want, got, equal); d != "" {
		t.Errorf("catalogue (-want +got):\n%s", d)
	}
}
