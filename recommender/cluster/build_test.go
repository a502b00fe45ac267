// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
)

func load(t *testing.T, text string) *cluster.Snapshot {
	t.Helper()
	s := manifest.LoadText("f.yaml", []byte(text), manifest.Options{})
	for _, p := range s.Problems {
		t.Fatalf("%s:%d %s: %s", p.File, p.Line, p.Field, p.Message)
	}
	return s
}

const owned = `apiVersion: v1
kind: Pod
metadata:
  name: %NAME
  namespace: x
  labels: {%LABELS}
  ownerReferences: [{apiVersion: v1, kind: %KIND, name: %OWNER, uid: u, controller: true}]
spec: {nodeName: n1, containers: []}
`

func replace(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		text = replaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// A pod's workload is its top owner, whether or not the objects between are at hand.
func TestOwners(t *testing.T) {
	tests := []struct{ name, pod, labels, kind, owner, objects, want string }{
		{"ReplicaSet at hand", "web-5d4f-x", "", "ReplicaSet", "web-5d4f", rs("web-5d4f", "Deployment", "web"), "Deployment x/web"},
		{"ReplicaSet at hand, own", "web-5d4f-x", "pod-template-hash: 5d4f", "ReplicaSet", "web-5d4f", rs("web-5d4f", "", ""), "ReplicaSet x/web-5d4f"},
		{"ReplicaSet absent, hash", "web-5d4f-x", "pod-template-hash: 5d4f", "ReplicaSet", "web-5d4f", "", "Deployment x/web"},
		{"ReplicaSet absent, other hash", "web-5d4f-x", "pod-template-hash: beef", "ReplicaSet", "web-5d4f", "", "ReplicaSet x/web-5d4f"},
		{"ReplicaSet of a Rollout", "web-5d4f-x", "rollouts-pod-template-hash: 5d4f", "ReplicaSet", "web-5d4f", "", "Rollout x/web"},
		{"Job absent, minutes", "sync-29012345-x", "", "Job", "sync-29012345", "", "CronJob x/sync"},
		{"Job absent, seconds", "sync-1700000000-x", "", "Job", "sync-1700000000", "", "CronJob x/sync"},
		{"Job absent, a date", "import-20240101-x", "", "Job", "import-20240101", "", "Job x/import-20240101"},
		{"Job absent, a word", "import-x", "", "Job", "import", "", "Job x/import"},
		{"StatefulSet", "db-0", "", "StatefulSet", "db", "", "StatefulSet x/db"},
		{"operator's kind", "q-0", "", "RabbitmqCluster", "q", "", "RabbitmqCluster x/q"},
		{"static pod", "etcd-n1", "", "Node", "n1", "", "Pod x/etcd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := load(t, replace(owned, "%NAME", tt.pod, "%LABELS", tt.labels, "%KIND", tt.kind, "%OWNER", tt.owner)+tt.objects)
			for _, p := range s.Pods {
				if p.Template {
					continue
				}
				if got := p.Workload.Kind + " " + p.Workload.String(); got != tt.want {
					t.Errorf("workload %s, want %s", got, tt.want)
				}
			}
		})
	}
}

func rs(name, ownerKind, owner string) string {
	text := "---\napiVersion: apps/v1\nkind: ReplicaSet\nmetadata:\n  name: " + name + "\n  namespace: x\n"
	if ownerKind != "" {
		text += "  ownerReferences: [{apiVersion: apps/v1, kind: " + ownerKind + ", name: " + owner + ", uid: u, controller: true}]\n"
	}
	return text
}

// Objects of the folder become the values of the snapshot, both families alike.
func TestSnapshot(t *testing.T) {
	s := load(t, `apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, uid: u1, labels: {app: a}}
spec:
  nodeName: n1
  serviceAccountName: robot
  containers: [{name: c, ports: [{name: web, containerPort: 80}, {name: dns, containerPort: 53, protocol: UDP, hostPort: 5353}], readinessProbe: {httpGet: {port: web}}}]
  initContainers:
  - {name: once, ports: [{containerPort: 1}]}
  - {name: side, restartPolicy: Always, ports: [{name: side, containerPort: 99, protocol: SCTP}]}
status:
  phase: Succeeded
  podIP: 10.0.0.1
  podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]
  startTime: "2026-01-02T03:04:05Z"
  containerStatuses: [{name: c, state: {terminated: {exitCode: 0, finishedAt: "2026-01-02T03:04:06Z"}}}]
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: z}, annotations: {projectcalico.org/IPv4VXLANTunnelAddr: 10.1.0.1, projectcalico.org/IPv6Address: "fd01::1/64"}}
spec: {podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24, "fd00::/64"]}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: InternalIP, address: "2001:db8::1"}, {type: Hostname, address: n1}]}
`)
	want := cluster.Pod{
		Namespace: "x", Name: "a", UID: "u1", Labels: map[string]string{"app": "a"}, ServiceAccount: "robot", Node: "n1", Finished: true,
		IPs: addrs("10.0.0.1", "fd00::1"),
		Ports: []cluster.ContainerPort{
			{Name: "web", Protocol: 6, Port: 80}, {Name: "dns", Protocol: 17, Port: 53, HostPort: 5353}, {Name: "side", Protocol: 132, Port: 99},
		},
		Probes:   []uint16{80},
		Workload: workload("Pod", "a"),
		Started:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Ended: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC),
	}
	if diff := cmp.Diff([]cluster.Pod{want}, s.Pods, comparers); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
	node := cluster.Node{
		Name: "n1", Labels: map[string]string{"zone": "z"}, Addresses: addrs("192.0.2.1", "2001:db8::1", "fd01::1", "10.1.0.1"),
		PodCIDRs: prefixes("10.0.0.0/24", "fd00::/64"),
	}
	if diff := cmp.Diff([]cluster.Node{node}, s.Nodes, comparers); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]cluster.Namespace{{Name: "x", Labels: map[string]string{"kubernetes.io/metadata.name": "x"}}}, s.Namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
}

// A template stands in for a workload without living pods, and only for such.
func TestTemplates(t *testing.T) {
	const cron = `---
apiVersion: batch/v1
kind: CronJob
metadata: {name: c, namespace: x}
spec: {schedule: "* * * * *", jobTemplate: {spec: {template: {metadata: {labels: {app: c}}, spec: {restartPolicy: Never, containers: [{name: c, ports: [{containerPort: 7}]}]}}}}}
`
	pod := func(phase string) string {
		return replace(owned, "%NAME", "c-29012345-q", "%LABELS", "app: c", "%KIND", "Job", "%OWNER", "c-29012345") + "status: {phase: " + phase + "}\n"
	}
	tests := []struct{ name, text, want string }{
		{"none", cron, "template c"},
		{"running", pod("Running") + cron, "pod c-29012345-q"},
		{"finished", pod("Succeeded") + cron, "template c, pod c-29012345-q"},
		{"no object", pod("Succeeded"), "pod c-29012345-q"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := load(t, tt.text)
			var got string
			for i, p := range s.Pods {
				if i > 0 {
					got += ", "
				}
				if p.Template {
					got += "template " + p.Name
				} else {
					got += "pod " + p.Name
				}
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if len(s.Workloads) != 1 || s.Workloads[0].Kind != "CronJob" {
				t.Errorf("workloads %+v, want the CronJob alone", s.Workloads)
			}
		})
	}
}
