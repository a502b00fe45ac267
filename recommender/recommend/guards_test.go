// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// guardedWorld has two nodes of both families, one workload that scrapes
// kubelets, one that asks the metadata service, and one that does neither.
func guardedWorld(t *testing.T, further string) *cluster.Snapshot {
	t.Helper()
	var b strings.Builder
	for n := range 2 {
		fmt.Fprintf(&b, "apiVersion: v1\nkind: Node\nmetadata: {name: n%d, labels: {kubernetes.io/os: linux}}\nstatus: {addresses: [{type: InternalIP, address: 192.168.0.%d}, {type: InternalIP, address: 'fd00:ff::%d'}]}\n---\n", n, n+1, n+1)
	}
	for i, app := range []string{"scraper", "cloud", "web"} {
		fmt.Fprintf(&b, "apiVersion: v1\nkind: Pod\nmetadata: {name: %[1]s, namespace: shop, labels: {app: %[1]s}}\nspec: {nodeName: n0, containers: [{name: c, image: i}]}\nstatus: {phase: Running, podIPs: [{ip: 10.0.0.%[2]d}, {ip: 'fd00::%[2]d'}]}\n---\n", app, i+1)
	}
	s := manifest.LoadText("w.yaml", []byte(b.String()+further), manifest.Options{})
	if len(s.Problems) > 0 {
		t.Fatal(s.Problems)
	}
	return s
}

var guardStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func guardRecords(edges ...flow.Edge) []flow.Record {
	var out []flow.Record
	for h := range 4 {
		for _, e := range edges {
			at := guardStart.Add(time.Duration(h) * time.Hour)
			out = append(out, flow.Record{Window: flow.Window{Start: at, End: at.Add(time.Hour)}, Edge: e, ByClient: flow.Counters{Connections: 3}})
		}
	}
	return out
}

func podOf(app string) flow.Endpoint {
	return flow.Endpoint{Workload: flow.Workload{Namespace: "shop", Kind: "Pod", Name: app}}
}

