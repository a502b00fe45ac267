// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/netcinch/netcinch/recommender/policy"
)

// use collects what one allowance was used for.
type use struct {
	allowance policy.Allowance
	entry     Usage
	edges     []*Edge  // that it let through, each once, in order
	teaching  int      // of them, those that teach
	needs     []Need   // of teaching edges, those that it can meet
	parts     []*total // of its policy, that it belongs to
}

// uses is the usage of every allowance in force.
type uses struct {
	all   map[policy.AllowanceID]*use
	order []policy.AllowanceID // by policy, direction, rule, peer, port
	parts map[totalKey]*total
	sums  []*total // in that order
}

// uses lists every allowance in force, and where it stands in its file.
func (x *Index) uses(engine *policy.Engine) *uses {
	u := &uses{all: map[policy.AllowanceID]*use{}, parts: map[totalKey]*total{}}
	var last []int // whom the policy at hand selects
	var subjects []string
	for _, a := range engine.Allowances() {
		if len(a.Subjects) != len(last) || len(last) == 0 || &a.Subjects[0] != &last[0] {
			last, subjects = a.Subjects, x.workloadsOf(a.Subjects)
		}
		entry := &use{allowance: a}
		entry.entry = Usage{
			ID: identity("allowance", AllowanceOf(a.ID).identity()), Allowance: AllowanceOf(a.ID),
			PeerText: a.Peer, PortText: a.Port, Edges: []string{}, Subjects: subjects, UsedBy: []string{}, Peers: []string{}, CoveredBy: []string{},
		}
		if o := x.policies[a.ID.Policy]; o != nil {
			entry.entry.File = o.Source.File
			if a.Line > 0 {
				entry.entry.Line = max(o.Source.Line, 1) + a.Line - 1
			}
		}
		x.lines[a.ID] = entry.entry.Line
		u.all[a.ID] = entry
		u.order = append(u.order, a.ID)
	}
	slices.SortFunc(u.order, compareIDs)
	for _, id := range u.order {
		u.all[id].parts = u.totals(&u.all[id].allowance)
	}
	return u
}

// count holds the edges against the allowances.
func (u *uses) count(edges []Edge) {
	for i := range edges {
		u.add(&edges[i])
	}
	if len(edges) == 0 {
		for _, id := range u.order {
			u.all[id].entry.State = UseUnknown
		}
		return
	}
	u.cover()
}

// compareIDs orders allowances by policy, then as they stand in the manifest.
func compareIDs(a, b policy.AllowanceID) int {
	return cmp.Or(
		compareRefs(RefOf(a.Policy), RefOf(b.Policy)), cmp.Compare(b.Direction, a.Direction), // ingress first, as manifests have it
		cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port),
	)
}

// add counts an edge for the allowances that let it through.
func (u *uses) add(e *Edge) {
	client, server := e.Client.String(), e.Server.String()
	u.sum(e, client, server)
	met := map[policy.AllowanceID]bool{} // true: alone, for some pair of pods
	for _, n := range e.Needs {
		for _, id := range n.Atoms {
			a := u.all[id]
			if a == nil {
				continue
			}
			met[id] = met[id] || len(n.Atoms) == 1
			if e.Teaches {
				a.needs = append(a.needs, n)
			}
		}
	}
	for id, alone := range met {
		a := u.all[id]
		a.edges = append(a.edges, e)
		a.entry.Edges = append(a.entry.Edges, e.ID)
		a.entry.Hits += e.Counters.Connections
		if alone {
			a.entry.AloneHits += e.Counters.Connections
		}
		if e.Last.After(a.entry.LastHit) {
			a.entry.LastHit = e.Last
		}
		if e.Teaches {
			a.teaching++
		}
		own, far := client, server
		if id.Direction == policy.Ingress {
			own, far = server, client
		}
		a.entry.UsedBy, a.entry.Peers = append(a.entry.UsedBy, own), append(a.entry.Peers, far)
	}
}

// other is the party that an allowance of the direction speaks of.
func other(e *Edge, d policy.Direction) Party {
	if d == policy.Ingress {
		return e.Client
	}
	return e.Server
}

// cover finds allowances that are never needed: whatever they let through,
// others let through too. Of several that can do without each other the first
// in order stays.
func (u *uses) cover() {
	redundant := map[policy.AllowanceID]bool{}
	for _, id := range slices.Backward(u.order) {
		a := u.all[id]
		a.entry.UsedBy, a.entry.Peers = sortUnique(a.entry.UsedBy), sortUnique(a.entry.Peers)
		switch {
		case a.teaching == 0:
			a.entry.State = UseUnused
			continue
		case u.spare(id, redundant):
			redundant[id] = true
			a.entry.State = UseRedundant
		default:
			a.entry.State = UseUsed
		}
	}
	for id := range redundant {
		u.all[id].entry.CoveredBy = u.covering(id, redundant)
	}
}

// spare says whether every need that an allowance meets is met without it.
func (u *uses) spare(id policy.AllowanceID, gone map[policy.AllowanceID]bool) bool {
	for _, n := range u.all[id].needs {
		if !slices.ContainsFunc(n.Atoms, func(o policy.AllowanceID) bool { return o != id && !gone[o] }) {
			return false
		}
	}
	return true
}

// covering names what covers a redundant allowance: those that always do, else
// all that do for a part.
func (u *uses) covering(id policy.AllowanceID, redundant map[policy.AllowanceID]bool) []string {
	times := map[policy.AllowanceID]int{}
	for _, n := range u.all[id].needs {
		for _, o := range n.Atoms {
			if o != id && !redundant[o] {
				times[o]++
			}
		}
	}
	always := slices.DeleteFunc(slices.SortedFunc(maps.Keys(times), compareIDs), func(o policy.AllowanceID) bool {
		return times[o] < len(u.all[id].needs)
	})
	if len(always) == 0 {
		always = slices.SortedFunc(maps.Keys(times), compareIDs)
	}
	names := make([]string, 0, len(always))
	for _, o := range always {
		names = append(names, u.describe(o))
	}
	return names
}

// describe names an allowance for people: "NetworkPolicy shop/db ingress rule
// 1 (pods app=api, TCP 5432)". Rules count from 1 for people.
func (u *uses) describe(id policy.AllowanceID) string {
	text := RefOf(id.Policy).Cluster().String() + " " + lower(id.Direction) + " rule " + strconv.Itoa(id.Rule+1)
	if a := u.all[id]; a != nil {
		text += " (" + a.allowance.Peer + ", " + a.allowance.Port + ")"
	}
	return text
}

func lower(d policy.Direction) string {
	if d == policy.Egress {
		return "egress"
	}
	return "ingress"
}

// entries gives the usage for the report.
func (u *uses) entries() []Usage {
	out := make([]Usage, 0, len(u.order))
	for _, id := range u.order {
		out = append(out, u.all[id].entry)
	}
	return out
}
