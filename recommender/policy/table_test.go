// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// What the tables and the quick way leave to the rules, or take apart: asked
// twice, the long way first, they say what the walk says.
func TestTablesAgreeWithTheWalk(t *testing.T) {
	s := &cluster.Snapshot{Pods: []cluster.Pod{
		podOf("shop/four", "app=four", "10.0.0.1"),
		podOf("shop/six-four", "app=both", "fd00::2", "10.0.0.2"),
		podOf("shop/named", "app=named", "10.0.0.3", "fd00::3"),
		podOf("shop/other", "app=named", "10.0.0.4"),
		podOf("shop/alone", "app=alone", "10.0.0.5"),
	}}
	s.Pods[2].Ports = []cluster.ContainerPort{{Name: "http", Protocol: 6, Port: 8080}, {Name: "http", Protocol: 6, Port: 8081}}
	s.Pods[4].Ports = s.Pods[2].Ports
	s.Policies = objectsOf(t, `apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: g}
spec:
  selector: app == 'named'
  types: [Ingress]
  ingress:
  - {action: Allow, protocol: TCP, destination: {ports: [http], notPorts: [8080]}}
  - {action: Allow, protocol: UDP, source: {ports: [53]}}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: h}
spec:
  selector: app == 'alone'
  types: [Ingress]
  ingress: [{action: Allow, protocol: TCP, destination: {ports: [http], notPorts: [8080]}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: k, namespace: shop}
spec:
  podSelector: {matchLabels: {app: both}}
  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: l, namespace: shop}
spec:
  podSelector: {matchLabels: {app: four}}
  ingress: [{from: [{ipBlock: {cidr: "fd00::/16"}}]}]
`)
	e := compileClean(t, s, Options{})
	cases := []expectation{
		{"shop/four -> shop/named TCP 8080", "Ei"},
		{"shop/four -> shop/named TCP 8081", "EI"},
		{"shop/four -> shop/other TCP 8081", "Ei"},
		{"shop/four -> shop/alone TCP 8080", "Ei"},
		{"shop/four -> shop/alone TCP 8081", "EI"},
		{"shop/four -> shop/named UDP 80", "Ei"}, // the source's port is not known
		// Without addresses the pods' common family counts, which is not the first
		// of both.
		{"shop/four -> shop/six-four TCP 80", "EI"},
		{"shop/six-four -> shop/four TCP 80", "Ei"},
		{"shop/named@6 -> shop/six-four TCP 80", "Ei"},
		{"::ffff:10.0.0.9 -> shop/six-four TCP 80", "EI"},
		{"::ffff:11.0.0.9 -> shop/six-four TCP 80", "Ei"},
		{"::ffff:10.0.0.1 -> shop/four TCP 80", "EI"}, // to itself
	}
	expect(t, e, s, cases)
	expect(t, e, s, cases)
}
