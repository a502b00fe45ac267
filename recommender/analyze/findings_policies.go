// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// ofPolicies states what the usage of allowances says, at the widest scope that
// is true: a policy, else a rule, else a peer or a port.
func (f *finder) ofPolicies() {
	var groups [][]policy.AllowanceID
	for ids := f.uses.order; len(ids) > 0; {
		n := 1
		for n < len(ids) && ids[n].Policy == ids[0].Policy {
			n++
		}
		groups, ids = append(groups, ids[:n]), ids[n:]
	}
	f.spread(len(groups), func(f *finder, i int) { f.ofPolicy(groups[i]) })
}

func (f *finder) ofPolicy(ids []policy.AllowanceID) {
	object := f.policies[ids[0].Policy]
	switch {
	case f.none(ids, func(u *use) bool { return len(u.allowance.Subjects) > 0 }):
		f.selectsNothing(object, ids)
	case f.blind: // nobody can say that it is not used
	case f.none(ids, (*use).inUse):
		f.unused(object, ScopePolicy, ids)
	default:
		for _, rule := range groupBy(ids, func(id policy.AllowanceID) any { return [2]int{int(id.Direction), id.Rule} }) {
			f.ofRule(object, rule)
		}
	}
}

func (u *use) inUse() bool { return u.teaching > 0 }

func (f *finder) none(ids []policy.AllowanceID, is func(*use) bool) bool {
	return !slices.ContainsFunc(ids, func(id policy.AllowanceID) bool { return is(f.uses.all[id]) })
}

// ofRule states what is unused in one rule, by peer and by port.
func (f *finder) ofRule(object *cluster.Object, ids []policy.AllowanceID) {
	if f.none(ids, (*use).inUse) {
		f.unused(object, ScopeRule, ids)
		return
	}
	told := map[policy.AllowanceID]bool{}
	for _, scope := range []Scope{ScopePeer, ScopePort} {
		groups := groupBy(ids, func(id policy.AllowanceID) any {
			if scope == ScopePeer {
				return id.Peer
			}
			return id.Port
		})
		if len(groups) < 2 {
			continue
		}
		for _, group := range groups {
			if f.none(group, (*use).inUse) {
				f.unused(object, scope, group)
				for _, id := range group {
					told[id] = true
				}
			}
		}
	}
	rest := slices.DeleteFunc(slices.Clone(ids), func(id policy.AllowanceID) bool { return told[id] })
	f.redundant(object, ids)
	f.partly(object, rest, slices.ContainsFunc(rest, func(id policy.AllowanceID) bool { return !f.uses.all[id].inUse() }))
}

// groupBy keeps the order of first appearance.
func groupBy(ids []policy.AllowanceID, by func(policy.AllowanceID) any) [][]policy.AllowanceID {
	at := map[any]int{}
	var groups [][]policy.AllowanceID
	for _, id := range ids {
		k := by(id)
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], id)
	}
	return groups
}

// of begins a finding about a part of a policy.
func (f *finder) of(object *cluster.Object, kind FindingKind, scope Scope, s Severity, ids []policy.AllowanceID) Finding {
	first := ids[0]
	ref := RefOf(first.Policy)
	where := f.place(object, scope, first)
	n := Finding{Kind: kind, Scope: scope, Severity: s, Namespace: ref.Namespace, Policy: &ref, Line: where.first, EndLine: where.last}
	if object != nil {
		n.File = object.Source.File
	}
	about := []string{"finding", string(kind), string(scope)}
	subjects := set{}
	for _, id := range ids {
		u := f.uses.all[id]
		n.Allowances = append(n.Allowances, u.entry.Allowance)
		about = append(about, RefOf(id.Policy).Cluster().String(), id.Direction.String(), u.allowance.Peer, u.allowance.Port)
		for _, w := range u.entry.Subjects {
			subjects.add(w)
		}
	}
	n.ID = identity(about...)
	n.Workloads = subjects.sorted()
	return n
}

