// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/store"
)

type coverageBody struct {
	Meta     meta           `json:"meta"`
	Share    float64        `json:"share"`
	Nodes    []nodeBody     `json:"nodes"`
	Losses   store.Losses   `json:"losses"`
	Problems []inputProblem `json:"problems"`
	Limits   []string       `json:"limits"`
}

type nodeBody struct {
	Node        string       `json:"node"`
	Agent       bool         `json:"agent"`
	Batches     uint64       `json:"batches"`
	Covered     float64      `json:"coveredSeconds"`
	PodsKnown   int          `json:"podsKnown"`
	PodsWatched int          `json:"podsWatched"`
	AttachMode  string       `json:"attachMode,omitempty"`
	Missing     []string     `json:"missing"`
	Losses      store.Losses `json:"losses"`
	First       time.Time    `json:"firstSeen,omitzero"`
	Last        time.Time    `json:"lastSeen,omitzero"`
}

type inputProblem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Field   string `json:"field,omitempty"`
	Object  string `json:"object,omitempty"`
	Message string `json:"message"`
}

func problemsOf(problems []cluster.Problem) []inputProblem {
	var out []inputProblem
	for i := range problems {
		p := &problems[i]
		one := inputProblem{File: p.File, Line: p.Line, Field: p.Field, Message: p.Message}
		if p.Ref.Name != "" {
			one.Object = p.Ref.String()
		}
		out = append(out, one)
	}
	return out
}

func (s *Server) coverage(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	status := s.source.Status(q.span.Cluster)
	body := coverageBody{Meta: metaOf(v), Problems: problemsOf(v.Problems), Limits: limitsOf(v, status.Live)}
	reported := map[string]bool{}
	for i := range v.Coverage {
		c := &v.Coverage[i]
		reported[c.Node] = true
		body.Losses = body.Losses.Add(c.Losses)
		body.Nodes = append(body.Nodes, nodeBody{
			Node: c.Node, Agent: true, Batches: c.Batches, Covered: c.Covered.Seconds(), Losses: c.Losses,
			PodsKnown: c.Coverage.PodsKnown, PodsWatched: c.Coverage.PodsWatched, AttachMode: c.Coverage.AttachMode, Missing: c.Coverage.Missing,
			First: c.FirstSeen, Last: c.LastSeen,
		})
	}
	if status.Live {
		for i := range v.Snapshot.Nodes {
			if name := v.Snapshot.Nodes[i].Name; !reported[name] {
				body.Nodes = append(body.Nodes, nodeBody{Node: name})
			}
		}
	}
	slices.SortFunc(body.Nodes, func(a, b nodeBody) int { return strings.Compare(a.Node, b.Node) })
	body.Share = share(v, body.Nodes)
	return s.answer(w, r, v, body)
}

// share is the part of pods, nodes and time that was watched: the mean over
// nodes of time covered × pods watched. What was lost within it is counted,
// not guessed at here. Without any agent it is 0; from files it is 1, since a
// file does not say.
func share(v *View, nodes []nodeBody) float64 {
	if len(nodes) == 0 {
		if len(v.Report.Edges) > 0 {
			return 1
		}
		return 0
	}
	whole := v.Report.Window.To.Sub(v.Report.Window.From).Seconds()
	sum := 0.0
	for i := range nodes {
		n := &nodes[i]
		if !n.Agent {
			continue
		}
		part := 1.0
		if whole > 0 {
			part = min(1, n.Covered/whole)
		}
		if n.PodsKnown > 0 {
			part *= float64(n.PodsWatched) / float64(n.PodsKnown)
		}
		sum += part
	}
	return sum / float64(len(nodes))
}

func limitsOf(v *View, live bool) []string {
	limits := slices.Clone(v.Report.Notes)
	host, silent := false, []string{}
	reported := map[string]bool{}
	for i := range v.Coverage {
		reported[v.Coverage[i].Node] = true
	}
	for i := range v.Snapshot.Pods {
		host = host || v.Snapshot.Pods[i].HostNetwork
	}
	for i := range v.Snapshot.Nodes {
		if name := v.Snapshot.Nodes[i].Name; live && !reported[name] {
			silent = append(silent, name)
		}
	}
	if len(silent) > 0 {
		limits = append(limits, "No agent reports from "+strings.Join(silent[:min(len(silent), 10)], ", ")+": what pods there do with each other is not seen.")
	}
	if host {
		limits = append(limits, "Pods on the host's network share their node's address: their traffic is the node's, and policies do not apply to them.")
	}
	return append(limits, "Whoever never talked while it was watched is not known to be needless; jobs that run once a quarter look unused until they run.")
}