func adviceOn(t *testing.T, s *cluster.Snapshot, records []flow.Record, in Input) []Recommendation {
	t.Helper()
	engine, problems := policy.Compile(s, policy.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	report, err := analyze.Analyze(analyze.Input{Snapshot: s, Engine: engine, Records: records, Options: analyze.Options{Learning: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	in.Snapshot, in.Report = s, report
	list, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestGuardRails: whoever was seen goes on, everybody else is denied, nothing
// else changes, and a second run proposes nothing.
func TestGuardRails(t *testing.T) {
	s := guardedWorld(t, "")
	metadata := flow.Endpoint{IP: netip.MustParseAddr("169.254.169.254")}
	records := guardRecords(
		flow.Edge{Client: podOf("scraper"), Server: flow.Endpoint{Node: "n1"}, Protocol: flow.TCP, Port: 10250},
		flow.Edge{Client: podOf("cloud"), Server: metadata, Protocol: flow.TCP, Port: 80},
		flow.Edge{Client: podOf("web"), Server: flow.Endpoint{Node: "n1"}, Protocol: flow.TCP, Port: 443},
	)
	list := adviceOn(t, s, records, Input{Format: ClusterWide})
	if len(list) != 2 {
		t.Fatalf("%d recommendations\n%s", len(list), recommendationsText(list))
	}
	for _, r := range list {
		if r.Withheld != "" || !r.Proof.Holds || r.Proof.ObservedEdges == 0 || r.Proof.ClosedTotal == 0 {
			t.Errorf("%s: %q, proof %+v", r.Title, r.Withheld, r.Proof.Statements)
		}
		if loaded := manifest.LoadText("r.yaml", []byte(r.After), manifest.Options{}); len(loaded.Problems) > 0 || len(loaded.Policies) != 2 {
			t.Errorf("%s: %v, %d policies\n%s", r.Title, loaded.Problems, len(loaded.Policies), r.After)
		}
	}
	applied, err := Apply(s, list...)
	if err != nil {
		t.Fatal(err)
	}
	engine, problems := policy.Compile(applied, policy.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		app, to string
		port    uint16
		want    bool
	}{
		{"scraper", "192.168.0.2", 10250, true},
		{"scraper", "fd00:ff::2", 10250, true},
		{"scraper", "169.254.169.254", 80, false},
		{"web", "192.168.0.2", 10250, false},
		{"web", "fd00:ff::2", 10250, false},
		{"web", "192.168.0.1", 22, false},
		{"web", "192.168.0.2", 443, true},
		{"cloud", "169.254.169.254", 80, true},
		{"cloud", "fd00:ec2::254", 80, true},
		{"web", "169.254.169.254", 80, false},
		{"web", "fd00:ec2::254", 443, false},
		{"web", "203.0.113.1", 22, true},
		{"cloud", "192.168.0.1", 2379, false},
	} {
		var pod *cluster.Pod
		for i := range applied.Pods {
			if applied.Pods[i].Name == c.app {
				pod = &applied.Pods[i]
			}
		}
		if got := permits(engine, policy.Connection{From: policy.Peer{Pod: pod}, To: policy.Peer{Addr: netip.MustParseAddr(c.to)}, Protocol: flow.TCP, Port: c.port, ICMPType: -1, ICMPCode: -1}); got != c.want {
			t.Errorf("%s → %s %d: %v, want %v", c.app, c.to, c.port, got, c.want)
		}
	}
	if again := adviceOn(t, applied, records, Input{Format: ClusterWide}); len(again) > 0 {
		t.Errorf("again:\n%s", recommendationsText(again))
	}
}

const hostEndpoints = `apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: n0-auto, labels: {projectcalico.org/created-by: calico-kube-controllers}}
spec: {node: n0, interfaceName: "*", expectedIPs: [192.168.0.1, "fd00:ff::1"], profiles: [projectcalico-default-allow]}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: n1-auto, labels: {projectcalico.org/created-by: calico-kube-controllers, node-role.kubernetes.io/control-plane: ""}}
spec: {node: n1, interfaceName: "*", expectedIPs: [192.168.0.2, "fd00:ff::2"], profiles: [projectcalico-default-allow]}
`

// TestHostPolicies: what was seen at the nodes stays, failsafe ports stay, and
// everything else is closed, for the control plane and the others apart.
func TestHostPolicies(t *testing.T) {
	s := guardedWorld(t, hostEndpoints)
	records := guardRecords(
		flow.Edge{Client: podOf("scraper"), Server: flow.Endpoint{Node: "n1"}, Protocol: flow.TCP, Port: 10250},
		flow.Edge{Client: podOf("scraper"), Server: flow.Endpoint{Node: "n0"}, Protocol: flow.TCP, Port: 10250},
		flow.Edge{Client: flow.Endpoint{Node: "n0"}, Server: flow.Endpoint{Node: "n1"}, Protocol: flow.TCP, Port: 10257},
		flow.Edge{Client: flow.Endpoint{IP: netip.MustParseAddr("203.0.113.9")}, Server: flow.Endpoint{Node: "n1"}, Protocol: flow.TCP, Port: 22},
	)
	var offered []Recommendation
	for _, r := range adviceOn(t, s, records, Input{Format: Calico}) {
		if r.Policy.Kind != "GlobalNetworkPolicy" {
			continue
		}
		offered = append(offered, r)
		kept := false
		for _, st := range r.Proof.Statements {
			kept = kept || st.Name == KeepsFailsafe && st.Holds
		}
		if r.Withheld != "" || !r.Proof.Holds || !kept || r.Proof.ObservedEdges == 0 || r.Proof.ClosedTotal == 0 {
			t.Errorf("%s: %q, proof %+v\n%s", r.Title, r.Withheld, r.Proof, r.After)
		}
	}
	if len(offered) != 2 {
		t.Fatalf("%d policies for hosts", len(offered))
	}
	applied, err := Apply(s, offered...)
	if err != nil {
		t.Fatal(err)
	}
	engine, problems := policy.Compile(applied, policy.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		from, to string
		port     uint16
		want     bool
	}{
		{"10.0.0.1", "192.168.0.2", 10250, true},
		{"fd00::1", "fd00:ff::2", 10250, true},
		{"10.0.0.3", "192.168.0.2", 10250, false},
		{"fd00::3", "fd00:ff::2", 10250, false},
		{"192.168.0.1", "192.168.0.2", 10257, true},
		{"fd00:ff::1", "fd00:ff::2", 10257, true},
		{"192.168.0.2", "192.168.0.1", 10257, false},
		{"203.0.113.9", "192.168.0.2", 22, true},
		{"198.51.100.1", "192.168.0.1", 22, true},
		{"2001:db8::9", "fd00:ff::1", 6443, true},
		{"198.51.100.1", "192.168.0.1", 80, false},
		{"2001:db8::9", "fd00:ff::1", 80, false},
	} {
		conn := policy.Connection{From: policy.Peer{Addr: netip.MustParseAddr(c.from)}, To: policy.Peer{Addr: netip.MustParseAddr(c.to)}, Protocol: flow.TCP, Port: c.port, ICMPType: -1, ICMPCode: -1}
		if got := permits(engine, conn); got != c.want {
			t.Errorf("%s → %s %d: %v, want %v", c.from, c.to, c.port, got, c.want)
		}
	}
	for _, r := range adviceOn(t, applied, records, Input{Format: Calico}) {
		if r.Policy.Kind == "GlobalNetworkPolicy" && r.Withheld == "" {
			t.Errorf("again: %s\n%s%s", r.Title, r.Diff, r.After)
		}
	}
}

// TestHostPoliciesWithheld: without a label that no pod has, and without
// traffic, nothing is offered, and it says why.
func TestHostPoliciesWithheld(t *testing.T) {
	for name, c := range map[string]struct{ manifests, why string }{
		"no label":   {strings.ReplaceAll(hostEndpoints, "projectcalico.org/created-by: calico-kube-controllers", "app: web"), "no label in common that no pod has"},
		"no traffic": {hostEndpoints, "no traffic to these nodes was seen"},
	} {
		s := guardedWorld(t, c.manifests)
		found := false
		for _, r := range adviceOn(t, s, guardRecords(flow.Edge{Client: podOf("web"), Server: podOf("cloud"), Protocol: flow.TCP, Port: 80}), Input{Format: Calico}) {
			if r.Policy.Kind == "GlobalNetworkPolicy" {
				found = true
				if !strings.Contains(r.Withheld, c.why) {
					t.Errorf("%s: %q", name, r.Withheld)
				}
			}
		}
		if !found {
			t.Errorf("%s: not a word", name)
		}
	}
}

// TestNobodyLockedOut: where the failsafe ports are turned off, a policy made
// of what was seen would close SSH, so it is not offered.
func TestNobodyLockedOut(t *testing.T) {
	s := guardedWorld(t, hostEndpoints+"---\napiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: default}\nspec: {failsafeInboundHostPorts: [], failsafeOutboundHostPorts: []}\n")
	found := false
	for _, r := range adviceOn(t, s, guardRecords(flow.Edge{Client: podOf("scraper"), Server: flow.Endpoint{Node: "n1"}, Protocol: flow.TCP, Port: 10250}), Input{Format: Calico}) {
		if r.Policy.Name == "netcinch-control-plane" {
			found = true
			if !strings.Contains(r.Withheld, "failsafe port TCP 22 of node n1 would be closed") && !strings.Contains(r.Withheld, "would be closed to somebody") {
				t.Errorf("%q\n%s", r.Withheld, r.After)
			}
		}
	}
	if !found {
		t.Error("not a word")
	}
}
