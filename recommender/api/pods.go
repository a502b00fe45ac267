// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
)

const kindPod = "pod"

// split opens workloads to their pods: what one pod of them talks with becomes
// an edge of its own. Where it is no longer kept which pod it was, one node
// stands for all of the workload's.
func (d *drawing) split() {
	open := map[string]*graphNode{}
	for _, id := range d.pods {
		if n := d.nodes[id]; n != nil && n.Kind == string(analyze.PartyWorkload) {
			open[id] = n
		}
	}
	if len(open) == 0 {
		return
	}
	parts := map[string]bool{}
	for i := range d.edges {
		if e := &d.edges[i]; e.State != stateUnused && (open[e.Source] != nil || open[e.Target] != nil) {
			parts[e.ID] = true
		}
	}
	details := d.view.Index.Details(d.view.Input.Records, func(id string) bool { return parts[id] })
	for _, n := range open {
		for _, pod := range d.view.Index.Pods(n.Party.Workload()) {
			if !pod.Template {
				d.pod(n, pod.Name)
			}
		}
	}
	var edges []graphEdge
	for i := range d.edges {
		e := &d.edges[i]
		source, target := open[e.Source], open[e.Target]
		if source == nil && target == nil {
			edges = append(edges, *e)
			continue
		}
		edges = append(edges, d.parts(e, source, target, details[e.ID])...)
	}
	d.edges = edges
	for id := range open {
		delete(d.nodes, id)
	}
}

// parts cuts an edge by the pods of its open ends; nil is an end that is not.
func (d *drawing) parts(e *graphEdge, source, target *graphNode, detail *analyze.Detail) []graphEdge {
	whole := func() graphEdge {
		part := *e
		if source != nil {
			part.Source = d.pod(source, "")
		}
		if target != nil {
			part.Target = d.pod(target, "")
		}
		part.Edge = e.ID
		if e.State == stateUnused {
			part.Edge = ""
		}
		return part
	}
	if detail == nil || e.Change == changeGone {
		return []graphEdge{whole()}
	}
	var out []graphEdge
	at := map[string]int{}
	for i := range detail.Parts {
		p := &detail.Parts[i]
		part := *e
		part.Edge = e.ID
		if source != nil {
			part.Source = d.pod(source, p.ClientPod)
		}
		if target != nil {
			part.Target = d.pod(target, p.ServerPod)
		}
		part.ID = e.ID + "/" + part.Source + "/" + part.Target
		part.Connections, part.Bytes = p.Counters.Connections, p.Counters.BytesSent+p.Counters.BytesReceived
		part.First, part.Last, part.Earlier = p.First, p.Last, 0
		if k, known := at[part.ID]; known {
			out[k].Connections += part.Connections
			out[k].Bytes += part.Bytes
			continue
		}
		at[part.ID] = len(out)
		out = append(out, part)
	}
	return out
}

// pod gives the node of a workload's pod, and makes it where it is new; the
// empty name is for what no pod is known of.
func (d *drawing) pod(w *graphNode, name string) string {
	id := "pod:" + w.Namespace + "/" + name
	if name == "" {
		id = "pods:" + strings.TrimPrefix(w.ID, "workload:")
	}
	if d.nodes[id] != nil {
		return id
	}
	n := &graphNode{
		ID: id, Kind: kindPod, Label: name, Namespace: w.Namespace, Party: w.Party, Members: 1, Workload: w.ID, HostNetwork: w.HostNetwork,
		IsolatedIngress: w.IsolatedIngress, IsolatedEgress: w.IsolatedEgress,
	}
	if name == "" {
		n.Label, n.Members = w.Label, 0
	}
	for _, pod := range d.view.Index.Pods(w.Party.Workload()) {
		if pod.Name != name || pod.Template {
			continue
		}
		n.Node = pod.Node
		for _, a := range pod.IPs {
			n.Addresses = append(n.Addresses, a.String())
		}
	}
	slices.Sort(n.Addresses)
	d.nodes[id] = n
	return id
}
