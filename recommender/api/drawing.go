// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// drawing is a graph in the making.
type drawing struct {
	picture
	view      *View
	before    *View // nil where nothing is compared
	elsewhere map[netip.Addr]string
	facts     *facts
	outside   map[analyze.Party]string // as what outside parties are drawn
	groups    map[string]bool          // nodes that stand for several parties
	nodes     map[string]*graphNode
	edges     []graphEdge
	hidden    hidings
	changes   map[string]int
	picked    map[*View][]*analyze.Edge
	named     map[string]flow.Workload // by the id of their nodes
}

func newDrawing(v, before *View, p picture) *drawing {
	d := &drawing{picture: p, view: v, before: before, nodes: map[string]*graphNode{}, groups: map[string]bool{}, changes: map[string]int{}}
	d.picked = map[*View][]*analyze.Edge{}
	views := []*View{v}
	if before != nil {
		views = append(views, before)
	}
	d.elsewhere = elsewhereOf(views...)
	d.facts = newFacts(v, d.elsewhere)
	var drawn []*analyze.Edge
	for _, one := range views {
		drawn = append(drawn, d.chosen(one)...)
	}
	d.outside = outsideNames(drawn, d.elsewhere)
	return d
}

// chosen gives the edges of a view that the picture is about.
func (d *drawing) chosen(v *View) []*analyze.Edge {
	if out, known := d.picked[v]; known {
		return out
	}
	d.filter.locate(v)
	var out []*analyze.Edge
	for i := range v.Report.Edges {
		e := &v.Report.Edges[i]
		switch {
		case !touches(e, d.namespace):
		case d.filter.active() && !d.filter.edge(d.facts.talk(e)):
			if v == d.view {
				d.hidden.FilteredEdges++
			}
		default:
			out = append(out, e)
		}
	}
	d.picked[v] = out
	return out
}

// talk is an edge of a report as a filter sees it.
func (s *facts) talk(e *analyze.Edge) *talk {
	state, denied := stateOf(e)
	return &talk{
		id: e.ID, client: s.of(e.Client), server: s.of(e.Server), protocol: e.Protocol, port: e.Port, state: state, denied: denied, risky: e.Risky != "",
		processes: e.Processes,
	}
}

func (d *drawing) seen(v *View) {
	noise := noiseOf(v)
	for _, e := range d.chosen(v) {
		d.edges = append(d.edges, d.line(e, noise[e.ID]))
	}
}

// workloads draws those without an edge, too; of a filtered picture only those
// that the filter means.
func (d *drawing) workloads() {
	for _, w := range d.view.Index.Workloads() {
		p := analyze.PartyOf(w)
		if d.namespace != "" && w.Namespace != d.namespace || d.filter.active() && !d.filter.node(d.facts.of(p)) {
			continue
		}
		d.node(p)
	}
}

// partyID is the id of a party's node; the page makes the same.
func partyID(p analyze.Party) string {
	switch p.Kind {
	case analyze.PartyWorkload:
		return "workload:" + p.Namespace + "/" + p.WorkloadKind + "/" + p.Name
	case analyze.PartyNode:
		return "node:" + p.Name
	case analyze.PartyOutside:
		return "outside:" + outsideLabel(p)
	}
	return "outside:" + outsideLabel(p)
}

func outsideLabel(p analyze.Party) string {
	switch {
	case p.DNS != "":
		return p.DNS
	case p.IP.IsValid():
		return p.IP.String()
	}
	return "unknown"
}

// node gives the id of a party's node, and makes the node where it is new.
func (d *drawing) node(p analyze.Party) string {
	if p.Kind == analyze.PartyOutside {
		return d.address(p)
	}
	id := partyID(p)
	if d.nodes[id] != nil {
		return id
	}
	n := &graphNode{ID: id, Kind: string(p.Kind), Label: p.Name, Namespace: p.Namespace, Party: &p, Members: 1}
	switch p.Kind {
	case analyze.PartyWorkload:
		d.describe(n, p.Workload())
	case analyze.PartyNode:
		n.Role = roleOf(d.view, p.Name)
	case analyze.PartyOutside:
	}
	d.nodes[id] = n
	return id
}

func (d *drawing) describe(n *graphNode, w flow.Workload) {
	n.Members = 0
	for _, pod := range d.view.Index.Pods(w) {
		if !pod.Template {
			n.Members++
		}
		n.HostNetwork = n.HostNetwork || pod.HostNetwork
		n.IsolatedIngress = n.IsolatedIngress || d.view.Engine.Isolated(pod, policy.Ingress)
		n.IsolatedEgress = n.IsolatedEgress || d.view.Engine.Isolated(pod, policy.Egress)
	}
}

// address adds an outside party to the node that it is drawn as.
func (d *drawing) address(p analyze.Party) string {
	label, grouped := d.outside[p]
	if !grouped {
		label = outsideLabel(p)
	}
	id := "outside:" + label
	n := d.nodes[id]
	if n == nil {
		n = &graphNode{ID: id, Kind: string(analyze.PartyOutside), Label: label, Role: d.outsideRole(p)}
		if d.elsewhere[p.IP] == label {
			n.Elsewhere = label
			n.Label = label[strings.IndexByte(label, '/')+1:]
		}
		d.nodes[id] = n
	}
	if grouped {
		d.groups[id] = true
	} else if n.Party == nil {
		n.Party = &p
	}
	if text := p.IP.String(); p.IP.IsValid() && !slices.Contains(n.Addresses, text) {
		n.Members++
		if len(n.Addresses) < 20 {
			n.Addresses = append(n.Addresses, text)
		}
	}
	return id
}

// line draws an edge of a report.
func (d *drawing) line(e *analyze.Edge, noise string) graphEdge {
	state, denied := stateOf(e)
	return graphEdge{
		ID: e.ID, Source: d.node(e.Client), Target: d.node(e.Server), Protocol: e.Protocol, Port: e.Port,
		State: state, Denied: denied, Risky: e.Risky != "", Noise: noise, Count: 1,
		Connections: e.Counters.Connections, Bytes: e.Counters.BytesSent + e.Counters.BytesReceived,
		First: e.First, Last: e.Last, Processes: e.Processes,
	}
}

// body gives the finished graph, sorted, so that the same view is the same bytes.
func (d *drawing) body() graphBody {
	b := graphBody{Meta: metaOf(d.view), Level: d.level, Edges: d.edges, Hidden: d.hidden}
	if d.before != nil {
		b.Before = &compareBody{Window: windowOf(d.before), Counts: d.counts()}
	}
	for _, n := range d.nodes {
		slices.Sort(n.Addresses)
		b.Nodes = append(b.Nodes, *n)
	}
	slices.SortFunc(b.Nodes, func(a, b graphNode) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(b.Edges, func(a, b graphEdge) int { return strings.Compare(a.ID, b.ID) })
	return b
}
