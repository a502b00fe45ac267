// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Edit is a change of policies: objects that are new or take the place of those
// with the same Ref, and objects that go.
type Edit struct {
	Put    []cluster.Object
	Remove []cluster.Ref
}

// With gives the engine after an edit, over the same pods. Only what the edit
// touches is compiled again; the rest is shared. Problems are those of the
// objects put. The receiver stays as it is, and both may be used at once; edits
// of engines that come of one Compile wait for each other.
func (e *Engine) With(edit Edit) (*Engine, []cluster.Problem) {
	gone := map[cluster.Ref]bool{}
	put := map[cluster.Ref]bool{}
	for _, ref := range edit.Remove {
		gone[ref] = true
	}
	for _, o := range edit.Put {
		gone[o.Ref], put[o.Ref] = true, true
	}
	s := *e.snapshot
	s.Policies = append(slices.DeleteFunc(slices.Clone(s.Policies), func(o cluster.Object) bool { return gone[o.Ref] }), edit.Put...)
	if slices.ContainsFunc(s.Problems, func(p cluster.Problem) bool { return gone[p.Ref] }) {
		s.Problems = slices.DeleteFunc(slices.Clone(s.Problems), func(p cluster.Problem) bool { return gone[p.Ref] })
	}
	var out *Engine
	var problems []cluster.Problem
	if changed := aspectsOf(gone); changed == 0 && !e.twice {
		out, problems = e.edited(&s, edit.Put, gone)
	} else {
		out, problems = e.Next(&s)
	}
	return out, slices.DeleteFunc(problems, func(p cluster.Problem) bool { return !put[p.Ref] })
}

// aspectsOf says which parts of the world objects are, by their kinds.
func aspectsOf(refs map[cluster.Ref]bool) aspect {
	var out aspect
	for ref := range refs {
		out |= aspects[ref.Kind]
	}
	return out
}

// aspects are the kinds that other policies depend on.
var aspects = map[string]aspect{
	"Tier": hangsOnTiers, "NetworkSet": hangsOnSets, "GlobalNetworkSet": hangsOnSets,
	"HostEndpoint": hangsOnHosts | hangsOnSets, "FelixConfiguration": hangsOnHosts, "Profile": hangsOnProfiles | hangsOnHosts | hangsOnSets,
}

// edited gives the engine in which policies were put or are gone, on which
// nothing else depends.
func (e *Engine) edited(s *cluster.Snapshot, put []cluster.Object, gone map[cluster.Ref]bool) (*Engine, []cluster.Problem) {
	e.top.compiling.Lock()
	defer e.top.compiling.Unlock()
	r := e.rebuild(e.top, s)
	for ref := range gone {
		r.drop(ref)
	}
	r.engine.twice = r.compile(put)
	return r.done()
}
