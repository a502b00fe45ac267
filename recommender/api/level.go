// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// fold shows namespaces as nodes, all but the open ones, and edges between
// them by state, each with the count of what it stands for. Edges within a
// folded namespace go; the node says how many workloads it has.
func (d *drawing) fold(open []string) {
	into := map[string]string{}
	folded := map[string]*graphNode{}
	for id, n := range d.nodes {
		if n.Kind != string(analyze.PartyWorkload) || slices.Contains(open, n.Namespace) {
			folded[id] = n
			into[id] = id
			continue
		}
		group := "namespace:" + n.Namespace
		into[id] = group
		if folded[group] == nil {
			folded[group] = &graphNode{ID: group, Kind: "namespace", Label: n.Namespace, Namespace: n.Namespace}
		}
		folded[group].Members++
	}
	edges := map[string]*graphEdge{}
	var order []string
	for i := range d.edges {
		e := d.edges[i]
		source, target := into[e.Source], into[e.Target]
		if source == e.Source && target == e.Target {
			order = append(order, e.ID)
			edges[e.ID] = &e
			continue
		}
		if source == target {
			folded[source].within(&e)
			continue
		}
		id := "folded:" + source + "|" + target + "|" + e.State + "|" + e.Noise
		sum := edges[id]
		if sum == nil {
			sum = &graphEdge{ID: id, Source: source, Target: target, Protocol: e.Protocol, Port: e.Port, State: e.State, Noise: e.Noise}
			edges[id] = sum
			order = append(order, id)
		}
		sum.add(&e)
	}
	d.nodes, d.edges = folded, nil
	for _, id := range order {
		d.edges = append(d.edges, *edges[id])
	}
}

// within counts what stands out inside a folded namespace.
func (n *graphNode) within(e *graphEdge) {
	if e.State == stateUnseen {
		n.Unseen++
	}
	if e.Denied {
		n.Denied++
	}
}

func (sum *graphEdge) add(e *graphEdge) {
	sum.Count += e.Count
	sum.Connections += e.Connections
	sum.Bytes += e.Bytes
	sum.Denied = sum.Denied || e.Denied
	sum.Risky = sum.Risky || e.Risky
	if sum.First.IsZero() || !e.First.IsZero() && e.First.Before(sum.First) {
		sum.First = e.First
	}
	if e.Last.After(sum.Last) {
		sum.Last = e.Last
	}
	if sum.Port != e.Port || sum.Protocol != e.Protocol {
		sum.Port, sum.PortText = 0, "several ports"
	}
}
