// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/policy"
)

// TestPromises holds random worlds to what each recommendation promises, by
// asking the engine about every pair of pods rather than by the algebra that
// the proofs use.
func TestPromises(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 10
	}
	for _, format := range []Format{Kubernetes, Calico, CalicoStaged} {
		total := counts{}
		for seed := range seeds {
			total.add(holdPromises(t, seed, format))
			if t.Failed() {
				return
			}
		}
		t.Logf("%s: %d worlds: %d offered, %d withheld for want of proof", format, seeds, total.offered, total.unproven)
		if total.unproven > 0 {
			t.Error("what is proposed ought to hold; the proof is the last guard, not the first")
		}
		if format == Calico && total.sets == 0 {
			t.Error("no world has a network set")
		}
		if total.offered == 0 || total.tightened == 0 {
			t.Error("nothing was offered in any world: the test tests nothing")
		}
	}
}

// FuzzPromises is the same for seeds of the fuzzer's choice.
func FuzzPromises(f *testing.F) {
	f.Add(uint64(1))
	f.Add(uint64(999_983))
	f.Fuzz(func(t *testing.T, seed uint64) { holdPromises(t, seed, Formats[seed%3]) })
}

type counts struct{ offered, tightened, unproven, sets, closed, extra int }

func (c *counts) add(o counts) {
	c.offered += o.offered
	c.tightened += o.tightened
	c.unproven += o.unproven
	c.sets += o.sets
	c.closed += o.closed
	c.extra += o.extra
}

func holdPromises(t *testing.T, seed uint64, format Format) counts {
	t.Helper()
	w := newRandomWorld(t, seed)
	w.format = format
	return w.hold(t, seed)
}

// hold holds a world to the promises.
func (w *randomWorld) hold(t *testing.T, seed uint64) counts {
	t.Helper()
	format := w.format
	report := w.analyse(t, w.snapshot)
	list, err := Build(w.input(report, w.snapshot))
	if err != nil {
		t.Fatal(err)
	}
	var c counts
	var offered []Recommendation
	for _, r := range list {
		if strings.Contains(r.Withheld, "the proof fails") {
			c.unproven++
		}
		if r.Withheld != "" {
			continue
		}
		c.offered++
		if r.Kind == KindTighten {
			c.tightened++
		}
		if strings.Contains(r.After, "kind: NetworkSet\n") {
			c.sets++
		}
		offered = append(offered, r)
		if !r.Proof.Holds {
			t.Errorf("seed %d: %s is offered without proof", seed, r.Title)
		}
	}
	// Any subset of what is offered keeps the promises.
	for _, subset := range [][]Recommendation{offered, half(offered, seed), nil} {
		Settle(subset)
		w.holdSubset(t, seed, report, subset)
	}
	c.closed += w.holdIsolates(t, seed, offered)
	c.extra += w.holdExtra(t, seed, report, offered)
	w.holdLoads(t, seed, offered)
	if format == CalicoStaged {
		w.holdTrial(t, seed, offered)
	} else {
		w.holdNeeded(t, seed, report, offered)
	}
	w.holdFixedPoint(t, seed, offered)
	w.holdSameBytes(t, seed, list)
	if t.Failed() {
		t.Logf("seed %d\n%s", seed, w.text.String())
		t.Log(recommendationsText(list))
	}
	return c
}

func half(list []Recommendation, seed uint64) []Recommendation {
	r := rand.New(rand.NewPCG(seed, 2))
	return slices.DeleteFunc(slices.Clone(list), func(Recommendation) bool { return r.IntN(2) == 0 })
}

// holdSubset: observed and allowed ⊆ allowed(new) ⊆ allowed(old).
func (w *randomWorld) holdSubset(t *testing.T, seed uint64, report *analyze.Report, subset []Recommendation) {
	t.Helper()
	applied, err := Apply(w.snapshot, subset...)
	if err != nil {
		t.Errorf("seed %d: %v", seed, err)
		return
	}
	next, problems := policy.Compile(applied, policy.Options{})
	if len(problems) > 0 {
		t.Errorf("seed %d: the engine refuses %v", seed, problems)
	}
	for _, c := range w.probes() {
		if permits(next, c) && !permits(w.engine, c) {
			t.Errorf("seed %d: opened %+v → %+v %s %d", seed, c.From.Addr, c.To.Addr, c.Protocol, c.Port)
			return
		}
	}
	for i := range report.Edges {
		e := &report.Edges[i]
		if !e.Teaches {
			continue
		}
		for _, c := range w.connections(e) {
			if permits(w.engine, c) && !permits(next, c) {
				t.Errorf("seed %d: cut %s → %s %s %d, which was seen", seed, e.Client, e.Server, e.Protocol, e.Port)
				return
			}
		}
	}
}

func (w *randomWorld) connections(e *analyze.Edge) []policy.Connection {
	var out []policy.Connection
	index := analyze.NewIndex(w.snapshot)
	analyze.Pairs(index.Ends(e.Client), index.Ends(e.Server), func(from, to policy.Peer) {
		out = append(out, policy.Connection{From: from, To: to, Protocol: e.Number, Port: e.Port, ICMPType: -1, ICMPCode: -1})
	})
	return out
}

