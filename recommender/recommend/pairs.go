// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// asked names a question to an engine by what policies know of its ends: the
// answer is the same for all that share it.
type asked struct {
	from, to policy.Kin
	port     portKey
}

func connection(from, to policy.Peer, port portKey) policy.Connection {
	return policy.Connection{From: from, To: to, Protocol: port.protocol, Port: port.port, ICMPType: -1, ICMPCode: -1}
}

// everyPair visits the connections that an edge stands for and that policies
// have a say in, one for each pair of crowds, with the number of pairs of pods
// that it stands for.
func everyPair(crowds *analyze.Crowds, client, server analyze.Party, port portKey, visit func(c policy.Connection, pairs int)) {
	crowds.Pairs(crowds.Of(client), crowds.Of(server), func(from, to policy.Peer, pairs int) {
		visit(connection(from, to, port), pairs)
	})
}

// allowedPairs visits those of them that are allowed now.
func (w *world) allowedPairs(crowds *analyze.Crowds, client, server analyze.Party, port portKey, visit func(c policy.Connection, pairs int)) {
	everyPair(crowds, client, server, port, func(c policy.Connection, pairs int) {
		if permits(w.engine, c) {
			visit(c, pairs)
		}
	})
}

func permits(e *policy.Engine, c policy.Connection) bool {
	egress, ingress := e.Allowed(c)
	return egress && ingress
}

// touchingAny gives the numbers of the edges that touch any of some workloads,
// by namespace/name, ascending.
func (w *world) touchingAny(workloads []string) []int32 {
	if len(workloads) == 1 {
		return w.touching[workloads[0]]
	}
	var out []int32
	for _, name := range workloads {
		out = append(out, w.touching[name]...)
	}
	return sortedUnique(out)
}

// touch notes which edges touch which workloads.
func (w *world) touch() {
	for i := range w.report.Edges {
		e := &w.report.Edges[i]
		for _, p := range []analyze.Party{e.Client, e.Server} {
			if p.Kind == analyze.PartyOutside {
				continue
			}
			name := p.String()
			if list := w.touching[name]; len(list) == 0 || list[len(list)-1] != int32(i) {
				w.touching[name] = append(list, int32(i))
			}
		}
	}
}

// subjectsOf gives the workloads that a recommendation is for.
func (w *world) subjectsOf(r *Recommendation) []flow.Workload {
	var out []flow.Workload
	for _, name := range r.Workloads {
		out = append(out, w.byName[name]...)
	}
	return out
}

// progress tells how far a stage is.
func (w *world) progress(stage string, of int, do func(int)) func(int) {
	if w.input.Progress == nil {
		return do
	}
	var done atomic.Int64
	w.input.Progress(stage, 0, of)
	return func(i int) {
		do(i)
		w.input.Progress(stage, int(done.Add(1)), of)
	}
}

// parallel calls do with each number below n, on every processor.
func parallel(n int, do func(int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}
