// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// A sequence of edits gives the same engine as compiling its outcome afresh.
func TestWithEqualsCompile(t *testing.T) {
	for seed := range uint64(80) {
		d := policytest.New(seed)
		s := d.Cluster()
		s.Policies = d.Policies(4, 4)
		e := compileClean(t, s, Options{})
		objects := s.Policies
		for step := range 5 {
			edit := randomEdit(d, objects, step)
			next, problems := e.With(edit)
			if len(problems) > 0 {
				t.Fatalf("seed %d: %v", seed, problems)
			}
			objects = editedObjects(objects, edit)
			after := *s
			after.Policies = objects
			whole := compileClean(t, &after, Options{})
			if delta := Compare(whole, next); !delta.Empty() {
				t.Fatalf("seed %d step %d: %s %s", seed, step, cellTexts(delta.Added), cellTexts(delta.Removed))
			}
			if diff := cmp.Diff(whole.Allowances(), next.Allowances()); diff != "" {
				t.Fatalf("seed %d step %d: %s", seed, step, diff)
			}
			connections(d, s, func(c Connection) {
				if letters(whole.Allowed(c)) != letters(next.Allowed(c)) {
					t.Fatalf("seed %d step %d: %+v differs", seed, step, c)
				}
			})
			e = next
		}
	}
}

func editedObjects(objects []cluster.Object, edit Edit) []cluster.Object {
	gone := map[cluster.Ref]bool{}
	for _, ref := range edit.Remove {
		gone[ref] = true
	}
	for _, o := range edit.Put {
		gone[o.Ref] = true
	}
	kept := slices.DeleteFunc(slices.Clone(objects), func(o cluster.Object) bool { return gone[o.Ref] })
	return append(kept, edit.Put...)
}

func randomEdit(d *policytest.Dice, objects []cluster.Object, step int) Edit {
	var edit Edit
	switch d.IntN(5) {
	case 0:
		edit.Put = append(edit.Put, d.KubernetesPolicy(fmt.Sprint("edit", step)))
	case 1:
		edit.Put = append(edit.Put, d.CalicoPolicy(fmt.Sprint("edit", step)))
	case 2:
		edit.Put = append(edit.Put, d.World()[2]) // a network set, on which others depend
	case 3:
		if old := objects[d.IntN(len(objects))]; old.Ref.Kind == "GlobalNetworkPolicy" {
			replaced := d.CalicoPolicy(old.Ref.Name)
			if replaced.Ref == old.Ref {
				edit.Put = append(edit.Put, replaced)
			}
		}
	default:
		if old := objects[d.IntN(len(objects))]; old.Ref.Kind != "Tier" {
			edit.Remove = append(edit.Remove, old.Ref)
		}
	}
	return edit
}

func TestWithLeavesTheOldEngineAlone(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, npHead+"  podSelector: {}\n")
	e := compileClean(t, s, Options{})
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			open, _ := e.With(Edit{Put: objectsOf(t, npHead+fmt.Sprintf("  podSelector: {}\n  ingress: [{ports: [{port: n%d}, {port: 80}]}]\n", i))})
			expect(t, open, s, []expectation{{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 81", "Ei"}})
			expect(t, e, s, []expectation{{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}})
			gone, _ := e.With(Edit{Remove: []cluster.Ref{s.Policies[0].Ref}})
			expect(t, gone, s, []expectation{{"pay/web@6 -> shop/api@6 TCP 81", "EI"}})
		})
	}
	wait.Wait()
	broken, problems := e.With(Edit{Put: objectsOf(t, npHead+"  podSelector: {}\n  ingress: [{from: [{}]}]\n")})
	if len(problems) != 1 || len(broken.Check(connectionOf(t, s, "pay/web -> shop/api TCP 80")).Uncertain) != 1 {
		t.Errorf("problems %v", problems)
	}
	repaired, _ := broken.With(Edit{Put: s.Policies})
	if v := repaired.Check(connectionOf(t, s, "pay/web -> shop/api TCP 80")); len(v.Uncertain) > 0 || v.Allowed {
		t.Errorf("after repair: %s", whyText(v))
	}
}
