// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster/manifest"
)

// TestCellNamesHostPods: a hostNetwork pod of which no node is known is named
// by its workload, not by an address that it has not.
func TestCellNamesHostPods(t *testing.T) {
	const world = `apiVersion: v1
kind: Namespace
metadata: {name: a}
---
apiVersion: v1
kind: Pod
metadata: {name: x, namespace: a, labels: {app: x}}
spec: {nodeName: n1, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.0.0.1}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: exporter, namespace: a}
spec: {selector: {matchLabels: {app: e}}, template: {metadata: {labels: {app: e}}, spec: {hostNetwork: true, containers: [{name: c, image: i}]}}}
---
`
	const deny = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: a}
spec: {podSelector: {matchLabels: {app: x}}, policyTypes: [Egress], egress: []}
`
	before := compileClean(t, manifest.LoadText("w.yaml", []byte(world), manifest.Options{}), Options{})
	after := compileClean(t, manifest.LoadText("w.yaml", []byte(world+deny), manifest.Options{}), Options{})
	text := cellTexts(Compare(before, after).Removed)
	if !strings.Contains(text, "a host-network pod of a/exporter") || strings.Contains(text, "invalid") {
		t.Errorf("got %s", text)
	}
}
