// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"maps"
	"runtime"
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
func (w *world) prove(g *gathering, r *Recommendation) {
	ref := r.Policy.Cluster()
	pr := &prover{world: w, gathering: g, recommendation: r, alone: g.swaps.Engine(append([]cluster.Ref{ref}, g.further[ref]...)...), known: map[asked]outcome{}}
	p := emptyProof()
	p.Extra, p.ExtraTotal = append(p.Extra, r.extra.Extra...), r.extra.ExtraTotal
	p.Statements = append(p.Statements, r.extra.Statements...)
	if problem, bad := g.problems[ref]; bad {
		p.state(ValidManifest, false, fmt.Sprintf("The manifest is not understood: %s: %s.", problem.Field, problem.Message))
	} else {
		p.state(ValidManifest, true, "The manifest reads back, field by field, as the API server reads it.")
	}
	directions := governed(g.objects[ref])
	if r.rail {
		directions = []string{policy.Egress.String()}
	}
	pr.observed(&p, directions)
	pr.held(&p)
	pr.names(&p)
	pr.failsafe(&p)
	pr.nothingOpened(&p)
	p.Holds = !slices.ContainsFunc(p.Statements, func(s Statement) bool { return !s.Holds })
	r.Proof = p
	g.swaps.Release(pr.alone)
}

// prover proves one recommendation.
type prover struct {
	*world
	*gathering
	recommendation *Recommendation
	alone          *policy.Engine // with nothing but the recommendation applied
	beside         *policy.Engine // what a companion is applied after; nil for others
	known          map[asked]outcome
	itself         map[int32]bool // by question: allowed with nothing else applied
}

// byItself says whether the answer to a question is yes with nothing but the
// recommendation applied.
func (pr *prover) byItself(question int32) bool {
	allowed, known := pr.itself[question]
	if !known {
		if pr.itself == nil {
			pr.itself = map[int32]bool{}
		}
		allowed = permits(pr.alone, pr.asked.list[question].Connection)
		pr.itself[question] = allowed
	}
	return allowed
}

// outcome is what the engines say to one question.
type outcome struct{ now, alone, together bool }

// ask gives the outcome of a connection, asked for once for all that no policy
// tells apart.
func (pr *prover) ask(c policy.Connection) outcome {
	at := asked{pr.kinship.Of(c.From), pr.kinship.Of(c.To), portKey{c.Protocol, c.Port}}
	out, ok := pr.known[at]
	if !ok {
		if out.now = permits(pr.world.engine, c); out.now {
			out.alone, out.together = permits(pr.alone, c), permits(pr.gathering.engine, c)
		}
		pr.known[at] = out
	}
	return out
}

func (p *Proof) state(name StatementName, holds bool, text string) {
	p.Statements = append(p.Statements, Statement{Name: name, Holds: holds, Text: text})
}

