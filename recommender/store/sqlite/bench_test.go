// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/storetest"
)

// benchNodes in the environment is the size of the benchmarks' cluster.
const benchNodes = "NETCINCH_BENCH_NODES"

// fleet is a cluster of nodes with 30 pods each, of which each talks to 20
// peers: as both ends see them, 600 edges a node and window. Ten pods make a
// workload, so that ten times fewer workload edges are left.
type fleet struct {
	nodes int
	pods  []flow.Endpoint
}

func newFleet(b *testing.B) fleet {
	b.Helper()
	f := fleet{nodes: 50}
	if n, err := strconv.Atoi(os.Getenv(benchNodes)); err == nil {
		f.nodes = n
	}
	for i := range f.nodes * 30 {
		f.pods = append(f.pods, f.pod(i))
	}
	return f
}

func (f fleet) pod(i int) flow.Endpoint {
	w := i % (f.nodes * 3)
	return flow.Endpoint{
		Workload: flow.Workload{Namespace: fmt.Sprintf("ns-%d", w%97), Kind: "Deployment", Name: fmt.Sprintf("workload-%d", w)},
		Pod:      fmt.Sprintf("workload-%d-%x-%d", w, i*2654435761, i), IP: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}),
		Node: fmt.Sprintf("node-%d", i/30), Process: fmt.Sprintf("/usr/bin/workload-%d", w),
	}
}

func (f fleet) batch(node, window int, start time.Time) store.Batch {
	b := store.Batch{Cluster: "bench", Node: fmt.Sprintf("node-%d", node), Epoch: "e", Sequence: uint64(window + 1)}
	b.Window.Start = start.Add(time.Duration(window) * 30 * time.Second)
	b.Window.End = b.Window.Start.Add(30 * time.Second)
	for p := range 30 {
		local := node*30 + p
		for peer := range 20 {
			other := local%(f.nodes*3)*7 + peer*131 + f.nodes*3*((local+peer)%10)
			r := flow.Record{ByClient: storetest.Count(uint64(window%7 + 1)), Edge: flow.Edge{
				Client: f.pods[local], Server: f.pods[other%len(f.pods)], Protocol: flow.TCP, Port: uint16(8000 + peer),
			}}
			b.Records = append(b.Records, r)
		}
	}
	return b
}

// fill appends windows of all nodes, as many nodes at once as agents would.
func (f fleet) fill(b *testing.B, s *Store, from, to int, start time.Time) {
	b.Helper()
	var all sync.WaitGroup
	nodes := make(chan int)
	for range 32 {
		all.Go(func() {
			for n := range nodes {
				for w := from; w < to; w++ {
					if _, err := s.Append(b.Context(), f.batch(n, w, start)); err != nil {
						b.Error(err)
						return
					}
				}
			}
		})
	}
	for n := range f.nodes {
		nodes <- n
	}
	close(nodes)
	all.Wait()
}

func openBench(b *testing.B, dir string) *Store {
	b.Helper()
	s, err := Open(Options{Dir: dir, Clock: noon})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkAppend appends windows of the whole fleet; one op is one window.
func BenchmarkAppend(b *testing.B) {
	f := newFleet(b)
	dir := b.TempDir()
	s := openBench(b, dir)
	window := 0
	for b.Loop() {
		f.fill(b, s, window, window+1, storetest.Day)
		window++
	}
	records := float64(window * f.nodes * 600)
	b.ReportMetric(records/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(s.size())/records, "bytes/record")
	edges, err := s.Catalogue(b.Context(), store.Query{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(edges)), "workload-edges")
}

// BenchmarkQuery asks a store of one busy day; PodRetention keeps what is
// written comparable with BenchmarkAppend.
func BenchmarkQuery(b *testing.B) {
	f := newFleet(b)
	s := openBench(b, b.TempDir())
	for hour := range 24 { // two windows an hour: every level has rows
		f.fill(b, s, hour*2, hour*2+2, storetest.Day.Add(time.Duration(hour)*(time.Hour-time.Minute)))
	}
	at := func(offset time.Duration) time.Time { return storetest.Day.Add(offset) }
	edge := f.batch(0, 0, storetest.Day).Records[0].Edge
	for _, c := range []struct {
		name string
		run  func() (int, error)
	}{
		{"graph of 30 minutes", func() (int, error) {
			r, err := s.Edges(b.Context(), store.Query{Cluster: "bench", From: at(12 * time.Hour), To: at(12*time.Hour + 30*time.Minute)})
			return len(r), err
		}},
		{"graph of a day", func() (int, error) {
			r, err := s.Edges(b.Context(), store.Query{Cluster: "bench"})
			return len(r), err
		}},
		{"graph of a namespace, 20 hours", func() (int, error) {
			r, err := s.Edges(b.Context(), store.Query{Cluster: "bench", Namespace: "ns-1", From: at(100 * time.Minute), To: at(22 * time.Hour)})
			return len(r), err
		}},
		{"series of an edge", func() (int, error) {
			r, err := s.Series(b.Context(), store.Query{Cluster: "bench"}, edge)
			return len(r), err
		}},
		{"catalogue of the last hour", func() (int, error) {
			r, err := s.Catalogue(b.Context(), store.Query{Cluster: "bench", From: at(22 * time.Hour)})
			return len(r), err
		}},
		{"coverage", func() (int, error) {
			r, err := s.Coverage(b.Context(), store.Query{Cluster: "bench"})
			return len(r), err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := 0
			var err error
			for b.Loop() {
				if n, err = c.run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "rows")
		})
	}
}
