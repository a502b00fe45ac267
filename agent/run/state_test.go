// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"log/slog"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/aggregate"
	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/agent/podmap"
)

// memory is a sink that keeps what is committed.
type memory struct {
	windows
	state []byte
}

func (m *memory) State() []byte             { return m.state }
func (m *memory) Commit(state []byte) error { m.state = state; return nil }

// TestUnreportedLossesOutliveTheProcess: what is lost after the last window is
// in what is committed, and the next observer tells of it, once.
func TestUnreportedLossesOutliveTheProcess(t *testing.T) {
	sink := &memory{}
	var now time.Time
	next := func(k *kernel) *Observer {
		o := ObserverOptions{Window: 30 * time.Second, Clock: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler)}
		ob, err := newObserver(o, sink, k)
		if err != nil {
			t.Fatal(err)
		}
		ob.registry, ob.watcher = podmap.NewRegistry(o.Clock), &podmap.Watcher{}
		ob.restore(recall(sink, o.Logger))
		return ob
	}
	now = time.Unix(1_800_000_000, 0)
	window := func(ob *Observer) export.Losses {
		ob.emit(aggregate.Part{Window: aggregate.Window{Start: now, End: now.Add(time.Second)}})
		return sink.all[len(sink.all)-1].Losses
	}

	k := &kernel{losses: capture.Losses{Unparsed: 2}}
	ob := next(k)
	if got := window(ob); got != (export.Losses{Unparsed: 2}) {
		t.Errorf("first window: %+v", got)
	}
	k.losses = capture.Losses{Unparsed: 5, DNSUnparsed: 1}
	ob.publish()
	ob.commit(t.Context()) // and it is killed

	ob = next(&kernel{losses: capture.Losses{Unparsed: 4}}) // since then
	ob.publish()
	ob.commit(t.Context()) // killed again, before any window
	ob = next(&kernel{})
	if got := window(ob); got != (export.Losses{Unparsed: 7, RingFull: 1}) {
		t.Errorf("window after two restarts: %+v, want 7 unparsed packets and one answer", got)
	}
	if got := window(ob); got != (export.Losses{}) {
		t.Errorf("told twice: %+v", got)
	}
}