// observed: every edge that teaches and touches the workloads is allowed for
// every pair of pods for which it is allowed now. All are held against the
// engines; counted are those in the directions that the policy governs.
func (pr *prover) observed(p *Proof, directions []string) {
	var pairs int
	egress, ingress := slices.Contains(directions, policy.Egress.String()), slices.Contains(directions, policy.Ingress.String())
	isOne := named(pr.recommendation.Workloads)
	for _, i := range pr.touchingAny(pr.recommendation.Workloads) {
		e := &pr.report.Edges[i]
		if !e.Teaches {
			continue
		}
		counts := egress && isOne(e.Client) || ingress && isOne(e.Server)
		if counts {
			p.ObservedEdges++
			p.Connections += e.Counters.Connections
		}
		lost := false
		pr.asked.of(i, func(question int32, n int) {
			q := &pr.asked.list[question]
			if counts && q.now {
				pairs += n
			}
			lost = lost || q.now && (!q.together || !pr.byItself(question))
		})
		if counts {
			pairs += int(pr.asked.always[i])
		}
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

// named makes the question whether a party is one of some workloads.
func named(workloads []string) func(analyze.Party) bool {
	names := make(map[string]bool, len(workloads))
	for _, name := range workloads {
		names[name] = true
	}
	return func(p analyze.Party) bool { return p.Kind != analyze.PartyOutside && names[p.String()] }
}

func cellOfEdge(e *analyze.Edge) Cell {
	ports := fmt.Sprint(e.Port)
	if !e.Number.HasPorts() {
		ports = "any"
	}
	return Cell{From: e.Client.String(), To: e.Server.String(), Protocol: e.Protocol, Ports: ports}
}

// names: name resolution that is possible now stays possible.
func (pr *prover) names(p *Proof) {
	asked, failed := 0, false
	for _, s := range pr.dns {
		for _, wl := range pr.subjectsOf(pr.recommendation) {
			if analyze.PartyOf(wl) == s.party {
				continue
			}
			lost := false
			everyPair(pr.gathering.crowds, analyze.PartyOf(wl), s.party, portKey{s.protocol, s.port}, func(c policy.Connection, n int) {
				if o := pr.ask(c); o.now {
					asked += n
					lost = lost || !o.alone || !o.together
				}
			})
			if lost {
				failed = true
				p.Lost = append(p.Lost, Cell{From: wl.String(), To: s.party.String(), Protocol: s.protocol.String(), Ports: fmt.Sprint(s.port)})
				p.state(KeepsDNS, false, fmt.Sprintf("%s could not resolve names any more.", wl))
			}
		}
	}
	if asked > 0 && !failed {
		p.state(KeepsDNS, true, "The workloads that could ask the cluster's DNS still can.")
	}
}

// nothingOpened: what is allowed after was allowed before.
func (pr *prover) nothingOpened(p *Proof) {
	added, removed := pr.kinship.Compare(pr.world.engine, pr.alone)
	p.Opened = pr.cells(added)
	p.Closed, p.ClosedTotal = pr.cells(removed), len(removed)
	if len(added) > 0 {
		p.state(OpensNothing, false, fmt.Sprintf("It would allow what is denied now, the first from %s to %s.", p.Opened[0].From, p.Opened[0].To))
		return
	}
	text := "Nothing is allowed that was not allowed before, computed over all pods, ports and addresses."
	if pr.recommendation.Kind == KindNew && !pr.recommendation.rail {
		text = "The workload becomes isolated, and nothing is allowed that was not allowed before, computed over all pods, ports and addresses."
	}
	p.state(OpensNothing, true, text)
}

// proveNeeded: without any of its atoms, an edge that was seen would be lost.
// It is asked of all recommendations together, since only then no wider policy
// lets through what a narrow one is for.
func (s *search) proveNeeded(g *gathering) {
	spare := map[cluster.Ref][]string{}
	count := map[cluster.Ref]int{}
	wide := map[cluster.Ref]*Recommendation{}
	var reaches map[policy.AllowanceID]*policy.Reached
	for _, r := range g.offered {
		if len(r.beyond) > 0 {
			wide[r.Policy.Cluster()], reaches = r, g.engine.Reaches()
		}
	}
	for i := range g.atoms {
		a := &g.atoms[i]
		count[a.ID.Policy]++
		if r := wide[a.ID.Policy]; !g.needed[a.ID] && (r == nil || !r.lists(s.world, a, reaches[a.ID])) {
			spare[a.ID.Policy] = append(spare[a.ID.Policy], fmt.Sprintf("%s rule %d: %s, %s", lower(a.ID.Direction), a.ID.Rule+1, a.Peer, a.Port))
		}
	}
	for _, r := range g.offered {
		ref := r.Policy.Cluster()
		r.Proof.Superfluous = append(r.Proof.Superfluous, spare[ref]...)
		if len(r.Proof.Superfluous) > 0 {
			r.Proof.state(NoSuperfluous, false, fmt.Sprintf("%s could go without a loss: %s.", analyze.Plural(len(spare[ref]), "allowance"), strings.Join(spare[ref], "; ")))
			r.Proof.Holds = false
			continue
		}
		if r.rail {
			r.Proof.state(NoSuperfluous, true, "Each port that it denies is open to somebody now, and each workload that it passes on was seen to go there.")
			continue
		}
		r.Proof.state(NoSuperfluous, true, fmt.Sprintf("Each of its %s is needed: without it, something that was seen, name resolution, or a schedule that has not run yet would be cut.",
			analyze.Plural(count[ref], "allowance")))
	}
}

// needed finds the atoms without which something would be cut.
func (w *world) needed(g *gathering) map[policy.AllowanceID]bool {
	g.asked = w.ask(g)
	workers := runtime.GOMAXPROCS(0)
	found := make([]dependence, workers)
	parallel(workers, func(n int) {
		found[n] = dependence{needed: map[policy.AllowanceID]bool{}, asked: map[asked]bool{}}
		for i := n; i < len(g.asked.list); i += workers {
			if q := &g.asked.list[i]; q.teaches && q.now {
				found[n].note(g, q.Connection)
			}
		}
	})
	needed := found[0].needed
	for _, f := range found[1:] {
		maps.Copy(needed, f.needed)
	}
	dns := dependence{needed: needed, asked: map[asked]bool{}}
	for _, s := range w.dns { // each end by itself: the other may be closed still
		for _, wl := range w.index.Workloads() {
			everyPair(g.crowds, analyze.PartyOf(wl), s.party, portKey{s.protocol, s.port}, func(c policy.Connection, _ int) { dns.ask(g, c) })
		}
	}
	w.scheduled(g, needed)
	return needed
}

// dependence collects the atoms that connections hang on.
type dependence struct {
	needed map[policy.AllowanceID]bool
	asked  map[asked]bool
}

// ask is note for connections that nobody has told apart.
func (n *dependence) ask(g *gathering, c policy.Connection) {
	at := asked{g.kinship.Of(c.From), g.kinship.Of(c.To), portKey{c.Protocol, c.Port}}
	if !n.asked[at] {
		n.asked[at] = true
		n.note(g, c)
	}
}

// note notes the atoms that a connection hangs on alone, at each end.
func (n *dependence) note(g *gathering, c policy.Connection) {
	var count [2]int
	var last [2]policy.AllowanceID
	g.engine.Matching(c, func(id policy.AllowanceID) {
		count[id.Direction]++
		last[id.Direction] = id
	})
	for d, k := range count {
		if k == 1 {
			n.needed[last[d]] = true
		}
	}
}

// scheduled marks atoms that are kept for a CronJob that has not run often
// enough to be known.
func (w *world) scheduled(g *gathering, needed map[policy.AllowanceID]bool) {
	if len(w.late) == 0 {
		return
	}
	reaches := g.engine.Reaches()
	late := func(i int) bool { return slices.Contains(w.late, w.owner(&w.snapshot.Pods[i])) }
	for _, a := range g.atoms {
		r := reaches[a.ID]
		if slices.ContainsFunc(a.Subjects, late) || !r.Anyone && slices.ContainsFunc(r.Pods, late) {
			needed[a.ID] = true
		}
	}
}
