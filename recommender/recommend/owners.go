// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// demand is traffic that has to stay allowed at one end, with the atoms that
// let it through: one of them has to stay.
type demand struct {
	direction policy.Direction
	atoms     []policy.AllowanceID
	other     *analyze.Party // the far end
	client    *analyze.Party
	server    *analyze.Party
	port      portKey
	edge      *analyze.Edge // nil: kept without having been seen
	dns       bool
	name      demandName
	// wholePeer and wholePort keep the item as its author wrote it.
	wholePeer, wholePort bool
}

// nobody stands for the ends of what is kept without a party to keep it for.
var nobody = &analyze.Party{}

// demandName tells demands apart, the same in each round of a search. Zero for
// those that never move.
type demandName struct {
	edge, need int32 // of an edge that teaches, from 1
	dns        int32 // of the cluster's DNS, from 1
	client     int32 // number in the index, from 1
	direction  policy.Direction
}

// owners gives each demand to exactly one atom: whatever subset of the
// recommendations is applied, the atom that owns a demand stays.
type owners struct {
	*world
	atoms    map[policy.AllowanceID]policy.Allowance
	rules    map[ruleID][]policy.AllowanceID // in order
	reach    map[policy.AllowanceID]*reach
	owned    map[policy.AllowanceID][]*demand
	demands  []demand
	subjects map[cluster.Ref][]string // namespace/name of whom a policy selects, sorted
}

// moves say which rule shall own a demand, where the narrowest turned out to be
// superfluous.
type moves map[demandName]ruleID

// reach is how far an atom reaches.
type reach struct {
	workloads map[flow.Workload]bool // false where it reaches only some of the pods
	anyone    bool
	width     int
}

// survey measures every atom in force, which no round of the search changes.
func (w *world) survey() *owners {
	o := &owners{
		world: w, atoms: make(map[policy.AllowanceID]policy.Allowance, len(w.atoms)), reach: make(map[policy.AllowanceID]*reach, len(w.atoms)),
		rules: map[ruleID][]policy.AllowanceID{},
	}
	reaches := w.engine.Reaches()
	measured := map[*policy.Reached]*reach{}
	for _, a := range w.atoms {
		o.atoms[a.ID] = a
		o.rules[ruleOf(a.ID)] = append(o.rules[ruleOf(a.ID)], a.ID)
		r := reaches[a.ID]
		if measured[r] == nil {
			measured[r] = o.measure(r)
		}
		o.reach[a.ID] = measured[r]
	}
	for _, list := range o.rules {
		slices.SortFunc(list, func(a, b policy.AllowanceID) int {
			return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port))
		})
	}
	names := o.names()
	o.demands = append(o.seen(len(names)), names...)
	o.subjects = w.subjects()
	return o
}

// subjects names the workloads that each policy selects.
func (w *world) subjects() map[cluster.Ref][]string {
	out := map[cluster.Ref][]string{}
	for i, a := range w.atoms {
		if i > 0 && w.atoms[i-1].ID.Policy == a.ID.Policy {
			continue
		}
		names := map[string]bool{}
		var last flow.Workload
		for _, s := range a.Subjects {
			if p := &w.snapshot.Pods[s]; !p.Finished && w.owner(p) != last {
				last = w.owner(p)
				names[last.String()] = true
			}
		}
		out[a.ID.Policy] = sortedKeys(names)
	}
	return out
}

// assign gives each demand to an atom.
func (o *owners) assign(moved moves) {
	o.owned = map[policy.AllowanceID][]*demand{}
	for i := range o.demands {
		d := &o.demands[i]
		candidates := d.atoms
		if rule, ok := moved[d.name]; ok {
			candidates = slices.DeleteFunc(slices.Clone(d.atoms), func(id policy.AllowanceID) bool { return ruleOf(id) != rule })
		}
		id := candidates[0]
		if len(candidates) > 1 {
			id = slices.MinFunc(candidates, o.compare)
			if d.wholePeer { // what stays whole had better be one item that does for all
				id = slices.MaxFunc(candidates, o.compare)
			}
		}
		o.owned[id] = append(o.owned[id], d)
	}
	o.runs()
}

func (o *owners) measure(reached *policy.Reached) *reach {
	r := &reach{workloads: map[flow.Workload]bool{}, anyone: reached.Anyone}
	count := map[flow.Workload]int{}
	var last flow.Workload // pods of a workload stand side by side
	n := 0
	for _, i := range reached.Pods {
		p := &o.snapshot.Pods[i]
		if p.Finished {
			continue
		}
		if wl := o.owner(p); wl != last {
			count[last] += n
			last, n = wl, 0
		}
		n++
	}
	count[last] += n
	delete(count, flow.Workload{})
	for wl, n := range count {
		r.workloads[wl] = n == len(o.index.Pods(wl))
	}
	r.width = len(r.workloads)
	if r.anyone {
		r.width = 1 << 20
	}
	r.width *= 8
	return r
}

