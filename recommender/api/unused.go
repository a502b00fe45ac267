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
	maxPairs      = 2000 // of workloads that are looked at one by one
)

// idle is an allowance that nobody uses, or not everybody for whom it is.
type idle struct {
	usage     *analyze.Usage
	allowance policy.Allowance
	subjects  []flow.Workload
	others    []flow.Workload // whom it reaches, used or not; nil with everybody
	everybody bool            // it names addresses, or nobody in particular
}

// idles gives the allowances of a view that are not used up; they are found
// once for each view, because every map of it asks for them.
func (v *View) idles() []idle {
	v.idleOnce.Do(func() { v.idle = findIdle(v) })
	return v.idle
}

func findIdle(v *View) []idle {
	ids := map[analyze.Allowance]policy.Allowance{}
	for _, a := range v.Engine.Allowances() {
		ids[analyze.AllowanceOf(a.ID)] = a
	}
	reaches := v.Engine.Reaches()
	known := map[*policy.Reached][]flow.Workload{}
	var out []idle
	for i := range v.Report.Usage {
		u := &v.Report.Usage[i]
		a, ok := ids[u.Allowance]
		if !ok || u.State == analyze.UseUsed || u.State == analyze.UseRedundant {
			continue
		}
		one := idle{usage: u, allowance: a, subjects: workloadsOf(v, a.Subjects)}
		reached := reaches[a.ID]
		one.everybody = reached == nil || reached.Anyone || len(reached.Pods) == 0
		if !one.everybody {
			if _, ok := known[reached]; !ok {
				known[reached] = workloadsOf(v, reached.Pods)
			}
			one.others = known[reached]
		}
		out = append(out, one)
	}
	return out
}

func workloadsOf(v *View, pods []int) []flow.Workload {
	var out []flow.Workload
	seen := map[flow.Workload]bool{}
	for _, i := range pods {
		pod := &v.Snapshot.Pods[i]
		if !seen[pod.Workload] && !pod.Finished && !pod.HostNetwork && !pod.Workload.IsZero() {
			seen[pod.Workload] = true
			out = append(out, pod.Workload)
		}
	}
	return out
}

// unused draws, between whom it would allow it, what policies allow and
// nobody uses.
func (d *drawing) unused() {
	drawn := map[string]bool{}
	for i := range d.edges {
		drawn[talkKey(&d.edges[i])] = true
	}
	total := 0
	for _, one := range d.view.idles() {
		if many := d.pairs(&one); many > maxPairs {
			d.hidden.UnusedEdges += many
			d.hidden.UnusedAllowances++
			continue
		}
		var fresh []graphEdge
		for _, e := range d.candidates(&one) {
			if key := talkKey(&e); !drawn[key] && e.Source != e.Target {
				drawn[key] = true
				fresh = append(fresh, e)
			}
		}
		if len(fresh) > maxUnusedEach || total+len(fresh) > maxUnusedAll {
			d.hidden.UnusedEdges += len(fresh)
			d.hidden.UnusedAllowances++
			continue
		}
		total += len(fresh)
		d.edges = append(d.edges, fresh...)
	}
	for i := range d.edges {
		d.materialize(&d.edges[i])
	}
}

func talkKey(e *graphEdge) string {
	return e.Source + "|" + e.Target + "|" + e.Protocol + "|" + strconv.Itoa(int(e.Port))
}

// pairs is how many pairs of workloads an allowance is for, of those that the
// picture is about.
func (d *drawing) pairs(one *idle) int {
	here := func(list []flow.Workload) int {
		if d.namespace == "" {
			return len(list)
		}
		n := 0
		for _, w := range list {
			if w.Namespace == d.namespace {
				n++
			}
		}
		return n
	}
	if one.everybody {
		return here(one.subjects)
	}
	own := here(one.subjects)
	return own*len(one.others) + (len(one.subjects)-own)*here(one.others)
}

// candidates are the edges between every workload that an allowance is for and
// every one at its other end.
func (d *drawing) candidates(one *idle) []graphEdge {
	a, u := &one.allowance, one.usage
	protocol, port, text := portOf(a.Port)
	ref := u.Allowance.Policy
	model := graphEdge{
		Protocol: protocol, Port: port, PortText: text, State: stateUnused, Count: 1, Policy: &ref, Usage: u.ID,
		Text: ref.Kind + " " + strings.TrimPrefix(ref.Namespace+"/"+ref.Name, "/") + " allows " + a.Port + " " + preposition(a.ID.Direction) + " " + a.Peer,
	}
	if port == 53 {
		model.Noise = noiseDNS
	}
	var out []graphEdge
	ends := d.otherEnds(one)
	for _, subject := range one.subjects {
		own := end{id: partyID(analyze.PartyOf(subject)), namespace: subject.Namespace, fact: d.facts.of(analyze.PartyOf(subject))}
		for _, other := range ends {
			if d.namespace != "" && subject.Namespace != d.namespace && other.namespace != d.namespace {
				continue
			}
			source, target := other, own
			if a.ID.Direction == policy.Egress {
				source, target = own, other
			}
			k := talk{client: source.fact, server: target.fact, protocol: protocol, port: port, state: stateUnused}
			if d.filter.active() && !d.filter.edge(&k) {
				continue
			}
			e := model
			e.ID, e.Source, e.Target = "unused:"+u.ID+":"+source.id+":"+target.id, source.id, target.id
			out = append(out, e)
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

// end is one end of an allowance, as a node that may not be drawn yet.
type end struct {
	id, namespace string
	fact          *fact
}

// otherEnds are the workloads that an allowance reaches and that did not use
// it; where it names addresses or everybody, one node that stands for them.
func (d *drawing) otherEnds(one *idle) []end {
	if one.everybody {
		if one.usage.State != analyze.UseUnused {
			return nil // somebody out there uses it
		}
		name := strings.ToLower(one.allowance.Peer)
		return []end{{id: "outside:" + one.allowance.Peer, fact: &fact{name: name, text: name}}}
	}
	used := map[string]bool{}
	for _, p := range one.usage.Peers {
		used[p] = true
	}
	var ends []end
	for _, w := range one.others {
		if !used[w.String()] {
			p := analyze.PartyOf(w)
			ends = append(ends, end{id: partyID(p), namespace: w.Namespace, fact: d.facts.of(p)})
		}
	}
	return ends
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
		if w, ok := d.byID()[id]; ok {
			d.node(analyze.PartyOf(w))
		}
	}
}

// byID gives the workloads by the id of their nodes.
func (d *drawing) byID() map[string]flow.Workload {
	if d.named == nil {
		d.named = map[string]flow.Workload{}
		for _, w := range d.view.Index.Workloads() {
			d.named[partyID(analyze.PartyOf(w))] = w
		}
	}
	return d.named
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
