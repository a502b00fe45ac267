// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

func (on suite) bothEnds() {
	t, s := on.t, on.store
	client, server := frontToCart(), frontToCart()
	client.Client.Process, client.Service = "/bin/front", "shop/cart:http"
	server.Server.Process, server.Guessed = "/bin/cart", true
	mustAppend(t, s,
		Batch(1, 0, flow.Record{Edge: client, ByClient: Count(2)}),
		store.Batch{Cluster: "c", Node: "n2", Epoch: "e", Sequence: 1, Window: Window(0), Records: []flow.Record{{Edge: server, ByServer: Count(1)}}})
	want := frontToCartFolded()
	want.Client.Process, want.Server.Process, want.Service = "/bin/front", "/bin/cart", "shop/cart:http"
	wantEdges(t, s, store.Query{Cluster: "c"}, flow.Record{Window: Window(0), Edge: want, ByClient: Count(2), ByServer: Count(1)})
	wantCatalogue(t, s, store.Query{Cluster: "c"}, store.Catalogued{
		Edge: want, FirstSeen: Window(0).Start, LastSeen: Window(0).End,
		Client: programs(0, 0, "/bin/front"), Server: programs(0, 0, "/bin/cart"),
	})
}

// descriptions holds that what only one end knows never splits an edge, over
// days and clusters either.
func (on suite) descriptions() {
	t, s := on.t, on.store
	plain, served, guessed := frontToCart(), frontToCart(), frontToCart()
	served.Service, served.Client.Process = "shop/cart:http", "/bin/front"
	guessed.Guessed, guessed.Server.Process = true, "/bin/cart"
	other := Batch(3, 24*time.Hour, flow.Record{Edge: guessed, ByClient: Count(1)})
	other.Cluster = "d"
	mustAppend(t, s, Batch(1, 0, flow.Record{Edge: plain, ByClient: Count(1)}), Batch(2, -24*time.Hour, flow.Record{Edge: served, ByClient: Count(1)}), other)
	want := frontToCartFolded()
	want.Service, want.Client.Process, want.Server.Process = "shop/cart:http", "/bin/front", "/bin/cart"
	whole := flow.Window{Start: Window(-24 * time.Hour).Start, End: Window(24 * time.Hour).End}
	wantEdges(t, s, store.Query{}, flow.Record{Window: whole, Edge: want, ByClient: Count(3)})
	wantCatalogue(t, s, store.Query{}, store.Catalogued{
		Edge: want, FirstSeen: whole.Start, LastSeen: whole.End,
		Client: programs(-24*time.Hour, -24*time.Hour, "/bin/front"), Server: programs(24*time.Hour, 24*time.Hour, "/bin/cart"),
	})
}

// programs were each seen in windows from and to.
func programs(from, to time.Duration, paths ...string) (p store.Programs) {
	for _, path := range paths {
		p = p.Add(store.Program{Path: path, FirstSeen: Window(from).Start, LastSeen: Window(to).End})
	}
	return p
}

// severalPrograms holds that an edge's programs are kept beside each other, up
// to a bound, with their own times.
func (on suite) severalPrograms() {
	t, s := on.t, on.store
	opened := func(sequence uint64, offset time.Duration, path string) store.Batch {
		e := frontToCart()
		e.Client.Process = path
		return Batch(sequence, offset, flow.Record{Edge: e, ByClient: Count(1)})
	}
	entry := store.Catalogued{Edge: frontToCartFolded(), FirstSeen: Window(0).Start, LastSeen: Window(24 * time.Hour).End}
	entry.Edge.Client.Process = "/bin/a"
	mustAppend(t, s, opened(1, 0, "/bin/a"), opened(2, time.Hour, "/bin/b"), opened(3, 24*time.Hour, "/bin/a"))
	entry.Client = programs(0, 24*time.Hour, "/bin/a")
	for _, one := range programs(time.Hour, time.Hour, "/bin/b").Seen {
		entry.Client = entry.Client.Add(one)
	}
	wantCatalogue(t, s, store.Query{Cluster: "c"}, entry)
	for i := range uint64(store.MaxPrograms) { // two more than there is room for
		mustAppend(t, s, opened(4+i, 24*time.Hour, fmt.Sprintf("/bin/more-%d", i)))
	}
	for i := range store.MaxPrograms - 2 {
		entry.Client = entry.Client.Add(programs(24*time.Hour, 24*time.Hour, fmt.Sprintf("/bin/more-%d", i)).Seen[0])
	}
	entry.Client.More = true
	wantCatalogue(t, s, store.Query{Cluster: "c"}, entry)
	if r, err := s.Edges(t.Context(), store.Query{}); err != nil || len(r) != 1 {
		t.Errorf("programs split the edge: %d records, %v", len(r), err)
	}
}

