// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/cluster"
)

const atomsManifest = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: p
  namespace: shop
spec:
  podSelector:
    matchLabels: {app: api}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - podSelector: {matchLabels: {app: web}} # line 12
        - ipBlock: {cidr: "2001:db8::/32", except: ["2001:db8:1::/48"]}
      ports:
        - port: 80 # line 15
        - {port: 8000, endPort: 8100}
    - {}
  egress:
    - ports:
        - {port: http, protocol: TCP}
`

func TestAllowances(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, atomsManifest)
	e := compileClean(t, s, Options{})
	ref := s.Policies[0].Ref
	api := slices.IndexFunc(s.Pods, func(p cluster.Pod) bool { return p.Name == "api" })
	block := "2001:db8::/32 except 2001:db8:1::/48"
	want := []Allowance{
		{ID: AllowanceID{ref, Ingress, 0, 0, 0}, Peer: "pods app=web in namespace shop", Port: "TCP 80", Line: 15},
		{ID: AllowanceID{ref, Ingress, 0, 0, 1}, Peer: "pods app=web in namespace shop", Port: "TCP 8000-8100", Line: 16},
		{ID: AllowanceID{ref, Ingress, 0, 1, 0}, Peer: block, Port: "TCP 80", Line: 15},
		{ID: AllowanceID{ref, Ingress, 0, 1, 1}, Peer: block, Port: "TCP 8000-8100", Line: 16},
		{ID: AllowanceID{ref, Ingress, 1, -1, -1}, Peer: "anyone", Port: "any port", Line: 17},
		{ID: AllowanceID{ref, Egress, 0, -1, 0}, Peer: "anyone", Port: "TCP http", Line: 20},
	}
	for i := range want {
		want[i].Subjects = []int{api}
	}
	if diff := cmp.Diff(want, e.Allowances()); diff != "" {
		t.Error(diff)
	}
}

func TestMatchingNamesEveryAtomThatAllowed(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, atomsManifest)
	e := compileClean(t, s, Options{})
	ref := s.Policies[0].Ref
	for _, c := range []struct {
		connection string
		want       []AllowanceID
	}{
		{"shop/web@4 -> shop/api@4 TCP 80", []AllowanceID{{ref, Ingress, 0, 0, 0}, {ref, Ingress, 1, -1, -1}}},
		{"2001:db8::5 -> shop/api TCP 8050", []AllowanceID{{ref, Ingress, 0, 1, 1}, {ref, Ingress, 1, -1, -1}}},
		{"shop/api@6 -> shop/db@6 TCP 80", []AllowanceID{{ref, Egress, 0, -1, 0}}},
		{"shop/api@6 -> shop/db@6 TCP 81", nil},
		{"shop/web -> shop/db TCP 80", nil},
		{"192.168.0.2 -> shop/api TCP 80", nil},
	} {
		var got []AllowanceID
		conn := connectionOf(t, s, c.connection)
		e.Matching(conn, func(id AllowanceID) { got = append(got, id) })
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.connection, diff)
		}
		var told []AllowanceID
		v := e.Check(conn)
		for _, step := range slices.Concat(v.Egress.Why, v.Ingress.Why) {
			if step.Kind == StepRule && step.Action == ActionAllow {
				told = append(told, step.Allowance)
			}
		}
		if diff := cmp.Diff(c.want, told); diff != "" {
			t.Errorf("%s: the verdict names others: %s", c.connection, diff)
		}
	}
}

func TestWhy(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, strings.Replace(atomsManifest, "    - {}\n", "", 1))
	e := compileClean(t, s, Options{})
	for _, c := range []struct {
		connection, egress, ingress string
	}{
		{"shop/web -> shop/api TCP 80", "no policy selects the pod for egress, so everything is allowed", "NetworkPolicy shop/p ingress rule 1, peer 1 (pods app=web in namespace shop), port TCP 80"},
		{"shop/web -> shop/api TCP 81", "no policy selects the pod for egress, so everything is allowed", "NetworkPolicy shop/p selects the pod for ingress and none of its 1 rules matches (rule 1 matches the peer but not TCP 81); allowing it takes an ingress rule from pod shop/web on TCP 81"},
		{"2001:db8:1::1 -> shop/api TCP 80", "outside the cluster; no policy applies at this end", "NetworkPolicy shop/p selects the pod for ingress and none of its 1 rules matches (rule 1 matches TCP 80 but not the peer); allowing it takes an ingress rule from 2001:db8:1::1 on TCP 80"},
		{"shop/api -> shop/api TCP 80", "a pod's traffic to itself is always allowed", "a pod's traffic to itself is always allowed"},
		{"192.168.0.2 -> shop/api TCP 80", "a node's traffic to the pods on it is always allowed (probes)", "a node's traffic to the pods on it is always allowed (probes)"},
		{"192.168.0.1 -> shop/web TCP 80", "a node's traffic to the pods on it is always allowed (probes)", "a node's traffic to the pods on it is always allowed (probes)"},
		{"shop/api -> shop/db TCP 80", "NetworkPolicy shop/p egress rule 1, anyone, port TCP http", "no policy selects the pod for ingress, so everything is allowed"},
	} {
		v := e.Check(connectionOf(t, s, c.connection))
		if len(v.Egress.Why) != 1 || v.Egress.Why[0].Text != c.egress {
			t.Errorf("%s egress:\n%s", c.connection, whyText(v))
		}
		if len(v.Ingress.Why) != 1 || v.Ingress.Why[0].Text != c.ingress {
			t.Errorf("%s ingress:\n%s", c.connection, whyText(v))
		}
	}
}
