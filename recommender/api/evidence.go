// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
)

type evidenceBody struct {
	Meta     meta      `json:"meta"`
	Edge     edgeBody  `json:"edge"`
	Series   []bar     `json:"series"`
	Excerpts []excerpt `json:"excerpts"`
	Detail   detail    `json:"detail"`
}

// maxListed is how many addresses and pairs of pods evidence lists; it says how
// many there are.
const maxListed = 50

type detail struct {
	ClientProcesses []string   `json:"clientProcesses"`
	ServerProcesses []string   `json:"serverProcesses"`
	Names           []string   `json:"names"`
	Addresses       []string   `json:"addresses"`
	AddressesTotal  int        `json:"addressesTotal"`
	Pods            []edgePods `json:"pods"`
	PodsTotal       int        `json:"podsTotal"`
}

// edgePods is what one pair of pods had of an edge.
type edgePods struct {
	Client   string           `json:"client,omitempty"`
	Server   string           `json:"server,omitempty"`
	Counters analyze.Counters `json:"counters"`
	Failed   uint64           `json:"failed"`
	First    time.Time        `json:"firstSeen"`
	Last     time.Time        `json:"lastSeen"`
}

// bar is one window of the chart.
type bar struct {
	Start    time.Time        `json:"start"`
	End      time.Time        `json:"end"`
	Counters analyze.Counters `json:"counters"`
	Failed   uint64           `json:"failed"` // connections refused, unanswered or dropped
}

type excerpt struct {
	Direction string      `json:"direction"`
	Policy    analyze.Ref `json:"policy"`
	File      string      `json:"file,omitempty"`
	Lines     []line      `json:"lines"`
}

type line struct {
	Line   int    `json:"line"`
	Text   string `json:"text"`
	Marked bool   `json:"marked"`
}

func (s *Server) edge(w http.ResponseWriter, r *http.Request) error {
	v, _, err := s.view(r)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	for i := range v.Report.Edges {
		e := &v.Report.Edges[i]
		if e.ID != id {
			continue
		}
		return s.answerLazily(w, r, v.Key, func() any {
			return evidenceBody{
				Meta: metaOf(v), Edge: edgeBody{Edge: *e, Noise: noiseKind(v, e)}, Series: barsOf(v, id), Excerpts: excerptsOf(v, e), Detail: detailOf(v, id),
			}
		})
	}
	p := problemf(http.StatusNotFound, "There is no edge %q in the time looked at.", id)
	p.Parameter = "id"
	return p
}

// barsOf gives the windows in which the edge was seen.
func barsOf(v *View, id string) []bar {
	var bars []bar
	for _, b := range v.Index.Series(v.Input.Records, id) {
		failed := b.Outcomes.Refused + b.Outcomes.Unanswered + b.Outcomes.Dropped
		bars = append(bars, bar{Start: b.Window.Start, End: b.Window.End, Counters: b.Counters, Failed: failed})
	}
	return bars
}

func detailOf(v *View, id string) detail {
	found := v.Index.Details(v.Input.Records, func(one string) bool { return one == id })[id]
	if found == nil {
		return detail{}
	}
	d := detail{
		ClientProcesses: found.Clients, ServerProcesses: found.Servers, Names: found.Names,
		Addresses: found.Addresses[:min(len(found.Addresses), maxListed)], AddressesTotal: len(found.Addresses), PodsTotal: len(found.Parts),
	}
	for i := range found.Parts[:min(len(found.Parts), maxListed)] {
		p := &found.Parts[i]
		d.Pods = append(d.Pods, edgePods{
			Client: p.ClientPod, Server: p.ServerPod, Counters: p.Counters, Failed: p.Outcomes.Refused + p.Outcomes.Unanswered + p.Outcomes.Dropped,
			First: p.First, Last: p.Last,
		})
	}
	return d
}

// excerptsOf shows, of the manifests that decided, the lines around those that did.
func excerptsOf(v *View, e *analyze.Edge) []excerpt {
	objects := map[cluster.Ref]*cluster.Object{}
	for i := range v.Snapshot.Policies {
		objects[v.Snapshot.Policies[i].Ref] = &v.Snapshot.Policies[i]
	}
	var out []excerpt
	for _, side := range []struct {
		direction string
		why       []analyze.Step
	}{{"Egress", e.Verdict.Egress.Why}, {"Ingress", e.Verdict.Ingress.Why}} {
		for _, step := range side.why {
			if step.Policy == nil || step.Line == 0 {
				continue
			}
			o := objects[step.Policy.Cluster()]
			if o == nil {
				continue
			}
			if lines := around(o, lineIn(o, step.Line)); len(lines) > 0 {
				out = append(out, excerpt{Direction: side.direction, Policy: *step.Policy, File: o.Source.File, Lines: lines})
			}
		}
	}
	return out
}

// surrounding is how many lines are shown before and after the one that decided.
const surrounding = 4

// around cuts a manifest to the lines about one of them, counted from 1 in it.
func around(o *cluster.Object, at int) []line {
	all := strings.Split(strings.TrimRight(string(o.Source.YAML), "\n"), "\n")
	if at < 1 || at > len(all) {
		return nil
	}
	first := max(o.Source.Line, 1)
	var out []line
	for i := max(1, at-surrounding); i <= min(len(all), at+surrounding); i++ {
		out = append(out, line{Line: first + i - 1, Text: all[i-1], Marked: i == at})
	}
	return out
}
