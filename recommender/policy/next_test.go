// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// However the cluster changes, step by step, the engine that follows answers as
// one that is compiled from the outcome.
func TestNextEqualsCompile(t *testing.T) {
	rounds := uint64(60)
	if testing.Short() {
		rounds = 15
	}
	compiled, objects := 0, 0
	for seed := range rounds {
		d := policytest.New(seed)
		s := d.Cluster()
		s.Policies = d.Policies(4, 4)
		options := Options{IPBlockSkipsPods: d.Chance(20), Order: policytest.Pick(d, CalicoOrder, UpstreamOrder)}
		e, _ := Compile(s, options)
		for step := range 8 {
			s = d.Changed(s, step)
			next, problems := e.Next(s)
			whole, want := Compile(s, options)
			if diff := cmp.Diff(problemLines(want), problemLines(problems)); diff != "" {
				t.Fatalf("seed %d step %d: problems: %s", seed, step, diff)
			}
			sameAnswers(t, d, s, whole, next, seed, step)
			compiled, objects = compiled+next.Effort().Policies, objects+len(s.Policies)
			e = next
		}
	}
	if compiled > objects*2/3 {
		t.Errorf("%d of %d objects were compiled again; the test sees too little being kept", compiled, objects)
	}
}

func problemLines(problems []cluster.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Ref.String()+" "+p.Field+" "+p.Message)
	}
	slices.Sort(out)
	return out
}

// sameAnswers holds an engine against one that is right.
func sameAnswers(t *testing.T, d *policytest.Dice, s *cluster.Snapshot, whole, next *Engine, seed uint64, step int) {
	t.Helper()
	if diff := cmp.Diff(whole.Allowances(), next.Allowances()); diff != "" {
		t.Fatalf("seed %d step %d: allowances: %s", seed, step, diff)
	}
	for i := range s.Pods {
		for _, dir := range []Direction{Egress, Ingress} {
			if diff := cmp.Diff(whole.Selecting(&s.Pods[i], dir), next.Selecting(&s.Pods[i], dir)); diff != "" {
				t.Fatalf("seed %d step %d: selecting %s: %s", seed, step, s.Pods[i].Name, diff)
			}
		}
	}
	n := 0
	connections(d, s, func(c Connection) {
		if a, b := letters(whole.Allowed(c)), letters(next.Allowed(c)); a != b {
			t.Fatalf("seed %d step %d: %+v: got %s, want %s\nwant %s\ngot %s", seed, step, c, b, a, whyText(whole.Check(c)), whyText(next.Check(c)))
		}
		if n++; n%7 == 0 {
			if diff := cmp.Diff(whole.Check(c), next.Check(c)); diff != "" {
				t.Fatalf("seed %d step %d: %+v: %s", seed, step, c, diff)
			}
		}
	})
	if diff := cmp.Diff(whole.Shadowed(), next.Shadowed()); diff != "" {
		t.Fatalf("seed %d step %d: shadowed: %s", seed, step, diff)
	}
	if delta := Compare(whole, next); !delta.Empty() {
		t.Fatalf("seed %d step %d: %s %s", seed, step, cellTexts(delta.Added), cellTexts(delta.Removed))
	}
}

// A change costs what it touches: the counts are of the engine's own work.
func TestNextTouchesLittle(t *testing.T) {
	s := bigCluster(2_000)
	e := compileClean(t, s, Options{})
	cases := []struct {
		name               string
		change             func(*cluster.Snapshot)
		policies, ends     int
		wantMore, wantSame bool
	}{
		{"nothing", func(*cluster.Snapshot) {}, 0, 0, false, true},
		{"a pod is relabelled", func(s *cluster.Snapshot) {
			s.Pods = slices.Clone(s.Pods)
			s.Pods[4321].Labels = map[string]string{"app": "app1", "new": "label"}
		}, 400, 2, false, false},
		{"a pod gets a label that nobody asks for", func(s *cluster.Snapshot) {
			s.Pods = slices.Clone(s.Pods)
			labels := map[string]string{"unseen": "yes"}
			maps.Copy(labels, s.Pods[77].Labels)
			s.Pods[77].Labels = labels
		}, 0, 2, false, true},
		{"a pod goes", func(s *cluster.Snapshot) { s.Pods = slices.Delete(slices.Clone(s.Pods), 500, 501) }, 400, 2, false, false},
		{"a policy is replaced", func(s *cluster.Snapshot) {
			s.Policies = slices.Clone(s.Policies)
			s.Policies[77] = bigPolicy(rand.New(rand.NewPCG(1, 1)), 77, 100)
		}, 1, 0, false, false},
	}
	for _, c := range cases {
		after := *s
		c.change(&after)
		next, problems := e.Next(&after)
		got := next.Effort()
		if len(problems) > 0 || got.Policies > c.policies || got.Ends != c.ends {
			t.Errorf("%s: %+v, want at most %d policies and %d addresses (%v)", c.name, got, c.policies, c.ends, problems)
		}
		whole := compileClean(t, &after, Options{})
		for _, edge := range bigEdges(&after, 20_000) {
			if letters(whole.Allowed(edge)) != letters(next.Allowed(edge)) {
				t.Fatalf("%s: %+v differs", c.name, edge)
			}
		}
	}
}

// Numbers of pods that went are given out again, and a topology that is mostly
// holes is numbered afresh.
func TestNextReusesNumbers(t *testing.T) {
	s := bigCluster(100)
	e := compileClean(t, s, Options{})
	size := len(e.top.ends)
	for round := range 15 {
		after := *s
		after.Pods = slices.Clone(s.Pods)
		for i := range 100 {
			after.Pods[(round*100+i)%len(after.Pods)].Name += strings.Repeat("x", round+1)
		}
		e, _ = e.Next(&after)
	}
	if got := len(e.top.ends); got > size+500 {
		t.Errorf("%d numbers for %d addresses", got, e.top.all.Len())
	}
	few := *s
	few.Pods = s.Pods[:1000]
	if e, _ = e.Next(&few); len(e.top.ends) != e.top.all.Len() {
		t.Errorf("%d numbers for %d addresses after most pods went", len(e.top.ends), e.top.all.Len())
	}
}

// BenchmarkNext follows one change in a cluster of 10,000 policies and 10,000
// pods. The change alternates, so that each round starts from the other side.
func BenchmarkNext(b *testing.B) {
	for _, c := range []struct {
		name   string
		change func(*cluster.Snapshot)
	}{
		{"policy", func(s *cluster.Snapshot) {
			s.Policies = slices.Clone(s.Policies)
			s.Policies[77] = bigPolicy(rand.New(rand.NewPCG(1, 1)), 77, 100)
		}},
		{"pod", func(s *cluster.Snapshot) {
			s.Pods = slices.Clone(s.Pods)
			s.Pods[4321].Labels = map[string]string{"app": "app1", "new": "label"}
		}},
		{"namespace", func(s *cluster.Snapshot) {
			s.Namespaces = slices.Clone(s.Namespaces)
			s.Namespaces[7].Labels = map[string]string{"team": "t3"}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := bigCluster(10_000)
			after := *s
			c.change(&after)
			e := compileClean(b, s, Options{})
			sides := []*cluster.Snapshot{&after, s}
			before, rounds := cpuSeconds(b), 0.0
			for b.Loop() {
				e, _ = e.Next(sides[int(rounds)%2])
				rounds++
			}
			b.ReportMetric((cpuSeconds(b)-before)*1000/rounds, "cpu-ms/op")
			b.ReportMetric(float64(e.Effort().Policies), "policies/op")
		})
	}
}
