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

// proveCompanions proves companions beside all else that is offered: base has
// that. One that fails is withheld; since none allows what another denies, the
// others hold without it.
func (w *world) proveCompanions(list []Recommendation, base *policy.Engine) {
	g := &gathering{objects: map[cluster.Ref]cluster.Object{}, further: map[cluster.Ref][]cluster.Ref{}, problems: map[cluster.Ref]cluster.Problem{}}
	var put []cluster.Object
	for _, r := range standing(list) {
		o, further, err := r.decodeParts()
		if err != nil {
			r.withhold(fmt.Sprintf("the manifest would not be taken: %v", err))
			continue
		}
		put = append(append(put, o), further...)
		g.objects[o.Ref] = o
		for _, f := range further {
			g.further[o.Ref] = append(g.further[o.Ref], f.Ref)
		}
		g.offered = append(g.offered, r)
	}
	if len(put) == 0 {
		return
	}
	engine, problems := base.With(policy.Edit{Put: put})
	g.engine = engine
	for _, p := range problems {
		g.problems[p.Ref] = p
	}
	g.kinship = policy.NewKinship(w.engine, base, engine)
	g.crowds = analyze.NewCrowds(w.index, w.engine, g.kinship)
	g.swaps = policy.NewSwaps(base, engine)
	g.atoms = engine.Atoms()
	g.needed = w.needed(g)
	opened, _ := g.kinship.Compare(w.engine, base)
	for _, r := range g.offered {
		w.proveCompanion(g, r, base, opened)
		if !r.Proof.Holds {
			r.withhold("the proof fails: " + r.Proof.failure())
		}
	}
}

// proveCompanion proves one, applied after all else that is offered, which opens
// what opened has.
func (w *world) proveCompanion(g *gathering, r *Recommendation, base *policy.Engine, opened []policy.Shift) {
	ref := r.Policy.Cluster()
	pr := &prover{world: w, gathering: g, recommendation: r, beside: base, alone: g.swaps.Engine(append([]cluster.Ref{ref}, g.further[ref]...)...), known: map[asked]outcome{}}
	p := emptyProof()
	p.Isolates = r.Proof.Isolates
	if problem, bad := g.problems[ref]; bad {
		p.state(ValidManifest, false, fmt.Sprintf("The manifest is not understood: %s: %s.", problem.Field, problem.Message))
	} else {
		p.state(ValidManifest, true, "The manifest reads back, field by field, as the API server reads it.")
	}
	pr.observed(&p, governed(g.objects[ref]))
	pr.held(&p)
	pr.names(&p)
	pr.closesOnly(&p, opened)
	p.state(NamesIsolated, true, isolatesText(p.Isolates))
	pr.neededNames(&p, ref)
	p.Holds = !slices.ContainsFunc(p.Statements, func(s Statement) bool { return !s.Holds })
	r.Proof = p
	g.swaps.Release(pr.alone)
}

// closesOnly: nothing is opened, by the companion beside all else that is
// offered, nor by that beside what is in force, which opened has; what is listed as closed is what the companion
// itself cuts, beside the other recommendations.
func (pr *prover) closesOnly(p *Proof, opened []policy.Shift) {
	added, removed := pr.kinship.Compare(pr.beside, pr.alone)
	added = append(added, opened...)
	p.Opened = pr.cells(added)
	p.Closed, p.ClosedTotal = pr.cells(removed), len(removed)
	if len(added) > 0 {
		p.state(OpensNothing, false, fmt.Sprintf("It would allow what is denied now, the first from %s to %s.", p.Opened[0].From, p.Opened[0].To))
		return
	}
	p.state(OpensNothing, true, "Nothing is allowed that was not allowed before, computed over all pods, ports and addresses.")
}

// neededNames: the rules that keep name resolution are needed, each.
func (pr *prover) neededNames(p *Proof, ref cluster.Ref) {
	mine := append([]cluster.Ref{ref}, pr.further[ref]...)
	count := 0
	for _, a := range pr.gathering.atoms {
		if !slices.Contains(mine, a.ID.Policy) {
			continue
		}
		count++
		if !pr.gathering.needed[a.ID] {
			p.Superfluous = append(p.Superfluous, fmt.Sprintf("%s of %s: %s, %s", lower(a.ID.Direction), a.ID.Policy.Name, a.Peer, a.Port))
		}
	}
	switch {
	case len(p.Superfluous) > 0:
		p.state(NoSuperfluous, false, fmt.Sprintf("%s could go without a loss: %s.", analyze.Plural(len(p.Superfluous), "allowance"), strings.Join(p.Superfluous, "; ")))
	case count == 0:
		p.state(NoSuperfluous, true, "It allows nothing, so nothing in it could go.")
	default:
		p.state(NoSuperfluous, true, fmt.Sprintf("Each of its %s is needed: without it, name resolution would be cut.", analyze.Plural(count, "allowance")))
	}
}

func isolatesText(list []Isolation) string {
	if len(list) == 0 {
		return "It closes nothing that is there now: all is isolated already."
	}
	var texts []string
	for _, i := range list {
		texts = append(texts, i.text())
	}
	return fmt.Sprintf("It isolates what nothing else does, each of which is named: %s.", strings.Join(texts, ", "))
}

// decodeParts reads the documents of a recommendation that is not finished.
func (r *Recommendation) decodeParts() (cluster.Object, []cluster.Object, error) {
	o, err := decode(r.Policy.Cluster(), []byte(r.After))
	if err != nil {
		return o, nil, err
	}
	var further []cluster.Object
	for _, text := range r.further {
		f, err := decodeAny([]byte(text))
		if err != nil {
			return o, nil, err
		}
		further = append(further, f)
	}
	return o, further, nil
}
