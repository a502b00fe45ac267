// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"
	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// podOf makes a pod from "namespace/name", its labels as "k=v,k=v" and its
// addresses. It runs on node n1.
func podOf(name, labels string, ips ...string) cluster.Pod {
	ns, short, _ := strings.Cut(name, "/")
	p := cluster.Pod{Namespace: ns, Name: short, Labels: pairs(labels), Node: "n1", ServiceAccount: "default"}
	for _, ip := range ips {
		p.IPs = append(p.IPs, netip.MustParseAddr(ip))
	}
	return p
}

func pairs(text string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if k, v, ok := strings.Cut(part, "="); ok {
			out[k] = v
		}
	}
	return out
}

// objectOf reads one manifest.
func objectOf(tb testing.TB, text string) cluster.Object {
	tb.Helper()
	var meta struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal([]byte(text), &meta); err != nil {
		tb.Fatal(err)
	}
	typed := typedFor(meta.APIVersion, meta.Kind)
	if typed == nil {
		tb.Fatalf("no type for %s %s", meta.APIVersion, meta.Kind)
	}
	if err := yaml.UnmarshalStrict([]byte(text), typed); err != nil {
		tb.Fatalf("%v in\n%s", err, text)
	}
	return cluster.Object{
		Ref:    cluster.Ref{APIVersion: meta.APIVersion, Kind: meta.Kind, Namespace: meta.Namespace, Name: meta.Name},
		Typed:  typed,
		Source: cluster.Source{File: "test.yaml", Line: 1, YAML: []byte(text)},
	}
}

func typedFor(version, kind string) runtime.Object {
	if version == "networking.k8s.io/v1" {
		return &networkingv1.NetworkPolicy{}
	}
	return map[string]runtime.Object{
		"NetworkPolicy": &calicov3.NetworkPolicy{}, "GlobalNetworkPolicy": &calicov3.GlobalNetworkPolicy{},
		"Tier": &calicov3.Tier{}, "NetworkSet": &calicov3.NetworkSet{}, "GlobalNetworkSet": &calicov3.GlobalNetworkSet{},
		"HostEndpoint": &calicov3.HostEndpoint{}, "Profile": &calicov3.Profile{}, "FelixConfiguration": &calicov3.FelixConfiguration{},
		"StagedNetworkPolicy": &calicov3.StagedNetworkPolicy{}, "StagedGlobalNetworkPolicy": &calicov3.StagedGlobalNetworkPolicy{},
		"StagedKubernetesNetworkPolicy": &calicov3.StagedKubernetesNetworkPolicy{},
		"AdminNetworkPolicy":            &v1alpha1.AdminNetworkPolicy{},
		"BaselineAdminNetworkPolicy":    &v1alpha1.BaselineAdminNetworkPolicy{},
		"ClusterNetworkPolicy":          &v1alpha2.ClusterNetworkPolicy{},
	}[kind]
}

// objectsOf reads manifests divided by "---".
func objectsOf(tb testing.TB, text string) []cluster.Object {
	tb.Helper()
	var out []cluster.Object
	for doc := range strings.SplitSeq(text, "\n---\n") {
		if strings.TrimSpace(doc) != "" {
			out = append(out, objectOf(tb, doc))
		}
	}
	return out
}

// compileClean compiles and fails the test on any problem.
func compileClean(tb testing.TB, s *cluster.Snapshot, o Options) *Engine {
	tb.Helper()
	e, problems := Compile(s, o)
	for _, p := range problems {
		tb.Fatalf("problem: %s: %s: %s", p.Ref, p.Field, p.Message)
	}
	return e
}

// peerOf finds a pod by "namespace/name", optionally with "@family" 4 or 6,
// else reads an address, else takes a DNS name after "dns:".
func peerOf(tb testing.TB, s *cluster.Snapshot, name string) Peer {
	tb.Helper()
	if dns, ok := strings.CutPrefix(name, "dns:"); ok {
		return Peer{DNS: dns, Addr: netip.MustParseAddr("198.51.100.77")}
	}
	base, fam, _ := strings.Cut(name, "@")
	for i := range s.Pods {
		p := &s.Pods[i]
		if p.Namespace+"/"+p.Name != base {
			continue
		}
		peer := Peer{Pod: p}
		for _, a := range p.IPs {
			if (fam == "4" && a.Is4()) || (fam == "6" && a.Is6()) {
				peer.Addr = a
			}
		}
		return peer
	}
	addr, err := netip.ParseAddr(name)
	if err != nil {
		tb.Fatalf("no pod and no address: %s", name)
	}
	return Peer{Addr: addr}
}

// connectionOf reads "from -> to TCP 80" or "from -> to ICMP 8/0".
func connectionOf(tb testing.TB, s *cluster.Snapshot, text string) Connection {
	tb.Helper()
	var from, to, protocol, port string
	if n, err := fmt.Sscanf(text, "%s -> %s %s %s", &from, &to, &protocol, &port); n < 3 {
		tb.Fatalf("connection %q: %v", text, err)
	}
	p, err := flow.ParseProtocol(protocol)
	if err != nil {
		tb.Fatal(err)
	}
	c := Connection{From: peerOf(tb, s, from), To: peerOf(tb, s, to), Protocol: p, ICMPType: -1, ICMPCode: -1}
	if typ, code, ok := strings.Cut(port, "/"); ok {
		fmt.Sscan(typ, &c.ICMPType)
		fmt.Sscan(code, &c.ICMPCode)
	} else if port != "" {
		fmt.Sscan(port, &c.Port)
	}
	return c
}

// expectation is "from -> to TCP 80" with the wanted verdict, e for egress and
// i for ingress, upper case where allowed: "EI", "Ei", "eI", "ei".
type expectation struct{ connection, want string }

func letters(egress, ingress bool) string {
	out := []byte("ei")
	if egress {
		out[0] = 'E'
	}
	if ingress {
		out[1] = 'I'
	}
	return string(out)
}

func expect(t *testing.T, e *Engine, s *cluster.Snapshot, cases []expectation) {
	t.Helper()
	for _, c := range cases {
		conn := connectionOf(t, s, c.connection)
		v := e.Check(conn)
		if got := letters(v.Egress.Allowed, v.Ingress.Allowed); got != c.want {
			t.Errorf("%s: got %s, want %s; why:\n%s", c.connection, got, c.want, whyText(v))
		}
		if got := letters(e.Allowed(conn)); got != letters(v.Egress.Allowed, v.Ingress.Allowed) {
			t.Errorf("%s: Allowed says %s, Check %s", c.connection, got, letters(v.Egress.Allowed, v.Ingress.Allowed))
		}
	}
}

func whyText(v Verdict) string {
	var b strings.Builder
	for _, s := range v.Egress.Why {
		fmt.Fprintf(&b, "  egress: %s\n", s.Text)
	}
	for _, s := range v.Ingress.Why {
		fmt.Fprintf(&b, "  ingress: %s\n", s.Text)
	}
	for _, u := range v.Uncertain {
		fmt.Fprintf(&b, "  uncertain: %s\n", u)
	}
	return b.String()
}
