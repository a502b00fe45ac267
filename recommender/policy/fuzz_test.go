// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// evaluators holds the ways to an answer against each other on one cluster: the
// fast path, the verdict, the atoms that usage counts, and the algebra.
func evaluators(t *testing.T, seed uint64) {
	d := policytest.New(seed)
	s := d.Cluster()
	s.Policies = d.Policies(5, 5)
	e := compileClean(t, s, Options{IPBlockSkipsPods: d.Chance(20), Order: policytest.Pick(d, CalicoOrder, UpstreamOrder)})
	connections(d, s, func(c Connection) {
		v := e.Check(c)
		egress, ingress := e.Allowed(c)
		if egress != v.Egress.Allowed || ingress != v.Ingress.Allowed {
			t.Fatalf("seed %d %+v: Allowed %v %v\n%s", seed, c, egress, ingress, whyText(v))
		}
		var used []AllowanceID
		e.Matching(c, func(id AllowanceID) { used = append(used, id) })
		if diff := cmp.Diff(allowancesOf(v), used); diff != "" {
			t.Fatalf("seed %d %+v: the verdict and usage name different atoms: %s\n%s", seed, c, diff, whyText(v))
		}
		q := e.query(&c)
		if q.always {
			return
		}
		inEgress := e.permits(Egress, &q.from, &q.to, q.family).Has(q.first)
		inIngress := e.permits(Ingress, &q.from, &q.to, q.family).Has(q.first)
		if known := q.first == q.last; known && (inEgress != egress || inIngress != ingress) {
			t.Fatalf("seed %d %+v: the algebra says %v %v\n%s", seed, c, inEgress, inIngress, whyText(v))
		}
	})
}

// allowancesOf lists the atoms that a verdict names; profiles are no policies.
func allowancesOf(v Verdict) []AllowanceID {
	var out []AllowanceID
	for _, s := range slices.Concat(v.Egress.Why, v.Ingress.Why) {
		if s.Kind == StepRule && s.Action == ActionAllow && s.Tier != profileTier && s.Tier != failsafeTier {
			out = append(out, s.Allowance)
		}
	}
	return out
}

func FuzzEvaluators(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(evaluators)
}

// FuzzCompare holds the exact difference of two policy sets against evaluation.
func FuzzCompare(f *testing.F) {
	for seed := uint64(10_000); seed < 10_040; seed++ {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		d := policytest.New(seed)
		s := d.Cluster()
		s.Policies = d.Policies(4, 4)
		after := *s
		after.Policies = d.Mutate(s.Policies)
		compareByForce(t, d, s, compileClean(t, s, Options{}), compileClean(t, &after, Options{}))
	})
}

// FuzzKubernetesPolicy compiles whatever parses as a policy: never a panic, and
// a policy that is left out is told with a field and leaves verdicts uncertain.
func FuzzKubernetesPolicy(f *testing.F) {
	for _, c := range kubernetesCases {
		f.Add([]byte(npHead + c.spec))
	}
	f.Add([]byte(atomsManifest))
	f.Fuzz(func(t *testing.T, text []byte) {
		var np networkingv1.NetworkPolicy
		if yaml.Unmarshal(text, &np) != nil {
			return
		}
		s := shop()
		np.Namespace = "shop"
		s.Policies = []cluster.Object{{Ref: cluster.Ref{Kind: "NetworkPolicy", Namespace: np.Namespace, Name: np.Name}, Typed: &np, Source: cluster.Source{Line: 1, YAML: text}}}
		e, problems := Compile(s, Options{})
		for _, p := range problems {
			if p.Field == "" || p.Message == "" {
				t.Errorf("a problem without field or message: %+v", p)
			}
		}
		for _, a := range e.Allowances() {
			if a.Peer == "" || a.Port == "" {
				t.Errorf("an allowance without text: %+v", a)
			}
		}
		c := connectionOf(t, s, "shop/web -> shop/api TCP 80")
		if v := e.Check(c); letters(e.Allowed(c)) != letters(v.Egress.Allowed, v.Ingress.Allowed) {
			t.Errorf("Allowed and Check differ: %s", whyText(v))
		}
	})
}

// FuzzLocate finds lines in whatever the bytes are, without panic.
func FuzzLocate(f *testing.F) {
	f.Add([]byte(atomsManifest), 1, 0)
	f.Add([]byte("{\"spec\": {\"ingress\": [{\"ports\": [1]}]}}"), 0, 0)
	f.Add([]byte("a: &x [1]\nspec: *x\n"), 0, 0)
	f.Fuzz(func(t *testing.T, text []byte, rule, item int) {
		line := newLocator(text).line(path{"spec", "ingress", rule, "ports", item})
		if line < 0 || line > len(text)+1 {
			t.Errorf("line %d in %d bytes", line, len(text))
		}
	})
}
