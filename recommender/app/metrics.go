// SPDX-License-Identifier: Apache-2.0

package app

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/api"
)

// metrics are what the recommender says of itself on /metrics.
type metrics struct {
	registry *prometheus.Registry
	seconds  prometheus.Histogram
	failures prometheus.Counter
	version  *prometheus.GaugeVec // this one and those below by cluster
	edges    *prometheus.GaugeVec
	findings *prometheus.GaugeVec // and by kind
	advice   *prometheus.GaugeVec
	problems *prometheus.GaugeVec
}

var findingKinds = []analyze.FindingKind{
	analyze.FindingUnused, analyze.FindingRedundant, analyze.FindingPartlyUsed, analyze.FindingSelectsNothing,
	analyze.FindingUnseen, analyze.FindingDenied, analyze.FindingRisky, analyze.FindingConflict,
}

func newMetrics(o Options) *metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"cluster"}, labels...))
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "netcinch_view_compute_seconds", Help: "Time that one recomputation of the view took.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 10),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "netcinch_view_failures_total", Help: "Recomputations of the view that failed; the page shows the one before."}),
		version:  gauge("netcinch_view_version", "Version of the view that is shown."),
		edges:    gauge("netcinch_edges", "Workload edges in the view."),
		findings: gauge("netcinch_findings", "Findings in the view, by kind.", "kind"),
		advice:   gauge("netcinch_recommendations", "Recommendations that are offered."),
		problems: gauge("netcinch_input_problems", "Objects, fields and lines of the input that are left out."),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "netcinch_build_info", Help: "Always 1; the release is in its label."}, []string{"release"})
	build.WithLabelValues(o.Release).Set(1)
	m.registry.MustRegister(
		m.seconds, m.failures, m.version, m.edges, m.findings, m.advice, m.problems, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func (m *metrics) observe(v *api.View, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	m.version.WithLabelValues(v.Cluster).Set(float64(v.Version))
	m.edges.WithLabelValues(v.Cluster).Set(float64(len(v.Report.Edges)))
	m.problems.WithLabelValues(v.Cluster).Set(float64(len(v.Problems)))
	m.advice.WithLabelValues(v.Cluster).Set(float64(api.ViewEventOf(v).Recommendations))
	count := map[analyze.FindingKind]int{}
	for i := range v.Report.Findings {
		count[v.Report.Findings[i].Kind]++
	}
	for _, kind := range findingKinds {
		m.findings.WithLabelValues(v.Cluster, string(kind)).Set(float64(count[kind]))
	}
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
