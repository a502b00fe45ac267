// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// maxCells bounds how many cells of a difference a proof lists; ClosedTotal
// counts all.
const maxCells = 50

// prove computes what a recommendation does, by itself and together with all
// others that are offered.
func (w *world) prove(r *Recommendation, object cluster.Object, together *policy.Engine) {
	alone, problems := policy.Compile(With(w.snapshot, object), w.options)
	p := emptyProof()
	for _, problem := range problems {
		if problem.Ref == object.Ref {
			p.state(ValidManifest, false, fmt.Sprintf("The manifest is not understood: %s: %s.", problem.Field, problem.Message))
		}
	}
	if len(p.Statements) == 0 {
		p.state(ValidManifest, true, "The manifest reads back, field by field, as the API server reads it.")
	}
	w.proveObserved(&p, r, governed(object), alone, together)
	w.proveHeld(&p, r, alone)
	w.proveNames(&p, r, alone, together)
	w.proveNothingOpened(&p, r, alone)
	p.Holds = !slices.ContainsFunc(p.Statements, func(s Statement) bool { return !s.Holds })
	r.Proof = p
}

func (p *Proof) state(name StatementName, holds bool, text string) {
	p.Statements = append(p.Statements, Statement{Name: name, Holds: holds, Text: text})
}

// proveObserved: every edge that teaches and touches the workloads is allowed
// for every pair of pods for which it is allowed now. All are held against the
// engines; counted are those in the directions that the policy governs.
func (w *world) proveObserved(p *Proof, r *Recommendation, directions []string, engines ...*policy.Engine) {
	var pairs int
	egress, ingress := slices.Contains(directions, policy.Egress.String()), slices.Contains(directions, policy.Ingress.String())
	for i := range w.report.Edges {
		e := &w.report.Edges[i]
		out, in := slices.Contains(r.Workloads, e.Client.String()), slices.Contains(r.Workloads, e.Server.String())
		if !e.Teaches || !out && !in {
			continue
		}
		counts := out && egress || in && ingress
		if counts {
			p.ObservedEdges++
			p.Connections += e.Counters.Connections
		}
		lost := false
		w.allowedPairs(e.Client, e.Server, portKey{e.Number, e.Port}, func(c policy.Connection) {
			if counts {
				pairs++
			}
			for _, engine := range engines {
				lost = lost || !permits(engine, c)
			}
		})
		if lost {
			p.Lost = append(p.Lost, cellOfEdge(e))
		}
	}
	if len(p.Lost) > 0 {
		p.state(KeepsObserved, false, fmt.Sprintf("%s that was seen, learnt and allowed would be cut, the first from %s to %s.", analyze.Plural(len(p.Lost), "edge"), p.Lost[0].From, p.Lost[0].To))
		return
	}
	p.state(KeepsObserved, true, fmt.Sprintf("All that was seen, learnt and allowed stays allowed at both ends: %s with %s, held against every pair of pods (%d).",
		analyze.Plural(p.ObservedEdges, "edge"), analyze.Plural(p.Connections, "connection"), pairs))
}

// allowedPairs visits the connections of an edge that are allowed now.
func (w *world) allowedPairs(client, server analyze.Party, port portKey, visit func(policy.Connection)) {
	w.everyPair(client, server, port, func(c policy.Connection) {
		if permits(w.engine, c) {
			visit(c)
		}
	})
}

// everyPair visits the connections that an edge stands for, pod by pod.
func (w *world) everyPair(client, server analyze.Party, port portKey, visit func(policy.Connection)) {
	analyze.Pairs(w.index.Ends(client, everyPod), w.index.Ends(server, everyPod), func(from, to policy.Peer) {
		visit(policy.Connection{From: from, To: to, Protocol: port.protocol, Port: port.port, ICMPType: -1, ICMPCode: -1})
	})
}

func permits(e *policy.Engine, c policy.Connection) bool {
	egress, ingress := e.Allowed(c)
	return egress && ingress
}

func cellOfEdge(e *analyze.Edge) Cell {
	ports := fmt.Sprint(e.Port)
	if !e.Number.HasPorts() {
		ports = "any"
	}
	return Cell{From: e.Client.String(), To: e.Server.String(), Protocol: e.Protocol, Ports: ports}
}

