// SPDX-License-Identifier: Apache-2.0

package question_test

import (
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/question"
)

// ground is a cluster of three namespaces and a node, without policies.
const ground = `apiVersion: v1
kind: Pod
metadata: {name: web, namespace: x, labels: {app: web}}
spec: {nodeName: n1, containers: []}
status: {podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: x, labels: {app: db}}
spec: {nodeName: n2, containers: []}
status: {podIPs: [{ip: 10.0.0.2}, {ip: "fd00::2"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: far, namespace: y, labels: {app: far}}
spec: {nodeName: n2, containers: []}
status: {podIPs: [{ip: 10.0.0.3}, {ip: "fd00::3"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: farther, namespace: y, labels: {app: farther}}
spec: {nodeName: n1, containers: []}
status: {podIPs: [{ip: 10.0.0.4}, {ip: "fd00::4"}]}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}
---
`

// Whatever is wrong with an object is named by file, line and field, and every
// verdict that it could have touched is uncertain; where its namespace is known,
// no other is.
func TestBadInputMakesUncertain(t *testing.T) {
	const np, wide = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\n", true
	const cnp = "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\nspec:\n"
	const gnp = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: p}\nspec:\n"
	tests := []struct {
		name, text string
		line       int // within the text
		field      string
		everywhere bool // it may touch every verdict
	}{
		{"unknown field", np + "spec:\n  podSelektor: {}\n", 5, "spec.podSelektor", false},
		{"unknown field, Calico", cnp + "  selektor: all()\n", 5, "spec.selektor", false},
		{"unknown field, cluster-wide", "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: c}\nspec:\n  tier: Admin\n  priority: 1\n  subject: {namespaces: {}}\n  ingres: []\n", 8, "spec.ingres", wide},
		{"wrong type", np + "spec:\n  ingress:\n  - ports: [{port: [80]}]\n", 6, "spec.ingress[0].ports[0].port", false},
		{"wrong type, text for a list", cnp + "  types: Ingress\n", 5, "spec.types", false},
		{"impossible CIDR, IPv4", np + "spec:\n  podSelector: {}\n  ingress:\n  - from: [{ipBlock: {cidr: 10.0.0.0/33}}]\n", 7, "spec.ingress[0].from[0].ipBlock.cidr", false},
		{"impossible CIDR, IPv6", np + "spec:\n  podSelector: {}\n  ingress:\n  - from: [{ipBlock: {cidr: 'fd00::/129'}}]\n", 7, "spec.ingress[0].from[0].ipBlock.cidr", false},
		{"impossible CIDR, Calico", gnp + "  ingress:\n  - action: Allow\n    source: {nets: [300.0.0.0/8]}\n", 7, "spec.ingress[0].source.nets[0]", wide},
		{"impossible CIDR, network set", "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: s}\nspec:\n  nets: [10.0.0.0/99]\n", 5, "spec.nets[0]", wide},
		{"impossible address, host endpoint", "apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {name: h}\nspec:\n  node: n1\n  expectedIPs: [10.0.0]\n", 6, "spec.expectedIPs[0]", wide},
		{"unknown API version", "apiVersion: networking.k8s.io/v2\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\nspec: {podSelector: {}}\n", 2, "kind", false},
		{"unknown API version, Calico", "apiVersion: projectcalico.org/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\nspec: {}\n", 2, "kind", false},
		{"duplicate name", np + "spec: {podSelector: {matchLabels: {app: none}}}\n---\n" + np + "spec: {podSelector: {}}\n", 6, "metadata.name", false},
		{"duplicate name in Calico's two API groups", cnp + "  selector: app == 'none'\n---\n" + strings.Replace(cnp, "projectcalico.org/v3", "crd.projectcalico.org/v1", 1) + "  selector: all()\n", 7, "metadata.name", false},
		{"selector that does not parse", cnp + "  selector: app = 'db'\n", 5, "spec.selector", false},
		{"selector that does not parse, of a rule", gnp + "  ingress:\n  - action: Allow\n    source: {selector: has(app}\n", 7, "spec.ingress[0].source.selector", wide},
		{"no namespace", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {podSelector: {}}\n", 3, "metadata.namespace", wide},
		{"no namespace, Calico", "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {selector: all()}\n", 3, "metadata.namespace", wide},
		{"tier that is not there", cnp + "  tier: security\n", 5, "spec.tier", false},
		{"policy of another system", "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p, namespace: x}\nspec: {}\n", 2, "kind", false},
		{"not a Kubernetes object", "a: 1\n", 1, "apiVersion", wide},
	}
	start := strings.Count(ground, "\n")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := manifest.LoadText("f.yaml", []byte(ground+tt.text), manifest.Options{})
			e, problems := policy.Compile(s, policy.Options{})
			problems = append(problems, s.Problems...)
			if len(problems) != 1 {
				t.Fatalf("problems: %+v", problems)
			}
			if p := problems[0]; p.File != "f.yaml" || p.Line != start+tt.line || p.Field != tt.field || p.Message == "" {
				t.Errorf("got %s:%d %s: %s, want line %d %s", p.File, p.Line-start, p.Field, p.Message, tt.line, tt.field)
			}
			j := question.NewJudge(s, e)
			for _, q := range []struct {
				from, to string
				touched  bool
			}{
				{"y/far", "x/db", true},
				{"x/web", "x/db", true},
				{"x/db", "192.0.2.1", true},
				{"2001:db8::1", "x/web", true},
				{"y/farther", "y/far", tt.everywhere},
				{"2001:db8::1", "y/far", tt.everywhere},
			} {
				if tt.name == "impossible address, host endpoint" {
					continue // only nodes are touched
				}
				a, err := j.Ask(question.Question{From: q.from, To: q.to, Port: "80"})
				if err != nil {
					t.Fatal(err)
				}
				if got := len(a.Uncertain) > 0; got != q.touched {
					t.Errorf("%s → %s: uncertain %q, want %t", q.from, q.to, a.Uncertain, q.touched)
				}
			}
		})
	}
}

// A host endpoint that is not understood touches what goes to and from nodes.
func TestBadHostEndpoint(t *testing.T) {
	s := manifest.LoadText("f.yaml", []byte(ground+"apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {name: h}\nspec:\n  node: n1\n  expectedIPs: [10.0.0]\n"), manifest.Options{})
	e, _ := policy.Compile(s, policy.Options{})
	a, err := question.NewJudge(s, e).Ask(question.Question{From: "192.0.2.1", To: "192.168.0.1", Port: "80"})
	if err != nil || len(a.Uncertain) == 0 {
		t.Errorf("uncertain %q, %v", a.Uncertain, err)
	}
}
