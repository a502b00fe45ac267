// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"slices"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

const adminDeny = `apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: guard}
spec:
  priority: 5
  subject: {namespaces: {}}
  ingress:
    - {action: Deny, from: [{namespaces: {}}], ports: [{portNumber: {protocol: TCP, port: 80}}]}
---
`

func TestShadowedIsAFinding(t *testing.T) {
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("b", "z", "10.0.0.3"), adminDeny,
		networkPolicy("b", "{}", "[{from: [{namespaceSelector: {}}], ports: [{port: 80}]}, {from: [{namespaceSelector: {}}], ports: [{port: 81}]}]"))
	r := analyse(t, Input{Snapshot: s, Records: []flow.Record{record(hour(0), pod("a", "x"), pod("b", "z"), 81, 5)}})
	want := []string{"Ingress rule 1 of NetworkPolicy b/p is never asked"}
	if got := findings(r, FindingShadowed); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for _, f := range r.Findings {
		if f.Kind != FindingShadowed {
			continue
		}
		// Readiness of traffic has no say: it follows from the policies.
		if !f.Ready || f.File != "test.yaml" || f.Line == 0 || !slices.Equal(f.Workloads, []string{"b/z"}) ||
			!strings.Contains(f.Evidence[0], "by ingress rule 1 of AdminNetworkPolicy guard") {
			t.Errorf("%+v", f)
		}
	}
}

func TestAmbiguousOrderIsAFinding(t *testing.T) {
	allow := strings.NewReplacer("guard", "guest", "Deny", "Allow").Replace(adminDeny)
	s := load(t, deployment("a", "x", "10.0.0.1"), deployment("b", "z", "fd00::3", "10.0.0.3"), adminDeny, allow)
	r := analyse(t, Input{Snapshot: s})
	want := []string{"AdminNetworkPolicy guard and AdminNetworkPolicy guest have the same order, 5, and say different things"}
	if got := findings(r, FindingAmbiguous); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatIsNotUnderstoodWithholds(t *testing.T) {
	text := deployment("a", "x", "10.0.0.1") + deployment("b", "z", "10.0.0.3") + deployment("c", "w", "10.0.0.4") +
		networkPolicy("b", "{}", "[{ports: [{port: 80}]}, {ports: [{port: 81}]}]") +
		strings.Replace(networkPolicy("c", "{}", "[{ports: [{port: 81}]}, {ports: [{port: 80}]}]"), "name: p", "name: ok", 1) +
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: odd, namespace: b}\nspec: {podSelector: {}, ingres: []}\n"
	s := manifest.LoadText("test.yaml", []byte(text), manifest.Options{})
	engine, _ := policy.Compile(s, policy.Options{})
	var records []flow.Record
	for h := range 30 {
		records = append(records, record(hour(h), pod("a", "x"), pod("b", "z"), 80, 5), record(hour(h), pod("a", "x"), pod("c", "w"), 80, 5))
	}
	r, err := Analyze(Input{Snapshot: s, Engine: engine, Records: records})
	if err != nil {
		t.Fatal(err)
	}
	if got := findings(r, FindingNotUnderstood); !slices.Equal(got, []string{"NetworkPolicy b/odd is not understood: nothing is said about it"}) {
		t.Errorf("got %q", got)
	}
	for _, f := range r.Findings {
		if f.Kind != FindingUnused {
			continue
		}
		switch f.Namespace {
		case "b":
			if f.Ready || !strings.Contains(strings.Join(f.Reservations, " "), "NetworkPolicy b/odd") {
				t.Errorf("said to be ready beside a policy that is not understood: %+v", f)
			}
		case "c":
			if !f.Ready {
				t.Errorf("held back for a policy of another namespace: %v", f.Reservations)
			}
		}
	}
}

func TestEmptyWindows(t *testing.T) {
	s := load(t, deployment("b", "z", "10.0.0.3"), networkPolicy("b", "{}", "[{ports: [{port: 80}]}]"))
	one := []flow.Record{record(hour(0), pod("b", "z"), outside("2001:db8::1", ""), 80, 5)}
	for _, c := range []struct {
		name   string
		in     Input
		want   string
		unused int
	}{
		{"nothing recorded", Input{}, "No flow was recorded in this window: nothing can be said", 0},
		{"nobody watched", Input{Coverage: []NodeCoverage{{Node: "n1"}, {Node: "n2"}}}, "and no agent watched", 0},
		{"one node unwatched", Input{Records: one, Coverage: []NodeCoverage{{Node: "n1", Share: 1}, {Node: "n2"}}}, "nobody watched n2;", 1},
		{"a part of the time", Input{Records: one, Coverage: []NodeCoverage{{Node: "n1", Share: 0.25}}}, "for a part of this window only: n1 (25 %)", 1},
	} {
		c.in.Snapshot = s
		r := analyse(t, c.in)
		if got := len(findings(r, FindingUnused)); got != c.unused || !strings.Contains(strings.Join(r.Notes, " "), c.want) {
			t.Errorf("%s: %d unused, notes %q", c.name, got, r.Notes)
		}
		if state := r.Usage[0].State; (state == UseUnknown) != (c.unused == 0) || r.Totals[0].State != state {
			t.Errorf("%s: usage is %s, total %s", c.name, state, r.Totals[0].State)
		}
	}
}
