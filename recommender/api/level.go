// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// maxSingleNodes is how many of a cluster's nodes are drawn one by one; more
// are one node, the control plane's another.
const maxSingleNodes = 12

const (
	kindNamespace = "namespace"
	kindNodes     = "nodes"
)

// fold shows namespaces as nodes, all but the open ones, and edges between
// them by state, each with the count of what it stands for. Edges within a
// folded namespace go; the node says what there is in it.
func (d *drawing) fold() {
	into := map[string]string{}
	folded := map[string]*graphNode{}
	single := 0
	for _, n := range d.nodes {
		if n.Kind == string(analyze.PartyNode) {
			single++
		}
	}
	d.settle(single)
	for id, n := range d.nodes {
		group := d.groupOf(n, single)
		if group == nil {
			folded[id], into[id] = n, id
			continue
		}
		into[id] = group.ID
		d.groups[group.ID] = true
		if folded[group.ID] == nil {
			folded[group.ID] = group
		}
		folded[group.ID].Members++
	}
	lines := map[string]*graphEdge{}
	var order []string
	for i := range d.edges {
		e := d.edges[i]
		source, target := into[e.Source], into[e.Target]
		if source == target && d.groups[source] {
			d.inside(folded[source], &e)
			continue
		}
		if !d.groups[source] && !d.groups[target] {
			order = append(order, e.ID)
			lines[e.ID] = &e
			continue
		}
		id := foldedID(source, target, &e)
		sum := lines[id]
		if sum == nil {
			sum = &graphEdge{
				ID: id, Source: source, Target: target, Protocol: e.Protocol, Port: e.Port, PortText: e.PortText, State: e.State, Noise: e.Noise, Change: e.Change,
				Policy: e.Policy, Usage: e.Usage, Text: e.Text,
			}
			lines[id] = sum
			order = append(order, id)
		}
		sum.add(&e)
	}
	d.nodes, d.edges = folded, nil
	for _, id := range order {
		e := lines[id]
		if strings.HasPrefix(e.ID, "folded:") && e.Count > 1 {
			e.Policy, e.Usage, e.Text = nil, "", ""
		}
		d.edges = append(d.edges, *e)
	}
}

// settle chooses the level: namespaces where workloads would be too many.
func (d *drawing) settle(single int) {
	if d.level != levelAuto {
		return
	}
	d.level = levelWorkload
	many := len(d.nodes)
	if single > maxSingleNodes {
		many -= single
	}
	if many > maxNodes {
		d.level = levelNamespace
	}
}

// groupOf gives the group that a node is folded into; nil where it is not.
func (d *drawing) groupOf(n *graphNode, single int) *graphNode {
	switch n.Kind {
	case string(analyze.PartyNode):
		id, label := "nodes:workers", "Nodes"
		if n.Role == roleControlPlane {
			id, label = "nodes:"+roleControlPlane, "Control plane"
		}
		if single > maxSingleNodes && !slices.Contains(d.open, id) {
			return &graphNode{ID: id, Kind: kindNodes, Label: label, Role: n.Role}
		}
	case string(analyze.PartyWorkload), kindPod:
		shut := d.level == levelNamespace && !slices.Contains(d.open, n.Namespace) || d.level == levelWorkload && slices.Contains(d.folded, n.Namespace)
		if shut {
			return &graphNode{ID: "namespace:" + n.Namespace, Kind: kindNamespace, Label: n.Namespace, Namespace: n.Namespace}
		}
	}
	return nil
}

// foldedID is made of what edges have to share to be one line. Between groups
// of outside parties or nodes the ports stay apart; namespaces fold them.
func foldedID(source, target string, e *graphEdge) string {
	parts := []string{"folded:" + source, target, e.State, e.Noise, e.Change}
	if e.Risky {
		parts = append(parts, lookRisky)
	}
	if !strings.HasPrefix(source, kindNamespace+":") && !strings.HasPrefix(target, kindNamespace+":") {
		parts = append(parts, e.Protocol, strconv.Itoa(int(e.Port)), e.PortText)
	}
	return strings.Join(parts, "|")
}

// inside counts what is folded away inside a node, and what stands out of it.
// What nobody uses is no traffic: it counts as not drawn.
func (d *drawing) inside(n *graphNode, e *graphEdge) {
	if e.State == stateUnused {
		d.hidden.UnusedEdges += e.Count
		return
	}
	if n.Within == nil {
		n.Within = &withinBody{}
	}
	n.Within.Edges += e.Count
	n.Within.Connections += e.Connections
	if e.State == stateUnseen {
		n.Unseen++
	}
	if e.Denied {
		n.Denied++
	}
	if e.Risky {
		n.Risky++
	}
}

func (sum *graphEdge) add(e *graphEdge) {
	sum.Count += e.Count
	sum.Connections += e.Connections
	sum.Earlier += e.Earlier
	sum.Bytes += e.Bytes
	sum.Denied = sum.Denied || e.Denied
	sum.Risky = sum.Risky || e.Risky
	if sum.First.IsZero() || !e.First.IsZero() && e.First.Before(sum.First) {
		sum.First = e.First
	}
	if e.Last.After(sum.Last) {
		sum.Last = e.Last
	}
	if sum.Port != e.Port || sum.Protocol != e.Protocol || sum.PortText != e.PortText {
		sum.Port, sum.PortText = 0, "several ports"
	}
}