// width is how much an atom lets through, to prefer those that let through less.
func (o *owners) width(id policy.AllowanceID) int {
	if id.Port < 0 {
		return o.reach[id].width + 7
	}
	return o.reach[id].width
}

// compare prefers the narrowest atom, then the first.
func (o *owners) compare(a, b policy.AllowanceID) int {
	return cmp.Or(
		cmp.Compare(o.width(a), o.width(b)),
		cmp.Compare(a.Policy.Namespace, b.Policy.Namespace), cmp.Compare(a.Policy.Name, b.Policy.Name), cmp.Compare(a.Policy.Kind, b.Policy.Kind),
		cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port),
	)
}

// seen lists what the edges that teach stand on, with room for more.
func (o *owners) seen(more int) []demand {
	most := more
	for i := range o.report.Edges {
		if e := &o.report.Edges[i]; e.Teaches {
			most += len(e.Needs)
		}
	}
	out := make([]demand, 0, most)
	for i := range o.report.Edges {
		e := &o.report.Edges[i]
		if !e.Teaches {
			continue
		}
		for k, n := range e.Needs {
			if slices.ContainsFunc(e.Needs[:k], func(m analyze.Need) bool { return m.Direction == n.Direction && slices.Equal(m.Atoms, n.Atoms) }) {
				continue
			}
			if atoms := o.current(n.Atoms); len(atoms) > 0 {
				out = append(out, demand{
					name: demandName{edge: int32(i + 1), need: int32(k + 1)}, direction: n.Direction, atoms: atoms, other: farEnd(e, n.Direction),
					client: &e.Client, server: &e.Server, port: portKey{e.Number, e.Port}, edge: e,
				})
			}
		}
	}
	return out
}

// current keeps the atoms that this engine knows.
func (o *owners) current(atoms []policy.AllowanceID) []policy.AllowanceID {
	unknown := func(id policy.AllowanceID) bool { _, ok := o.atoms[id]; return !ok }
	if !slices.ContainsFunc(atoms, unknown) {
		return atoms
	}
	return slices.DeleteFunc(slices.Clone(atoms), unknown)
}

func farEnd(e *analyze.Edge, d policy.Direction) *analyze.Party {
	if d == policy.Ingress {
		return &e.Client
	}
	return &e.Server
}

// names lists what name resolution stands on: every workload's way to the DNS
// pods, where it is allowed. The DNS pods' own peers stay as wide as they are.
func (o *owners) names() []demand {
	var out []demand
	for i, s := range o.dns {
		for k, wl := range o.index.Workloads() {
			client := analyze.PartyOf(wl)
			if client == s.party {
				continue
			}
			var told []demand
			everyPair(o.crowds, client, s.party, portKey{s.protocol, s.port}, func(c policy.Connection, _ int) {
				var atoms [2][]policy.AllowanceID
				o.engine.Matching(c, func(id policy.AllowanceID) { atoms[id.Direction] = append(atoms[id.Direction], id) })
				for _, d := range []policy.Direction{policy.Egress, policy.Ingress} {
					dem := demand{direction: d, atoms: o.current(atoms[d]), port: portKey{s.protocol, s.port}, dns: true, other: &s.party, client: &client, server: &s.party}
					if d == policy.Ingress {
						dem.other, dem.wholePeer = &client, true
					}
					dem.name = demandName{dns: int32(i + 1), client: int32(k + 1), direction: d, need: int32(len(told))}
					if len(dem.atoms) > 0 && !slices.ContainsFunc(told, func(t demand) bool { return t.direction == d && slices.Equal(t.atoms, dem.atoms) }) {
						told = append(told, dem)
					}
				}
			})
			out = append(out, told...)
		}
	}
	slices.SortStableFunc(out, func(a, b demand) int { return cmp.Compare(a.direction, b.direction) })
	return out
}

// runs keeps what a CronJob may need that has not run often enough to be
// known, whether it is the subject or the peer.
func (o *owners) runs() {
	if len(o.late) == 0 {
		return
	}
	for id, a := range o.atoms {
		for _, wl := range o.late {
			party := analyze.PartyOf(wl)
			if _, reached := o.reach[id].workloads[wl]; reached && !o.reach[id].anyone {
				o.owned[id] = append(o.owned[id], &demand{direction: id.Direction, other: &party, client: nobody, server: nobody, wholePort: true})
			}
		}
		for _, i := range a.Subjects {
			if slices.Contains(o.late, o.owner(&o.snapshot.Pods[i])) {
				o.owned[id] = append(o.owned[id], &demand{direction: id.Direction, other: nobody, client: nobody, server: nobody, wholePeer: true, wholePort: true})
				break
			}
		}
	}
}

// rule names a rule of a policy.
type ruleID struct {
	policy    cluster.Ref
	direction policy.Direction
	rule      int
}

func ruleOf(id policy.AllowanceID) ruleID { return ruleID{id.Policy, id.Direction, id.Rule} }

// atomsOf lists a rule's atoms in order.
func (o *owners) atomsOf(r ruleID) []policy.AllowanceID { return o.rules[r] }

func lower(d policy.Direction) string { return strings.ToLower(d.String()) }
