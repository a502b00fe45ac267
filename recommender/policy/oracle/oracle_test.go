// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"flag"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

var (
	update = flag.Bool("update", false, "rewrite the sample in ../testdata/golden")
	seeds  = flag.Uint64("seeds", 1000, "random clusters for each kind of policy")
)

func compile(t testing.TB, s *cluster.Snapshot) *policy.Engine {
	t.Helper()
	e, problems := policy.Compile(s, policy.Options{Order: policy.UpstreamOrder})
	for _, p := range problems {
		t.Fatalf("%s %s: %s", p.Ref, p.Field, p.Message)
	}
	return e
}

func question(p *policytest.Probe) policy.Connection {
	return policy.Connection{From: policy.Peer{Pod: p.From.Pod, Addr: p.From.Addr}, To: policy.Peer{Pod: p.To.Pod, Addr: p.To.Addr}, Protocol: p.Protocol, Port: p.Port}
}

type judge interface {
	judge(*policytest.Probe) (egress, ingress bool)
}

// TestCyclonusStates holds every state of cyclonus's own test suite against
// both judges: 0 differences.
func TestCyclonusStates(t *testing.T) {
	states := cyclonusStates()
	probes, alone := 0, 0
	for _, state := range states {
		s := state.Snapshot()
		e := compile(t, s)
		judges := []judge{newCyclonus(s), newUpstream(t, s)}
		for at, p := range state.Probes() {
			probes++
			probe := policytest.Probe{From: podPeer(s, p.From), To: podPeer(s, p.To), Protocol: p.Protocol, Port: p.Port}
			egress, ingress := e.Allowed(question(&probe))
			for i, j := range judges {
				if je, ji := j.judge(&probe); je != egress || ji != ingress {
					t.Fatalf("judge %d, %s: %s/%s to %s/%s %s %d: judge %v %v, we %v %v", i+1, state.Name, probe.From.Pod.Namespace, probe.From.Pod.Name,
						probe.To.Pod.Namespace, probe.To.Pod.Name, p.Protocol, p.Port, je, ji, egress, ingress)
				}
			}
			state.Answers = policytest.SetAnswer(state.Answers, at, egress, ingress)
		}
		alone += toItself(t, state, s, e)
	}
	t.Logf("%d states, %d probes between different pods, two judges: 0 differences; and %d of a pod to itself, which is always allowed", len(states), probes, alone)
	if len(states) < 256 {
		t.Errorf("only %d states", len(states))
	}
	if *update {
		writeGolden(t, "cyclonus.jsonl.gz", states)
	}
}

// toItself asks the probes of a pod to itself. Both judges apply policies to
// them; the documentation of NetworkPolicy says: "a pod cannot block access to
// itself".
func toItself(t *testing.T, state *policytest.State, s *cluster.Snapshot, e *policy.Engine) int {
	t.Helper()
	n := 0
	for _, p := range state.Probes() {
		if p.To != (p.From+1)%len(s.Pods) {
			continue // each source's ports once
		}
		n++
		self := podPeer(s, p.From)
		if egress, ingress := e.Allowed(question(&policytest.Probe{From: self, To: self, Protocol: p.Protocol, Port: p.Port})); !egress || !ingress {
			t.Fatalf("%s: %s/%s to itself: %v %v", state.Name, self.Pod.Namespace, self.Pod.Name, egress, ingress)
		}
	}
	return n
}

func podPeer(s *cluster.Snapshot, i int) policytest.Peer {
	return policytest.Peer{Pod: &s.Pods[i], Addr: s.Pods[i].IPs[0]}
}

