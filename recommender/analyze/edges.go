// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"slices"
	"sync/atomic"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// edges gives the edges without a verdict: who, where and when. What the
// catalogue knows of them has to be added before they are judged.
func (f *foldings) edges() []Edge {
	out := make([]Edge, f.len())
	each(len(out), func(i int) {
		e := &out[i]
		k := f.key(i)
		e.Client, e.Server, e.Protocol, e.Port, e.Number = k.client, k.server, k.protocol.String(), k.port, k.protocol
		for _, m := range f.of(i) {
			r := &f.records[m.record]
			widen(&e.First, &e.Last, r.Window.Start, r.Window.End)
		}
	})
	return out
}

// roll is what parties are called and who they are, by number.
type roll struct {
	names  []string
	crowds [][]Crowd
}

// roll looks every party up once.
func (x *Index) roll(f *foldings, crowds *Crowds) *roll {
	r := &roll{names: make([]string, len(f.parties)), crowds: make([][]Crowd, len(f.parties))}
	each(len(f.parties), func(i int) {
		r.names[i], r.crowds[i] = f.parties[i].String(), crowds.Of(f.parties[i])
	})
	return r
}

// addresses lists the outside addresses that an edge stands for.
func (r *roll) addresses(e *Edge, from, to int32) []string {
	var out []string
	for i, p := range [...]*Party{&e.Client, &e.Server} {
		switch n := [...]int32{from, to}[i]; {
		case p.Kind != PartyOutside || !p.IP.IsValid():
		case p.DNS == "" && out == nil:
			out = r.names[n : n+1 : n+1] // its name is its address
		default:
			out = append(out, p.IP.String())
		}
	}
	if out == nil {
		out = []string{}
	}
	return out
}

// judge completes the edges.
func (x *Index) judge(in Input, edges []Edge, f *foldings, r *roll, h *history) {
	var done atomic.Int64
	shared(len(edges), func() func(int) {
		j := x.newJudge(in.Engine)
		sum := &folded{}
		return func(i int) {
			sum.reset(f.key(i))
			for _, m := range f.of(i) {
				sum.count(&f.records[m.record], m.here, m.there)
			}
			from, to := f.ends(i)
			e := &edges[i]
			sum.first, sum.last = e.First, e.Last
			e.Addresses = r.addresses(e, from, to)
			verdict := j.of(sum, r.crowds[from], r.crowds[to])
			e.Verdict, e.Needs = verdict.verdict, verdict.needs
			x.sumUp(e, sum, h, from, to)
			if n := done.Add(1); in.Progress != nil && n%stretch == 0 {
				in.Progress("judging edges", int(n), len(edges))
			}
		}
	})
}

func (x *Index) sumUp(e *Edge, f *folded, h *history, from, to int32) {
	c := f.sum(h.sightings.settled(f, from, to))
	e.ID = f.id()
	e.Services, e.Reasons = f.services.list(), f.reasons.list()
	if own := f.processes.list(); len(own) > 0 || len(e.Processes) == 0 {
		e.Processes = own
	} else {
		e.Processes = sortUnique(e.Processes) // that the catalogue knows
	}
	e.Counters, e.ByClient, e.ByServer = countersOf(c.merged), countersOf(c.client), countersOf(c.server)
	e.Outcomes, e.Guessed, e.Bins = c.outcomes, f.guessed, len(f.bins)
	if e.Conflict = c.conflict(); e.Conflict == "" {
		e.Conflict = h.sightings.silent(x, f, from, to, c)
	}
	e.Unseen = h.unseen(f, e.ID, e.Verdict.State == StateAllowed || e.Verdict.State == StateMixed)
	e.Risky = x.risky(e, f.protocol)
	e.Teaches = teaches(e)
}

// teaches: what policies denied, what the kernel dropped and what is held as
// unseen teach nothing. An edge of which some pods are allowed teaches those.
func teaches(e *Edge) bool {
	state := e.Verdict.State == StateAllowed || e.Verdict.State == StateMixed
	return state && !e.Unseen && !onlyDropped(e.Outcomes)
}

func onlyDropped(o Outcomes) bool {
	return o.Dropped > 0 && o.Established == 0 && o.Refused == 0 && o.Unanswered == 0
}

func hasPort(ports []discoveryv1.EndpointPort, port uint16) bool {
	return slices.ContainsFunc(ports, func(p discoveryv1.EndpointPort) bool { return p.Port != nil && *p.Port == int32(port) })
}

func sortUnique(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.APIVersion, b.APIVersion))
}
