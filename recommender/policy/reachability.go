// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// Relation is an exact set of connections: what one engine allows, or what
// union, intersection and difference make of such sets. Connections that no
// policy can cut (loopback, a node to its own pods) are in none.
//
// Its form is a list of disjoint cells over classes of ends that no rule of the
// engines that it was made with tells apart; relations that meet in one
// operation must come of one call of Relations.
type Relation struct {
	space *space
	cells map[[2]int]l4.Set // by number of source and destination class
}

// space is the classes that relations are made of.
type space struct {
	engine       *Engine // to name ends by
	sources      []class
	destinations []class
}

// Relations gives for each engine all that it allows between the pods given and
// everything else, in both directions; no pods means all pods. The engines must
// stand on the same pods and nodes; otherwise it is nil.
func Relations(pods []*cluster.Pod, engines ...*Engine) []*Relation {
	if len(engines) == 0 {
		return nil
	}
	t := engines[0].top
	for _, e := range engines[1:] {
		if t.differs(e.top) != "" {
			return nil
		}
	}
	subject := t.everyEnd()
	if len(pods) > 0 {
		subject = bits.Set{}
		for _, p := range pods {
			if i, ok := t.pod(p); ok {
				for n := t.firstEnd[i]; n < t.firstEnd[i]+max(1, t.endCount[i]); n++ {
					subject.Add(int(n))
				}
			}
		}
	}
	all := t.everyEnd()
	s := &space{engine: engines[0], sources: classes(engines, Egress, all, true, all), destinations: classes(engines, Ingress, all, true, all)}
	s.sources, s.destinations = cutBy(t, s.sources, subject), cutBy(t, s.destinations, subject)
	out := make([]*Relation, len(engines))
	for i, e := range engines {
		out[i] = s.relation(e, subject)
	}
	return out
}

// cutBy parts classes into those within a set and those without.
func cutBy(t *topology, in []class, set bits.Set) []class {
	var out []class
	for _, c := range in {
		inside, beside := c.ends.Intersect(set), c.ends.Minus(set)
		if c.outside != nil || inside.Empty() || beside.Empty() {
			out = append(out, c)
			continue
		}
		for _, ends := range []bits.Set{inside, beside} {
			part := c
			part.ends = ends
			for n := range ends.All {
				part.member = endpoint{end: int32(n), addr: t.ends[n].addr}
				break
			}
			out = append(out, part)
		}
	}
	return out
}

func (s *space) relation(e *Engine, subject bits.Set) *Relation {
	out := &Relation{space: s, cells: map[[2]int]l4.Set{}}
	for i := range s.sources {
		for k := range s.destinations {
			from, to := &s.sources[i], &s.destinations[k]
			if !from.ends.Intersects(subject) && !to.ends.Intersects(subject) {
				continue
			}
			if points := e.between(from, to); !points.Empty() {
				out.cells[[2]int{i, k}] = points
			}
		}
	}
	return out
}

// between gives all that an engine allows from one class to another.
func (e *Engine) between(from, to *class) l4.Set {
	if !from.family.meets(to.family) || (from.member.end < 0 && to.member.end < 0) || e.top.alwaysAll(from, to) {
		return nil
	}
	f := from.family
	if f == familyAny {
		f = to.family
	}
	points := e.permits(Ingress, &from.member, &to.member, f)
	if points.Empty() {
		return nil
	}
	return points.Intersect(e.permits(Egress, &from.member, &to.member, f))
}

// Union is what is in either relation.
func (r *Relation) Union(o *Relation) *Relation { return r.with(o, l4.Set.Union) }

// Intersect is what is in both relations.
func (r *Relation) Intersect(o *Relation) *Relation { return r.with(o, l4.Set.Intersect) }

// Minus is what is in r and not in o.
func (r *Relation) Minus(o *Relation) *Relation { return r.with(o, l4.Set.Minus) }

func (r *Relation) with(o *Relation, op func(l4.Set, l4.Set) l4.Set) *Relation {
	if r.space != o.space {
		panic("policy: relations of different calls of Relations do not meet")
	}
	out := &Relation{space: r.space, cells: map[[2]int]l4.Set{}}
	for key, points := range r.cells {
		if got := op(points, o.cells[key]); !got.Empty() {
			out.cells[key] = got
		}
	}
	for key, points := range o.cells {
		if _, done := r.cells[key]; done {
			continue
		}
		if got := op(nil, points); !got.Empty() {
			out.cells[key] = got
		}
	}
	return out
}

// Empty says whether nothing is in the relation.
func (r *Relation) Empty() bool { return len(r.cells) == 0 }

// Within says whether all of r is in o.
func (r *Relation) Within(o *Relation) bool { return r.Minus(o).Empty() }

// Equal says whether both hold the same connections.
func (r *Relation) Equal(o *Relation) bool { return r.Within(o) && o.Within(r) }

// Cells lists the relation readably.
func (r *Relation) Cells() []Cell {
	var out []cell
	for i := range r.space.sources {
		for k := range r.space.destinations {
			if points, ok := r.cells[[2]int{i, k}]; ok {
				out = append(out, cellOf(&r.space.sources[i], &r.space.destinations[k], points))
			}
		}
	}
	return r.space.engine.cells(out)
}

// Sources says what can reach a pod.
func (e *Engine) Sources(pod *cluster.Pod) []Cell { return e.SourcesOf(Peer{Pod: pod}) }

// Destinations says what a pod can reach.
func (e *Engine) Destinations(pod *cluster.Pod) []Cell { return e.DestinationsOf(Peer{Pod: pod}) }

// SourcesOf says what can reach any of the peers, which are pods or addresses
// of pods and nodes. Outside addresses have no policies and give nothing.
func (e *Engine) SourcesOf(peers ...Peer) []Cell { return e.reachable(e.top.own(peers), Ingress) }

// DestinationsOf says what any of the peers can reach.
func (e *Engine) DestinationsOf(peers ...Peer) []Cell { return e.reachable(e.top.own(peers), Egress) }

// own gives all ends of some pods, and those that own some addresses.
func (t *topology) own(peers []Peer) bits.Set {
	var out bits.Set
	for i := range peers {
		p := &peers[i]
		if p.Pod == nil {
			if n, ok := t.byAddr[plain(p.Addr)]; ok {
				out.Add(int(n))
			}
			continue
		}
		if i, ok := t.pod(p.Pod); ok {
			for n := t.firstEnd[i]; n < t.firstEnd[i]+max(1, t.endCount[i]); n++ {
				out.Add(int(n))
			}
		}
	}
	return out
}

func (e *Engine) reachable(own bits.Set, d Direction) []Cell {
	if own.Empty() {
		return nil
	}
	from, to := e.top.everyEnd(), own
	if d == Egress {
		from, to = own, from
	}
	sources := classes([]*Engine{e}, Egress, from, d == Ingress, to)
	destinations := classes([]*Engine{e}, Ingress, to, d == Egress, from)
	var out []cell
	for i := range sources {
		for k := range destinations {
			if points := e.between(&sources[i], &destinations[k]); !points.Empty() {
				out = append(out, cellOf(&sources[i], &destinations[k], points))
			}
		}
	}
	return e.cells(out)
}

// Owned says whether a peer is a pod of the snapshot, or an address that a pod
// or node of it has: whether policies can apply to it.
func (e *Engine) Owned(p Peer) bool { return !e.top.own([]Peer{p}).Empty() }
