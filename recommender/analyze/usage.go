// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// use collects what one allowance was used for.
type use struct {
	allowance policy.Allowance
	entry     Usage
	edges     []*Edge  // that it let through, each once, in order
	teaching  int      // of them, those that teach
	needs     []needed // of teaching edges, those that it can meet
	parts     []*total // of its policy, that it belongs to
	redundant bool     // others let through all that it does
}

// needed is a need of some edges: any of the allowances meets it.
type needed struct {
	by     []*use
	others bool // what is no allowance of a policy meets it too, such as a profile
	times  int
}

// uses is the usage of every allowance in force.
type uses struct {
	all     map[policy.AllowanceID]*use
	order   []policy.AllowanceID // by policy, direction, rule, peer, port
	parts   map[totalKey]*total
	sums    []*total // in that order
	layouts map[cluster.Ref]*located
	known   map[*Need][][]*use // who meets needs that edges share
}

// uses lists every allowance in force, and where it stands in its file.
func (x *Index) uses(engine *policy.Engine) *uses {
	u := &uses{all: map[policy.AllowanceID]*use{}, parts: map[totalKey]*total{}, layouts: make(map[cluster.Ref]*located, len(x.policies)), known: map[*Need][][]*use{}}
	for i := range x.snapshot.Policies {
		u.layouts[x.snapshot.Policies[i].Ref] = &located{}
	}
	list := engine.Located(func(ref cluster.Ref, root *yaml.Node) {
		if at := u.layouts[ref]; at != nil {
			at.once.Do(func() { at.layout = newLayout(root) })
		}
	})
	made := make([]use, len(list))
	shared(len(list), func() func(int) {
		var last []int // whom the policy at hand selects
		var subjects []string
		return func(i int) {
			a := &list[i]
			if len(a.Subjects) != len(last) || len(last) == 0 || &a.Subjects[0] != &last[0] {
				last, subjects = a.Subjects, x.workloadsOf(a.Subjects)
			}
			made[i] = use{allowance: *a, entry: x.unusedYet(a, subjects)}
		}
	})
	for i := range made {
		id := made[i].allowance.ID
		x.lines[id] = made[i].entry.Line
		u.all[id] = &made[i]
		u.order = append(u.order, id)
	}
	slices.SortFunc(u.order, compareIDs)
	for _, id := range u.order {
		u.all[id].parts = u.totals(&u.all[id].allowance)
	}
	return u
}

func (x *Index) unusedYet(a *policy.Allowance, subjects []string) Usage {
	of := AllowanceOf(a.ID)
	out := Usage{
		ID: identity("allowance", of.identity()), Allowance: of,
		PeerText: a.Peer, PortText: a.Port, Edges: []string{}, Subjects: subjects, UsedBy: []string{}, Peers: []string{}, CoveredBy: []string{},
	}
	if o := x.policies[a.ID.Policy]; o != nil {
		out.File = o.Source.File
		if a.Line > 0 {
			out.Line = max(o.Source.Line, 1) + a.Line - 1
		}
	}
	return out
}

// count holds the edges against the allowances.
func (u *uses) count(edges []Edge, f *foldings, r *roll) {
	for i := range edges {
		from, to := f.ends(i)
		u.add(&edges[i], r.names[from], r.names[to])
	}
	u.known = nil
	if len(edges) == 0 {
		for _, id := range u.order {
			u.all[id].entry.State = UseUnknown
		}
		return
	}
	u.cover()
}

// meeting gives for each need who meets it.
func (u *uses) meeting(needs []Need) [][]*use {
	if len(needs) == 0 {
		return nil
	}
	out, known := u.known[&needs[0]]
	if known && len(out) == len(needs) {
		return out
	}
	out = make([][]*use, len(needs))
	for i, n := range needs {
		for _, id := range n.Atoms {
			if a := u.all[id]; a != nil {
				out[i] = append(out[i], a)
			}
		}
	}
	u.known[&needs[0]] = out
	return out
}

// compareIDs orders allowances by policy, then as they stand in the manifest.
func compareIDs(a, b policy.AllowanceID) int {
	return cmp.Or(
		compareRefs(RefOf(a.Policy), RefOf(b.Policy)), cmp.Compare(b.Direction, a.Direction), // ingress first, as manifests have it
		cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port),
	)
}

// met is an allowance that let an edge through.
type met struct {
	*use
	alone bool // for some pair of pods
}

// add counts an edge for the allowances that let it through.
func (u *uses) add(e *Edge, client, server string) {
	needs := u.meeting(e.Needs)
	u.sum(e, needs, client, server)
	var room [16]met
	list := room[:0]
	for i, by := range needs {
		alone := len(e.Needs[i].Atoms) == 1
		for _, a := range by {
			if at := slices.IndexFunc(list, func(m met) bool { return m.use == a }); at >= 0 {
				list[at].alone = list[at].alone || alone
			} else {
				list = append(list, met{a, alone})
			}
			if e.Teaches {
				a.need(by, len(by) < len(e.Needs[i].Atoms))
			}
		}
	}
	for _, m := range list {
		m.let(e, m.alone, client, server)
	}
}

// need notes what one of several can meet.
func (a *use) need(by []*use, others bool) {
	if n := len(a.needs); n > 0 && &a.needs[n-1].by[0] == &by[0] {
		a.needs[n-1].times++
		return
	}
	a.needs = append(a.needs, needed{by, others, 1})
}

// let counts an edge that the allowance let through.
func (a *use) let(e *Edge, alone bool, client, server string) {
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
	if a.allowance.ID.Direction == policy.Ingress {
		own, far = server, client
	}
	noteText(&a.entry.UsedBy, own)
	noteText(&a.entry.Peers, far)
}

// noteText adds a text that is not the last one.
func noteText(texts *[]string, text string) {
	if n := len(*texts); n == 0 || (*texts)[n-1] != text {
		*texts = append(*texts, text)
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
	each(len(u.order), func(i int) {
		a := u.all[u.order[i]]
		a.entry.UsedBy, a.entry.Peers = sortUnique(a.entry.UsedBy), sortUnique(a.entry.Peers)
	})
	for _, id := range slices.Backward(u.order) {
		a := u.all[id]
		switch {
		case a.teaching == 0:
			a.entry.State = UseUnused
			continue
		case a.spare():
			a.redundant = true
			a.entry.State = UseRedundant
		default:
			a.entry.State = UseUsed
		}
	}
	for _, id := range u.order {
		if a := u.all[id]; a.redundant {
			a.entry.CoveredBy = u.covering(a)
		}
	}
}

// spare says whether every need that an allowance meets is met without it.
func (a *use) spare() bool {
	for _, n := range a.needs {
		if !n.others && !slices.ContainsFunc(n.by, func(o *use) bool { return o != a && !o.redundant }) {
			return false
		}
	}
	return true
}

// covering names what covers a redundant allowance: those that always do, else
// all that do for a part.
func (u *uses) covering(a *use) []string {
	times := map[*use]int{}
	all := 0
	for _, n := range a.needs {
		all += n.times
		for _, o := range n.by {
			if o != a && !o.redundant {
				times[o] += n.times
			}
		}
	}
	sorted := slices.SortedFunc(maps.Keys(times), func(a, b *use) int { return compareIDs(a.allowance.ID, b.allowance.ID) })
	always := slices.DeleteFunc(slices.Clone(sorted), func(o *use) bool { return times[o] < all })
	if len(always) == 0 {
		always = sorted
	}
	names := make([]string, 0, len(always))
	for _, o := range always {
		names = append(names, u.describe(o.allowance.ID))
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
