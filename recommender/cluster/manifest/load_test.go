// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
)

// problems prints what a text's problems are: line, field, message.
func problems(s *cluster.Snapshot) []string {
	var list []string
	for _, p := range s.Problems {
		list = append(list, fmt.Sprintf("%d %s: %s", p.Line, p.Field, p.Message))
	}
	return list
}

func policies(s *cluster.Snapshot) string {
	var names []string
	for _, p := range s.Policies {
		names = append(names, p.Ref.String())
	}
	return strings.Join(names, ", ")
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const policyHead = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\n"

// Each bad text gives one problem, at its line, with its field.
func TestProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown field", policyHead + "spec:\n  podSelektor: {}\n", `5 spec.podSelektor: unknown field; meant "podSelector"?; NetworkPolicy x/p is left out`},
		{"unknown deep field", policyHead + "spec:\n  ingress:\n  - form:\n    - podSelector: {}\n", `6 spec.ingress[0].form: unknown field; meant "from"?; NetworkPolicy x/p is left out`},
		{"wrong case", policyHead + "spec: {podselector: {}}\n", `4 spec.podselector: unknown field; meant "podSelector"?; NetworkPolicy x/p is left out`},
		{"number for text", policyHead + "spec:\n  podSelector:\n    matchLabels:\n      tier: 1\n", `7 spec.podSelector.matchLabels.tier: want text, got the number 1; put it in quotes; NetworkPolicy x/p is left out`},
		{"truth for text", policyHead + "spec:\n  podSelector:\n    matchLabels: {on: yes}\n", `6 spec.podSelector.matchLabels.on: want text, got the truth value yes; put it in quotes; NetworkPolicy x/p is left out`},
		{"text for number", policyHead + "spec:\n  ingress:\n  - ports:\n    - port: 80\n      endPort: \"90\"\n", `8 spec.ingress[0].ports[0].endPort: want a whole number, got text "90"; NetworkPolicy x/p is left out`},
		{"fields for list", policyHead + "spec:\n  ingress:\n    from: []\n", `6 spec.ingress: want a list (- item), got fields; NetworkPolicy x/p is left out`},
		{"list for fields", policyHead + "spec:\n- podSelector: {}\n", `5 spec: want fields (name: value), got a list; NetworkPolicy x/p is left out`},
		{"field twice", policyHead + "spec:\n  podSelector: {}\n  podSelector: {}\n", `6 spec.podSelector: the field is given twice; keep one; NetworkPolicy x/p is left out`},
		{"IPv4 CIDR", policyHead + "spec:\n  egress:\n  - to:\n    - ipBlock:\n        cidr: 10.0.0.0/33\n", `8 spec.egress[0].to[0].ipBlock.cidr: "10.0.0.0/33" is not a CIDR; write an address and a length, such as 10.0.0.0/8 or 2001:db8::/32; NetworkPolicy x/p is left out`},
		{"IPv6 CIDR", policyHead + "spec:\n  egress:\n  - to:\n    - ipBlock:\n        cidr: 2001:db8::/129\n", `8 spec.egress[0].to[0].ipBlock.cidr: "2001:db8::/129" is not a CIDR; write an address and a length, such as 10.0.0.0/8 or 2001:db8::/32; NetworkPolicy x/p is left out`},
		{"except outside IPv4", policyHead + "spec:\n  egress:\n  - to:\n    - ipBlock:\n        cidr: 10.0.0.0/8\n        except: [11.0.0.0/16]\n", `9 spec.egress[0].to[0].ipBlock.except[0]: 11.0.0.0/16 is not a part of 10.0.0.0/8; an except must lie within its cidr; NetworkPolicy x/p is left out`},
		{"except outside IPv6", policyHead + "spec:\n  egress:\n  - to:\n    - ipBlock:\n        cidr: fd00::/8\n        except: [2001:db8::/64]\n", `9 spec.egress[0].to[0].ipBlock.except[0]: 2001:db8::/64 is not a part of fd00::/8; an except must lie within its cidr; NetworkPolicy x/p is left out`},
		{"peer of two kinds", policyHead + "spec:\n  ingress:\n  - from:\n    - podSelector: {}\n      ipBlock: {cidr: 10.0.0.0/8}\n", `7 spec.ingress[0].from[0]: an item has ipBlock and a selector; make two items of it; NetworkPolicy x/p is left out`},
		{"empty peer", policyHead + "spec:\n  ingress:\n  - from:\n    - {}\n", `7 spec.ingress[0].from[0]: an item is empty: want podSelector, namespaceSelector or ipBlock; for anyone, leave from out; NetworkPolicy x/p is left out`},
		{"port range", policyHead + "spec:\n  ingress:\n  - ports: [{port: 90, endPort: 80}]\n", `6 spec.ingress[0].ports[0].endPort: endPort 80 is below port 90; NetworkPolicy x/p is left out`},
		{"port number", policyHead + "spec:\n  ingress:\n  - ports: [{port: 70000}]\n", `6 spec.ingress[0].ports[0].port: port 70000: want 1 to 65535; NetworkPolicy x/p is left out`},
		{"protocol", policyHead + "spec:\n  ingress:\n  - ports: [{protocol: tcp, port: 80}]\n", `6 spec.ingress[0].ports[0].protocol: protocol "tcp": want TCP, UDP or SCTP; NetworkPolicy x/p is left out`},
		{"policy type", policyHead + "spec: {policyTypes: [Outgress]}\n", `4 spec.policyTypes[0]: policy type "Outgress": want Ingress or Egress; NetworkPolicy x/p is left out`},
		{"operator", policyHead + "spec:\n  podSelector:\n    matchExpressions:\n    - {key: a, operator: Is, values: [b]}\n", `7 spec.podSelector.matchExpressions[0].operator: operator "Is": want In, NotIn, Exists or DoesNotExist; NetworkPolicy x/p is left out`},
		{"no apiVersion", "kind: NetworkPolicy\nmetadata: {name: p, namespace: x}\n", `1 apiVersion: NetworkPolicy x/p has no apiVersion; add it`},
		{"no kind", "# a comment\napiVersion: v1\nmetadata: {name: p}\n", `2 kind: the object has no kind; add it`},
		{"neither", "a: 1\n", `1 apiVersion: is not a Kubernetes object: it has no apiVersion and no kind; add them, or do not pass the file`},
		{"no name", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  namespace: x\n", `3 metadata.name: the object has no name; add one; NetworkPolicy x/ is left out`},
		{"no namespace", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n", `3 metadata.namespace: the object has no namespace; add it, or say which one is meant (--default-namespace); NetworkPolicy p is left out`},
		{"unknown kind", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolcy\nmetadata: {name: p, namespace: x}\n", `2 kind: unknown kind NetworkPolcy in apiVersion networking.k8s.io/v1; correct its name, or take it out; NetworkPolcy x/p is left out`},
		{"old version", "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\n", `2 kind: NetworkPolicy of apiVersion extensions/v1beta1 is not understood; write it as networking.k8s.io/v1 or projectcalico.org/v3; NetworkPolicy x/p is left out`},
		{"old Deployment", "apiVersion: apps/v1beta2\nkind: Deployment\nmetadata: {name: p, namespace: x}\n", `2 kind: Deployment of apiVersion apps/v1beta2 is not understood; write it as apps/v1; Deployment x/p is left out`},
		{"Cilium", "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p, namespace: x}\n", `2 kind: policies of kind CiliumNetworkPolicy (cilium.io/v2) are not evaluated; verdicts for what it selects may be wrong; CiliumNetworkPolicy x/p is left out`},
		{"Calico action", "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: g}\nspec:\n  ingress:\n  - action: Permit\n", `6 spec.ingress[0].action: action "Permit": want Allow, Deny, Log or Pass; GlobalNetworkPolicy g is left out`},
		{"Calico ports without protocol", "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: g}\nspec:\n  ingress:\n  - action: Allow\n    destination:\n      ports: [80]\n", `8 spec.ingress[0].destination.ports: ports need a protocol that has them; add protocol: TCP, UDP or SCTP to the rule; GlobalNetworkPolicy g is left out`},
		{"Calico net", "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: g}\nspec:\n  nets:\n  - 10.0.0.0/8\n  - example.com\n", `7 spec.nets[1]: "example.com" is not a CIDR; write an address and a length, such as 10.0.0.0/8 or 2001:db8::/32; GlobalNetworkSet g is left out`},
		{"Calico port type", "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: g, namespace: x}\nspec:\n  ingress:\n  - action: Allow\n    protocol: TCP\n    destination:\n      ports: [\"90:80\"]\n", `9 spec.ingress[0].destination.ports[0]: want a port from 0 to 65535, a range from low to high such as 6000:6100, or a port's name, got text "90:80"; NetworkPolicy x/g is left out`},
		{"admin priority", "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: a}\nspec:\n  priority: 2000\n  subject: {namespaces: {}}\n", `5 spec.priority: priority 2000: want 0 to 1000; AdminNetworkPolicy a is left out`},
		{"cluster tier", "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: a}\nspec:\n  tier: Middle\n  priority: 1\n  subject: {namespaces: {}}\n", `5 spec.tier: tier "Middle": want Admin or Baseline; ClusterNetworkPolicy a is left out`},
		{"not YAML", "a: [1\nb: 2\n", `2 : does not parse as YAML: did not find expected ',' or ']'; correct it (the other documents are used)`},
		{"a scalar", "just words\n", `1 : is not a Kubernetes object: want fields (apiVersion, kind, metadata…), got text "just words"; take the document out, or do not pass the file`},
		{"alias ring", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x, annotations: &a {b: *a}}\n", `3 metadata.annotations.b: want text, got fields; NetworkPolicy x/p is left out`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := manifest.LoadText("f.yaml", []byte(tt.text), manifest.Options{})
			if diff := cmp.Diff([]string{tt.want}, problems(s)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if len(s.Policies) != 0 {
				t.Errorf("kept %s, want nothing", policies(s))
			}
		})
	}
}

// What changes no verdict is passed over without a word.
func TestSkipped(t *testing.T) {
	text := `apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
---
apiVersion: cert-manager.io/v1
kind: Certificate
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
---
apiVersion: projectcalico.org/v3
kind: IPPool
---
apiVersion: networking.k8s.io/v1
kind: Ingress
---
# nothing but words
---
null
`
	if got := problems(manifest.LoadText("f.yaml", []byte(text), manifest.Options{})); got != nil {
		t.Errorf("problems %q, want none", got)
	}
}

// Kustomization files, which may leave out what they are, are no manifests.
func TestKustomization(t *testing.T) {
	const text = "resources: [a.yaml]\n"
	if got := problems(manifest.LoadText("dir/kustomization.yaml", []byte(text), manifest.Options{})); got != nil {
		t.Errorf("kustomization.yaml: problems %q, want none", got)
	}
	if got := problems(manifest.LoadText("dir/other.yaml", []byte(text), manifest.Options{})); len(got) != 1 {
		t.Errorf("other.yaml: problems %q, want one", got)
	}
}

// One bad document, and one bad file, cost nothing beside themselves.
func TestOneBadDocument(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.yaml":         policyHead + "---\n\tbad\n--- # more\n" + strings.ReplaceAll(policyHead, "name: p", "name: q"),
		"deep/b.json":    "{\n\t\"apiVersion\": \"networking.k8s.io/v1\",\n\t\"kind\": \"NetworkPolicy\",\n\t\"metadata\": {\"name\": \"r\", \"namespace\": \"x\"}\n}",
		"deep/c.yml":     "][",
		".git/d.yaml":    "][",
		"notes.txt":      "][",
		"deep/.hid.yaml": "][",
	})
	s, err := manifest.Load([]string{dir, filepath.Join(dir, "a.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := policies(s), "NetworkPolicy x/p, NetworkPolicy x/q, NetworkPolicy x/r"; got != want {
		t.Errorf("policies %s, want %s", got, want)
	}
	want := []string{"a.yaml:5", "c.yml:1"}
	var got []string
	for _, p := range s.Problems {
		got = append(got, fmt.Sprintf("%s:%d", filepath.Base(p.File), p.Line))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems at (-want +got):\n%s\n%v", diff, problems(s))
	}
	if line := s.Policies[1].Source.Line; line != 7 {
		t.Errorf("x/q begins at line %d, want 7", line)
	}
}

func TestMissingPath(t *testing.T) {
	_, err := manifest.Load([]string{filepath.Join(t.TempDir(), "none")})
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "reading manifests: /") {
		t.Errorf("error %v, want one that names the path", err)
	}
	if _, err = manifest.Load(nil); err == nil {
		t.Error("no paths: want an error")
	}
}