// holdNeeded: with any single allowance of a recommended policy gone, an edge
// that was seen, or name resolution, is cut.
func (w *randomWorld) holdNeeded(t *testing.T, seed uint64, report *analyze.Report, offered []Recommendation) {
	t.Helper()
	applied, err := Apply(w.snapshot, offered...)
	if err != nil {
		return
	}
	mine := map[cluster.Ref]bool{}
	for _, r := range offered {
		for _, o := range documents(t, r) {
			mine[o.Ref] = true
		}
	}
	next, _ := policy.Compile(applied, policy.Options{})
	alone := map[policy.AllowanceID]bool{}
	ask := func(c policy.Connection) {
		v := next.Check(c)
		for _, side := range []policy.DirectionVerdict{v.Egress, v.Ingress} {
			if atoms := allowing(side); len(atoms) == 1 {
				alone[atoms[0]] = true
			}
		}
	}
	for i := range report.Edges {
		if e := &report.Edges[i]; e.Teaches {
			for _, c := range w.connections(e) {
				if permits(w.engine, c) {
					ask(c)
				}
			}
		}
	}
	for _, c := range w.probes() {
		if c.Port == 53 && c.To.Pod != nil && c.To.Pod.Namespace == "b" && c.To.Pod.Workload.Name == "x" && len(w.snapshot.Services) > 0 {
			ask(c)
		}
	}
	for _, a := range next.Allowances() {
		if mine[a.ID.Policy] && !alone[a.ID] && w.extra == 0 {
			t.Errorf("seed %d: %s is superfluous: %s rule %d, %s, %s", seed, a.ID.Policy, a.ID.Direction, a.ID.Rule+1, a.Peer, a.Port)
		}
	}
}

func (w *randomWorld) holdFixedPoint(t *testing.T, seed uint64, offered []Recommendation) {
	t.Helper()
	applied, err := Apply(w.snapshot, offered...)
	if err != nil {
		return
	}
	again, err := Build(w.input(w.analyse(t, applied), applied))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range again {
		if r.Withheld == "" {
			t.Errorf("seed %d: after applying everything it proposes %s\n%s%s", seed, r.Title, r.Diff, r.After)
		}
	}
}

// holdSameBytes: the order of the records changes nothing.
func (w *randomWorld) holdSameBytes(t *testing.T, seed uint64, list []Recommendation) {
	t.Helper()
	slices.Reverse(w.records)
	defer slices.Reverse(w.records)
	again, err := Build(w.input(w.analyse(t, w.snapshot), w.snapshot))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(list)
	b, _ := json.Marshal(again)
	if string(a) != string(b) {
		t.Errorf("seed %d: the same records in another order give other bytes", seed)
	}
}

func allowing(side policy.DirectionVerdict) []policy.AllowanceID {
	var atoms []policy.AllowanceID
	for _, s := range side.Why {
		if s.Kind == policy.StepRule && s.Action == policy.ActionAllow {
			atoms = append(atoms, s.Allowance)
		}
	}
	return atoms
}

// input asks for recommendations in the world's format.
func (w *randomWorld) input(report *analyze.Report, s *cluster.Snapshot) Input {
	return Input{Snapshot: s, Report: report, Format: w.format, AllowExtra: w.extra, DefaultDeny: w.deny}
}

// holdLoads: the loader of manifests takes every document, strictly, and reads
// it as the recommendation does.
func (w *randomWorld) holdLoads(t *testing.T, seed uint64, offered []Recommendation) {
	t.Helper()
	for _, r := range offered {
		loaded := manifest.LoadText("r.yaml", []byte(r.After), manifest.Options{})
		for _, p := range loaded.Problems {
			t.Errorf("seed %d: %s: line %d %s: %s\n%s", seed, r.Title, p.Line, p.Field, p.Message, r.After)
		}
		if !slices.ContainsFunc(loaded.Policies, func(o cluster.Object) bool { return o.Ref == r.Policy.Cluster() }) {
			t.Errorf("seed %d: %s is not in its manifest\n%s", seed, r.Policy, r.After)
		}
	}
}

// holdTrial: staged policies change no verdict; enforced they do what the
// recommendation would.
func (w *randomWorld) holdTrial(t *testing.T, seed uint64, offered []Recommendation) {
	t.Helper()
	applied, err := Apply(w.snapshot, offered...)
	if err != nil {
		t.Fatal(err)
	}
	next, _ := policy.Compile(applied, policy.Options{})
	for _, c := range w.probes() {
		if permits(next, c) != permits(w.engine, c) {
			t.Errorf("seed %d: a trial changes %+v → %+v %s %d", seed, c.From.Addr, c.To.Addr, c.Protocol, c.Port)
			return
		}
	}
	staging := policy.Stage(applied)
	enforced, problems := policy.Compile(staging.Snapshot, policy.Options{})
	if len(problems) > 0 || len(staging.Problems) > 0 {
		t.Errorf("seed %d: %v %v", seed, problems, staging.Problems)
	}
	for _, c := range w.probes() {
		if permits(enforced, c) && !permits(w.engine, c) {
			t.Errorf("seed %d: enforced, a trial opens %+v → %+v %s %d", seed, c.From.Addr, c.To.Addr, c.Protocol, c.Port)
			return
		}
	}
}
