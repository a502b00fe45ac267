// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

const tierHead = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: sec}\nspec: {order: 100}\n---\n"

func named(head, name string) string {
	old := head[strings.Index(head, "{name: ")+len("{name: "):]
	old = old[:strings.IndexAny(old, ",}")]
	return strings.Replace(head, "{name: "+old, "{name: "+name, 1)
}

// Each row's wanted shadows are "policy direction rule < by, by".
func TestShadowed(t *testing.T) {
	deny80 := "{action: Deny, " + fromAll + ", ports: [{portNumber: {protocol: TCP, port: 80}}]}"
	for _, c := range []struct {
		name, manifests string
		want            []string
	}{
		{"NetworkPolicies have no order", npHead + "  podSelector: {}\n  ingress: [{}, {ports: [{port: 80}]}]\n---\n" + named(npHead, "q") + "  podSelector: {}\n  ingress: [{}]", nil},
		{"an admin policy decides all of a NetworkPolicy's rule", anpHead + "  priority: 1\n" + everyPod + "  ingress: [" + deny80 + "]\n---\n" +
			npHead + "  podSelector: {}\n  ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}]}, {from: [{namespaceSelector: {}}], ports: [{port: 81}]}]", []string{"p Ingress 0 < a/0"}},
		{"outside addresses are left, so it decides not all", anpHead + "  priority: 1\n" + everyPod + "  ingress: [" + deny80 + "]\n---\n" + npHead + "  podSelector: {}\n  ingress: [{ports: [{port: 80}]}]", nil},
		{"what two rules decide together", anpHead + "  priority: 1\n" + everyPod + "  ingress: [{action: Deny, from: [{namespaces: {matchLabels: {team: pay}}}]}, {action: Allow, from: [{namespaces: {matchLabels: {team: shop}}}]}, {action: Deny, from: [{namespaces: {matchExpressions: [{key: team, operator: In, values: [pay, shop]}]}}]}]", []string{"a Ingress 2 < a/0, a/1"}},
		{"a lower priority is not asked", anpHead + "  priority: 9\n" + everyPod + "  ingress: [" + deny80 + "]\n---\n" + named(anpHead, "b") + "  priority: 3\n" + everyPod + "  ingress: [{action: Allow, " + fromAll + "}]", []string{"a Ingress 0 < b/0"}},
		{"only at some pods is not shadowed", anpHead + "  priority: 9\n" + everyPod + "  ingress: [" + deny80 + "]\n---\n" + named(anpHead, "b") + "  priority: 3\n" + shopPods + "  ingress: [{action: Allow, " + fromAll + "}]", nil},
		{
			"baseline behind a default deny", banpHead + "  subject: {namespaces: {matchLabels: {team: shop}}}\n  ingress: [{action: Deny, " + fromAll + "}]\n---\n" + npHead + "  podSelector: {}\n  ingress: [{ports: [{port: 80}]}]\n---\n" + named(npHead, "q") + "  podSelector: {}\n  ingress: [{ports: [{port: 81}]}]",
			[]string{"default Ingress 0 < p/0, q/0 and tier default"},
		},
		{"pass leaves it to the next tier", anpHead + "  priority: 1\n" + everyPod + "  ingress: [{action: Pass, " + fromAll + "}, " + deny80 + "]\n---\n" + npHead + "  podSelector: {}\n  ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}]}]", []string{"a Ingress 1 < a/0"}},
		{"Calico's order", gnpHead + "  order: 10\n  types: [Ingress]\n  ingress: [{action: Deny, protocol: TCP}]\n---\n" + cnpHead + "  order: 20\n  types: [Ingress]\n  ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}, {action: Allow, protocol: UDP}]", []string{"p Ingress 0 < g/0"}},
		{"Calico's tiers", tierHead + named(gnpHead, "sec.g") + "  tier: sec\n  types: [Egress]\n  egress: [{action: Allow}]\n---\n" + gnpHead + "  types: [Egress]\n  egress: [{action: Deny, destination: {nets: [10.0.0.0/8, '2001:db8::/32']}}]", []string{"g Egress 0 < sec.g/0"}},
		{"a Calico policy before a NetworkPolicy", gnpHead + "  order: 10\n  types: [Ingress]\n  ingress: [{action: Allow}]\n---\n" + npHead + "  podSelector: {}\n  ingress: [{from: [{podSelector: {}}]}]", []string{"p Ingress 0 < g/0"}},
		{"named ports", gnpHead + "  order: 10\n  types: [Ingress]\n  ingress: [{action: Deny, protocol: TCP, destination: {ports: [pg]}}]\n---\n" + cnpHead + "  selector: app == 'db'\n  order: 20\n  types: [Ingress]\n  ingress: [{action: Allow, protocol: TCP, destination: {ports: [5432]}}, {action: Allow, protocol: TCP, destination: {ports: [5433]}}]", []string{"p Ingress 0 < g/0"}},
		{"matches nobody", gnpHead + "  order: 10\n  types: [Ingress]\n  ingress: [{action: Deny}, {action: Allow, source: {selector: app == 'nobody'}}]", nil},
		{"one family", gnpHead + "  order: 10\n  types: [Ingress]\n  ingress: [{action: Deny, ipVersion: 4}, {action: Allow, ipVersion: 4, protocol: TCP}, {action: Allow, protocol: TCP}]", []string{"g Ingress 1 < g/0"}},
	} {
		s := shop()
		s.Policies = objectsOf(t, c.manifests)
		var got []string
		for _, x := range compileClean(t, s, Options{}).Shadowed() {
			var by []string
			for _, b := range x.By {
				by = append(by, fmt.Sprintf("%s/%d", b.Policy.Name, b.Rule))
			}
			text := fmt.Sprintf("%s %s %d < %s", x.Policy.Name, x.Direction, x.Rule, strings.Join(by, ", "))
			if len(x.Tiers) > 0 {
				text += " and tier " + strings.Join(x.Tiers, ", ")
			}
			if x.Line == 0 {
				text += " without line"
			}
			got = append(got, text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTies(t *testing.T) {
	rule := func(action, more string) string {
		return "  ingress: [{action: " + action + ", " + fromAll + more + "}]\n"
	}
	port80 := ", ports: [{portNumber: {protocol: TCP, port: 80}}]"
	for _, c := range []struct {
		name, manifests string
		want            []string
	}{
		{"equal priority, different words", anpHead + "  priority: 7\n" + shopPods + rule("Allow", port80) + "---\n" + named(anpHead, "b") + "  priority: 7\n" + everyPod + rule("Deny", ""), []string{"a b Ingress 7 undefined: TCP 80"}},
		{"equal priority, the same words", anpHead + "  priority: 7\n" + shopPods + rule("Deny", port80) + "---\n" + named(anpHead, "b") + "  priority: 7\n" + everyPod + rule("Deny", ""), nil},
		{"other pods", anpHead + "  priority: 7\n" + shopPods + rule("Allow", "") + "---\n" + named(anpHead, "b") + "  priority: 7\n  subject: {namespaces: {matchLabels: {team: pay}}}\n" + rule("Deny", ""), nil},
		{"decided before both", named(anpHead, "z") + "  priority: 1\n" + everyPod + rule("Deny", port80) + "---\n" + anpHead + "  priority: 7\n" + shopPods + rule("Allow", port80) + "---\n" + named(anpHead, "b") + "  priority: 7\n" + everyPod + rule("Deny", ""), nil},
		{"Calico orders by name", gnpHead + "  types: [Ingress]\n  ingress: [{action: Allow, protocol: UDP}]\n---\n" + named(gnpHead, "h") + "  types: [Ingress]\n  ingress: [{action: Deny, protocol: UDP, destination: {ports: [53]}}]", []string{"g h Ingress none by name: UDP 53"}},
		{"Calico's deny before a NetworkPolicy's allow", gnpHead + "  order: 1000\n  types: [Ingress]\n  ingress: [{action: Deny, protocol: TCP, destination: {ports: [80]}}]\n---\n" + npHead + "  podSelector: {}\n  ingress: [{ports: [{port: 80}, {port: 81}]}]", []string{"g p Ingress 1000 by name: TCP 80"}},
	} {
		s := shop()
		s.Policies = objectsOf(t, c.manifests)
		var got []string
		for _, x := range compileClean(t, s, Options{}).Ties() {
			how := "undefined"
			if x.Defined {
				how = "by name"
			}
			var ports []string
			for _, cell := range x.Cells {
				_, on, _ := strings.Cut(cell.Text, " on ")
				ports = append(ports, on)
			}
			slices.Sort(ports)
			got = append(got, fmt.Sprintf("%s %s %s %s %s: %s", x.Policies[0].Name, x.Policies[1].Name, x.Direction, x.Order, how, strings.Join(slices.Compact(ports), ", ")))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestShadowedMeansRemovable: random ordered policies; a shadowed rule can go
// and nothing changes, and of the others each is asked by some connection.
func TestShadowedMeansRemovable(t *testing.T) {
	shadows := 0
	for seed := range uint64(60) {
		dice := rand.New(rand.NewPCG(seed, 7))
		s := shop()
		s.Policies = objectsOf(t, randomOrdered(dice))
		before := compileClean(t, s, Options{})
		for _, x := range before.Shadowed() {
			shadows++
			next := *s
			next.Policies = slices.Clone(s.Policies)
			i := slices.IndexFunc(next.Policies, func(o cluster.Object) bool { return o.Ref == x.Policy })
			next.Policies[i] = withoutRule(t, next.Policies[i], x.Rule)
			after := compileClean(t, &next, Options{})
			if d := Compare(before, after); !d.Empty() {
				t.Errorf("seed %d: without %s rule %d the result changes: %v %v\n%s", seed, x.Policy, x.Rule, d.Added, d.Removed, randomOrdered(rand.New(rand.NewPCG(seed, 7))))
			}
		}
	}
	if shadows < 20 {
		t.Errorf("only %d shadowed rules came up; the dice are wrong", shadows)
	}
}

// randomOrdered makes a few Calico policies for ingress with one rule a line.
func randomOrdered(dice *rand.Rand) string {
	pick := func(of ...string) string { return of[dice.IntN(len(of))] }
	var docs []string
	for i := range 2 + dice.IntN(3) {
		text := named(gnpHead, fmt.Sprintf("g%d", i)) + fmt.Sprintf("  order: %d\n", dice.IntN(3)) + "  selector: " + pick("all()", "app == 'api'", "app in {'api', 'db'}") + "\n  types: [Ingress]\n  ingress:\n"
		for range 1 + dice.IntN(3) {
			text += "  - {action: " + pick("Allow", "Deny", "Pass") + pick("", ", ipVersion: 4") + pick("", ", protocol: TCP", ", protocol: TCP, destination: {ports: [80, '90:99']}", ", protocol: TCP, destination: {ports: [80]}") +
				pick("", "", ", source: {selector: app == 'web'}", ", source: {nets: [10.0.0.0/8]}") + "}\n"
		}
		docs = append(docs, text)
	}
	return strings.Join(docs, "---\n")
}

func withoutRule(t *testing.T, o cluster.Object, rule int) cluster.Object {
	t.Helper()
	var lines []string
	n := 0
	for line := range strings.Lines(string(o.Source.YAML)) {
		if strings.HasPrefix(line, "  - {") {
			if n++; n-1 == rule {
				continue
			}
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, "")
	if n == 1 {
		text = strings.Replace(text, "  ingress:\n", "  ingress: []\n", 1)
	}
	return objectOf(t, text)
}

func TestUnread(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, named(cnpHead, "bad")+"  selector: app ==\n")
	e, problems := Compile(s, Options{})
	got := e.Unread()
	if len(problems) != 1 || len(got) != 1 || got[0].Ref.Name != "bad" || len(got[0].Pods) == 0 {
		t.Fatalf("problems %v, unread %+v", problems, got)
	}
	for _, i := range got[0].Pods {
		if s.Pods[i].Namespace != "shop" {
			t.Errorf("it cannot apply to %s/%s", s.Pods[i].Namespace, s.Pods[i].Name)
		}
	}
	if v := e.Check(Connection{From: Peer{Pod: &s.Pods[got[0].Pods[0]]}, To: Peer{Pod: &s.Pods[0]}, Protocol: flow.TCP, Port: 1}); len(v.Uncertain) == 0 {
		t.Error("the verdict there is not uncertain")
	}
}
