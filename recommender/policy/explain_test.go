// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// applied makes the changes to the policies that they name: a rule is put in,
// or the rule that is named goes. ok is false where a policy is to be added.
func applied(t *testing.T, s *cluster.Snapshot, changes []Change) (next *cluster.Snapshot, ok bool) {
	t.Helper()
	out := *s
	out.Policies = slices.Clone(s.Policies)
	changes = slices.Clone(changes)
	slices.SortStableFunc(changes, func(a, b Change) int { return b.At - a.At }) // from the end, so that numbers stay right
	done := map[string]bool{}
	for _, c := range changes {
		i := slices.IndexFunc(out.Policies, func(o cluster.Object) bool { return o.Ref == c.Policy })
		if i < 0 {
			return nil, false
		}
		if key := c.Policy.String() + lower(c.Direction) + string(rune('0'+c.At)); c.Rule == "" && done[key] {
			continue // another atom of a rule that is gone
		} else {
			done[key] = true
		}
		out.Policies[i].Typed = edit(t, out.Policies[i].Typed, c)
	}
	return &out, true
}

func edit(t *testing.T, o runtime.Object, c Change) runtime.Object {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err = json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	spec, _ := m["spec"].(map[string]any)
	list, _ := spec[lower(c.Direction)].([]any)
	if c.Rule == "" {
		list = slices.Delete(slices.Clone(list), c.At, c.At+1)
	} else {
		var rule any
		if err = yaml.Unmarshal([]byte(c.Rule), &rule); err != nil {
			t.Fatalf("%v in %s", err, c.Rule)
		}
		list = slices.Insert(slices.Clone(list), c.At, rule)
	}
	// Without rules a list says nothing of the direction any more: say it.
	if kind := reflect.TypeOf(o).String(); kind == "*v1.NetworkPolicy" && len(list) == 0 {
		spec["policyTypes"] = addType(spec["policyTypes"], c.Direction)
	} else if strings.HasPrefix(kind, "*v3.") && spec["types"] == nil {
		spec["types"] = []any{"Ingress", "Egress"}
		if spec["egress"] == nil {
			spec["types"] = []any{"Ingress"}
		} else if spec["ingress"] == nil {
			spec["types"] = []any{"Egress"}
		}
	}
	spec[lower(c.Direction)] = list
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	next, _ := reflect.TypeAssert[runtime.Object](reflect.New(reflect.TypeOf(o).Elem()))
	if err = yaml.UnmarshalStrict(text, next); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return next
}

func addType(types any, d Direction) any {
	list, _ := types.([]any)
	if len(list) == 0 {
		list = []any{"Ingress", d.String()}
	}
	return list
}

// What a trail says would have to change does change the verdict.
func TestChangesFlipTheVerdict(t *testing.T) {
	rounds := uint64(40)
	if testing.Short() {
		rounds = 10
	}
	for _, c := range []struct {
		name string
		make func(seed uint64) (*policytest.Dice, *cluster.Snapshot)
	}{
		{"Kubernetes and Calico", func(seed uint64) (*policytest.Dice, *cluster.Snapshot) {
			d := policytest.New(seed)
			s := d.Cluster()
			s.Policies = d.Policies(4, 4)
			return d, s
		}},
		{"cluster-wide v1alpha1", policytest.Admin},
		{"cluster-wide v1alpha2", policytest.ClusterWide},
	} {
		t.Run(c.name, func(t *testing.T) { flips(t, rounds, c.make) })
	}
}

func flips(t *testing.T, rounds uint64, made func(uint64) (*policytest.Dice, *cluster.Snapshot)) {
	t.Helper()
	tried, flipped := [2]int{}, [2]int{}
	for seed := range rounds {
		d, s := made(seed)
		e := compileClean(t, s, Options{})
		n := 0
		connections(d, s, func(c Connection) {
			if n++; n%29 != 0 {
				return
			}
			trail := e.Explain(c)
			if want := e.Check(c); trail.Verdict.Allowed != want.Allowed || trail.Egress.Allowed != want.Egress.Allowed {
				t.Fatalf("seed %d: the trail says %v, the verdict %v", seed, trail.Verdict.Allowed, want.Allowed)
			}
			if len(trail.Changes) == 0 {
				return
			}
			next, ok := applied(t, s, trail.Changes)
			if !ok {
				return
			}
			kind := map[bool]int{true: 1}[trail.Verdict.Allowed]
			tried[kind]++
			after, problems := Compile(next, Options{})
			if len(problems) > 0 {
				t.Fatalf("seed %d: %+v: %v", seed, trail.Changes, problems)
			}
			if v := after.Check(c); v.Allowed == trail.Verdict.Allowed {
				t.Fatalf("seed %d: %+v: still %v after %+v\nbefore %s\nafter %s", seed, c, v.Allowed, trail.Changes, whyText(trail.Verdict), whyText(v))
			}
			flipped[kind]++
		})
	}
	if tried[0] < 20 || tried[1] < 5 {
		t.Errorf("tried %v only", tried)
	}
}