// Lists of any depth and kind are their items, with lines of their own.
func TestLists(t *testing.T) {
	text := `apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicyList
  items:
  - metadata: {name: p, namespace: x}
    spec: {podSelector: {}}
- apiVersion: v1
  kind: Pod
  metadata: {name: a, namespace: x}
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: bad, namespace: x}
  spec: {pod: 1}
`
	s := manifest.LoadText("f.yaml", []byte(text), manifest.Options{})
	if got, want := policies(s), "NetworkPolicy x/p"; got != want || len(s.Pods) != 1 {
		t.Fatalf("policies %s, %d pods, want %s and 1", got, len(s.Pods), want)
	}
	if src := s.Policies[0].Source; src.Line != 7 || src.LineOf("spec.podSelector") != 8 {
		t.Errorf("lines %d and %d, want 7 and 8", src.Line, src.LineOf("spec.podSelector"))
	}
	if len(s.Problems) != 1 || s.Problems[0].Line != 15 {
		t.Errorf("problems %v, want one at line 15", problems(s))
	}
}

// The first of two of one name stays; both API groups of Calico are one.
func TestDuplicates(t *testing.T) {
	text := policyHead + "---\n" + policyHead + `---
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: t}
---
apiVersion: crd.projectcalico.org/v1
kind: Tier
metadata: {name: t}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: p, namespace: x}
`
	s := manifest.LoadText("f.yaml", []byte(text), manifest.Options{})
	want := []string{
		"5 metadata.name: NetworkPolicy x/p is defined twice, first at f.yaml:1; keep one of them (the first is used)",
		"13 metadata.name: Tier t is defined twice, first at f.yaml:9; keep one of them (the first is used)",
	}
	if diff := cmp.Diff(want, problems(s)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if got, want := policies(s), "Tier t, NetworkPolicy x/p, NetworkPolicy x/p"; got != want {
		t.Errorf("policies %s, want %s", got, want)
	}
}

// What the API server, or Calico's admission, fills in.
func TestDefaults(t *testing.T) {
	kubernetes := func(spec string) *networkingv1.NetworkPolicy {
		s := manifest.LoadText("f.yaml", []byte(policyHead+"spec: "+spec+"\n"), manifest.Options{})
		if len(s.Policies) != 1 {
			t.Fatalf("spec %s: %v", spec, problems(s))
		}
		return s.Policies[0].Typed.(*networkingv1.NetworkPolicy)
	}
	types := []struct{ spec, want string }{
		{"{podSelector: {}}", "[Ingress]"},
		{"{podSelector: {}, egress: [{}]}", "[Ingress Egress]"},
		{"{podSelector: {}, egress: []}", "[Ingress]"},
		{"{podSelector: {}, policyTypes: [Egress]}", "[Egress]"},
	}
	for _, tt := range types {
		if got := fmt.Sprint(kubernetes(tt.spec).Spec.PolicyTypes); got != tt.want {
			t.Errorf("spec %s: types %s, want %s", tt.spec, got, tt.want)
		}
	}
	p := kubernetes("{podSelector: {}, ingress: [{ports: [{port: 80}, {protocol: UDP}]}]}")
	if ports := p.Spec.Ingress[0].Ports; string(*ports[0].Protocol) != "TCP" || string(*ports[1].Protocol) != "UDP" {
		t.Errorf("protocols %s, %s, want TCP, UDP", *ports[0].Protocol, *ports[1].Protocol)
	}
	calico := []struct{ version, spec, want string }{
		{"projectcalico.org/v3", "{}", "[Ingress] default"},
		{"projectcalico.org/v3", "{egress: [{action: Allow}]}", "[Egress] default"},
		{"projectcalico.org/v3", "{tier: t, ingress: [{action: Allow}], egress: [{action: Allow}]}", "[Ingress Egress] t"},
		{"crd.projectcalico.org/v1", "{ingress: [{action: Allow}]}", "[Ingress Egress] default"},
	}
	for _, tt := range calico {
		text := "apiVersion: " + tt.version + "\nkind: GlobalNetworkPolicy\nmetadata: {name: g}\nspec: " + tt.spec
		s := manifest.LoadText("f.yaml", []byte(text), manifest.Options{})
		if len(s.Policies) != 1 {
			t.Fatalf("%s: %v", text, problems(s))
		}
		g := s.Policies[0].Typed.(*calicov3.GlobalNetworkPolicy)
		if got := fmt.Sprint(g.Spec.Types, " ", g.Spec.Tier); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.version, tt.spec, got, tt.want)
		}
	}
}

