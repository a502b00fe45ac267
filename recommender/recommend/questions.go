// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/policy"
)

// questions are what the edges that teach, or are held, ask of the engines:
// once for all pairs of ends that no policy tells apart, and once for all
// recommendations.
type questions struct {
	list   []question
	byEdge [][]asking // their numbers count from base of the edge's maker
	maker  []uint16   // by edge: who found its questions
	base   []int32    // by maker
	always []int32    // by edge: pairs of pods that are allowed whatever the policies
}

// of calls visit with the number of each question of an edge, and of how many
// pairs of pods it is asked.
func (q *questions) of(edge int32, visit func(question int32, pairs int)) {
	base := q.base[q.maker[edge]]
	for _, a := range q.byEdge[edge] {
		visit(base+a.question, int(a.pairs))
	}
}

// question is a connection that stands for all that no policy tells apart.
type question struct {
	policy.Connection
	now, together bool // allowed by the policies in force; also with all that is offered
	teaches       bool // some edge that asks it teaches
}

// asking is a question with the number of pairs of pods that it stands for.
type asking struct{ question, pairs int32 }

// stretch is how many edges are looked at before another worker may go on.
const stretch = 512

// ask finds the questions of all edges, and what the engines say to them now
// and with everything that is offered.
func (w *world) ask(g *gathering) *questions {
	n := len(w.report.Edges)
	makers := make([]*asker, min(runtime.GOMAXPROCS(0), 1<<16))
	q := &questions{byEdge: make([][]asking, n), maker: make([]uint16, n), base: make([]int32, len(makers)), always: make([]int32, n)}
	var next atomic.Int64
	var running sync.WaitGroup
	for number := range makers {
		a := &asker{world: w, gathering: g, known: map[asked]int32{}}
		makers[number] = a
		running.Go(func() {
			for from := int(next.Add(stretch)) - stretch; from < n; from = int(next.Add(stretch)) - stretch {
				for i := from; i < min(from+stretch, n); i++ {
					q.maker[i] = uint16(number)
					a.edge(q, i)
				}
			}
		})
	}
	running.Wait()
	for number, a := range makers {
		q.base[number] = int32(len(q.list))
		q.list = append(q.list, a.list...)
	}
	parallel((len(q.list)+stretch-1)/stretch, func(part int) {
		for i := part * stretch; i < min((part+1)*stretch, len(q.list)); i++ {
			if x := &q.list[i]; permits(w.engine, x.Connection) {
				x.now, x.together = true, permits(g.engine, x.Connection)
			}
		}
	})
	return q
}

// asker finds questions; it is for one goroutine.
type asker struct {
	*world
	*gathering
	known  map[asked]int32
	list   []question
	room   []asking // for what edges ask
	client analyze.Party
	crowd  []analyze.Crowd // of the last client
}

// roomSize is how many askings are made room for at once.
const roomSize = 4096

// edge finds what an edge asks. Edges are sorted by client.
func (a *asker) edge(q *questions, i int) {
	e := &a.report.Edges[i]
	if !e.Teaches && !e.Unseen {
		return
	}
	if a.crowd == nil || a.client != e.Client {
		a.client, a.crowd = e.Client, a.gathering.crowds.Of(e.Client)
	}
	if cap(a.room)-len(a.room) < roomSize/64 {
		a.room = make([]asking, 0, roomSize)
	}
	begin, port := len(a.room), portKey{e.Number, e.Port}
	always := a.gathering.crowds.PairsOfKin(a.crowd, a.gathering.crowds.Of(e.Server), func(from, to policy.Peer, kin [2]policy.Kin, pairs int) {
		at := asked{kin[0], kin[1], port}
		n, known := a.known[at]
		if !known {
			n = int32(len(a.list))
			a.known[at] = n
			a.list = append(a.list, question{Connection: connection(from, to, port)})
		}
		a.list[n].teaches = a.list[n].teaches || e.Teaches
		a.room = append(a.room, asking{n, int32(pairs)})
	})
	q.always[i] = int32(always)
	q.byEdge[i] = a.room[begin:len(a.room):len(a.room)]
}