// elsewhere holds that who an outside address is in another cluster is known
// from the first record that says so on, and never splits the edge.
func (on suite) elsewhere() {
	t, s := on.t, on.store
	plain := frontToCart()
	plain.Server = flow.Endpoint{IP: netip.MustParseAddr("10.9.0.1")}
	known := plain
	known.Server.Elsewhere = "prod/data/db"
	mustAppend(t, s, Batch(1, 0, flow.Record{Edge: plain, ByClient: Count(1)}), Batch(2, 0, flow.Record{Edge: known, ByClient: Count(2)}), Batch(3, time.Hour, flow.Record{Edge: plain, ByClient: Count(4)}))
	want := known
	want.Client = Workload("shop", "front")
	whole := flow.Window{Start: Window(0).Start, End: Window(time.Hour).End}
	wantEdges(t, s, store.Query{}, flow.Record{Window: whole, Edge: want, ByClient: Count(7)})
	wantCatalogue(t, s, store.Query{}, store.Catalogued{Edge: want, FirstSeen: whole.Start, LastSeen: whole.End})
}

func (on suite) foldsToWorkloads() {
	t, s := on.t, on.store
	other := frontToCart()
	other.Client, other.Server = Pod("shop", "front", "b", "fd00::1"), Pod("shop", "cart", "y", "fd00::2")
	outside := func(ip, dns string) flow.Edge {
		e := frontToCart()
		e.Server = flow.Endpoint{IP: netip.MustParseAddr(ip), DNS: dns}
		return e
	}
	node := frontToCart()
	node.Client = flow.Endpoint{Node: "n7", IP: netip.MustParseAddr("192.0.2.7")}
	bare := frontToCart()
	bare.Client = flow.Endpoint{Workload: flow.Workload{Namespace: "shop"}, Pod: "lonely", IP: netip.MustParseAddr("10.0.0.9")}
	refused := frontToCart()
	refused.Outcome = flow.Refused
	icmp := frontToCart()
	icmp.Protocol, icmp.Port = flow.ICMPv6, 0
	var records []flow.Record
	for _, e := range []flow.Edge{
		frontToCart(), other, outside("203.0.113.1", ""), outside("203.0.113.1", "pay.example"), outside("203.0.113.2", ""),
		outside("2001:db8::1", ""), node, bare, refused, icmp,
	} {
		records = append(records, flow.Record{Edge: e, ByClient: Count(1)})
	}
	mustAppend(t, s, Batch(1, 0, records...))
	var want []flow.Record
	for i, r := range records[1:] {
		r.Window, r.Edge = Window(0), store.Fold(r.Edge)
		if i == 0 {
			r.ByClient = Count(2)
		}
		want = append(want, r)
	}
	wantEdges(t, s, store.Query{Cluster: "c"}, want...)
}

func (on suite) idempotence() {
	t, s := on.t, on.store
	b := Batch(1, 0, flow.Record{Edge: frontToCart(), ByClient: Count(1)})
	b.Losses.MapFull = 3
	mustAppend(t, s, b)
	for range 3 {
		if duplicate, err := s.Append(t.Context(), b); err != nil || !duplicate {
			t.Fatalf("a repeated batch: duplicate %v, error %v; want a duplicate", duplicate, err)
		}
	}
	other := b // another epoch is another batch
	other.Epoch = "e2"
	mustAppend(t, s, other)
	wantEdges(t, s, store.Query{Cluster: "c"}, flow.Record{Window: Window(0), Edge: frontToCartFolded(), ByClient: Count(2)})
	nodes, err := s.Coverage(t.Context(), store.Query{Cluster: "c"})
	if err != nil || len(nodes) != 1 || nodes[0].Losses.MapFull != 6 || nodes[0].Batches != 2 {
		t.Errorf("coverage %+v, error %v; want one node with 6 lost in 2 batches", nodes, err)
	}
}

func (on suite) anyOrder() {
	t, s := on.t, on.store
	one := func(sequence uint64, offset time.Duration) store.Batch {
		return Batch(sequence, offset, flow.Record{Edge: frontToCart(), ByClient: Count(sequence)})
	}
	mustAppend(t, s, one(3, time.Hour), one(1, 0), one(4, 12*time.Hour), one(2, -time.Hour))
	record := flow.Record{Window: flow.Window{Start: Window(-time.Hour).Start, End: Window(12 * time.Hour).End}, Edge: frontToCartFolded(), ByClient: Count(10)}
	wantEdges(t, s, store.Query{Cluster: "c"}, record)
	wantCatalogue(t, s, store.Query{Cluster: "c"}, store.Catalogued{Edge: frontToCartFolded(), FirstSeen: record.Window.Start, LastSeen: record.Window.End})
}

