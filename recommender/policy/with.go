// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
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
// names is compiled again; the rest is shared. Problems are those of the
// objects put. The receiver stays as it is, and both may be used at once; edits
// of engines that come of one Compile wait for each other.
func (e *Engine) With(edit Edit) (*Engine, []cluster.Problem) {
	gone := map[cluster.Ref]bool{}
	for _, ref := range edit.Remove {
		gone[ref] = true
	}
	for _, o := range edit.Put {
		gone[o.Ref] = true
	}
	for ref := range gone {
		if referredTo[ref.Kind] {
			return e.afresh(edit, gone)
		}
	}
	e.top.compiling.Lock()
	defer e.top.compiling.Unlock()
	c := &compiler{top: e.top, options: e.options, tiers: maps.Clone(e.tiers), calico: e.calico}
	for _, p := range e.policies {
		if !gone[p.ref()] {
			c.policies = append(c.policies, p)
		}
	}
	for _, l := range e.left {
		if !gone[l.ref] {
			c.left = append(c.left, l)
		}
	}
	c.compile(edit.Put)
	out := c.engine(nil)
	out.objects = edited(e.objects, edit, gone)
	return out, c.problems
}

// referredTo are the kinds that other policies depend on: an edit of one of
// them compiles everything again.
var referredTo = map[string]bool{
	"Tier": true, "NetworkSet": true, "GlobalNetworkSet": true, "HostEndpoint": true, "Profile": true,
}

func (e *Engine) afresh(edit Edit, gone map[cluster.Ref]bool) (*Engine, []cluster.Problem) {
	s := *e.top.snapshot
	s.Policies = edited(e.objects, edit, gone)
	return Compile(&s, e.options)
}

func edited(objects []cluster.Object, edit Edit, gone map[cluster.Ref]bool) []cluster.Object {
	kept := slices.DeleteFunc(slices.Clone(objects), func(o cluster.Object) bool { return gone[o.Ref] })
	return append(kept, edit.Put...)
}
