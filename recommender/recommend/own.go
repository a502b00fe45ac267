// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"fmt"
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
	other     analyze.Party // the far end
	client    analyze.Party
	server    analyze.Party
	port      portKey
	edge      *analyze.Edge // nil: kept without having been seen
	dns       bool
	name      string // tells demands apart from run to run
	// wholePeer and wholePort keep the item as its author wrote it.
	wholePeer, wholePort bool
}

// owners gives each demand to exactly one atom: whatever subset of the
// recommendations is applied, the atom that owns a demand stays.
type owners struct {
	*world
	atoms map[policy.AllowanceID]policy.Allowance
	reach map[policy.AllowanceID]reach
	owned map[policy.AllowanceID][]demand
	// lineage gives for each rule of an edited policy the rule that it comes from.
	lineage map[lineageKey][]int
}

type lineageKey struct {
	policy    cluster.Ref
	direction policy.Direction
}

// moves say which rule shall own a demand, where the narrowest turned out to be
// superfluous.
type moves map[string]ruleID

// reach is how far an atom reaches.
type reach struct {
	workloads map[flow.Workload]bool // false where it reaches only some of the pods
	anyone    bool
	width     int
}

func (w *world) owners(moved moves) *owners {
	o := &owners{
		world: w, atoms: map[policy.AllowanceID]policy.Allowance{}, reach: map[policy.AllowanceID]reach{},
		owned: map[policy.AllowanceID][]demand{}, lineage: map[lineageKey][]int{},
	}
	for _, a := range w.engine.Allowances() {
		o.atoms[a.ID] = a
		o.reach[a.ID] = o.measure(a)
	}
	demands := append(o.seen(), o.names()...)
	for _, d := range demands {
		candidates := d.atoms
		if rule, ok := moved[d.name]; ok {
			candidates = slices.DeleteFunc(slices.Clone(d.atoms), func(id policy.AllowanceID) bool { return ruleOf(id) != rule })
		}
		id := slices.MinFunc(candidates, o.compare)
		if d.wholePeer { // what stays whole had better be one item that does for all
			id = slices.MaxFunc(candidates, o.compare)
		}
		o.owned[id] = append(o.owned[id], d)
	}
	o.runs()
	return o
}

func (o *owners) measure(a policy.Allowance) reach {
	pods, anyone := o.engine.Reach(a.ID)
	r := reach{workloads: map[flow.Workload]bool{}, anyone: anyone}
	count := map[flow.Workload]int{}
	for _, i := range pods {
		if p := &o.snapshot.Pods[i]; !p.Finished {
			count[o.owner(p)]++
		}
	}
	for wl, n := range count {
		r.workloads[wl] = n == len(o.index.Pods(wl))
	}
	r.width = len(r.workloads)
	if anyone {
		r.width = 1 << 20
	}
	r.width *= 8
	if a.ID.Port < 0 {
		r.width += 7
	}
	return r
}

// compare prefers the narrowest atom, then the first.
func (o *owners) compare(a, b policy.AllowanceID) int {
	return cmp.Or(
		cmp.Compare(o.reach[a].width, o.reach[b].width),
		cmp.Compare(a.Policy.Namespace, b.Policy.Namespace), cmp.Compare(a.Policy.Name, b.Policy.Name), cmp.Compare(a.Policy.Kind, b.Policy.Kind),
		cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port),
	)
}

// seen lists what the edges that teach stand on.
func (o *owners) seen() []demand {
	var out []demand
	for i := range o.report.Edges {
		e := &o.report.Edges[i]
		if !e.Teaches {
			continue
		}
		told := map[string]bool{}
		for _, n := range e.Needs {
			key := fmt.Sprint(n)
			if told[key] {
				continue
			}
			told[key] = true
			out = append(out, demand{name: e.ID + key, direction: n.Direction, atoms: o.current(n.Atoms), other: farEnd(e, n.Direction), client: e.Client, server: e.Server, port: portKey{e.Number, e.Port}, edge: e})
		}
	}
	return slices.DeleteFunc(out, func(d demand) bool { return len(d.atoms) == 0 })
}

// current keeps the atoms that this engine knows.
func (o *owners) current(atoms []policy.AllowanceID) []policy.AllowanceID {
	return slices.DeleteFunc(slices.Clone(atoms), func(id policy.AllowanceID) bool { _, ok := o.atoms[id]; return !ok })
}

func farEnd(e *analyze.Edge, d policy.Direction) analyze.Party {
	if d == policy.Ingress {
		return e.Client
	}
	return e.Server
}

// names lists what name resolution stands on: every workload's way to the DNS
// pods, where it is allowed. The DNS pods' own peers stay as wide as they are.
func (o *owners) names() []demand {
	var out []demand
	for _, s := range o.dns {
		for _, wl := range o.index.Workloads() {
			client := analyze.PartyOf(wl)
			if client == s.party {
				continue
			}
			told := map[string]bool{}
			analyze.Pairs(o.index.Ends(client, 2), o.index.Ends(s.party, 2), func(from, to policy.Peer) {
				v := o.engine.Check(policy.Connection{From: from, To: to, Protocol: s.protocol, Port: s.port, ICMPType: -1, ICMPCode: -1})
				for d, side := range map[policy.Direction]policy.DirectionVerdict{policy.Egress: v.Egress, policy.Ingress: v.Ingress} {
					dem := demand{direction: d, atoms: o.current(allowing(side)), port: portKey{s.protocol, s.port}, dns: true, other: s.party, client: client, server: s.party}
					if d == policy.Ingress {
						dem.other, dem.wholePeer = client, true
					}
					key := fmt.Sprint(d, dem.atoms)
					dem.name = fmt.Sprint("dns", s, client, key)
					if len(dem.atoms) > 0 && !told[key] {
						told[key] = true
						out = append(out, dem)
					}
				}
			})
		}
	}
	slices.SortStableFunc(out, func(a, b demand) int { return cmp.Compare(a.direction, b.direction) })
	return out
}

func allowing(side policy.DirectionVerdict) []policy.AllowanceID {
	var atoms []policy.AllowanceID
	for _, s := range side.Why {
		if s.Kind == policy.StepRule && s.Action == policy.ActionAllow {
			atoms = append(atoms, s.Allowance)
		}
	}
	return atoms
}

// runs keeps what a CronJob may need that has not run often enough to be
// known, whether it is the subject or the peer.
func (o *owners) runs() {
	for id, a := range o.atoms {
		for wl := range o.reach[id].workloads {
			if o.uncovered(wl) && !o.reach[id].anyone {
				o.owned[id] = append(o.owned[id], demand{direction: id.Direction, other: analyze.PartyOf(wl), wholePort: true})
			}
		}
		for _, i := range a.Subjects {
			if wl := o.owner(&o.snapshot.Pods[i]); o.uncovered(wl) {
				o.owned[id] = append(o.owned[id], demand{direction: id.Direction, wholePeer: true, wholePort: true})
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
func (o *owners) atomsOf(r ruleID) []policy.AllowanceID {
	var out []policy.AllowanceID
	for id := range o.atoms {
		if ruleOf(id) == r {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b policy.AllowanceID) int {
		return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port))
	})
	return out
}

func lower(d policy.Direction) string { return strings.ToLower(d.String()) }
