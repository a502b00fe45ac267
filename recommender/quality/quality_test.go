// SPDX-License-Identifier: Apache-2.0

package quality

import (
	"flag"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var seeds = flag.Int("seeds", 0, "measure every topology on so many seeds, instead of a sample")

// The promises that are held on every topology and seed.
const (
	mostRules       = 1.2  // times the reference
	mostFalseUnused = 0.01 // of what is called unused
)

// TestQuality measures a sample of the topologies in a plain test run, and all
// of them with -seeds.
func TestQuality(t *testing.T) {
	topologies, n := []Topology{Boutique(), Pipeline()}, 1
	if *seeds > 0 {
		topologies, n = Topologies(), *seeds
	}
	unused, wrong := 0, 0
	for _, top := range topologies {
		for seed := range uint64(n) {
			f, err := Measure(top, seed)
			if err != nil {
				t.Fatal(err)
			}
			unused, wrong = unused+f.Unused, wrong+f.FalseUnused
			t.Logf("%-17s seed %d: new: recall %g of %d, over %d, unknown needs kept %d of %d, rules %d of %d; tightened: recall %g of %d, over %d, rules %d; unused %d, false %d; withheld %d",
				f.Topology, seed, f.Fresh.Recall(), f.Fresh.Known, len(f.Fresh.Over), f.Fresh.NewKept, f.Fresh.New, f.Fresh.Rules, f.Reference,
				f.Tight.Recall(), f.Tight.Known, len(f.Tight.Over), f.Tight.Rules, f.Unused, f.FalseUnused, len(f.Withheld))
			for name, s := range map[string]*Score{"new": &f.Fresh, "tightened": &f.Tight} {
				if s.Known == 0 || s.Recall() != 1 {
					t.Errorf("%s, seed %d, %s policies: %d of %d kept; cut: %v", f.Topology, seed, name, s.Kept, s.Known, s.Cut)
				}
				if len(s.Over) > 0 {
					t.Errorf("%s, seed %d, %s policies: %d tuples are allowed that nobody used: %v", f.Topology, seed, name, len(s.Over), s.Over[:min(5, len(s.Over))])
				}
			}
			if float64(f.Fresh.Rules) > mostRules*float64(f.Reference) || f.Fresh.Rules == 0 {
				t.Errorf("%s, seed %d: %d rules, a person writes %d", f.Topology, seed, f.Fresh.Rules, f.Reference)
			}
			for _, w := range f.Withheld {
				if *seeds > 0 && seed == 0 {
					t.Logf("withheld: %s", w)
				}
			}
		}
	}
	t.Logf("called unused and ready: %d; used in the window after: %d", unused, wrong)
	if unused == 0 || float64(wrong) > mostFalseUnused*float64(unused) {
		t.Errorf("%d of %d allowances that were called unused were used after", wrong, unused)
	}
}

// TestWorldsAreTheSame: the same seed gives the same world, another another.
func TestWorldsAreTheSame(t *testing.T) {
	simulate := func(seed uint64) *World {
		w, err := Simulate(Bank(), seed, "")
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	a, b, c := simulate(1), simulate(1), simulate(2)
	if !reflect.DeepEqual(a.Records, b.Records) || !maps.Equal(a.Next, b.Next) {
		t.Error("the same seed gives two worlds")
	}
	if reflect.DeepEqual(a.Records, c.Records) {
		t.Error("two seeds give the same world")
	}
	if len(a.Later.Pods) == 0 || a.Now.Pods[0].Name == a.Later.Pods[0].Name && a.Now.Pods[1].Name == a.Later.Pods[1].Name {
		t.Error("nothing was rolled out between the windows")
	}
}

// TestJudgeFindsFaults: the measure itself can fail.
func TestJudgeFindsFaults(t *testing.T) {
	const cutAll = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: shop}\nspec: {podSelector: {matchLabels: {app: cart}}, policyTypes: [Ingress]}\n"
	w, err := Simulate(Boutique(), 1, cutAll)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Judge(nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Recall() == 1 || !slices.ContainsFunc(s.Cut, func(x Tuple) bool { return x.To == "shop/cart" && x.Port == 7070 }) {
		t.Errorf("a policy that cuts the cart off keeps %d of %d: %v", s.Kept, s.Known, s.Cut)
	}
	w, err = Simulate(Boutique(), 1, strings.Replace(cutAll, "policyTypes: [Ingress]", "policyTypes: [Ingress], ingress: [{ports: [{port: 7070}]}]", 1))
	if err != nil {
		t.Fatal(err)
	}
	if s, err = w.Judge(nil); err != nil || s.Recall() != 1 || len(s.Over) == 0 || s.Rules != 1 {
		t.Errorf("a policy that opens the cart to everybody: %+v, %v", s, err)
	}
}

// TestReferences holds what was counted by hand against one rule for each
// workload, direction and port, counted by program.
func TestReferences(t *testing.T) {
	for _, top := range Topologies() {
		if by := top.counted(); by != top.Reference || top.Reason == "" {
			t.Errorf("%s: a person writes %d (%s); by program %d", top.Name, top.Reference, top.Reason, by)
		}
	}
}
