// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

func TestReachability(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, npHead+"  podSelector: {matchLabels: {app: db}}\n  policyTypes: [Ingress, Egress]\n  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}, {ipBlock: {cidr: '2001:db8::/32'}}], ports: [{port: pg}]}]\n")
	e := compileClean(t, s, Options{})
	db := peerOf(t, s, "shop/db").Pod
	if got, want := cellTexts(e.Sources(db)), "outside 2001:db8::/32 → shop/db (IPv6) on TCP 5432\n  shop/api → shop/db on TCP 5432"; got != want {
		t.Errorf("sources:\n  %s\nwant\n  %s", got, want)
	}
	if got := e.Destinations(db); len(got) != 0 {
		t.Errorf("destinations: %s", cellTexts(got))
	}
	web := peerOf(t, s, "shop/web").Pod
	got := cellTexts(e.Destinations(web))
	if !strings.Contains(got, "any protocol and port") || !strings.Contains(got, "outside 0.0.0.0/0") || strings.Contains(got, "shop/db") {
		t.Errorf("destinations of web:\n  %s", got)
	}
}

func TestCompareReads(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, npHead+"  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 5432}, {port: 9999}]}]\n")
	old := compileClean(t, s, Options{})
	tight, problems := old.With(Edit{Put: objectsOf(t, npHead+"  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]\n")})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	d := Compare(old, tight)
	if len(d.Added) != 0 {
		t.Errorf("added: %s", cellTexts(d.Added))
	}
	want := "all pods in pay, shop/web → shop/db on TCP 5432, TCP 9999\n  shop/api → shop/db on TCP 9999"
	if got := cellTexts(d.Removed); got != want {
		t.Errorf("removed:\n  %s\nwant\n  %s", got, want)
	}
	if back := Compare(tight, old); cellTexts(back.Added) != want || len(back.Removed) != 0 {
		t.Errorf("the way back: %s", cellTexts(back.Added))
	}
	other := shop()
	other.Pods = other.Pods[1:]
	if d := Compare(old, compileClean(t, other, Options{})); len(d.Added) != 1 || len(d.Removed) != 1 || !strings.Contains(d.Added[0].Text, "cannot be compared") {
		t.Errorf("other pods: %+v", d)
	}
}

func TestRelationsAreSets(t *testing.T) {
	for seed := range uint64(25) {
		d := policytest.New(seed)
		s := d.Cluster()
		s.Policies = d.Policies(3, 3)
		a := compileClean(t, s, Options{})
		after := *s
		after.Policies = d.Mutate(s.Policies)
		b := compileClean(t, &after, Options{})
		r := Relations(nil, a, b)
		ra, rb := r[0], r[1]
		delta := Compare(a, b)
		if rb.Within(ra) != (len(delta.Added) == 0) || ra.Within(rb) != (len(delta.Removed) == 0) || ra.Equal(rb) != delta.Empty() {
			t.Fatalf("seed %d: relations and Compare differ", seed)
		}
		union, common := ra.Union(rb), ra.Intersect(rb)
		if !ra.Within(union) || !rb.Within(union) || !common.Within(ra) || !common.Within(rb) ||
			!ra.Minus(rb).Union(common).Equal(ra) || !ra.Minus(rb).Intersect(rb).Empty() {
			t.Fatalf("seed %d: not an algebra of sets", seed)
		}
		cells := rb.Minus(ra).Cells()
		connections(d, s, func(c Connection) {
			q := a.query(&c)
			if q.always {
				return
			}
			in := false
			for i := range cells {
				in = in || holdsConnection(s, &cells[i], &c)
			}
			if want := !both(a.Allowed(c)) && both(b.Allowed(c)); in != want {
				t.Fatalf("seed %d: %+v in the difference: %v, want %v", seed, c, in, want)
			}
		})
	}
}
