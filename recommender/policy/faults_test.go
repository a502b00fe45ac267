// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster"
)

func TestKubernetesFaults(t *testing.T) {
	for _, c := range []struct {
		name, spec, field, message string
		line                       int
	}{
		{"operator", "  podSelector: {matchExpressions: [{key: a, operator: Is}]}\n", "spec.podSelector.matchExpressions[0].operator", `"Is" is not an operator; use In, NotIn, Exists or DoesNotExist`, 5},
		{"empty In", "  podSelector: {matchExpressions: [{key: a, operator: In}]}\n", "spec.podSelector.matchExpressions[0].values", "needs at least one value", 5},
		{"label", "  podSelector: {matchLabels: {'a b': c}}\n", "spec.podSelector.matchLabels.a b", "is not a label name", 5},
		{"type", "  podSelector: {}\n  policyTypes:\n  - Ingress\n  - Inward\n", "spec.policyTypes[1]", `"Inward" is not a policy type`, 8},
		{"cidr", "  podSelector: {}\n  ingress:\n  - from:\n    - ipBlock:\n        cidr: 10.0.0.0/33\n", "spec.ingress[0].from[0].ipBlock.cidr", `"10.0.0.0/33" is not an address block`, 9},
		{"cidr six", "  podSelector: {}\n  ingress:\n  - from:\n    - ipBlock:\n        cidr: fd00::/129\n", "spec.ingress[0].from[0].ipBlock.cidr", "is not an address block", 9},
		{"mapped", "  podSelector: {}\n  ingress:\n  - from:\n    - ipBlock:\n        cidr: '::ffff:10.0.0.0/104'\n", "spec.ingress[0].from[0].ipBlock.cidr", "write it as IPv4", 9},
		{"except", "  podSelector: {}\n  ingress:\n  - from:\n    - ipBlock:\n        cidr: 10.0.0.0/8\n        except: [10.1.0.0/16, 11.0.0.0/16]\n", "spec.ingress[0].from[0].ipBlock.except[1]", "11.0.0.0/16 is not a part of 10.0.0.0/8", 10},
		{"both", "  podSelector: {}\n  ingress:\n  - from:\n    - ipBlock: {cidr: 10.0.0.0/8}\n      podSelector: {}\n", "spec.ingress[0].from[0].ipBlock", "cannot stand with selectors", 8},
		{"empty peer", "  podSelector: {}\n  egress:\n  - to:\n    - {}\n", "spec.egress[0].to[0]", "the peer is empty", 8},
		{"port", "  podSelector: {}\n  ingress:\n  - ports:\n    - port: 70000\n", "spec.ingress[0].ports[0].port", "port 70000 is not between 1 and 65535", 8},
		{"port zero", "  podSelector: {}\n  ingress:\n  - ports:\n    - port: 0\n", "spec.ingress[0].ports[0].port", "port 0 is not between", 8},
		{"end first", "  podSelector: {}\n  ingress:\n  - ports:\n    - port: 90\n      endPort: 80\n", "spec.ingress[0].ports[0].endPort", "endPort 80 is before port 90", 9},
		{"end alone", "  podSelector: {}\n  ingress:\n  - ports:\n    - endPort: 80\n", "spec.ingress[0].ports[0].endPort", "endPort needs port", 8},
		{"end named", "  podSelector: {}\n  ingress:\n  - ports:\n    - port: http\n      endPort: 80\n", "spec.ingress[0].ports[0].endPort", "cannot stand with the named port", 9},
		{"name", "  podSelector: {}\n  ingress:\n  - ports:\n    - port: Not_A_Name\n", "spec.ingress[0].ports[0].port", "is not a port name", 8},
		{"protocol", "  podSelector: {}\n  ingress:\n  - ports:\n    - protocol: GRE\n", "spec.ingress[0].ports[0].protocol", "use TCP, UDP or SCTP", 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shop()
			s.Policies = objectsOf(t, npHead+c.spec)
			s.Policies[0].Source.Line = 11
			e, problems := Compile(s, Options{})
			if len(problems) != 1 {
				t.Fatalf("problems: %v", problems)
			}
			p := problems[0]
			if p.Field != c.field || !strings.Contains(p.Message, c.message) || p.Line != 10+c.line || p.File != "test.yaml" || p.Ref != s.Policies[0].Ref {
				t.Errorf("got line %d %s: %s", p.Line, p.Field, p.Message)
			}
			v := e.Check(connectionOf(t, s, "pay/web -> shop/web TCP 80"))
			if !slices.ContainsFunc(v.Uncertain, func(u string) bool { return strings.Contains(u, "NetworkPolicy shop/p was left out") }) {
				t.Errorf("the verdict is not uncertain: %v", v.Uncertain)
			}
			if v := e.Check(connectionOf(t, s, "pay/web -> pay/six TCP 80")); len(v.Uncertain) > 0 {
				t.Errorf("a verdict that it cannot touch is uncertain: %v", v.Uncertain)
			}
		})
	}
}

