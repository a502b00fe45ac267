// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/status"
)

// Traffic is what was counted at the watched interfaces since the agent began.
// What two pods of the node exchange is counted at both.
type Traffic struct {
	Connections uint64
	Packets     uint64
	Bytes       uint64
}

func (t *Traffic) add(r *capture.Record) {
	t.Connections += r.Connections
	t.Packets += r.Tx.Packets + r.Rx.Packets
	t.Bytes += r.Tx.Bytes + r.Rx.Bytes
}

// sample is the counters at a moment.
type sample struct {
	at      time.Time
	traffic Traffic
	records uint64
	edges   uint64
}

// recent holds the counters at the ends of the last two windows, so that rates
// are told over one to two windows.
type recent struct{ before, last sample }

func (r *recent) roll(s sample) { r.before, r.last = r.last, s }

// rates gives what was counted since the window before.
func (r *recent) rates(now sample) status.Rates {
	from := r.before
	if from.at.IsZero() {
		from = r.last
	}
	seconds := now.at.Sub(from.at).Seconds()
	if from.at.IsZero() || seconds <= 0 {
		return status.Rates{}
	}
	per := func(a, b uint64) float64 { return float64(b-a) / seconds }
	return status.Rates{
		Over:        seconds,
		Connections: per(from.traffic.Connections, now.traffic.Connections),
		Packets:     per(from.traffic.Packets, now.traffic.Packets),
		Bytes:       per(from.traffic.Bytes, now.traffic.Bytes),
		Records:     per(from.records, now.records),
		Edges:       per(from.edges, now.edges),
	}
}

// sample reads the counters; the lock is held.
func (o *Observer) sample(now time.Time) sample {
	return sample{at: now, traffic: o.status.Traffic, records: o.status.Aggregate.Records, edges: o.status.Aggregate.Edges}
}
