// SPDX-License-Identifier: Apache-2.0

package api

import (
	"regexp"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// Infrastructure that the map folds away. Nothing that is denied, unseen or
// risky is ever folded; the page sees to that.
const (
	noiseDNS    = "dns"
	noiseScrape = "scrape"
	noiseProbe  = "probe"
)

var (
	scraperName = regexp.MustCompile(`(?i)(^|[-_/.])(prometheus|vmagent|vmsingle|scraper|alloy|otel-?collector|metrics-server|kube-state-metrics)($|[-_.0-9])`)
	metricsPort = regexp.MustCompile(`(?i)(^|[-_])(metrics|prom|prometheus|telemetry)($|[-_])`)
)

// noiseOf names by the edge's id what is infrastructure: name resolution,
// scrapes of metrics, probes of a pod by its own node.
func noiseOf(v *View) map[string]string {
	noise := map[string]string{}
	for i := range v.Report.Edges {
		e := &v.Report.Edges[i]
		if kind := noiseKind(v, e); kind != "" {
			noise[e.ID] = kind
		}
	}
	return noise
}

func noiseKind(v *View, e *analyze.Edge) string {
	switch {
	case isDNS(e):
		return noiseDNS
	case e.Client.Kind == analyze.PartyWorkload && isScrape(v, e):
		return noiseScrape
	case e.Client.Kind == analyze.PartyNode && e.Server.Kind == analyze.PartyWorkload && (isProbe(v, e) || !onHost(v, e.Client)):
		return noiseProbe
	}
	return ""
}

// isDNS takes port 53, and the unprivileged port that a DNS pod listens on
// when its Service is dialled at 53.
func isDNS(e *analyze.Edge) bool {
	if e.Port == 53 {
		return true
	}
	for _, service := range e.Services {
		if strings.HasSuffix(service, ":53") {
			return true
		}
	}
	return false
}

func isScrape(v *View, e *analyze.Edge) bool {
	if e.Server.Kind == analyze.PartyOutside || e.Protocol != flow.TCP.String() {
		return false
	}
	named := scraperName.MatchString(e.Client.Name)
	for _, pod := range v.Index.Pods(e.Server.Workload()) {
		for _, port := range pod.Ports {
			if port.Port == e.Port && metricsPort.MatchString(port.Name) {
				return true
			}
		}
	}
	return named
}

// isProbe takes the port of a probe in the spec of a pod on that node, or of a
// template where there are no pods.
func isProbe(v *View, e *analyze.Edge) bool {
	return e.Protocol == flow.TCP.String() && slices.ContainsFunc(v.Index.Pods(e.Server.Workload()), func(p *cluster.Pod) bool {
		return (p.Template || p.Node == e.Client.Name) && slices.Contains(p.Probes, e.Port)
	})
}

// onHost says whether workloads on a node's network could be who talks: then
// what comes from the node is not only the kubelet.
func onHost(v *View, p analyze.Party) bool {
	for i := range v.Snapshot.Pods {
		if pod := &v.Snapshot.Pods[i]; pod.HostNetwork && pod.Node == p.Name && !pod.Finished {
			return true
		}
	}
	return false
}
