// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strconv"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Bounds of what unused allowances may draw: one that opens whole namespaces
// would bury the map. What is left out is counted.
const (
	maxUnusedEach = 12
	maxUnusedAll  = 120
)

// unused draws, between whom it would allow it, what policies allow and
// nobody uses.
func (d *drawing) unused(namespace string) {
	ids := map[analyze.Allowance]policy.Allowance{}
	for _, a := range d.view.Engine.Allowances() {
		ids[analyze.AllowanceOf(a.ID)] = a
	}
	drawn := map[string]bool{}
	for i := range d.edges {
		drawn[talkKey(d.edges[i].Source, d.edges[i].Target, d.edges[i].Protocol, d.edges[i].Port)] = true
	}
	total := 0
	for i := range d.view.Report.Usage {
		u := &d.view.Report.Usage[i]
		a, ok := ids[u.Allowance]
		if !ok || u.State == analyze.UseUsed || u.State == analyze.UseRedundant {
			continue
		}
		var fresh []graphEdge
		for _, e := range d.candidates(u, &a, namespace) {
			if key := talkKey(e.Source, e.Target, e.Protocol, e.Port); !drawn[key] && e.Source != e.Target {
				drawn[key] = true
				fresh = append(fresh, e)
			}
		}
		if len(fresh) > maxUnusedEach || total+len(fresh) > maxUnusedAll {
			d.hidden += len(fresh)
			continue
		}
		total += len(fresh)
		for _, e := range fresh {
			d.materialize(&e)
			d.edges = append(d.edges, e)
		}
	}
}

func talkKey(source, target, protocol string, port uint16) string {
	return source + "|" + target + "|" + protocol + "|" + strconv.Itoa(int(port))
}

// candidates are the edges between every workload that an allowance is for and
// every one at its other end.
func (d *drawing) candidates(u *analyze.Usage, a *policy.Allowance, namespace string) []graphEdge {
	protocol, port, text := portOf(a.Port)
	var out []graphEdge
	for _, subject := range d.workloadsOf(a.Subjects) {
		for _, other := range d.otherEnds(u, a) {
			if namespace != "" && subject.Namespace != namespace && other.namespace != namespace {
				continue
			}
			source, target := other.id, partyID(analyze.PartyOf(subject))
			if a.ID.Direction == policy.Egress {
				source, target = target, source
			}
			ref := u.Allowance.Policy
			noise := ""
			if port == 53 {
				noise = noiseDNS
			}
			out = append(out, graphEdge{
				ID: "unused:" + u.ID + ":" + source + ":" + target, Source: source, Target: target, Protocol: protocol, Port: port, PortText: text,
				State: stateUnused, Noise: noise, Count: 1, Policy: &ref, Usage: u.ID,
				Text: ref.Kind + " " + strings.TrimPrefix(ref.Namespace+"/"+ref.Name, "/") + " allows " + a.Port + " " + preposition(a.ID.Direction) + " " + a.Peer,
			})
		}
	}
	return out
}

func preposition(d policy.Direction) string {
	if d == policy.Egress {
		return "to"
	}
	return "from"
}

// end is the other end of an allowance, as a node that may not be drawn yet.
type end struct {
	id, namespace string
}

// otherEnds are the workloads that an allowance reaches and that did not use
// it; where it names addresses or everybody, one node that stands for them.
func (d *drawing) otherEnds(u *analyze.Usage, a *policy.Allowance) []end {
	used := map[string]bool{}
	for _, p := range u.Peers {
		used[p] = true
	}
	pods, anyone := d.view.Engine.Reach(a.ID)
	if anyone || len(pods) == 0 {
		if u.State != analyze.UseUnused {
			return nil // somebody out there uses it
		}
		return []end{{id: "outside:" + a.Peer}}
	}
	var ends []end
	for _, w := range d.workloadsOf(pods) {
		if !used[w.String()] {
			ends = append(ends, end{id: partyID(analyze.PartyOf(w)), namespace: w.Namespace})
		}
	}
	return ends
}

func (d *drawing) workloadsOf(pods []int) []flow.Workload {
	var out []flow.Workload
	seen := map[flow.Workload]bool{}
	for _, i := range pods {
		pod := &d.view.Snapshot.Pods[i]
		if !seen[pod.Workload] && !pod.Finished && !pod.HostNetwork && !pod.Workload.IsZero() {
			seen[pod.Workload] = true
			out = append(out, pod.Workload)
		}
	}
	return out
}

// materialize makes the nodes of an edge that nothing else has drawn.
func (d *drawing) materialize(e *graphEdge) {
	for _, id := range []string{e.Source, e.Target} {
		if d.nodes[id] != nil {
			continue
		}
		if label, ok := strings.CutPrefix(id, "outside:"); ok {
			d.nodes[id] = &graphNode{ID: id, Kind: string(analyze.PartyOutside), Label: label}
			continue
		}
		for _, w := range d.view.Index.Workloads() {
			if p := analyze.PartyOf(w); partyID(p) == id {
				d.node(p)
			}
		}
	}
}

// portOf reads an allowance's port text: "TCP 5432" is one port, all else is
// kept as text.
func portOf(text string) (protocol string, port uint16, rest string) {
	protocol, number, ok := strings.Cut(text, " ")
	if !ok || protocol == "any" {
		return "any", 0, text
	}
	if n, err := strconv.ParseUint(number, 10, 16); err == nil {
		return protocol, uint16(n), ""
	}
	return protocol, 0, text
}