// Calico keeps what people wrote into metadata in an annotation of what it stores.
func TestCalicoStoredMetadata(t *testing.T) {
	text := `apiVersion: crd.projectcalico.org/v1
kind: GlobalNetworkSet
metadata:
  name: s
  annotations:
    projectcalico.org/metadata: '{"labels":{"role":"office"},"annotations":{"a":"b"}}'
spec: {nets: [10.0.0.0/8, "2001:db8::/32", 192.0.2.1]}
`
	s := manifest.LoadText("f.yaml", []byte(text), manifest.Options{})
	if len(s.Policies) != 1 {
		t.Fatal(problems(s))
	}
	set := s.Policies[0].Typed.(*calicov3.GlobalNetworkSet)
	if set.Labels["role"] != "office" || set.Annotations["a"] != "b" || len(set.Annotations) != 1 {
		t.Errorf("labels %v, annotations %v", set.Labels, set.Annotations)
	}
}

// Anchors and merge keys are YAML that people use.
func TestAnchors(t *testing.T) {
	text := policyHead + `spec:
  podSelector: &labels
    matchLabels: &more {app: a}
  ingress:
  - from:
    - podSelector: *labels
    - podSelector:
        matchLabels: {<<: *more, tier: b}
`
	s := manifest.LoadText("f.yaml", []byte(text), manifest.Options{})
	if len(s.Policies) != 1 {
		t.Fatal(problems(s))
	}
	from := s.Policies[0].Typed.(*networkingv1.NetworkPolicy).Spec.Ingress[0].From
	want := map[string]string{"app": "a", "tier": "b"}
	if from[0].PodSelector.MatchLabels["app"] != "a" || cmp.Diff(want, from[1].PodSelector.MatchLabels) != "" {
		t.Errorf("from %+v", from)
	}
}