func (on suite) podRows() {
	t, s := on.t, on.store
	six := frontToCart()
	six.Client, six.Server = Pod("shop", "front", "b", "fd00::1"), flow.Endpoint{IP: netip.MustParseAddr("2001:db8::1"), DNS: "pay.example"}
	six.Outcome, six.Reason, six.Guessed, six.Service = flow.Dropped, "NO_SOCKET", true, "x/y:z"
	records := []flow.Record{{Edge: frontToCart(), ByClient: Count(1)}, {Edge: six, ByServer: Count(2)}}
	mustAppend(t, s, Batch(2, time.Hour, records[0]), Batch(1, 0, records...))
	var want []flow.Record
	for _, r := range records {
		r.Window = Window(0)
		want = append(want, r)
	}
	late := records[0]
	late.Window = Window(time.Hour)
	got, err := s.Pods(t.Context(), store.Query{Cluster: "c"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(append(want, late), got, equal); d != "" {
		t.Errorf("pods (-want +got):\n%s", d)
	}
	if got, err := s.Pods(t.Context(), store.Query{Cluster: "c", From: Day.Add(time.Hour), To: Day.Add(2 * time.Hour)}); err != nil || len(got) != 1 {
		t.Errorf("the second hour: %v, %v; want one record", got, err)
	}
}

func (on suite) coverage() {
	t, s := on.t, on.store
	part := func(sequence uint64, offset time.Duration, c store.Coverage) store.Batch {
		b := Batch(sequence, offset)
		b.Records = []flow.Record{{Edge: frontToCart(), ByClient: Count(3)}, {Edge: frontToCart(), ByServer: Count(2)}}
		b.Losses = store.Losses{MapFull: 1, RingFull: 2, Unattributed: 3, Unparsed: 4, Detached: 5, SpoolOverflow: 6, Refused: 7}
		b.Coverage = c
		return b
	}
	old := store.Coverage{PodsKnown: 9, PodsWatched: 9, AttachMode: "clsact"}
	recent := store.Coverage{PodsKnown: 3, PodsWatched: 2, AttachMode: "tcx-pod", Missing: []string{"conntrack", "btf"}}
	mustAppend(t, s, part(3, 40*time.Minute, recent), part(1, 0, old), part(2, 0, old))
	got, err := s.Coverage(t.Context(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	want := []store.NodeCoverage{{
		Cluster: "c", Node: "n1", FirstSeen: Day, LastSeen: Window(40 * time.Minute).End, Covered: time.Minute, Batches: 3, Connections: 15,
		Losses:   store.Losses{MapFull: 3, RingFull: 6, Unattributed: 9, Unparsed: 12, Detached: 15, SpoolOverflow: 18, Refused: 21},
		Coverage: recent,
	}}
	if d := cmp.Diff(want, got, equal); d != "" {
		t.Errorf("coverage (-want +got):\n%s", d)
	}
}

func (on suite) refusals() {
	t, s := on.t, on.store
	for name, spoil := range map[string]func(*store.Batch){
		"no cluster":   func(b *store.Batch) { b.Cluster = "" },
		"no node":      func(b *store.Batch) { b.Node = "" },
		"no epoch":     func(b *store.Batch) { b.Epoch = "" },
		"no sequence":  func(b *store.Batch) { b.Sequence = 0 },
		"empty window": func(b *store.Batch) { b.Window.End = b.Window.Start },
		"long window":  func(b *store.Batch) { b.Window.End = b.Window.Start.Add(48 * time.Hour) },
	} {
		b := Batch(1, 0, flow.Record{Edge: frontToCart(), ByClient: Count(1)})
		spoil(&b)
		if _, err := s.Append(t.Context(), b); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	ancient := Batch(1, -10*365*24*time.Hour, flow.Record{Edge: frontToCart(), ByClient: Count(1)})
	if _, err := s.Append(t.Context(), ancient); !errors.Is(err, store.ErrTooOld) {
		t.Errorf("ten years old: %v, want ErrTooOld", err)
	}
	if _, err := s.Edges(t.Context(), store.Query{From: Day, To: Day}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("an empty query: %v, want ErrInvalid", err)
	}
	wantEdges(t, s, store.Query{})
	wantCatalogue(t, s, store.Query{})
}

func (on suite) concurrent() {
	t, s := on.t, on.store
	const nodes, windows = 8, 20
	var all sync.WaitGroup
	for n := range nodes {
		all.Go(func() {
			for w := range uint64(windows) {
				b := Batch(w+1, time.Duration(w)*30*time.Second, flow.Record{Edge: frontToCart(), ByClient: Count(1)})
				b.Node = fmt.Sprintf("n%d", n)
				if duplicate, err := s.Append(t.Context(), b); err != nil || duplicate {
					t.Errorf("appending: duplicate %v, error %v", duplicate, err)
				}
				if _, err := s.Edges(t.Context(), store.Query{}); err != nil {
					t.Errorf("reading: %v", err)
				}
			}
		})
	}
	all.Wait()
	whole := flow.Window{Start: Day, End: Day.Add(windows * 30 * time.Second)}
	wantEdges(t, s, store.Query{}, flow.Record{Window: whole, Edge: frontToCartFolded(), ByClient: Count(nodes * windows)})
}

func (on suite) closed() {
	t, s := on.t, on.store
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), Batch(1, 0)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("appending: %v, want ErrClosed", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
