// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster/manifest"
)

// BenchmarkLoadText reads a folder's worth of pods, as kubectl prints them.
func BenchmarkLoadText(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, `---
apiVersion: v1
kind: Pod
metadata:
  name: web-%d
  namespace: x
  labels: {app: web, pod-template-hash: abc}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-abc, uid: x, controller: true}]
spec:
  nodeName: n1
  containers:
  - name: main
    image: registry.example/web:1
    resources: {limits: {cpu: 100m, memory: 128Mi}, requests: {cpu: 10m, memory: 64Mi}}
    ports: [{name: http, containerPort: 8080}]
status:
  phase: Running
  podIPs: [{ip: 10.0.%d.%d}]
  startTime: "2026-01-01T00:00:00Z"
`, i, i/250, i%250)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if s := manifest.LoadText("f.yaml", []byte(text.String()), manifest.Options{}); len(s.Pods) != 1000 {
			b.Fatal(len(s.Pods))
		}
	}
}
