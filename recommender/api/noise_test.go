// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/flow"
)

// TestProbes: where pods share the node's network, as on every real node, a
// probe is told by its port in the pod's spec, and by nothing else.
func TestProbes(t *testing.T) {
	s := newSource()
	s.text = strings.Replace(manifests, "ports: [{containerPort: 8080, name: http}]", "ports: [{containerPort: 8080, name: http}], livenessProbe: {httpGet: {port: http}}", 1) + `---
apiVersion: v1
kind: Pod
metadata: {name: proxy, namespace: kube-system}
spec: {nodeName: node-1, hostNetwork: true, containers: [{name: c}]}
status: {phase: Running, podIP: 192.0.2.10}
`
	other := s.records[0]
	other.Edge = flow.Edge{Client: flow.Endpoint{Node: "node-1"}, Server: workload("data", "StatefulSet", "db"), Protocol: flow.TCP, Port: 5432}
	s.records = append(s.records, other)
	c := newContract(t, serve(t, s))
	g := into[struct {
		Edges []struct {
			Source, Target, Noise string
			Port                  int
		}
	}](t, c.do(ask{method: "GET", path: "/api/v1/graph", status: 200}))
	got := map[string]string{}
	for _, e := range g.Edges {
		if strings.HasPrefix(e.Source, "node:") {
			got[e.Target+" "+itoa(e.Port)] = e.Noise
		}
	}
	want := map[string]string{"workload:shop/Deployment/web 8080": "probe", "workload:data/StatefulSet/db 5432": ""}
	for edge, noise := range want {
		if have, seen := got[edge]; !seen || have != noise {
			t.Errorf("%s: %q, seen: %v; want %q", edge, have, seen, noise)
		}
	}
}
