// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const probed = `
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: cart, uid: u1, annotations: {kubernetes.io/config.hash: h1, other: x}}
spec:
  nodeName: n1
  initContainers:
  - {name: proxy, restartPolicy: Always, startupProbe: {tcpSocket: {port: 15021}}}
  containers:
  - name: main
    ports: [{name: web, containerPort: 8080}, {name: admin, containerPort: 9000}]
    startupProbe: {httpGet: {port: admin}}
    readinessProbe: {httpGet: {port: web}}
    livenessProbe: {httpGet: {port: 8080}}
    lifecycle: {preStop: {httpGet: {port: 9001}}}
  - name: side
    readinessProbe: {grpc: {port: 9090}}
    livenessProbe: {exec: {command: ["true"]}}
  - name: others
    readinessProbe: {httpGet: {port: 7000, host: example.com}}
    livenessProbe: {tcpSocket: {port: nothing}}
    startupProbe: {tcpSocket: {port: 99999}}
  - {name: without}
status:
  podIPs: [{ip: 10.1.0.5}]
  initContainerStatuses:
  - {name: proxy, containerID: "containerd://aa"}
  containerStatuses:
  - name: main
    containerID: containerd://bb
    lastState: {terminated: {containerID: containerd://cc, exitCode: 1}}
  - {name: side, containerID: cri-o://dd}
  - {name: others, containerID: ""}
  ephemeralContainerStatuses:
  - {name: debug, containerID: docker://ee}
`

func readPod(t *testing.T, text string) *corev1.Pod {
	t.Helper()
	var p corev1.Pod
	if err := yaml.UnmarshalStrict([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

func TestContainersAndProbes(t *testing.T) {
	pods, err := parsePods([]byte(probed))
	if err != nil || len(pods) != 1 {
		t.Fatalf("%v, %v", pods, err)
	}
	want := map[string]string{"aa": "proxy", "bb": "main", "cc": "main", "dd": "side", "ee": "debug"}
	if d := cmp.Diff(want, pods[0].Containers); d != "" {
		t.Errorf("containers (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]uint16{8080, 9000, 9001, 9090, 15021}, pods[0].Probes); d != "" {
		t.Errorf("ports of probes (-want +got):\n%s", d)
	}
}

// TestTrimChangesNothing: a pod that the API server tells of is the same when
// what nobody reads has been taken away.
func TestTrimChangesNothing(t *testing.T) {
	p := readPod(t, probed)
	want, err := podOf(p)
	if err != nil {
		t.Fatal(err)
	}
	small, err := trim(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := podOf(small.(*corev1.Pod))
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" || err != nil {
		t.Errorf("%v (-whole +trimmed):\n%s", err, d)
	}
	if want.Hash != "h1" {
		t.Errorf("hash %q", want.Hash)
	}
}

// TestContainersBecomeKnownLater: a pod has its address before its containers
// have started.
func TestContainersBecomeKnownLater(t *testing.T) {
	early := readPod(t, probed)
	early.Status.ContainerStatuses, early.Status.InitContainerStatuses, early.Status.EphemeralContainerStatuses = nil, nil, nil
	first, err := podOf(early)
	if err != nil {
		t.Fatal(err)
	}
	then, err := podOf(readPod(t, probed))
	if err != nil {
		t.Fatal(err)
	}
	r := newWorld()
	r.Attach(1, true)
	r.Address(1, first.Addresses[0])
	r.SetPods([]Pod{first})
	if p, ok := r.Identify(1); !ok || len(p.Containers) != 0 || len(p.Probes) == 0 {
		t.Fatalf("at first: %+v, %v", p, ok)
	}
	r.SetPods([]Pod{then})
	if p, _ := r.Identify(1); p.Containers["bb"] != "main" {
		t.Errorf("then: %+v", p)
	}
	first.Over = true // reported without its containers when it is over
	r.SetPods([]Pod{first})
	if p, _ := r.Identify(1); p.Containers["bb"] != "main" {
		t.Errorf("at the end: %+v", p)
	}
}