func TestDuplicateAndMissingNamespace(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, npHead+"  podSelector: {}\n---\n"+npHead+"  podSelector: {}\n  ingress: [{}]\n---\n"+
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: q}\nspec: {podSelector: {}}\n")
	e, problems := Compile(s, Options{})
	if len(problems) != 2 || problems[0].Field != "metadata.name" || problems[1].Field != "metadata.namespace" {
		t.Fatalf("problems: %v", problems)
	}
	expect(t, e, s, []expectation{{"pay/web -> shop/web TCP 80", "Ei"}})
	if v := e.Check(connectionOf(t, s, "pay/web -> pay/six TCP 80")); len(v.Uncertain) != 1 {
		t.Errorf("a policy without namespace may apply anywhere: %v", v.Uncertain)
	}
}

func TestUncertain(t *testing.T) {
	s := shop()
	s.Problems = []cluster.Problem{
		{File: "a.yaml", Line: 3, Ref: cluster.Ref{Kind: "NetworkPolicy", Namespace: "pay", Name: "x"}},
		{File: "a.yaml", Line: 9, Ref: cluster.Ref{Kind: "ConfigMap", Namespace: "shop", Name: "x"}},
	}
	e := compileClean(t, s, Options{})
	gone := podOf("shop/gone", "")
	for _, c := range []struct {
		connection Connection
		want       string
	}{
		{connectionOf(t, s, "shop/web -> shop/api TCP 80"), ""},
		{connectionOf(t, s, "shop/web -> pay/web TCP 80"), "NetworkPolicy pay/x (a.yaml:3) was left out"},
		{Connection{From: Peer{Pod: &gone}, To: peerOf(t, s, "shop/api")}, "pod shop/gone is not in the snapshot"},
		{Connection{From: Peer{Addr: s.Pods[7].IPs[0], Rewritten: true}, To: peerOf(t, s, "shop/api")}, "rewritten"},
		{Connection{To: peerOf(t, s, "shop/api")}, "the source is not known"},
	} {
		v := e.Check(c.connection)
		if got := strings.Join(v.Uncertain, "; "); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	s.Problems = []cluster.Problem{{File: "a.yaml", Line: 3}}
	e = compileClean(t, s, Options{})
	if v := e.Check(connectionOf(t, s, "shop/web -> shop/api TCP 80")); len(v.Uncertain) != 1 || !strings.Contains(v.Uncertain[0], "a document at a.yaml:3 is not understood") {
		t.Errorf("a document of unknown kind: %v", v.Uncertain)
	}
}

// kubernetes.io/docs/concepts/services-networking/network-policies: traffic to
// and from the node where a pod runs is always allowed; not every plugin does so.
func TestOwnNode(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, npHead+"  podSelector: {}\n  policyTypes: [Egress]\n  egress: [{ports: [{port: 80}]}]\n")
	e := compileClean(t, s, Options{})
	for _, c := range []struct {
		connection         string
		allowed, uncertain bool
	}{
		{"shop/api -> 192.168.0.2 TCP 81", false, true},
		{"shop/api -> fd00:ff::2 TCP 81", false, true},
		{"shop/api -> 192.168.0.2 TCP 80", true, false},
		{"shop/api -> 192.168.0.1 TCP 81", false, false},
		{"shop/api -> fd00:ff::1 TCP 81", false, false},
		{"shop/api -> shop/db TCP 81", false, false},
		{"192.168.0.2 -> shop/api TCP 81", true, false},
	} {
		v := e.Check(connectionOf(t, s, c.connection))
		if v.Allowed != c.allowed || (len(v.Uncertain) == 1 && strings.Contains(v.Uncertain[0], "own node")) != c.uncertain || (len(v.Uncertain) > 0) != c.uncertain {
			t.Errorf("%s: allowed %v, uncertain %v", c.connection, v.Allowed, v.Uncertain)
		}
	}
}

func TestAllowedAllocatesNothing(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, atomsManifest)
	e := compileClean(t, s, Options{})
	for _, text := range []string{"shop/web -> shop/api TCP 80", "2001:db8::5 -> shop/api TCP 8050", "shop/api -> 10.2.0.1 TCP 80", "pay/host -> shop/db TCP 80"} {
		c := connectionOf(t, s, text)
		if n := testing.AllocsPerRun(200, func() { e.Allowed(c) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}