// Cluster-wide policies have no words for an address outside or a node as a
// source: what denies one has to go.
func TestChangesWithoutWords(t *testing.T) {
	closed := "  ingress: [{action: Deny, from: [{}]}, {action: Deny, from: [{}]}]\n"
	for _, c := range []struct{ name, manifests, connection, want string }{
		{"v1alpha1, outside", anpHead + "  priority: 1\n" + shopPods + closed, "2001:db8::1 -> shop/api TCP 80", "AdminNetworkPolicy a"},
		{"v1alpha1, a node", anpHead + "  priority: 1\n" + shopPods + closed, "192.168.0.2 -> shop/db@4 TCP 80", "AdminNetworkPolicy a"},
		{"v1alpha2, outside", cnpV2 + "  tier: Admin\n  priority: 1\n" + shopPods + closed, "203.0.113.1 -> shop/api TCP 80", "ClusterNetworkPolicy"},
		{"Baseline", banpHead + everyPod + closed, "2001:db8::1 -> shop/api TCP 80", "BaselineAdminNetworkPolicy default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shop()
			s.Policies = objectsOf(t, c.manifests)
			e, _ := Compile(s, Options{}) // the peers are not understood, which fails closed
			q := connectionOf(t, s, c.connection)
			trail := e.Explain(q)
			if trail.Verdict.Ingress.Allowed || len(trail.Changes) != 2 {
				t.Fatalf("ingress %v, changes %+v", trail.Verdict.Ingress.Allowed, trail.Changes)
			}
			for i, x := range trail.Changes {
				want := "take out ingress rule " + string(rune('1'+i)) + " of " + c.want
				if x.Rule != "" || !strings.HasPrefix(x.Text, want) || !strings.Contains(x.Text, "no rule of it can allow") {
					t.Errorf("got %+v, want %q", x, want)
				}
			}
			next, _ := applied(t, s, trail.Changes)
			after, problems := Compile(next, Options{})
			if v := after.Check(q); !v.Allowed || len(problems) > 0 {
				t.Errorf("still denied: %v: %s", problems, whyText(v))
			}
		})
	}
}

// The trail says of every rule whether it was asked and why it did or did not
// match, and the edit in words.
func TestTrail(t *testing.T) {
	for _, c := range []struct {
		name, manifests, connection string
		want                        []string
		changes                     []string
	}{
		{"a port that is missing", npHead + "  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 81}, {port: 90, endPort: 99}]}]\n", "shop/api@4 -> shop/db@4 TCP 80", []string{
			"default/true: nothing matched, so its default denies",
			"NetworkPolicy shop/p rule 0 Allow asked matched=false: pod shop/api is among those named, TCP 80 is not: it says pods app=api in namespace shop on TCP 81, TCP 90-99",
		}, []string{"add to ingress of NetworkPolicy shop/p: from podSelector app=api, port TCP 80"}},
		{"a peer that is missing, of another namespace", npHead + "  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}]}]\n", "pay/web@6 -> shop/db@6 TCP 80", []string{
			"default/true: nothing matched, so its default denies",
			"NetworkPolicy shop/p rule 0 Allow asked matched=false: TCP 80 matches, pod pay/web is not among those named: pods app=api in namespace shop",
		}, []string{"add to ingress of NetworkPolicy shop/p: from namespaceSelector kubernetes.io/metadata.name=pay with podSelector app=web, port TCP 80"}},
		{"outside", npHead + "  podSelector: {matchLabels: {app: db}}\n", "2001:db8::1 -> shop/db@6 SCTP 80", []string{
			"default/true: nothing matched, so its default denies",
		}, []string{"add to ingress of NetworkPolicy shop/p: from ipBlock 2001:db8::1/128, port SCTP 80"}},
		{"a rule that denies, and what comes after is not asked", cnpHead + "  selector: app == 'db'\n  ingress: [{action: Log}, {action: Deny, protocol: TCP}, {action: Allow}]\n", "shop/api@4 -> shop/db@4 TCP 80", []string{
			"default/true: rule 2 of NetworkPolicy shop/p denies",
			"NetworkPolicy shop/p rule 0 Log asked matched=true: anyone on any port matches",
			"NetworkPolicy shop/p rule 1 Deny asked matched=true: anyone on TCP any port matches",
			"NetworkPolicy shop/p rule 2 Allow not asked matched=true: anyone on any port matches",
		}, []string{"add to ingress of NetworkPolicy shop/p, before rule 2: from podSelector app=api, port TCP 80"}},
		{"an earlier tier decides", strings.Replace(gnpHead, "spec:\n", "spec:\n  tier: early\n", 1) + "  selector: app == 'db'\n  ingress: [{action: Allow}]\n---\n" + npHead + "  podSelector: {}\n", "shop/api@4 -> shop/db@4 TCP 80", []string{
			"early/true: rule 1 of GlobalNetworkPolicy g allows",
			"GlobalNetworkPolicy g rule 0 Allow asked matched=true: anyone on any port matches",
			"default/false: not asked, an earlier tier decided",
		}, []string{"take out GlobalNetworkPolicy g ingress rule 1, anyone, any port"}},
		{"nothing applies", npHead + "  podSelector: {matchLabels: {app: db}}\n", "pay/web@4 -> shop/api@4 TCP 80", nil, []string{"add a policy that selects pod shop/api for ingress and does not allow it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := calicoShop(t, c.manifests)
			trail := compileClean(t, s, Options{}).Explain(connectionOf(t, s, c.connection))
			var got, changes []string
			for _, tier := range trail.Ingress.Tiers {
				got = append(got, tier.Name+"/"+map[bool]string{true: "true", false: "false"}[tier.Reached]+": "+tier.Text)
				for _, p := range tier.Policies {
					for _, r := range p.Rules {
						got = append(got, p.Policy.String()+" rule "+string(rune('0'+r.Rule))+" "+[]string{"Allow", "Deny", "Pass", "Log"}[r.Action]+
							map[bool]string{true: " asked", false: " not asked"}[r.Asked]+" matched="+map[bool]string{true: "true", false: "false"}[r.Matched]+": "+r.Why)
					}
				}
			}
			for _, x := range trail.Changes {
				changes = append(changes, x.Text)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
			}
			if !slices.Equal(changes, c.changes) {
				t.Errorf("changes %q, want %q", changes, c.changes)
			}
		})
	}
}
