// SPDX-License-Identifier: Apache-2.0

// Package monitoring tests what people load into Prometheus and Grafana to watch
// Netcinch itself: rules.yaml and dashboard.json. Every metric that they ask for
// exists, every query is one, every alert fires when it should.
package monitoring
