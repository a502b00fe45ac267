// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/agent/podmap"
	"github.com/netcinch/netcinch/agent/probe"
	"github.com/netcinch/netcinch/recommender/wire"
)

// kernel is a collector that counts one connection to 10.1.0.9:80 a drain.
type kernel struct {
	answers  chan capture.DNSAnswer
	attached func(*podmap.Registry) // nil: nothing is watched
	drains   int
	flushes  int
	fail     error
	losses   capture.Losses
}

func (k *kernel) Attach(string, string) (capture.Slot, error)     { return 1, nil }
func (k *kernel) AttachHost(string, string) (capture.Slot, error) { return 1, nil }
func (k *kernel) Detach(capture.Slot) error                       { return nil }
func (k *kernel) DNS() <-chan capture.DNSAnswer                   { return k.answers }
func (k *kernel) Losses() (capture.Losses, error)                 { return k.losses, nil }
func (k *kernel) Missing() []probe.Missing                        { return []probe.Missing{{Feature: "conntrack"}} }
func (k *kernel) Close() error                                    { return nil }
func (k *kernel) Mode() probe.Mode                                { return probe.PodTCX }
func (k *kernel) Modes() map[capture.Slot]probe.Mode {
	return map[capture.Slot]probe.Mode{1: probe.PodTCX}
}

func (k *kernel) Drain(_ context.Context, emit func(*capture.Record)) error {
	if k.fail != nil {
		return k.fail
	}
	k.drains++
	emit(&capture.Record{
		Slot: 1, Local: netip.MustParseAddr("10.1.0.5"), LocalPort: 40000, Remote: netip.MustParseAddr("10.1.0.9"), RemotePort: 80,
		Protocol: 6, Initiator: capture.InitiatorLocal, Connections: 1, Tx: capture.Count{Packets: 1, Bytes: 60},
	})
	return nil
}

func (k *kernel) Flush(ctx context.Context, emit func(*capture.Record)) error {
	k.flushes++
	return k.Drain(ctx, emit)
}

// windows is a sink that remembers.
type windows struct{ all []export.Window }

func (w *windows) Put(x export.Window) {
	x.Edges = slices.Clone(x.Edges)
	w.all = append(w.all, x)
}

// observe runs the loop for a while, in the time of the bubble.
func observe(t *testing.T, k *kernel, length time.Duration, change func(*ObserverOptions)) (*Observer, []export.Window, string) {
	t.Helper()
	var log strings.Builder
	o := ObserverOptions{Window: 30 * time.Second, Clock: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	if change != nil {
		change(&o)
	}
	var sink windows
	if k.answers == nil {
		k.answers = make(chan capture.DNSAnswer, 10)
	}
	ob, err := newObserver(o, &sink, k)
	if err != nil {
		t.Fatal(err)
	}
	ob.registry, ob.watcher = podmap.NewRegistry(o.Clock), &podmap.Watcher{}
	if k.attached != nil {
		k.attached(ob.registry)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var tasks sync.WaitGroup
	tasks.Go(func() {
		if err := ob.watchPods(ctx); err != nil {
			t.Error(err)
		}
	})
	ob.loop(ctx)
	tasks.Wait()
	return ob, sink.all, log.String()
}

func TestWindowsCloseAtTheSameMomentsEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(7 * time.Second) // the agent starts in the middle of a window
		begin := time.Now()
		_, got, _ := observe(t, &kernel{}, 70*time.Second, nil)
		boundary := begin.Truncate(30 * time.Second).Add(30 * time.Second)
		want := []export.Window{
			{Start: begin, End: boundary},
			{Start: boundary, End: boundary.Add(30 * time.Second)},
			{Start: boundary.Add(30 * time.Second), End: begin.Add(70 * time.Second)},
		}
		if len(got) != len(want) {
			t.Fatalf("%d windows, want %d", len(got), len(want))
		}
		for i, w := range want {
			if !got[i].Start.Equal(w.Start) || !got[i].End.Equal(w.End) {
				t.Errorf("window %d is %v to %v, want %v to %v", i, got[i].Start, got[i].End, w.Start, w.End)
			}
		}
	})
}

func TestEveryDrainIsInAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{}
		ob, got, _ := observe(t, k, 100*time.Second, nil)
		var connections uint64
		for _, w := range got {
			for _, e := range w.Edges {
				connections += e.Connections
			}
		}
		if k.flushes != 1 || k.drains < 10 || connections != uint64(k.drains) {
			t.Errorf("%d drains, the last of %d with a flush; %d connections in windows", k.drains, k.flushes, connections)
		}
		if s := ob.Status(); s.Aggregate.Records != uint64(k.drains) {
			t.Errorf("status %+v after %d drains", s.Aggregate, k.drains)
		}
	})
}

func TestLossesAreReportedOnceAndCoverageAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{losses: capture.Losses{MapFull: 100, LostPackets: 7, Unparsed: 3, DNSLost: 2, DNSUnparsed: 1}}
		_, got, _ := observe(t, k, 100*time.Second, nil)
		var sum export.Losses
		for _, w := range got {
			sum.MapFull += w.Losses.MapFull
			sum.RingFull += w.Losses.RingFull
			sum.Unparsed += w.Losses.Unparsed
			if c := w.Coverage; c.AttachMode != "tcx-pod" || !slices.Equal(c.Missing, []string{"conntrack"}) {
				t.Errorf("coverage %+v", c)
			}
		}
		if want := (export.Losses{MapFull: 7, RingFull: 3, Unparsed: 3}); sum != want {
			t.Errorf("reported %+v in all windows, want %+v once", sum, want)
		}
	})
}

func TestFailedDrainIsToldOnceAndRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ob, _, log := observe(t, &kernel{fail: errors.New("map gone")}, 100*time.Second, nil)
		if n := strings.Count(log, "map gone"); n != 1 || ob.Status().DrainFailures < 5 {
			t.Errorf("told %d times, %d counted: %s", n, ob.Status().DrainFailures, log)
		}
	})
}

func TestNamesThatWaitAreLearntBeforeTheFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{answers: make(chan capture.DNSAnswer, 1)}
		k.answers <- capture.DNSAnswer{Slot: 1, Name: "web.example.com", TTL: time.Hour, Addrs: []netip.Addr{netip.MustParseAddr("10.1.0.9")}}
		_, got, _ := observe(t, k, 5*time.Second, nil)
		if e := got[0].Edges; len(e) != 1 || e[0].DNS != "web.example.com" {
			t.Errorf("got %+v, want one edge with its name", e)
		}
	})
}

// Where somebody knows the pods, an edge without one waits; at the end it is
// counted.
func TestUnknownPodIsCountedInTheLastWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, got, _ := observe(t, &kernel{}, 35*time.Second, func(o *ObserverOptions) { o.Pods = nobody{} })
		last := got[len(got)-1]
		if last.Losses.Unattributed != 2 || len(last.Edges) != 0 {
			t.Errorf("last window %+v, want the edges of two windows as unattributed", last)
		}
	})
}

type nobody struct{}

func (nobody) Watch(ctx context.Context, _ func([]podmap.Pod)) error { <-ctx.Done(); return nil }

// tardy reports its pod only after the agent was told to stop.
type tardy struct{ pod podmap.Pod }

func (s tardy) Watch(ctx context.Context, update func([]podmap.Pod)) error {
	<-ctx.Done()
	time.Sleep(time.Second) // of the bubble's time
	update([]podmap.Pod{s.pod})
	return nil
}

func TestPodsThatAreReadWhileStoppingAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		address := netip.MustParseAddr("10.1.0.5")
		k := &kernel{attached: func(r *podmap.Registry) {
			r.Attach(1, true)
			r.Address(1, address)
		}}
		_, got, _ := observe(t, k, 10*time.Millisecond, func(o *ObserverOptions) {
			o.Pods = tardy{podmap.Pod{Namespace: "shop", Name: "cart", UID: "u1", Addresses: []netip.Addr{address}}}
		})
		last := got[len(got)-1]
		if last.Losses.Unattributed != 0 || len(last.Edges) != 1 || last.Edges[0].Pod.Name != "cart" {
			t.Errorf("last window %+v, want the edge of the pod that was read late", last)
		}
	})
}

func TestWindowIsChecked(t *testing.T) {
	for _, d := range []time.Duration{0, time.Millisecond, wire.MaxWindow + 1} {
		_, err := NewObserver(ObserverOptions{Window: d, Clock: time.Now, Logger: slog.New(slog.DiscardHandler)}, &windows{})
		if err == nil || !strings.Contains(err.Error(), "--window") {
			t.Errorf("a window of %v: got %v, want the flag to be named", d, err)
		}
	}
}