// proveNames: name resolution that is possible now stays possible.
func (w *world) proveNames(p *Proof, r *Recommendation, engines ...*policy.Engine) {
	asked := 0
	for _, s := range w.dns {
		for _, wl := range w.index.Workloads() {
			if !slices.Contains(r.Workloads, wl.String()) || analyze.PartyOf(wl) == s.party {
				continue
			}
			w.allowedPairs(analyze.PartyOf(wl), s.party, portKey{s.protocol, s.port}, func(c policy.Connection) {
				asked++
				for _, engine := range engines {
					if !permits(engine, c) {
						cell := Cell{From: wl.String(), To: s.party.String(), Protocol: s.protocol.String(), Ports: fmt.Sprint(s.port)}
						if !slices.Contains(p.Lost, cell) {
							p.Lost = append(p.Lost, cell)
							p.state(KeepsDNS, false, fmt.Sprintf("%s could not resolve names any more.", wl))
						}
					}
				}
			})
		}
	}
	if asked > 0 && !slices.ContainsFunc(p.Statements, func(s Statement) bool { return s.Name == KeepsDNS }) {
		p.state(KeepsDNS, true, "The workloads that could ask the cluster's DNS still can.")
	}
}

// proveNothingOpened: what is allowed after was allowed before.
func (w *world) proveNothingOpened(p *Proof, r *Recommendation, alone *policy.Engine) {
	delta := policy.Compare(w.engine, alone)
	p.Opened = cells(delta.Added, maxCells)
	p.Closed, p.ClosedTotal = cells(delta.Removed, maxCells), len(delta.Removed)
	if len(delta.Added) > 0 {
		p.state(OpensNothing, false, fmt.Sprintf("It would allow what is denied now, the first from %s to %s.", p.Opened[0].From, p.Opened[0].To))
		return
	}
	text := "Nothing is allowed that was not allowed before, computed over all pods, ports and addresses."
	if r.Kind == KindNew {
		text = "The workload becomes isolated, and nothing is allowed that was not allowed before, computed over all pods, ports and addresses."
	}
	p.state(OpensNothing, true, text)
}

// proveNeeded: without any of its atoms, an edge that was seen would be lost.
// It is asked of all recommendations together, since only then no wider policy
// lets through what a narrow one is for.
func (w *world) proveNeeded(recommendations []*Recommendation, together *policy.Engine) {
	needed := w.needed(together)
	spare := map[cluster.Ref][]string{}
	count := map[cluster.Ref]int{}
	for _, a := range together.Allowances() {
		count[a.ID.Policy]++
		if !needed[a.ID] {
			spare[a.ID.Policy] = append(spare[a.ID.Policy], fmt.Sprintf("%s rule %d: %s, %s", lower(a.ID.Direction), a.ID.Rule+1, a.Peer, a.Port))
		}
	}
	for _, r := range recommendations {
		ref := r.Policy.Cluster()
		r.Proof.Superfluous = append(r.Proof.Superfluous, spare[ref]...)
		if len(r.Proof.Superfluous) > 0 {
			r.Proof.state(NoSuperfluous, false, fmt.Sprintf("%s could go without a loss: %s.", analyze.Plural(len(spare[ref]), "allowance"), strings.Join(spare[ref], "; ")))
			r.Proof.Holds = false
			continue
		}
		r.Proof.state(NoSuperfluous, true, fmt.Sprintf("Each of its %s is needed: without it, something that was seen, name resolution, or a schedule that has not run yet would be cut.",
			analyze.Plural(count[ref], "allowance")))
	}
}

// needed finds the atoms without which something would be cut.
func (w *world) needed(engine *policy.Engine) map[policy.AllowanceID]bool {
	needed := map[policy.AllowanceID]bool{}
	ask := func(c policy.Connection) {
		var atoms [2][]policy.AllowanceID
		engine.Matching(c, func(id policy.AllowanceID) { atoms[id.Direction] = append(atoms[id.Direction], id) })
		for _, list := range atoms {
			if len(list) == 1 {
				needed[list[0]] = true
			}
		}
	}
	for i := range w.report.Edges {
		if e := &w.report.Edges[i]; e.Teaches {
			w.allowedPairs(e.Client, e.Server, portKey{e.Number, e.Port}, ask)
		}
	}
	for _, s := range w.dns { // each end by itself: the other may be closed still
		for _, wl := range w.index.Workloads() {
			w.everyPair(analyze.PartyOf(wl), s.party, portKey{s.protocol, s.port}, ask)
		}
	}
	w.scheduled(engine, needed)
	return needed
}

// scheduled marks atoms that are kept for a CronJob that has not run often
// enough to be known.
func (w *world) scheduled(engine *policy.Engine, needed map[policy.AllowanceID]bool) {
	for _, a := range engine.Allowances() {
		pods, anyone := engine.Reach(a.ID)
		if anyone {
			pods = nil
		}
		for _, i := range append(slices.Clone(pods), a.Subjects...) {
			if w.uncovered(w.owner(&w.snapshot.Pods[i])) {
				needed[a.ID] = true
			}
		}
	}
}
