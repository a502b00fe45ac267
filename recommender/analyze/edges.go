// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"runtime"
	"slices"
	"sync"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/netcinch/netcinch/recommender/policy"
)

// edges turns folded records into edges of the report, sorted.
func (x *Index) edges(in Input, folded *foldings, h *history) []Edge {
	folded.sort()
	list := folded.list
	out := make([]Edge, len(list))
	crowds := NewCrowds(x, in.Engine, policy.NewKinship(in.Engine))
	var workers sync.WaitGroup
	for part := range slices.Chunk(indexes(len(list)), max(1, (len(list)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))) {
		workers.Go(func() {
			j := x.newJudge(in.Engine, crowds)
			for _, i := range part {
				out[i] = x.edge(j, list[i], h)
			}
		})
	}
	workers.Wait()
	return out
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func (x *Index) edge(judge *judge, f *folded, h *history) Edge {
	c := f.sum()
	j := judge.of(f)
	e := Edge{
		ID: f.id(), Client: f.client, Server: f.server, Protocol: f.protocol.String(), Port: f.port,
		Services: f.services.sorted(), Processes: f.processes.sorted(), Reasons: f.reasons.sorted(), Addresses: []string{},
		Counters: countersOf(c.merged), ByClient: countersOf(c.client), ByServer: countersOf(c.server),
		Outcomes: c.outcomes, Guessed: f.guessed, Conflict: c.conflict(), First: f.first, Last: f.last,
		Verdict: j.verdict, Needs: j.needs, Bins: len(f.bins), Number: f.protocol,
	}
	for _, p := range []Party{f.client, f.server} {
		if p.Kind == PartyOutside && p.IP.IsValid() {
			e.Addresses = append(e.Addresses, p.IP.String())
		}
	}
	if e.Conflict == "" {
		e.Conflict = h.sightings.silent(x, f, c)
	}
	e.Unseen = h.unseen(f, e.ID, e.Verdict.State == StateAllowed || e.Verdict.State == StateMixed)
	e.Risky = x.risky(&e, f.protocol)
	e.Teaches = teaches(&e)
	return e
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