// TestRandomKubernetes holds random clusters, both families, against both
// judges. Where cyclonus differs, its known fault must explain it exactly.
func TestRandomKubernetes(t *testing.T) {
	probes, six, explained := 0, 0, 0
	var golden []*policytest.Random
	for seed := range *seeds {
		d, s := policytest.KubernetesOnly(seed)
		e := compile(t, s)
		faulty := compile(t, notInNeedsTheKey(s))
		one, two := newCyclonus(s), newUpstream(t, s)
		g := &policytest.Random{Seed: seed, Kind: "kubernetes"}
		for at, p := range d.Probes(s) {
			probes++
			if !p.From.Addr.Is4() {
				six++
			}
			egress, ingress := e.Allowed(question(&p))
			if je, ji := two.judge(&p); je != egress || ji != ingress {
				t.Fatalf("kube-network-policies, seed %d, %+v: judge %v %v, we %v %v", seed, p, je, ji, egress, ingress)
			}
			if je, ji := one.judge(&p); je != egress || ji != ingress {
				explained++
				if fe, fi := faulty.Allowed(question(&p)); je != fe || ji != fi {
					t.Fatalf("cyclonus, seed %d, %+v: judge %v %v, we %v %v, its fault %v %v", seed, p, je, ji, egress, ingress, fe, fi)
				}
			}
			g.Answers = policytest.SetAnswer(g.Answers, at, egress, ingress)
		}
		if seed < goldenSeeds {
			golden = append(golden, g)
		}
	}
	t.Logf("%d clusters, %d probes, %d of them IPv6, two judges: 0 unexplained differences; %d explained by cyclonus's NotIn", *seeds, probes, six, explained)
	if *update {
		writeGolden(t, "kubernetes.jsonl.gz", golden)
	}
}

// TestRandomClusterWide does the same with ClusterNetworkPolicy, which only
// kube-network-policies knows.
func TestRandomClusterWide(t *testing.T) {
	random(t, "clusterwide", policytest.ClusterWide, nil)
}

// TestRandomAdmin does the same with AdminNetworkPolicy and
// BaselineAdminNetworkPolicy. Where the judge differs, its known faults must
// explain it exactly.
func TestRandomAdmin(t *testing.T) {
	random(t, "admin", policytest.Admin, func(s *cluster.Snapshot) explanation { return &adminFaults{snapshot: s} })
}

// explanation says what a judge with known faults answers.
type explanation interface {
	answer(t *testing.T, p *policytest.Probe) (egress, ingress bool)
}

// random holds clusters of a kind against kube-network-policies.
func random(t *testing.T, kind string, make func(uint64) (*policytest.Dice, *cluster.Snapshot), faults func(*cluster.Snapshot) explanation) {
	t.Helper()
	probes, six, explained := 0, 0, 0
	var golden []*policytest.Random
	for seed := range *seeds {
		d, s := make(seed)
		e, two := compile(t, s), newUpstream(t, s)
		var faulty explanation
		if faults != nil {
			faulty = faults(s)
		}
		g := &policytest.Random{Seed: seed, Kind: kind}
		for at, p := range d.Probes(s) {
			probes++
			if !p.From.Addr.Is4() {
				six++
			}
			egress, ingress := e.Allowed(question(&p))
			if je, ji := two.judge(&p); je != egress || ji != ingress {
				if faulty == nil {
					t.Fatalf("kube-network-policies, seed %d, %+v: judge %v %v, we %v %v", seed, p, je, ji, egress, ingress)
				}
				explained++
				if fe, fi := faulty.answer(t, &p); je != fe || ji != fi {
					t.Fatalf("kube-network-policies, seed %d, %+v: judge %v %v, we %v %v, its faults %v %v", seed, p, je, ji, egress, ingress, fe, fi)
				}
			}
			g.Answers = policytest.SetAnswer(g.Answers, at, egress, ingress)
		}
		if seed < goldenSeeds {
			golden = append(golden, g)
		}
	}
	t.Logf("%d clusters, %d probes, %d of them IPv6: 0 unexplained differences; %d explained", *seeds, probes, six, explained)
	if *update {
		writeGolden(t, kind+".jsonl.gz", golden)
	}
}
