// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

var dawn = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// hour is the window that begins h hours after dawn.
func hour(h int) flow.Window {
	return flow.Window{Start: dawn.Add(time.Duration(h) * time.Hour), End: dawn.Add(time.Duration(h+1) * time.Hour)}
}

// deployment is a workload with one pod on node n1 at each of the addresses.
func deployment(ns, name string, ips ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s, namespace: %s}\nspec: {selector: {matchLabels: {app: %s}}, template: {metadata: {labels: {app: %s}}, spec: {containers: [{name: c, image: i}]}}}\n---\n", name, ns, name, name)
	for i, ip := range ips {
		fmt.Fprintf(&b, "apiVersion: v1\nkind: Pod\nmetadata: {name: %s-%d, namespace: %s, labels: {app: %s, slot: s%d}, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: %s, controller: true, uid: u}]}\nspec: {nodeName: n1, containers: [{name: c, image: i}]}\nstatus: {phase: Running, podIP: \"%s\"}\n---\n", name, i, ns, name, i, name, ip)
	}
	return b.String()
}

const nodeN1 = "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {addresses: [{type: InternalIP, address: 192.168.0.1}, {type: InternalIP, address: \"fd00:1::1\"}]}\n---\n"

// networkPolicy is a policy p of ingress rules in flow style.
func networkPolicy(ns, selector, ingress string) string {
	return fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: %s}\nspec: {podSelector: %s, policyTypes: [Ingress], ingress: %s}\n---\n", ns, selector, ingress)
}

func load(t *testing.T, documents ...string) *cluster.Snapshot {
	t.Helper()
	s := manifest.LoadText("test.yaml", []byte(strings.Join(documents, "")), manifest.Options{})
	for _, p := range s.Problems {
		t.Fatalf("line %d: %s: %s", p.Line, p.Field, p.Message)
	}
	return s
}

func analyse(t *testing.T, in Input) *Report {
	t.Helper()
	engine, problems := policy.Compile(in.Snapshot, policy.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	in.Engine = engine
	r, err := Analyze(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pod(ns, name string) flow.Endpoint {
	return flow.Endpoint{Workload: flow.Workload{Namespace: ns, Kind: "Deployment", Name: name}}
}

func outside(ip, dns string) flow.Endpoint {
	return flow.Endpoint{IP: netip.MustParseAddr(ip), DNS: dns}
}

// record is n connections over TCP, counted by the client.
func record(w flow.Window, from, to flow.Endpoint, port uint16, n uint64) flow.Record {
	return flow.Record{
		Window: w, Edge: flow.Edge{Client: from, Server: to, Protocol: flow.TCP, Port: port},
		ByClient: flow.Counters{Connections: n, BytesSent: 10 * n},
	}
}

// edgeTo gives the edge to a/y on a port.
func edgeTo(t *testing.T, r *Report, port uint16) *Edge {
	t.Helper()
	for i := range r.Edges {
		if e := &r.Edges[i]; e.Server.String() == "a/y" && e.Port == port {
			return e
		}
	}
	t.Fatalf("no edge to a/y %d in %+v", port, r.Edges)
	return nil
}

func findings(r *Report, kind FindingKind) []string {
	var out []string
	for _, f := range r.Findings {
		if f.Kind == kind {
			out = append(out, f.Title)
		}
	}
	return out
}
