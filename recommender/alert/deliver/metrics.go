// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the delivery says of itself. Counts that must outlive the
// process are the queue's.
type metrics struct {
	delivery *Delivery
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
	unrouted prometheus.Counter
	removed  prometheus.Counter
	reloads  *prometheus.CounterVec
}

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("netcinch_alert_sink_"+name, help, []string{"sink"}, nil)
}

var (
	descWaiting   = describe("queue_alerts", "Alerts that wait to be told to a sink.")
	descLimit     = describe("queue_limit_alerts", "Alerts that may wait for a sink; above it the oldest are dropped.")
	descOldest    = describe("queue_oldest_timestamp_seconds", "When the oldest alert that waits for a sink was queued; 0 where none waits.")
	descUp        = describe("up", "Whether the last try to reach a sink succeeded: 1 or 0.")
	descDead      = describe("dead", "Whether a sink has failed for so long that the others were told: 1 or 0.")
	descSuccess   = describe("last_success_timestamp_seconds", "When a sink was last reached; 0 for never.")
	descDelivered = describe("delivered_total", "Alerts that a sink took.")
	descDropped   = prometheus.NewDesc("netcinch_alert_sink_dropped_total", "Alerts that a sink was never told, by reason: overflow of its queue, or refused by it.", []string{"sink", "reason"}, nil)
	descConfigOK  = prometheus.NewDesc("netcinch_alert_config_last_reload_successful", "Whether the file of sinks as it is now is in force: 1 or 0.", nil, nil)
	descConfigAt  = prometheus.NewDesc("netcinch_alert_config_last_reload_success_timestamp_seconds", "When the file of sinks that is in force was read.", nil, nil)
)

func newMetrics(d *Delivery) *metrics {
	return &metrics{
		delivery: d,
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "netcinch_alert_sink_send_seconds", Help: "Time that one try to tell a sink took.", Buckets: prometheus.ExponentialBuckets(0.005, 3, 9),
		}, []string{"sink"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netcinch_alert_sink_failures_total", Help: "Tries to reach a sink that failed; they are repeated.",
		}, []string{"sink"}),
		unrouted: prometheus.NewCounter(prometheus.CounterOpts{Name: "netcinch_alert_unrouted_total", Help: "Changes of alerts that no route takes to a sink."}),
		removed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "netcinch_alert_removed_total", Help: "Alerts that waited for a sink when it was taken out of the file."}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netcinch_alert_config_reloads_total", Help: "Readings of the file of sinks after it changed, by result: used or refused.",
		}, []string{"result"}),
	}
}

func (m *metrics) register(r prometheus.Registerer) error {
	for _, result := range []string{"used", "refused"} {
		m.reloads.WithLabelValues(result)
	}
	if r == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m, m.seconds, m.failures, m.unrouted, m.removed, m.reloads} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// Describe implements prometheus.Collector.
func (*metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descWaiting, descLimit, descOldest, descUp, descDead, descSuccess, descDelivered, descDropped, descConfigOK, descConfigAt} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	s := m.delivery.Status()
	for i := range s.Sinks {
		one := &s.Sinks[i]
		gauge(descWaiting, float64(one.Waiting), one.Name)
		gauge(descLimit, float64(one.Limit), one.Name)
		gauge(descOldest, seconds(one.Oldest), one.Name)
		gauge(descUp, oneIf(one.Failing.IsZero()), one.Name)
		gauge(descDead, oneIf(one.State == Dead), one.Name)
		gauge(descSuccess, seconds(one.Success), one.Name)
		counter(descDelivered, one.Delivered, one.Name)
		counter(descDropped, one.Overflowed, one.Name, "overflow")
		counter(descDropped, one.Refused, one.Name, "refused")
	}
	gauge(descConfigOK, oneIf(s.Problem == ""))
	gauge(descConfigAt, seconds(s.Read))
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
