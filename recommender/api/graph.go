// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// maxNodes is how many nodes a map can have and still be read.
const maxNodes = 300

type window struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

type meta struct {
	Version  uint64    `json:"version"`
	Cluster  string    `json:"cluster"`
	Computed time.Time `json:"computed"`
	Window   window    `json:"window"`
}

func metaOf(v *View) meta {
	w := window{From: v.Span.From, To: v.Span.To}
	if w.From.IsZero() {
		w.From = v.Report.Window.From
	}
	if w.To.IsZero() {
		w.To = v.Report.Window.To
	}
	return meta{Version: v.Version, Cluster: v.Cluster, Computed: v.Computed, Window: w}
}

type graphBody struct {
	Meta   meta        `json:"meta"`
	Level  string      `json:"level"`
	Nodes  []graphNode `json:"nodes"`
	Edges  []graphEdge `json:"edges"`
	Hidden hidings     `json:"hidden"`
}

type hidings struct {
	UnusedEdges int `json:"unusedEdges"`
}

type graphNode struct {
	ID              string         `json:"id"`
	Kind            string         `json:"kind"`
	Label           string         `json:"label"`
	Namespace       string         `json:"namespace,omitempty"`
	Party           *analyze.Party `json:"party,omitempty"`
	Members         int            `json:"members"`
	Addresses       []string       `json:"addresses,omitempty"`
	IsolatedIngress bool           `json:"isolatedIngress"`
	IsolatedEgress  bool           `json:"isolatedEgress"`
	HostNetwork     bool           `json:"hostNetwork,omitempty"`
	Unseen          int            `json:"unseen,omitempty"` // edges folded away inside it
	Denied          int            `json:"denied,omitempty"`
}

type graphEdge struct {
	ID          string       `json:"id"`
	Source      string       `json:"source"`
	Target      string       `json:"target"`
	Protocol    string       `json:"protocol"`
	Port        uint16       `json:"port"`
	PortText    string       `json:"portText,omitempty"`
	State       string       `json:"state"`
	Denied      bool         `json:"denied"`
	Risky       bool         `json:"risky"`
	Noise       string       `json:"noise,omitempty"`
	Connections uint64       `json:"connections"`
	Bytes       uint64       `json:"bytes"`
	Count       int          `json:"count"`
	First       time.Time    `json:"firstSeen,omitzero"`
	Last        time.Time    `json:"lastSeen,omitzero"`
	Policy      *analyze.Ref `json:"policy,omitempty"`
	Usage       string       `json:"usage,omitempty"`
	Text        string       `json:"text,omitempty"`
	Processes   []string     `json:"processes,omitempty"`
}

// The states of an edge on the map.
const (
	stateAllowed = "allowed"
	stateDenied  = "denied"
	stateUnused  = "unused"
	stateUnseen  = "unseen"
)

func (s *Server) graph(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	level := cmp.Or(r.URL.Query().Get("level"), "auto")
	if !slices.Contains([]string{"auto", "workload", "namespace"}, level) {
		return wrong("level", "%q is none of auto, workload, namespace.", level)
	}
	return s.answer(w, r, v, drawGraph(v, q.namespace, level, r.URL.Query()["open"]))
}

// drawGraph makes the map of a view: every workload, and of nodes and outside
// addresses those that something talks to.
func drawGraph(v *View, namespace, level string, open []string) graphBody {
	d := &drawing{view: v, outside: outsideNames(v), nodes: map[string]*graphNode{}}
	noise := noiseOf(v)
	for _, w := range v.Index.Workloads() {
		if namespace == "" || w.Namespace == namespace {
			d.node(analyze.PartyOf(w))
		}
	}
	for i := range v.Report.Edges {
		if e := &v.Report.Edges[i]; touches(e, namespace) {
			d.edges = append(d.edges, d.seen(e, noise[e.ID]))
		}
	}
	d.unused(namespace)
	if level == "auto" {
		level = "workload"
		if len(d.nodes) > maxNodes {
			level = "namespace"
		}
	}
	if level == "namespace" {
		d.fold(open)
	}
	return d.body(level)
}

func touches(e *analyze.Edge, namespace string) bool {
	return namespace == "" || e.Client.Namespace == namespace || e.Server.Namespace == namespace
}

// drawing is a graph in the making.
type drawing struct {
	view    *View
	outside map[string]string // outside party's identity → the node that it is drawn as
	nodes   map[string]*graphNode
	edges   []graphEdge
	hidden  int
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
	id := partyID(p)
	if group, ok := d.outside[id]; ok && p.Kind == analyze.PartyOutside {
		return d.address("outside:"+group, group, p)
	}
	if p.Kind == analyze.PartyOutside {
		return d.address(id, outsideLabel(p), p)
	}
	if d.nodes[id] != nil {
		return id
	}
	n := &graphNode{ID: id, Kind: string(p.Kind), Label: p.Name, Namespace: p.Namespace, Party: &p, Members: 1}
	if p.Kind == analyze.PartyWorkload {
		d.describe(n, p.Workload())
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
func (d *drawing) address(id, label string, p analyze.Party) string {
	n := d.nodes[id]
	if n == nil {
		n = &graphNode{ID: id, Kind: string(analyze.PartyOutside), Label: label}
		if label == outsideLabel(p) {
			n.Party = &p
		}
		d.nodes[id] = n
	}
	if text := p.IP.String(); p.IP.IsValid() && !slices.Contains(n.Addresses, text) {
		n.Members++
		if len(n.Addresses) < 20 {
			n.Addresses = append(n.Addresses, text)
		}
	}
	return id
}

func stateOf(e *analyze.Edge) (state string, denied bool) {
	denied = e.Verdict.State == analyze.StateDenied || e.Outcomes.Dropped > 0 && e.Outcomes.Established == 0
	switch {
	case e.Unseen:
		return stateUnseen, denied
	case denied:
		return stateDenied, true
	}
	return stateAllowed, false
}

func (d *drawing) seen(e *analyze.Edge, noise string) graphEdge {
	state, denied := stateOf(e)
	return graphEdge{
		ID: e.ID, Source: d.node(e.Client), Target: d.node(e.Server), Protocol: e.Protocol, Port: e.Port,
		State: state, Denied: denied, Risky: e.Risky != "", Noise: noise, Count: 1,
		Connections: e.Counters.Connections, Bytes: e.Counters.BytesSent + e.Counters.BytesReceived,
		First: e.First, Last: e.Last, Processes: e.Processes,
	}
}

// body gives the finished graph, sorted, so that the same view is the same bytes.
func (d *drawing) body(level string) graphBody {
	b := graphBody{Meta: metaOf(d.view), Level: level, Edges: d.edges, Hidden: hidings{UnusedEdges: d.hidden}}
	for _, n := range d.nodes {
		b.Nodes = append(b.Nodes, *n)
	}
	slices.SortFunc(b.Nodes, func(a, b graphNode) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(b.Edges, func(a, b graphEdge) int { return strings.Compare(a.ID, b.ID) })
	return b
}
