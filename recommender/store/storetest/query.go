// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"net/netip"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

func (on suite) byTime() {
	t, s := on.t, on.store
	var batches []store.Batch
	for i := range uint64(6) {
		batches = append(batches, Batch(i+1, time.Duration(i)*10*time.Minute, flow.Record{Edge: frontToCart(), ByClient: Count(1 << i)}))
	}
	mustAppend(t, s, batches...)
	for _, c := range []struct {
		from, to time.Duration
		want     uint64
	}{
		{0, time.Hour, 63},
		{-time.Hour, 24 * time.Hour, 63},
		{10 * time.Minute, 20 * time.Minute, 2},
		{11 * time.Minute, 21 * time.Minute, 2 | 4}, // outward to buckets of 5 minutes: 10 to 25
		{50 * time.Minute, 51 * time.Minute, 32},
		{55 * time.Minute, time.Hour, 0},
		{-24 * time.Hour, 0, 0},
	} {
		got, err := s.Edges(t.Context(), store.Query{Cluster: "c", From: Day.Add(c.from), To: Day.Add(c.to)})
		if err != nil {
			t.Fatal(err)
		}
		var sum uint64
		for _, r := range got {
			sum += r.ByClient.Connections
		}
		if sum != c.want {
			t.Errorf("from %v to %v: %d connections, want %d", c.from, c.to, sum, c.want)
		}
	}
	entry := store.Catalogued{Edge: frontToCartFolded(), FirstSeen: Day, LastSeen: Window(50 * time.Minute).End}
	wantCatalogue(t, s, store.Query{From: Day.Add(30 * time.Minute), To: Day.Add(40 * time.Minute)}, entry)
	wantCatalogue(t, s, store.Query{From: Day.Add(time.Hour)})
	wantCatalogue(t, s, store.Query{To: Day.Add(-time.Second)})
}

// byFirstSight asks what is new: an edge that was seen before is not, however
// often it is seen again.
func (on suite) byFirstSight() {
	t, s := on.t, on.store
	port := func(n uint16) flow.Edge {
		e := frontToCart()
		e.Port = n
		return e
	}
	seen := func(sequence uint64, offset time.Duration, ports ...uint16) store.Batch {
		b := Batch(sequence, offset)
		for _, n := range ports {
			b.Records = append(b.Records, flow.Record{Edge: port(n), ByClient: Count(1)})
		}
		return b
	}
	mustAppend(t, s, seen(1, -24*time.Hour, 1, 2), seen(2, 0, 2, 3), seen(3, time.Hour, 1, 3, 4))
	for _, c := range []struct {
		since time.Duration
		want  []uint16
	}{{-25 * time.Hour, []uint16{1, 2, 3, 4}}, {-23 * time.Hour, []uint16{3, 4}}, {0, []uint16{3, 4}}, {time.Second, []uint16{4}}, {2 * time.Hour, nil}} {
		entries, err := s.Catalogue(t.Context(), store.Query{Cluster: "c", NewSince: Day.Add(c.since)})
		if err != nil {
			t.Fatal(err)
		}
		var got []uint16
		for _, e := range entries {
			got = append(got, e.Edge.Port)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("new since %v: ports %v, want %v", c.since, got, c.want)
		}
	}
}

