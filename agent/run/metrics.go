// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/netcinch/netcinch/agent/status"
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("netcinch_agent_"+name, help, labels, nil)
}

var (
	descInfo        = describe("build_info", "The running version.", "version")
	descLost        = describe("lost_total", "What was not recorded, by cause; the unit says what is counted.", "cause", "unit")
	descConnections = describe("connections_total", "Connections that began, as counted at the watched interfaces.")
	descPackets     = describe("packets_total", "Packets counted at the watched interfaces.")
	descBytes       = describe("bytes_total", "Bytes counted at the watched interfaces.")
	descFeature     = describe("kernel_feature", "Whether the kernel has a feature that the agent uses: 1 or 0.", "feature")
	descMode        = describe("attach_mode_info", "How new interfaces are attached to.", "mode")
	descRecords     = describe("flow_records_total", "Flow records read from the kernel.")
	descEdges       = describe("edges_total", "Edges handed over in windows.")
	descOverflow    = describe("flow_map_overflow_packets_total", "Packets that found no room in the kernel's flow map and went out by the ring buffer.")
	descDrainFails  = describe("drain_failures_total", "Reads of the kernel's counts that failed and were repeated.")
	descOverruns    = describe("netlink_overruns_total", "Times that kernel notifications were lost and all interfaces were listed again.")
	descPods        = describe("pods", "Pods of this node.", "state")
	descInterfaces  = describe("interfaces", "Interfaces: watched, of these without a known pod, and gone without one.", "state")
	descUnknown     = describe("records_without_program_total", "Flow records whose local end's program is not known.")
	descDropped     = describe("kernel_drops_total", "Packets that the kernel dropped on the node and in its pods.")
	descDisputed    = describe("pods_disputed_total", "Interfaces that had another pod by their address than their processes belong to.")
	descSynced      = describe("pods_synced", "Whether the source of pods has reported: 1 or 0.")
	descSourceFails = describe("pod_source_failures_total", "Pod files or watches that failed.")
	descSent        = describe("batches_sent_total", "Batches that the recommender acknowledged.")
	descSentBytes   = describe("batches_sent_bytes_total", "Bytes of acknowledged batches, compressed.")
	descRetries     = describe("send_retries_total", "Tries to send that failed and were repeated.")
	descRefused     = describe("batches_refused_total", "Batches that the recommender refused for good, by reason.", "reason")
	descSpool       = describe("spool_batches", "Batches that wait to be acknowledged.")
	descSpoolBytes  = describe("spool_bytes", "Bytes of batches that wait, by place.", "place")
	descSpoolWrite  = describe("spool_write_failures_total", "Batches that could not be written to the spool and stayed in memory.")
	descUp          = describe("recommender_reachable", "Whether the last try to send succeeded: 1 or 0.")
)

// Describe and Collect make the agent a prometheus.Collector.
func (a *Agent) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(a, out) }

// Collect reads every counter once.
func (a *Agent) Collect(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s, c, spool := a.observer.Status(), a.exporter.Counts(), a.exporter.Spool()
	gauge(descInfo, 1, a.options.Version)
	for _, l := range losses {
		counter(descLost, l.count(&s, &c), l.cause, l.unit)
	}
	counter(descConnections, s.Traffic.Connections)
	counter(descPackets, s.Traffic.Packets)
	counter(descBytes, s.Traffic.Bytes)
	for _, f := range status.Features(a.observer.lacks(s)) {
		gauge(descFeature, oneIf(f.Found), f.Name)
	}
	gauge(descMode, 1, a.observer.collector.Mode().String())
	counter(descRecords, s.Aggregate.Records)
	counter(descEdges, s.Aggregate.Edges)
	counter(descOverflow, s.Capture.MapFull)
	counter(descUnknown, s.Owners.Unknown)
	counter(descDropped, s.Drops.Packets)
	counter(descDisputed, s.Pods.Disputed)
	counter(descDrainFails, s.DrainFailures)
	counter(descOverruns, s.Overruns)
	gauge(descPods, float64(s.Pods.PodsKnown), "known")
	gauge(descPods, float64(s.Pods.PodsWatched), "watched")
	gauge(descPods, float64(s.Pods.HostNetwork), "host_network")
	gauge(descInterfaces, float64(s.Pods.Slots), "watched")
	gauge(descInterfaces, float64(s.Pods.Unbound), "unknown_pod")
	gauge(descInterfaces, float64(s.Pods.GoneUnbound), "gone_unknown_pod")
	gauge(descSynced, oneIf(s.Pods.Synced))
	if source, ok := a.options.Observer.Pods.(interface{ Failures() uint64 }); ok {
		counter(descSourceFails, source.Failures())
	}
	counter(descSent, c.Sent)
	counter(descSentBytes, c.SentBytes)
	counter(descRetries, c.Retries)
	for reason, n := range c.Refused {
		counter(descRefused, n, reason)
	}
	gauge(descSpool, float64(spool.Batches))
	gauge(descSpoolBytes, float64(spool.Bytes), "files")
	gauge(descSpoolBytes, float64(spool.BytesInMemory), "memory")
	counter(descSpoolWrite, c.SpoolWriteFail)
	gauge(descUp, oneIf(a.exporter.Problem() == ""))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// handler serves /metrics, /healthz (the kernel's counts are being read) and
// /readyz (and the pods are known).
func (a *Agent) handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(a, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if a.options.Observer.Pods != nil && !a.observer.Status().Pods.Synced {
			http.Error(w, "the node's pods are not known yet", http.StatusServiceUnavailable)
			return
		}
		a.health(w, r)
	})
	return mux
}

func (a *Agent) health(w http.ResponseWriter, _ *http.Request) {
	o := a.options.Observer
	last := a.observer.LastDrain()
	if age := o.Clock().Sub(last); !last.IsZero() && age > 5*o.drainInterval() {
		http.Error(w, fmt.Sprintf("the kernel's counts were last read %v ago", age), http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok") // the prober may have left
}
