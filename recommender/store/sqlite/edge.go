// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"net/netip"

	"zombiezen.com/go/sqlite"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// key is the identity of an edge in a cluster, short enough to index: the
// first half of the SHA-256 of what store.Key leaves.
type key [16]byte

// keyOf works on an edge that is folded. Every string is preceded by its
// length, so that no two edges share a text.
func keyOf(cluster string, e flow.Edge) key {
	text := make([]byte, 0, 256)
	add := func(values ...string) {
		for _, v := range values {
			text = binary.AppendUvarint(text, uint64(len(v)))
			text = append(text, v...)
		}
	}
	add(cluster)
	for _, end := range []*flow.Endpoint{&e.Client, &e.Server} {
		add(end.Workload.Namespace, end.Workload.Kind, end.Workload.Name, end.Node, end.DNS)
		raw := end.IP.As16()
		text = append(text, byte(end.IP.BitLen()))
		text = append(text, raw[:]...)
	}
	text = append(text, byte(e.Protocol), byte(e.Outcome))
	text = binary.BigEndian.AppendUint16(text, e.Port)
	sum := sha256.Sum256(text)
	return key(sum[:16])
}

// bindEdge binds the columns of edgeNames.
func bindEdge(b *binder, cluster string, e flow.Edge) {
	b.text(cluster)
	for _, end := range []*flow.Endpoint{&e.Client, &e.Server} {
		ip := ""
		if end.IP.IsValid() {
			ip = end.IP.String()
		}
		b.text(end.Workload.Namespace, end.Workload.Kind, end.Workload.Name, end.Node, ip, end.DNS)
	}
	b.number(int64(e.Protocol), int64(e.Port), int64(e.Outcome))
	b.text(e.Client.Process, e.Server.Process, e.Service, e.Reason)
	b.number(boolean(e.Guessed))
	b.text(e.Client.Elsewhere, e.Server.Elsewhere)
}

func boolean(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

// scanEdge reads the columns of edgeNames, of which the first is at column.
func scanEdge(row *sqlite.Stmt, column int) (cluster string, e flow.Edge) {
	text := func() string {
		column++
		return row.ColumnText(column - 1)
	}
	integer := func() int64 {
		column++
		return row.ColumnInt64(column - 1)
	}
	cluster = text()
	for _, end := range []*flow.Endpoint{&e.Client, &e.Server} {
		end.Workload = flow.Workload{Namespace: text(), Kind: text(), Name: text()}
		end.Node = text()
		if ip := text(); ip != "" {
			end.IP, _ = netip.ParseAddr(ip) // written by bindEdge
		}
		end.DNS = text()
	}
	e.Protocol, e.Port, e.Outcome = flow.Protocol(integer()), uint16(integer()), flow.Outcome(integer())
	e.Client.Process, e.Server.Process, e.Service, e.Reason = text(), text(), text(), text()
	e.Guessed = integer() != 0
	e.Client.Elsewhere, e.Server.Elsewhere = text(), text()
	return cluster, e
}

// described says which parts of the description are known, as bits: a sight
// that brings no new bit leaves the row alone.
func described(e flow.Edge) (bits uint8) {
	for i, known := range []bool{e.Client.Process != "", e.Server.Process != "", e.Service != "", e.Reason != "", !e.Guessed, e.Client.Elsewhere != "", e.Server.Elsewhere != ""} {
		if known {
			bits |= 1 << i
		}
	}
	return bits
}

// both are the counts of the two ends.
type both struct{ client, server flow.Counters }

func (b both) add(o both) both {
	return both{addCounters(b.client, o.client), addCounters(b.server, o.server)}
}

// addCounters sums, and stops at what SQLite can keep.
func addCounters(a, b flow.Counters) flow.Counters {
	return flow.Counters{
		Connections: addCount64(a.Connections, b.Connections),
		BytesSent:   addCount64(a.BytesSent, b.BytesSent), BytesReceived: addCount64(a.BytesReceived, b.BytesReceived),
		PacketsSent: addCount64(a.PacketsSent, b.PacketsSent), PacketsReceived: addCount64(a.PacketsReceived, b.PacketsReceived),
	}
}

func addCount64(a, b uint64) uint64 {
	if sum := a + b; sum >= a && sum <= math.MaxInt64 {
		return sum
	}
	return math.MaxInt64
}

func (b *binder) counts(c both) {
	for _, end := range []flow.Counters{c.client, c.server} {
		for _, n := range []uint64{end.Connections, end.BytesSent, end.BytesReceived, end.PacketsSent, end.PacketsReceived} {
			b.number(saturate(n))
		}
	}
}

// saturate gives a count as SQLite can keep it.
func saturate(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

func scanCounts(row *sqlite.Stmt, column int) both {
	n := func(i int) uint64 { return uint64(row.ColumnInt64(column + i)) }
	return both{
		flow.Counters{Connections: n(0), BytesSent: n(1), BytesReceived: n(2), PacketsSent: n(3), PacketsReceived: n(4)},
		flow.Counters{Connections: n(5), BytesSent: n(6), BytesReceived: n(7), PacketsSent: n(8), PacketsReceived: n(9)},
	}
}

// sight is what was seen of one edge and is not written yet.
type sight struct {
	key      key
	cluster  string
	edge     flow.Edge // folded, described
	first    int64     // milliseconds of the day
	last     int64
	programs []program
	buckets  []bucket
}

// bucket is what was counted on an edge in one bucket of one level.
type bucket struct {
	index       int64
	first, last int64
	counts      both
}

func (s *sight) add(o *sight, index int64, c both) {
	s.edge = store.Describe(s.edge, o.edge)
	s.first, s.last = min(s.first, o.first), max(s.last, o.last)
	if s.programs == nil {
		s.programs = o.programs // nobody else uses the batch's
	} else {
		s.programs = addPrograms(s.programs, o.programs)
	}
	s.buckets = addBucket(s.buckets, bucket{index, o.first, o.last, c})
}

// addBucket sums into the bucket of the same index; a transaction touches few.
func addBucket(buckets []bucket, b bucket) []bucket {
	for i := range buckets {
		if have := &buckets[i]; have.index == b.index {
			have.first, have.last = min(have.first, b.first), max(have.last, b.last)
			have.counts = have.counts.add(b.counts)
			return buckets
		}
	}
	return append(buckets, b)
}
