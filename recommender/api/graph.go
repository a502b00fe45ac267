// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
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
	return meta{Version: v.Version, Cluster: v.Cluster, Computed: v.Computed, Window: windowOf(v)}
}

// windowOf is the time that a view looks at; open ends are those of what was seen.
func windowOf(v *View) window {
	w := window{From: v.Span.From, To: v.Span.To}
	if w.From.IsZero() {
		w.From = v.Report.Window.From
	}
	if w.To.IsZero() {
		w.To = v.Report.Window.To
	}
	return w
}

type graphBody struct {
	Meta   meta         `json:"meta"`
	Level  string       `json:"level"`
	Nodes  []graphNode  `json:"nodes"`
	Edges  []graphEdge  `json:"edges"`
	Hidden hidings      `json:"hidden"`
	Before *compareBody `json:"before,omitempty"`
}

// hidings is what is not drawn, by why.
type hidings struct {
	UnusedEdges      int `json:"unusedEdges"`
	UnusedAllowances int `json:"unusedAllowances"` // whose edges those are
	FilteredEdges    int `json:"filteredEdges"`    // that q leaves out
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
	Role            string         `json:"role,omitempty"`
	Node            string         `json:"node,omitempty"`      // that a pod runs on
	Workload        string         `json:"workload,omitempty"`  // the id of a pod's workload
	Elsewhere       string         `json:"elsewhere,omitempty"` // cluster/namespace/name in another cluster
	Unseen          int            `json:"unseen,omitempty"`    // edges folded away inside it
	Denied          int            `json:"denied,omitempty"`
	Risky           int            `json:"risky,omitempty"`
	Within          *withinBody    `json:"within,omitempty"`
}

// withinBody is what is folded away inside a node.
type withinBody struct {
	Edges       int    `json:"edges"`
	Connections uint64 `json:"connections"`
}

type graphEdge struct {
	ID          string       `json:"id"`
	Edge        string       `json:"edge,omitempty"` // that this is a part of
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
	Change      string       `json:"change,omitempty"`
	Earlier     uint64       `json:"connectionsBefore,omitempty"`
}

// The states of an edge on the map.
const (
	stateAllowed = "allowed"
	stateDenied  = "denied"
	stateUnused  = "unused"
	stateUnseen  = "unseen"
)

// How far a map is folded.
const (
	levelAuto      = "auto"
	levelWorkload  = "workload"
	levelNamespace = "namespace"
)

// picture says what a map shows.
type picture struct {
	namespace string
	level     string
	open      []string // namespaces and groups of nodes that stay open
	folded    []string // namespaces that are folded at the level of workloads
	pods      []string // workloads that are open to their pods, by node id
	filter    filter
}

func pictureOf(q question, values url.Values) (picture, error) {
	p := picture{
		namespace: q.namespace, level: cmp.Or(values.Get("level"), levelAuto), open: values["open"], folded: values["fold"], pods: values["pods"],
	}
	if !slices.Contains([]string{levelAuto, levelWorkload, levelNamespace}, p.level) {
		return p, wrong("level", "%q is none of auto, workload, namespace; pods=ID opens a workload to its pods.", p.level)
	}
	var err error
	p.filter, err = filterOf(q.text)
	return p, err
}

func (s *Server) graph(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	p, err := pictureOf(q, r.URL.Query())
	if err != nil {
		return err
	}
	before, err := s.before(r, q)
	if err != nil {
		return err
	}
	key := v.Key
	if before != nil {
		key += "+" + before.Key
	}
	return s.answerLazily(w, r, key, func() any { return drawGraph(v, before, p) })
}

// drawGraph makes the map of a view: every workload, and of nodes and outside
// addresses those that something talks to. With an earlier view beside it, it
// shows what changed since.
func drawGraph(v, before *View, p picture) graphBody {
	d := newDrawing(v, before, p)
	d.seen(v)
	switch before {
	case nil:
		d.unused()
	default:
		d.compare(before)
	}
	d.workloads()
	d.split()
	d.fold()
	return d.body()
}

func touches(e *analyze.Edge, namespace string) bool {
	return namespace == "" || e.Client.Namespace == namespace || e.Server.Namespace == namespace
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
