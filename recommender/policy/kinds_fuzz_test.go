// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// kindSeeds has one manifest of each kind with most of its fields.
var kindSeeds = []string{
	`apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: default.a, namespace: shop}
spec:
  tier: default
  order: 10
  selector: app == 'api' || has(tier)
  serviceAccountSelector: projectcalico.org/name == 'default'
  types: [Ingress, Egress]
  ingress:
  - {action: Log}
  - action: Allow
    protocol: TCP
    ipVersion: 4
    source: {selector: app == 'web', namespaceSelector: all(), notNets: [10.0.0.0/8], serviceAccounts: {names: [default], selector: all()}}
    destination: {ports: [80, "8000:8100", http], notPorts: [8001]}
  - {action: Deny, notProtocol: 47}
  egress:
  - {action: Pass, protocol: ICMP, icmp: {type: 8, code: 0}, notICMP: {type: 3}}
  - {action: Allow, destination: {services: {name: api, namespace: shop}}}
`,
	`apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: early.g}
spec:
  tier: early
  namespaceSelector: kubernetes.io/metadata.name in {'shop', 'pay'}
  applyOnForward: true
  preDNAT: true
  doNotTrack: false
  ingress: [{action: Allow, source: {nets: ["2001:db8::/32"], domains: ["*.example.com"]}}]
`,
	`apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: early}
spec: {order: 5, defaultAction: Pass}
`,
	`apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: outside, labels: {app: web}}
spec: {nets: [203.0.113.0/24, "2001:db8::/32"], allowedEgressDomains: ["*.example.com"]}
`,
	`apiVersion: projectcalico.org/v3
kind: NetworkSet
metadata: {name: inside, namespace: shop, labels: {app: web}}
spec: {nets: [10.9.0.0/16]}
`,
	`apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: n1, labels: {role: node}}
spec: {node: n1, interfaceName: "*", expectedIPs: [192.168.0.1], profiles: [projectcalico-default-allow], ports: [{name: ssh, protocol: TCP, port: 22}]}
`,
	`apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: kns.shop}
spec: {ingress: [{action: Deny}], labelsToApply: {a: b}}
`,
	`apiVersion: projectcalico.org/v3
kind: StagedKubernetesNetworkPolicy
metadata: {name: s, namespace: shop}
spec: {stagedAction: Set, podSelector: {}, policyTypes: [Ingress]}
`,
	`apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: admin}
spec:
  priority: 5
  subject: {namespaces: {matchExpressions: [{key: a, operator: NotIn, values: [b]}]}}
  ingress: [{action: Pass, from: [{pods: {namespaceSelector: {}, podSelector: {}}}], ports: [{namedPort: http}, {portRange: {protocol: TCP, start: 1, end: 9}}]}]
  egress: [{action: Allow, to: [{nodes: {}}, {networks: [10.0.0.0/8]}, {domainNames: ["*.example.com"]}], ports: [{portNumber: {protocol: UDP, port: 53}}]}]
`,
	`apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
spec: {subject: {pods: {namespaceSelector: {}, podSelector: {}}}, egress: [{action: Deny, to: [{namespaces: {}}]}]}
`,
	`apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: c}
spec:
  tier: Baseline
  priority: 1000
  subject: {namespaces: {}}
  ingress: [{action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}, {destinationNamedPort: http}]}]
  egress: [{action: Deny, to: [{networks: ["::/0"]}, {nodes: {}}], protocols: [{udp: {destinationPort: {range: {start: 1, end: 2}}}}, {sctp: {}}]}]
`,
}

// FuzzPolicyKinds compiles whatever parses as an object of a kind that changes
// verdicts: never a panic, what is not understood is told with its field, and the
// ways to an answer agree.
func FuzzPolicyKinds(f *testing.F) {
	for _, text := range kindSeeds {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, upstream bool) {
		var meta struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`
		}
		if yaml.Unmarshal(text, &meta) != nil {
			return
		}
		typed := typedFor(meta.APIVersion, meta.Kind)
		if typed == nil || yaml.Unmarshal(text, typed) != nil {
			return
		}
		s := shop()
		s.Policies = []cluster.Object{{
			Ref:   cluster.Ref{APIVersion: meta.APIVersion, Kind: meta.Kind, Namespace: meta.Namespace, Name: meta.Name},
			Typed: typed, Source: cluster.Source{File: "fuzz.yaml", Line: 1, YAML: text},
		}}
		o := Options{}
		if upstream {
			o.Order = UpstreamOrder
		}
		e, problems := Compile(s, o)
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
		agree(t, e, s)
	})
}

// agree asks a few connections in every way there is.
func agree(t *testing.T, e *Engine, s *cluster.Snapshot) {
	t.Helper()
	for _, text := range []string{
		"shop/web -> shop/api TCP 80", "pay/web -> shop/api TCP 8001", "203.0.113.5 -> shop/api TCP 80", "shop/api -> 2001:db8::1 UDP 53",
		"shop/api -> dns:a.example.com TCP 443", "shop/web -> shop/api ICMP 8/0", "shop/web -> shop/api 47",
	} {
		c := connectionOf(t, s, text)
		v := e.Check(c)
		for range 2 { // the long way first, then from what it made
			if got := letters(e.Allowed(c)); got != letters(v.Egress.Allowed, v.Ingress.Allowed) {
				t.Errorf("%s: Allowed says %s\n%s", text, got, whyText(v))
			}
		}
		q := e.query(&c)
		if q.always || q.first != q.last {
			continue
		}
		egress, ingress := e.permits(Egress, &q.from, &q.to, q.family).Has(q.first), e.permits(Ingress, &q.from, &q.to, q.family).Has(q.first)
		if egress != v.Egress.Allowed || ingress != v.Ingress.Allowed {
			t.Errorf("%s: the algebra says %v %v\n%s", text, egress, ingress, whyText(v))
		}
	}
}