// A namespace can be given for objects that name none; nothing else changes.
func TestNamespaceOption(t *testing.T) {
	text := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n---\n" + policyHead
	s := manifest.LoadText("f.yaml", []byte(text), manifest.Options{Namespace: "given"})
	if got, want := policies(s), "NetworkPolicy given/p, NetworkPolicy x/p"; got != want {
		t.Errorf("policies %s, want %s: %v", got, want, problems(s))
	}
}

// lineBreak is what ends a line in YAML 1.1: not a line feed alone.
var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

func FuzzLoadText(f *testing.F) {
	f.Add(policyHead + "spec:\n  podSelector: {}\n---\nkind: List\nitems: []\n")
	f.Add("apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a, namespace: b}\n  status: {podIP: ::1}\n")
	f.Add("a: &a [*a]\n--- &x {<<: *x}\n---\n{")
	f.Add("apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: g}\nspec: {order: .inf, ingress: [{action: Allow, protocol: 300}]}")
	f.Fuzz(func(t *testing.T, text string) {
		s := manifest.LoadText("f.yaml", []byte(text), manifest.Options{Namespace: "n"})
		lines := len(lineBreak.FindAllString(text, -1)) + 1
		for _, p := range s.Problems {
			if p.Message == "" || p.Line < 1 || p.Line > lines+1 {
				t.Errorf("problem %+v in a text of %d lines", p, lines)
			}
		}
		for _, o := range s.Policies {
			if o.Ref.Name == "" || o.Typed == nil || o.Source.Line < 1 {
				t.Errorf("object %+v", o)
			}
		}
	})
}