func (on suite) byCluster() {
	t, s := on.t, on.store
	cross := frontToCart()
	cross.Client = Pod("web", "edge", "a", "10.0.0.7")
	outside := frontToCart()
	outside.Client = flow.Endpoint{IP: netip.MustParseAddr("203.0.113.1")}
	outside.Server = Pod("data", "db", "0", "10.0.0.8")
	b := Batch(1, 0, flow.Record{Edge: frontToCart(), ByClient: Count(1)}, flow.Record{Edge: cross, ByClient: Count(1)}, flow.Record{Edge: outside, ByServer: Count(1)})
	second := b
	second.Cluster = "d"
	mustAppend(t, s, b, second)
	for _, c := range []struct {
		cluster, namespace string
		edges              int
		connections        uint64
	}{{"c", "", 3, 3}, {"d", "", 3, 3}, {"", "", 3, 6}, {"x", "", 0, 0}, {"c", "shop", 2, 2}, {"c", "web", 1, 1}, {"", "data", 1, 2}, {"c", "nobody", 0, 0}} {
		q := store.Query{Cluster: c.cluster, Namespace: c.namespace}
		records, err := s.Edges(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var connections uint64
		for _, r := range records {
			connections += r.Counters().Connections
		}
		entries, err := s.Catalogue(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) != c.edges || connections != c.connections || len(entries) != c.edges {
			t.Errorf("%+v: %d edges, %d connections, %d in the catalogue; want %+v", q, len(records), connections, len(entries), c)
		}
	}
}

// byWorkload asks for what concerns one workload, at either end.
func (on suite) byWorkload() {
	t, s := on.t, on.store
	edge := func(client, server string) flow.Record {
		e := frontToCart()
		e.Client, e.Server = Pod("shop", client, "a", "10.0.0.1"), Pod("shop", server, "b", "10.0.0.2")
		return flow.Record{Edge: e, ByClient: Count(1)}
	}
	bare := edge("front", "cart")
	bare.Edge.Client = flow.Endpoint{Workload: flow.Workload{Namespace: "shop"}, Pod: "lonely", IP: netip.MustParseAddr("10.0.0.9")}
	other := edge("front", "cart")
	other.Edge.Client.Workload.Kind = "StatefulSet"
	mustAppend(t, s, Batch(1, 0, edge("front", "cart"), edge("cart", "db"), edge("front", "mail"), bare, other), Batch(2, time.Hour, edge("cart", "db"), edge("cart", "cart")))
	deployment := func(name string) flow.Workload { return Workload("shop", name).Workload }
	for _, c := range []struct {
		q    store.Query
		want int
	}{
		{store.Query{Workload: deployment("cart")}, 5},
		{store.Query{Cluster: "c", Workload: deployment("cart"), From: Day.Add(time.Hour), To: Day.Add(2 * time.Hour)}, 2},
		{store.Query{Cluster: "x", Workload: deployment("cart")}, 0},
		{store.Query{Namespace: "data", Workload: deployment("cart")}, 0},
		{store.Query{Workload: deployment("front")}, 2},
		{store.Query{Workload: flow.Workload{Namespace: "shop", Kind: "StatefulSet", Name: "front"}}, 1},
		{store.Query{Workload: flow.Workload{Namespace: "shop", Kind: "Pod", Name: "lonely"}}, 1},
		{store.Query{Workload: deployment("nobody")}, 0},
	} {
		records, err := s.Edges(t.Context(), c.q)
		if err != nil || len(records) != c.want {
			t.Errorf("%+v: %d edges, %v; want %d", c.q, len(records), err, c.want)
		}
		entries, err := s.Catalogue(t.Context(), c.q)
		if err != nil || len(entries) != c.want {
			t.Errorf("%+v: %d entries, %v; want %d", c.q, len(entries), err, c.want)
		}
	}
}

func (on suite) series() {
	t, s := on.t, on.store
	noise := frontToCart()
	noise.Port = 9090
	var batches []store.Batch
	for i, offset := range []time.Duration{0, 30 * time.Second, 10 * time.Minute, 25 * time.Hour} {
		batches = append(batches, Batch(uint64(i+1), offset, flow.Record{Edge: frontToCart(), ByClient: Count(1)}, flow.Record{Edge: noise, ByClient: Count(9)}))
	}
	mustAppend(t, s, batches...)
	got, err := s.Series(t.Context(), store.Query{Cluster: "c", From: Day, To: Day.Add(48 * time.Hour)}, frontToCart())
	if err != nil {
		t.Fatal(err)
	}
	want := []flow.Record{
		{Window: flow.Window{Start: Day, End: Day.Add(time.Minute)}, Edge: frontToCartFolded(), ByClient: Count(2)},
		{Window: Window(10 * time.Minute), Edge: frontToCartFolded(), ByClient: Count(1)},
		{Window: Window(25 * time.Hour), Edge: frontToCartFolded(), ByClient: Count(1)},
	}
	if d := cmp.Diff(want, got, equal); d != "" {
		t.Errorf("series (-want +got):\n%s", d)
	}
	never := frontToCart()
	never.Port = 1
	if got, err := s.Series(t.Context(), store.Query{}, never); err != nil || len(got) != 0 {
		t.Errorf("an edge that was never seen: %v, %v", got, err)
	}
}

// partsEqualWhole holds the levels against each other: an hour or a day that
// is read from its sum equals the buckets that it was summed from.
func (on suite) partsEqualWhole() {
	t, s := on.t, on.store
	var batches []store.Batch
	for i := range uint64(200) {
		batches = append(batches, Batch(i+1, time.Duration(i)*13*time.Minute, flow.Record{Edge: frontToCart(), ByClient: Count(i), ByServer: Count(1000 + i)}))
	}
	mustAppend(t, s, batches...)
	sum := func(from, to time.Duration) (total flow.Record) {
		got, err := s.Edges(t.Context(), store.Query{Cluster: "c", From: Day.Add(from), To: Day.Add(to)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			total.ByClient, total.ByServer = total.ByClient.Add(r.ByClient), total.ByServer.Add(r.ByServer)
		}
		return total
	}
	for _, c := range [][2]time.Duration{
		{0, 24 * time.Hour},
		{0, 48 * time.Hour},
		{7*time.Hour + 25*time.Minute, 31*time.Hour + 35*time.Minute},
		{time.Hour, 2 * time.Hour},
		{55 * time.Minute, 125 * time.Minute},
		{23*time.Hour + 55*time.Minute, 24*time.Hour + 5*time.Minute},
		{5 * time.Minute, 10 * time.Minute},
	} {
		var want flow.Record
		for from := c[0]; from < c[1]; from += Resolution {
			part := sum(from, from+Resolution)
			want.ByClient, want.ByServer = want.ByClient.Add(part.ByClient), want.ByServer.Add(part.ByServer)
		}
		if got := sum(c[0], c[1]); got != want {
			t.Errorf("from %v to %v: %+v, its parts %+v", c[0], c[1], got, want)
		}
	}
}
