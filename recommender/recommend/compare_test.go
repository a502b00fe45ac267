// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// TestCompareByKin holds the comparison that proofs use against the one that
// compiles and compares everything, and swapped engines against compiled ones,
// on what recommendations change and on the same undone.
func TestCompareByKin(t *testing.T) {
	compared, closed, opened := 0, 0, 0
	for seed := range uint64(25) {
		w := newRandomWorld(t, seed)
		list, err := Build(w.input(w.analyse(t, w.snapshot), w.snapshot))
		if err != nil {
			t.Fatal(err)
		}
		var put []cluster.Object
		for _, r := range standing(list) {
			o, err := decode(r.Policy.Cluster(), []byte(r.After))
			if err != nil {
				t.Fatal(err)
			}
			put = append(put, o)
		}
		if len(put) == 0 {
			continue
		}
		together, _ := w.engine.With(policy.Edit{Put: put})
		kin, swaps := policy.NewKinship(w.engine, together), policy.NewSwaps(w.engine, together)
		for _, o := range put {
			swapped := swaps.Engine(o.Ref)
			compiled, _ := policy.Compile(With(w.snapshot, o), policy.Options{})
			for _, c := range w.probes() {
				if permits(swapped, c) != permits(compiled, c) {
					t.Fatalf("seed %d: %s: swapped and compiled differ on %+v", seed, o.Ref, c)
				}
			}
			whole := policy.Compare(w.engine, compiled)
			added, removed := kin.Compare(w.engine, swapped)
			back, forth := kin.Compare(swapped, w.engine)
			if (len(added) == 0) != (len(whole.Added) == 0) || (len(removed) == 0) != (len(whole.Removed) == 0) {
				t.Errorf("seed %d: %s: %d added and %d removed, want %d and %d", seed, o.Ref, len(added), len(removed), len(whole.Added), len(whole.Removed))
			}
			if len(back) != len(removed) || len(forth) != len(added) {
				t.Errorf("seed %d: %s: undone it is %d and %d, want %d and %d", seed, o.Ref, len(back), len(forth), len(removed), len(added))
			}
			compared++
			closed += min(len(removed), 1)
			opened += min(len(back), 1)
		}
	}
	if compared < 20 || closed == 0 || opened == 0 {
		t.Errorf("%d compared, %d close, %d open: the test tests little", compared, closed, opened)
	}
}
