// SPDX-License-Identifier: Apache-2.0

package ingest

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	batches  *prometheus.CounterVec
	edges    prometheus.Counter
	bytes    prometheus.Counter
	ends     *prometheus.CounterVec
	waits    *prometheus.CounterVec
	inFlight prometheus.Gauge
	seconds  prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netcinch_ingest_batches_total", Help: "Batches by result: stored, duplicate, or the reason of the refusal.",
		}, []string{"result"}),
		edges: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "netcinch_ingest_edges_total", Help: "Edges in batches that were stored.",
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "netcinch_ingest_received_bytes_total", Help: "Bytes of bodies that were read, compressed.",
		}),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netcinch_ingest_ends_total", Help: "Ends of stored edges by end (local, remote) and by how they were resolved.",
		}, []string{"end", "resolved"}),
		waits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netcinch_ingest_waits_total", Help: "Batches that waited for the cluster's news, by outcome (resolved, given_up).",
		}, []string{"outcome"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "netcinch_ingest_in_flight", Help: "Batches that are worked on.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "netcinch_ingest_append_seconds", Help: "Time until a batch was durable.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 10),
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.batches, m.edges, m.bytes, m.ends, m.waits, m.inFlight, m.seconds} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