// what names the part of a policy that a finding is about. Rules count from 1
// for people.
func (f *finder) what(scope Scope, id policy.AllowanceID) string {
	a := f.uses.all[id].allowance
	rule := fmt.Sprintf("%s rule %d of %s", lower(id.Direction), id.Rule+1, id.Policy)
	switch scope {
	case ScopePolicy:
		return id.Policy.String()
	case ScopeRule:
		return rule
	case ScopePeer:
		return fmt.Sprintf("peer %q in %s", a.Peer, rule)
	case ScopePort:
		return fmt.Sprintf("port %s in %s", a.Port, rule)
	case ScopeEdge:
	}
	return rule
}

func (f *finder) unused(object *cluster.Object, scope Scope, ids []policy.AllowanceID) {
	severity := SeverityMedium
	if f.resolves(ids) {
		severity = SeverityInfo
	}
	n := f.of(object, FindingUnused, scope, severity, ids)
	n.Title = fmt.Sprintf("Nobody uses %s", f.what(scope, ids[0]))
	n.Evidence = append(n.Evidence, fmt.Sprintf("No connection used it %s.", f.period()), "It allows "+f.allows(ids)+".")
	if severity == SeverityInfo {
		n.Evidence = append(n.Evidence, "It is for name resolution, which uses TCP for long answers: recommendations keep it.")
	}
	var held []string
	for _, id := range ids {
		for _, e := range f.uses.all[id].edges {
			held = append(held, edgeText(e))
		}
	}
	if held = sortUnique(held); len(held) > 0 {
		n.Evidence[0] = fmt.Sprintf("No connection that is known used it %s.", f.period())
		n.Evidence = append(n.Evidence, "Held as unseen, it was used by "+List(held, 3)+".")
	}
	if seen := f.connections(n.Workloads); seen > 0 {
		n.Evidence = append(n.Evidence, fmt.Sprintf("In that time %s of the workloads it selects were seen.", Plural(seen, "connection")))
	} else {
		n.Evidence = append(n.Evidence, "In that time no traffic at all was seen of the workloads that it selects.")
	}
	f.add(n, ids...)
}

// resolves says whether atoms are for name resolution alone.
func (f *finder) resolves(ids []policy.AllowanceID) bool {
	return f.none(ids, func(u *use) bool { return u.allowance.Port != "UDP 53" && u.allowance.Port != "TCP 53" })
}

// allows says what atoms permit, in words.
func (f *finder) allows(ids []policy.AllowanceID) string {
	peers, ports := set{}, set{}
	for _, id := range ids {
		a := f.uses.all[id].allowance
		peers.add(a.Peer)
		ports.add(a.Port)
	}
	preposition := "from"
	if ids[0].Direction == policy.Egress {
		preposition = "to"
	}
	return fmt.Sprintf("connections %s %s on %s", preposition, List(peers.sorted(), 4), List(ports.sorted(), 6))
}

// traffic counts the connections of workloads.
func (f *finder) connections(workloads []string) uint64 {
	var touching []int32
	for _, w := range workloads {
		touching = append(touching, f.traffic[w]...)
	}
	if len(workloads) > 1 {
		slices.Sort(touching)
		touching = slices.Compact(touching)
	}
	var n uint64
	for _, i := range touching {
		n += max(f.edges[i].Counters.Connections, 1)
	}
	return n
}

func (f *finder) redundant(object *cluster.Object, ids []policy.AllowanceID) {
	for _, id := range ids {
		u := f.uses.all[id]
		if u.entry.State != UseRedundant {
			continue
		}
		n := f.of(object, FindingRedundant, ScopePort, SeverityLow, []policy.AllowanceID{id})
		n.Title = fmt.Sprintf("%s is not needed: other allowances let the same through", upper(f.uses.describe(id)))
		n.Evidence = []string{
			fmt.Sprintf("All %s that it let through %s are allowed also by %s.", Plural(u.entry.Hits, "connection"), f.period(), List(u.entry.CoveredBy, 3)),
		}
		f.add(n)
	}
}

func (f *finder) selectsNothing(object *cluster.Object, ids []policy.AllowanceID) {
	n := f.of(object, FindingSelectsNothing, ScopePolicy, SeverityLow, ids)
	n.Title = fmt.Sprintf("%s selects no pod", ids[0].Policy)
	n.Evidence = []string{"No pod of the cluster, and no workload's template, has the labels that its selector asks for: it has no effect."}
	f.add(n)
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
