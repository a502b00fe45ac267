// SPDX-License-Identifier: Apache-2.0

package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
)

var descAlerts = prometheus.NewDesc("netcinch_alerts", "Alerts that are kept, by severity and status.", []string{"cluster", "severity", "status"}, nil)

// alertCollector counts the alerts of all clusters when it is asked.
type alertCollector struct{ members []*member }

// Describe implements prometheus.Collector.
func (alertCollector) Describe(out chan<- *prometheus.Desc) { out <- descAlerts }

// Collect implements prometheus.Collector. Combinations without alerts are 0,
// so that a rate over them is right from the first one on.
func (c alertCollector) Collect(out chan<- prometheus.Metric) {
	for _, m := range c.members {
		count := map[[2]string]int{}
		for _, a := range m.watch.keeper.Alerts() {
			count[[2]string{string(a.Severity), string(a.Status)}]++
		}
		for _, severity := range []analyze.Severity{analyze.SeverityHigh, analyze.SeverityMedium, analyze.SeverityLow, analyze.SeverityInfo} {
			for _, status := range []alert.Status{alert.Firing, alert.Resolved, alert.Accepted, alert.Rejected, alert.Silenced} {
				n := count[[2]string{string(severity), string(status)}]
				out <- prometheus.MustNewConstMetric(descAlerts, prometheus.GaugeValue, float64(n), m.name, string(severity), string(status))
			}
		}
	}
}
