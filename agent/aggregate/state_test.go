// SPDX-License-Identifier: Apache-2.0

//go:build linux

package aggregate

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/owner"
)

// filled is an aggregator that holds edges of every kind, some without a pod.
func filled(tb testing.TB) *world {
	tb.Helper()
	w := newWorld(tb, func(o *Options) {
		o.Program = func(r *capture.Record) owner.Program {
			if r.Protocol == unix.IPPROTO_UDP {
				return owner.Program{}
			}
			return owner.NewProgram("/bin/app", "c1", "u1")
		}
	})
	for slot := capture.Slot(1); slot <= 2; slot++ {
		for _, address := range []string{"10.1.0.9", "fd00::9"} {
			w.Learn(capture.DNSAnswer{Slot: slot, Name: "db.shop.svc", Addrs: []netip.Addr{netip.MustParseAddr(address)}, TTL: time.Hour})
		}
		w.add(
			record(unix.IPPROTO_TCP, "10.1.0.5:40000", "10.1.0.9:5432", func(r *capture.Record) { r.Slot = slot }),
			record(unix.IPPROTO_UDP, "[fd00::5]:40000", "[fd00::9]:53", func(r *capture.Record) { r.Slot = slot }),
			record(unix.IPPROTO_TCP, "10.1.0.5:40001", "10.1.0.9:5433", func(r *capture.Record) {
				r.Slot, r.Outcome, r.Reason = slot, capture.Dropped, "NETFILTER_DROP"
			}),
			record(unix.IPPROTO_TCP, "10.1.0.5:40002", "10.96.0.1:443", func(r *capture.Record) {
				r.Slot, r.Dialled, r.Backend = slot, ap("10.96.0.1:443"), ap("10.1.0.9:6443")
			}),
		)
	}
	w.Close(window.End) // slot 2's wait for their pod
	w.Begin(Window{window.End, window.End.Add(window.End.Sub(window.Start))})
	w.add(record(unix.IPPROTO_TCP, "10.1.0.5:40003", "10.1.0.9:5432", func(r *capture.Record) {
		r.Outcome, r.Reason = capture.Dropped, "NO_SOCKET"
	}))
	return w
}

// TestStateIsWhole: nothing of an edge is forgotten on the way to the next
// process.
func TestStateIsWhole(t *testing.T) {
	before := filled(t)
	if len(before.Aggregator.edges) == 0 || len(before.waiting) == 0 {
		t.Fatalf("%d edges, %d waiting: want some of each", len(before.Aggregator.edges), len(before.waiting))
	}
	after := newWorld(t, nil)
	open, err := after.Restore(before.AppendState(nil))
	if err != nil || !open.Start.Equal(before.window.Start) || !open.End.Equal(before.window.End) {
		t.Fatalf("window %v, %v: want %v", open, err, before.window)
	}
	if !maps.Equal(after.Aggregator.edges, before.Aggregator.edges) {
		t.Errorf("edges %+v, want %+v", after.Aggregator.edges, before.Aggregator.edges)
	}
	sameName := func(a, b name) bool { return a.text == b.text && a.expires.Equal(b.expires) }
	if !maps.EqualFunc(after.names.entries, before.names.entries, sameName) || len(after.names.entries) != 4 {
		t.Errorf("names %+v, want %+v", after.names.entries, before.names.entries)
	}
	same := func(a, b waiting) bool {
		return a.key == b.key && a.counts == b.counts && a.window.Start.Equal(b.window.Start) && a.window.End.Equal(b.window.End)
	}
	if !slices.EqualFunc(after.waiting, before.waiting, same) {
		t.Errorf("waiting %+v, want %+v", after.waiting, before.waiting)
	}
}

// FuzzRestore: a state either is refused, and changes nothing, or says the same
// when it is written again.
func FuzzRestore(f *testing.F) {
	whole := filled(f).AppendState(nil)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{stateVersion, 0, 0, 0, 0, 0})
	f.Add([]byte{stateVersion, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0})
	f.Fuzz(func(t *testing.T, state []byte) {
		w := newWorld(t, nil)
		before := w.window
		open, err := w.Restore(state)
		if err != nil {
			if !errors.Is(err, ErrState) || w.window != before || len(w.Aggregator.edges)+len(w.waiting) > 0 {
				t.Errorf("%v: the aggregator holds %d edges", err, len(w.Aggregator.edges)+len(w.waiting))
			}
			return
		}
		again := newWorld(t, nil)
		reopened, err := again.Restore(w.AppendState(nil))
		if err != nil || !reopened.Start.Equal(open.Start) || !maps.Equal(again.Aggregator.edges, w.Aggregator.edges) || len(again.waiting) != len(w.waiting) {
			t.Errorf("written again: %v, %d edges of %d, %d waiting of %d", err,
				len(again.Aggregator.edges), len(w.Aggregator.edges), len(again.waiting), len(w.waiting))
		}
	})
}
