// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Allowances lists every atom that the engine's policies permit, policy by
// policy in the order of evaluation, then by direction, rule, peer and port.
func (e *Engine) Allowances() []Allowance { return e.Located(func(cluster.Ref, *yaml.Node) {}) }

// Located is Allowances, and calls read with each policy and its manifest as
// its author wrote it, nil where there is none; from several goroutines.
func (e *Engine) Located(read func(cluster.Ref, *yaml.Node)) []Allowance {
	return e.allowances(func(p *compiled) locator {
		l := newLocator(p.object.Source.YAML)
		read(p.ref(), l.root)
		return l
	})
}

// Atoms lists the same without their lines, which takes no reading of manifests.
func (e *Engine) Atoms() []Allowance {
	return e.allowances(func(*compiled) locator { return locator{} })
}

func (e *Engine) allowances(locate func(*compiled) locator) []Allowance {
	list := e.inForce()
	found := make([][]Allowance, len(list))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(len(list), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				if !list[i].profile {
					found[i] = e.allowancesOf(list[i], locate(list[i]))
				}
			}
		})
	}
	workers.Wait()
	return slices.Concat(found...)
}

func (e *Engine) allowancesOf(p *compiled, lines locator) []Allowance {
	var out []Allowance
	subjects := e.top.podIndexes(p.subject)
	for _, d := range []Direction{Ingress, Egress} {
		for i := range p.rules[d] {
			if r := &p.rules[d][i]; r.action == ActionAllow {
				out = e.ruleAllowances(out, p, r, d, subjects, lines)
			}
		}
	}
	return out
}

func (e *Engine) ruleAllowances(out []Allowance, p *compiled, r *rule, d Direction, subjects []int, lines locator) []Allowance {
	begin := len(out)
	add := func(c *clause, item *port) {
		id := AllowanceID{Policy: p.ref(), Direction: d, Rule: r.index, Peer: c.index, Port: -1}
		if item != nil {
			id.Port = item.index
		}
		if slices.ContainsFunc(out[begin:], func(a Allowance) bool { return a.ID == id }) {
			return // a Service's ports share one peer
		}
		out = append(out, Allowance{ID: id, Peer: c.text, Port: e.portText(c, item), Line: p.line(lines, id), Subjects: subjects})
	}
	for i := range r.clauses {
		c := &r.clauses[i]
		if c.ports == nil {
			add(c, nil)
		}
		for k := range c.ports {
			add(c, &c.ports[k])
		}
	}
	return out
}

// line finds where an atom stands: its port item, else its peer item, else its rule.
func (c *compiled) line(lines locator, id AllowanceID) int {
	if id.Port >= 0 {
		return lines.line(c.places.port(id))
	}
	if id.Peer >= 0 {
		return lines.line(c.places.peer(id))
	}
	return lines.line(c.places.rule(id))
}

// places says where a kind of policy keeps its rules, peers and ports.
type places struct {
	rule, peer, port func(AllowanceID) path
}

var kubernetesPlaces = places{
	rule: rulePlace,
	peer: func(id AllowanceID) path {
		if id.Direction == Egress {
			return rulePlace(id).with("to", id.Peer)
		}
		return rulePlace(id).with("from", id.Peer)
	},
	port: func(id AllowanceID) path { return rulePlace(id).with("ports", id.Port) },
}

func rulePlace(id AllowanceID) path { return path{"spec", lower(id.Direction), id.Rule} }

// podIndexes turns ends into indexes in Snapshot.Pods, ascending.
func (t *topology) podIndexes(ends interface{ All(func(int) bool) }) []int {
	var out []int
	ends.All(func(n int) bool {
		if i := int(t.ends[n].pod); i >= 0 && (len(out) == 0 || out[len(out)-1] != i) {
			out = append(out, i)
		}
		return true
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// Matching visits the allowances that let the connection through, at both ends:
// in each direction those that a verdict's chain names. A direction that is
// denied, or where no policy applies, has none.
func (e *Engine) Matching(c Connection, visit func(AllowanceID)) {
	q := e.query(&c)
	if q.always {
		return
	}
	for _, d := range []Direction{Egress, Ingress} {
		e.matching(d, &q, visit)
	}
}

func (e *Engine) matching(d Direction, q *query, visit func(AllowanceID)) {
	local := q.local(d)
	if local.end < 0 {
		return
	}
	g := &e.groups[d][e.group[d][local.end]]
	for i := range g.tiers {
		decided, passed := false, false
		for _, p := range g.tiers[i].policies {
			for k := range p.rules[d] {
				r := &p.rules[d][k]
				if r.action == ActionLog || passed || e.matches(r, d, q) != yes {
					continue
				}
				if r.action != ActionAllow {
					if decided || r.action == ActionDeny {
						return
					}
					passed = true
					continue
				}
				decided = true
				if !p.profile {
					e.atoms(p, r, d, q, func(id AllowanceID, _ *clause, _ *port) { visit(id) })
				}
			}
		}
		if decided || (!passed && g.tiers[i].tier.fallback == ActionDeny) {
			return
		}
	}
}

// Selecting lists the policies that apply to the pod in the direction, in the
// order of evaluation.
func (e *Engine) Selecting(pod *cluster.Pod, d Direction) []cluster.Ref {
	at := e.top.resolve(&Peer{Pod: pod}, familyAny)
	if at.end < 0 {
		return nil
	}
	var out []cluster.Ref
	for _, t := range e.groups[d][e.group[d][at.end]].tiers {
		for _, p := range t.policies {
			if !p.profile {
				out = append(out, p.ref())
			}
		}
	}
	return out
}
