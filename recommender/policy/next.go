// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"maps"
	"reflect"
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// Effort says what was done to make an engine; the rest was taken over from the
// engine that it came of.
type Effort struct {
	Policies int // objects that were compiled
	Ends     int // addresses of pods and nodes that were held against selectors
	Groups   int // groups of ends for which the policies that apply were sorted out
}

// Effort says what was done to make the engine.
func (e *Engine) Effort() Effort { return e.effort }

// Next gives the engine for a later snapshot of the same cluster, in which
// anything may be different: pods, labels, namespaces, nodes, policies and what
// they refer to. It holds only what changed against the policies, and compiles
// only policies that this touches; the result answers as Compile of the
// snapshot does. Problems are all of the snapshot's. The receiver stays as it
// is, and both may be used at once.
func (e *Engine) Next(s *cluster.Snapshot) (*Engine, []cluster.Problem) {
	put, gone, unique := e.changes(s)
	if e.twice || !unique {
		return Compile(s, e.options)
	}
	if aspectsOf(gone) == 0 && sameWorld(e.snapshot, s) {
		return e.edited(s, put, gone)
	}
	e.top.compiling.Lock()
	top, touched := e.top.next(s)
	if top.wasteful() || len(top.interned) > 4*(1000+len(e.top.facts)) {
		e.top.compiling.Unlock()
		return Compile(s, e.options)
	}
	defer e.top.compiling.Unlock()
	r := e.rebuild(top, s)
	r.touched = touched
	r.calico = e.calico.next(top, touched)
	r.top.calico, r.engine.calico = r.calico, r.calico
	r.tiers = map[string]*tier{}
	r.prepare(s.Policies, e)
	for ref := range gone {
		r.drop(ref)
	}
	stale := r.staleUnits(e.changedAspects(s, gone, touched, top))
	for i := range s.Policies {
		if ref := s.Policies[i].Ref; stale[ref] {
			r.drop(ref)
			put = append(put, s.Policies[i])
		}
	}
	r.compile(put)
	return r.done()
}

// sameWorld says whether two snapshots share all but their policies.
func sameWorld(a, b *cluster.Snapshot) bool {
	return shared(a.Pods, b.Pods) && shared(a.Nodes, b.Nodes) && shared(a.Namespaces, b.Namespaces) &&
		shared(a.ServiceAccounts, b.ServiceAccounts) && shared(a.Services, b.Services) && shared(a.EndpointSlices, b.EndpointSlices)
}

func shared[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// changes tells two snapshots' objects apart: those that are new or different,
// and the names of all that are not what they were. unique is false where an
// object is there twice.
func (e *Engine) changes(s *cluster.Snapshot) (put []cluster.Object, gone map[cluster.Ref]bool, unique bool) {
	gone = map[cluster.Ref]bool{}
	seen := make(map[cluster.Ref]bool, len(s.Policies))
	for i := range s.Policies {
		o := &s.Policies[i]
		if seen[o.Ref] {
			return nil, nil, false
		}
		seen[o.Ref] = true
		u := e.units[o.Ref]
		if u == nil || !sameObject(u.object, o) {
			put = append(put, *o)
			gone[o.Ref] = true
		}
	}
	for ref := range e.units {
		if !seen[ref] {
			gone[ref] = true
		}
	}
	return put, gone, true
}

func sameObject(a, b *cluster.Object) bool {
	if !bytes.Equal(a.Source.YAML, b.Source.YAML) {
		return false
	}
	return a.Typed == b.Typed || len(a.Source.YAML) > 0 || reflect.DeepEqual(a.Typed, b.Typed)
}

// changedAspects says which parts of the world besides the ends are not what
// they were.
func (e *Engine) changedAspects(s *cluster.Snapshot, gone map[cluster.Ref]bool, touched bits.Set, top *topology) aspect {
	changed := aspectsOf(gone)
	if touched.Intersects(e.top.nodeEnds.Union(top.nodeEnds)) || !maps.Equal(e.top.nodes, top.nodes) {
		changed |= hangsOnHosts | hangsOnSets
	}
	if !slices.EqualFunc(e.top.namespaces, top.namespaces, func(a, b namespace) bool { return a.name == b.name && maps.Equal(a.labels, b.labels) }) {
		changed |= hangsOnSets // network sets inherit the labels
	}
	was := e.snapshot
	if !touched.Empty() || !sameList(was.Services, s.Services) || !sameList(was.EndpointSlices, s.EndpointSlices) {
		changed |= hangsOnServices
	}
	return changed
}

// sameList compares lists of pointers, by what they point to where need be.
func sameList[T any](a, b []*T) bool {
	return slices.EqualFunc(a, b, func(x, y *T) bool { return x == y || reflect.DeepEqual(x, y) })
}
