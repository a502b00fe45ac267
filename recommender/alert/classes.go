// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// class is a known kind of traffic that wakes nobody, with the evidence that
// an edge is of it. The zero class is none.
type class struct {
	name     string
	evidence string // a sentence without a full stop
}

// The classes.
const (
	classProbe  = "probe"
	classScrape = "scrape"
	classDNS    = "name resolution"
	classPublic = "public"
)

// How many others must do the same for a class to be known.
const (
	knownResolvers = 3 // workloads that a DNS server answers
	knownTargets   = 2 // workloads that a scraper scrapes
	knownVisitors  = 3 // outside addresses that come to a public port
)

var metricsPort = regexp.MustCompile(`(?i)(^|[-_])(metrics|prom|prometheus|telemetry)($|[-_])`)

// classify finds the known classes: by what was told with the flows, by what
// pods declare, and by what was learnt before; never by a port or a name alone.
func (l *look) classify() {
	targets, visitors := map[analyze.Party]map[analyze.Party]bool{}, map[portOf]int{}
	for i := range l.Report.Edges {
		e := &l.Report.Edges[i]
		if e.Unseen || !e.Teaches {
			continue
		}
		if e.Client.Kind == analyze.PartyOutside {
			visitors[portOf{e.Server, e.Number, e.Port}]++
		}
		if l.declaresMetrics(e) {
			if targets[e.Client] == nil {
				targets[e.Client] = map[analyze.Party]bool{}
			}
			targets[e.Client][e.Server] = true
		}
	}
	for i := range l.recent {
		if s := &l.recent[i]; s.Edge.Probe {
			l.classes[s.edge.ID] = class{classProbe, "its node asks whether a pod is well, as the pod's spec says"}
		}
	}
	for i := range l.Report.Edges {
		e := &l.Report.Edges[i]
		at := portOf{e.Server, e.Number, e.Port}
		switch known := l.clients[at]; {
		case l.classes[e.ID].name != "":
		case resolves(e) && e.Server.Kind == analyze.PartyWorkload && known >= knownResolvers:
			l.classes[e.ID] = class{classDNS, fmt.Sprintf("%s resolves names for %s already", e.Server, analyze.Plural(known, "workload"))}
		case len(targets[e.Client]) >= knownTargets && l.declaresMetrics(e):
			l.classes[e.ID] = class{classScrape, fmt.Sprintf("%s scrapes %s already, and the pods declare the port for metrics", e.Client, analyze.Plural(len(targets[e.Client]), "workload"))}
		case e.Client.Kind == analyze.PartyOutside && visitors[at] >= knownVisitors:
			l.classes[e.ID] = class{classPublic, fmt.Sprintf("%s outside addresses came to this port while it was learnt", atLeast(visitors[at]))}
		}
	}
}

func atLeast(n int) string {
	if n > 100 {
		return "more than 100"
	}
	return fmt.Sprint(n)
}

// resolves says whether an edge is to port 53, or was dialled there.
func resolves(e *analyze.Edge) bool {
	if e.Number != flow.UDP && e.Number != flow.TCP {
		return false
	}
	for _, service := range e.Services {
		if strings.HasSuffix(service, ":53") {
			return true
		}
	}
	return e.Port == 53
}

// declaresMetrics says whether the server's pods declare the port under a name
// for metrics.
func (l *look) declaresMetrics(e *analyze.Edge) bool {
	if e.Client.Kind != analyze.PartyWorkload || e.Server.Kind != analyze.PartyWorkload || e.Number != flow.TCP {
		return false
	}
	pods := l.Index.Pods(e.Server.Workload())
	return len(pods) > 0 && slices.ContainsFunc(pods[0].Ports, func(p cluster.ContainerPort) bool { // the others are made alike
		return p.Port == e.Port && metricsPort.MatchString(p.Name)
	})
}
