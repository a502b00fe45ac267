// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/ingest"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

// measured is what the process under test says of itself at its end.
type measured struct {
	CPU     float64            `json:"cpuSeconds"` // user and system, from the first batch on
	Wall    float64            `json:"wallSeconds"`
	PeakRSS int64              `json:"peakRSS"` // bytes
	Disk    int64              `json:"disk"`    // bytes that the store takes
	Edges   int                `json:"edges"`   // in the catalogue
	Queries map[string][]int64 `json:"queries"` // microseconds
}

// recommender is the process under test: ingest and store, as serve wires them.
type recommender struct {
	options options
	fleet   fleet
	store   *sqlite.Store
	now     func() time.Time
}

// run serves until standard input ends, and writes what it measured.
func (r *recommender) run(in io.Reader, out io.Writer) (err error) {
	r.store, err = sqlite.Open(sqlite.Options{Dir: filepath.Join(r.options.dir, "flows"), Clock: r.now, Retention: 40 * 24 * time.Hour})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err = r.past(ctx); err != nil {
		return err
	}
	handler, listener, err := r.listen()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintln(out, "https://"+listener.Addr().String())
	finish, err := profiled(r.options.profile)
	if err != nil {
		return err
	}
	m := measured{Queries: map[string][]int64{}}
	began, cpu := r.now(), cpuSeconds()
	asked, stop := context.WithCancel(ctx)
	var asking sync.WaitGroup
	if r.options.queries {
		asking.Go(func() { r.ask(asked, &m) })
	}
	_, _ = io.Copy(io.Discard, in) // until the parent closes it
	finish()
	m.Wall, m.CPU = r.now().Sub(began).Seconds(), cpuSeconds()-cpu
	stop()
	asking.Wait()
	if err = server.Close(); err != nil {
		return err
	}
	if err = <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	m.PeakRSS = peakRSS()
	entries, err := r.store.Catalogue(ctx, store.Query{Cluster: clusterName})
	if err != nil {
		return err
	}
	m.Edges = len(entries)
	reader, err := sqlite.OpenRead(filepath.Join(r.options.dir, "flows"))
	if err != nil {
		return err
	}
	info, err := reader.Describe(ctx)
	if err != nil {
		return err
	}
	m.Disk = info.Bytes
	return json.NewEncoder(out).Encode(m)
}

func (r *recommender) listen() (http.Handler, net.Listener, error) {
	tokens, err := ingest.ReadTokens(filepath.Join(r.options.dir, "agent.token"))
	if err != nil {
		return nil, nil, err
	}
	history := cluster.NewHistory(cluster.HistoryOptions{})
	history.Observe(r.fleet.snapshot())
	handler, err := ingest.New(ingest.Options{Store: r.store, Auth: tokens, Clock: r.now, Clusters: map[string]ingest.Resolver{clusterName: history}})
	if err != nil {
		return nil, nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(r.options.dir, "cert.pem"), filepath.Join(r.options.dir, "key.pem"))
	if err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	routes := http.NewServeMux()
	routes.Handle("/v1/flows", handler)
	return routes, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}), nil
}

// past fills the days before: in each of them every edge, once.
func (r *recommender) past(ctx context.Context) error {
	history := cluster.NewHistory(cluster.HistoryOptions{})
	history.Observe(r.fleet.snapshot())
	for back := r.options.history; back > 0; back-- {
		at := r.now().Truncate(24 * time.Hour).Add(-time.Duration(back)*24*time.Hour + 12*time.Hour)
		var all sync.WaitGroup
		failed := make(chan error, 8)
		for part := range 8 {
			all.Go(func() {
				for node := part; node < r.fleet.nodes; node += 8 {
					if _, err := r.store.Append(ctx, r.fleet.stored(node, flow.Window{Start: at, End: at.Add(30 * time.Second)})); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		all.Wait()
		close(failed)
		if err := <-failed; err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "\rhistory: %d days to go ", back-1)
	}
	return nil
}

// stored is a node's batch as ingest hands it to the store.
func (f fleet) stored(node int, w flow.Window) store.Batch {
	b := store.Batch{Cluster: clusterName, Node: f.node(node), Epoch: "past", Sequence: uint64(w.Start.Unix()), Window: w}
	end := func(pod int) flow.Endpoint {
		return flow.Endpoint{Workload: f.workload(pod), Pod: f.podName(pod), IP: f.address(pod), Node: f.node(pod / podsPerNode)}
	}
	for pod := node * podsPerNode; pod < (node+1)*podsPerNode; pod++ {
		client := end(pod)
		client.Process = "/usr/bin/" + f.workload(pod).Name
		for n := range peersPerPod {
			b.Records = append(b.Records, flow.Record{
				Edge:     flow.Edge{Client: client, Server: end(f.peer(pod, n)), Protocol: flow.TCP, Port: uint16(8000 + n)},
				ByClient: flow.Counters{Connections: 1, BytesSent: 400, BytesReceived: 2000, PacketsSent: 6, PacketsReceived: 5},
			})
		}
	}
	return b
}

// ask asks the store what a page would, again and again.
func (r *recommender) ask(ctx context.Context, m *measured) {
	w := 0
	for wait(ctx, r.options.askEvery) {
		now := r.now()
		half := store.Query{Cluster: clusterName, From: now.Add(-30 * time.Minute), To: now}
		one := half
		one.Workload = r.fleet.workload(w)
		w = (w + 97) % r.fleet.workloads()
		space := half
		space.Namespace = one.Workload.Namespace
		long := one
		long.From = now.Add(-30 * 24 * time.Hour)
		for _, q := range []struct {
			name string
			ask  func() error
		}{
			{"graph of 30 minutes, all", func() error { _, err := r.store.Edges(ctx, half); return err }},
			{"graph of 30 minutes, one namespace", func() error { _, err := r.store.Edges(ctx, space); return err }},
			{"one workload, 30 minutes", func() error { _, err := r.store.Edges(ctx, one); return err }},
			{"one workload, 30 days", func() error { _, err := r.store.Edges(ctx, long); return err }},
			{"first seen in the last 24 hours", func() error {
				_, err := r.store.Catalogue(ctx, store.Query{Cluster: clusterName, NewSince: now.Add(-24 * time.Hour)})
				return err
			}},
			{"coverage of 30 minutes", func() error { _, err := r.store.Coverage(ctx, half); return err }},
		} {
			began := r.now()
			if err := q.ask(); err != nil {
				if ctx.Err() == nil {
					fmt.Fprintln(os.Stderr, "asking:", err)
				}
				return
			}
			m.Queries[q.name] = append(m.Queries[q.name], r.now().Sub(began).Microseconds())
		}
	}
}

// profiled writes a CPU profile until finish; none without a file.
func profiled(file string) (finish func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "writing the profile:", err)
		}
	}, nil
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// peakRSS reads VmHWM, in bytes; 0 where the system does not tell.
func peakRSS() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(text, "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}
