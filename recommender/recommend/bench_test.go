// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// town is a cluster of namespaces of ten workloads with three pods each; every
// second workload has a policy that lets its whole namespace in.
func town(namespaces int) (*cluster.Snapshot, []flow.Record) {
	var b strings.Builder
	for n := range namespaces {
		for w := range 10 {
			fmt.Fprintf(&b, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w%d, namespace: n%d}\nspec: {selector: {matchLabels: {app: w%d}}, template: {metadata: {labels: {app: w%d}}, spec: {containers: [{name: c, image: i}]}}}\n---\n", w, n, w, w)
			for p := range 3 {
				fmt.Fprintf(&b, "apiVersion: v1\nkind: Pod\nmetadata: {name: w%d-%d, namespace: n%d, labels: {app: w%d}, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: w%d, controller: true, uid: u}]}\nspec: {nodeName: n%d, containers: [{name: c, image: i}]}\nstatus: {phase: Running, podIP: 10.%d.%d.%d}\n---\n", w, p, n, w, w, p, n/250, n%250, 10*w+p+1)
			}
			if w%2 == 0 {
				fmt.Fprintf(&b, "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: w%d, namespace: n%d}\nspec: {podSelector: {matchLabels: {app: w%d}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}], ports: [{port: 80}, {port: 443}]}]}\n---\n", w, n, w)
			}
		}
	}
	s := manifest.LoadText("town.yaml", []byte(b.String()), manifest.Options{})
	r := rand.New(rand.NewPCG(1, 1))
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var records []flow.Record
	for n := range namespaces {
		for w := range 10 {
			for range 5 {
				e := flow.Edge{Protocol: flow.TCP, Port: 80}
				e.Client.Workload = flow.Workload{Namespace: fmt.Sprint("n", n), Kind: "Deployment", Name: fmt.Sprint("w", w)}
				e.Server.Workload = flow.Workload{Namespace: fmt.Sprint("n", n), Kind: "Deployment", Name: fmt.Sprint("w", r.IntN(10))}
				for h := range 4 {
					at := start.Add(time.Duration(h) * time.Hour)
					records = append(records, flow.Record{Window: flow.Window{Start: at, End: at.Add(time.Hour)}, Edge: e, ByClient: flow.Counters{Connections: 9}})
				}
			}
		}
	}
	return s, records
}

// BenchmarkTown is the whole advice for 200 workloads, 600 pods, 1,000 edges
// and 100 policies.
func BenchmarkTown(b *testing.B) {
	s, records := town(20)
	for b.Loop() {
		engine, _ := policy.Compile(s, policy.Options{})
		report, err := analyze.Analyze(analyze.Input{Snapshot: s, Engine: engine, Records: records, Options: analyze.Options{Learning: time.Hour}})
		if err != nil {
			b.Fatal(err)
		}
		list, err := Build(Input{Snapshot: s, Report: report})
		if err != nil || len(list) == 0 {
			b.Fatal(err)
		}
	}
}
