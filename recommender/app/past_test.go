// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

var epoch = time.Date(2026, 3, 1, 0, 2, 0, 0, time.UTC)

func TestBinsCoverTheTime(t *testing.T) {
	for _, length := range []time.Duration{time.Second, 5 * time.Minute, 3 * time.Hour, 14 * 24 * time.Hour, 400 * 24 * time.Hour} {
		bins := binsOf(epoch, epoch.Add(length))
		if len(bins) == 0 || len(bins) > maxBins+1 {
			t.Errorf("%v: %d bins, want 1 to %d", length, len(bins), maxBins+1)
			continue
		}
		if bins[0].Start.After(epoch) || bins[len(bins)-1].End.Before(epoch.Add(length)) {
			t.Errorf("%v: the bins go from %v to %v", length, bins[0].Start, bins[len(bins)-1].End)
		}
		for i, b := range bins {
			if b.Start.Truncate(5*time.Minute) != b.Start || i > 0 && b.Start != bins[i-1].End {
				t.Errorf("%v: bin %d is %v", length, i, b)
			}
		}
	}
}

func seen(hour int, addr string) flow.Record {
	w := flow.Window{Start: epoch.Add(time.Duration(hour) * time.Hour), End: epoch.Add(time.Duration(hour+1) * time.Hour)}
	return flow.Record{Window: w, Edge: flow.Edge{Client: flow.Endpoint{IP: netip.MustParseAddr(addr)}, Server: flow.Endpoint{Node: "n"}, Protocol: flow.TCP, Port: 22}}
}

func TestRecorded(t *testing.T) {
	r := recorded{seen(0, "192.0.2.1"), seen(2, "192.0.2.1"), seen(5, "2001:db8::1")}
	q := store.Query{From: epoch.Add(150 * time.Minute), To: epoch.Add(5 * time.Hour)}
	got, err := r.Records(context.Background(), q)
	if err != nil || len(got) != 1 || got[0].Window != r[1].Window {
		t.Errorf("records %v, %v: want the second only", got, err)
	}
	known, err := r.Catalogue(context.Background(), store.Query{})
	if err != nil || len(known) != 2 {
		t.Fatalf("catalogue %v, %v", known, err)
	}
	for _, k := range known {
		first, last := r[0].Window.Start, r[1].Window.End
		if k.Edge.Client.IP.Is6() {
			first, last = r[2].Window.Start, r[2].Window.End
		}
		if !k.FirstSeen.Equal(first) || !k.LastSeen.Equal(last) {
			t.Errorf("%v seen from %v to %v", k.Edge.Client.IP, k.FirstSeen, k.LastSeen)
		}
	}
	if !r.end().Equal(r[2].Window.End) {
		t.Errorf("the end is %v", r.end())
	}
}

// broken fails after a while, as a full or damaged disk does.
type broken struct {
	recorded
	fails bool
}

func (b *broken) Records(ctx context.Context, q store.Query) ([]flow.Record, error) {
	if b.fails {
		return nil, errors.New("disk gone")
	}
	return b.recorded.Records(ctx, q)
}

// When a recomputation fails, the last good view stays and its failure is told.
func TestViewsKeepTheLastGoodOne(t *testing.T) {
	b := &broken{recorded: recorded{seen(0, "192.0.2.1"), seen(5, "2001:db8::1")}}
	snapshot := cluster.Build(epoch, nil, nil)
	v := &views{options: Options{Now: func() time.Time { return epoch }}.withDefaults(), past: b, snapshot: func() *cluster.Snapshot { return snapshot }, slots: make(chan struct{}, 1)}
	ctx := context.Background()
	if _, err := v.of(ctx, api.Span{}); !errors.Is(err, api.ErrNotReady) {
		t.Errorf("before the first view: %v", err)
	}
	first, before, err := v.renew(ctx)
	if err != nil || before != nil || len(first.Report.Edges) != 2 {
		t.Fatalf("the first view: %v, before it %v", err, before)
	}
	span := api.Span{From: epoch.Add(3 * time.Hour)}
	part, err := v.of(ctx, span)
	if err != nil || len(part.Report.Edges) != 1 {
		t.Fatalf("a part of the time: %v", err)
	}
	again, err := v.of(ctx, span)
	if err != nil || again != part {
		t.Errorf("the same part is computed twice (%v)", err)
	}
	b.fails = true
	if _, _, err = v.renew(ctx); err == nil {
		t.Fatal("the disk is gone and nobody says so")
	}
	kept, err := v.of(ctx, api.Span{})
	if failure, _ := v.status(); err != nil || kept != first || failure == "" {
		t.Errorf("after a failure: %v, view kept %v, failure %q", err, kept == first, failure)
	}
	b.fails = false
	next, before, err := v.renew(ctx)
	if failure, _ := v.status(); err != nil || before != first || next.Version != first.Version+1 || failure != "" {
		t.Errorf("after recovery: %v, version %d, failure %q", err, next.Version, failure)
	}
}
