// SPDX-License-Identifier: Apache-2.0

package live

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Trimming changes nothing that a snapshot has.
func TestTrimKeepsTheSnapshot(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	full := func() []cluster.Typed {
		return []cluster.Typed{
			&corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: "x", Name: "a", UID: "u", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"big": "text"},
					ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}},
				},
				Spec: corev1.PodSpec{
					NodeName: "n", HostNetwork: true, ServiceAccountName: "robot", Volumes: []corev1.Volume{{Name: "v"}},
					Containers:          []corev1.Container{{Image: "i"}, {Env: []corev1.EnvVar{{Name: "SECRET"}}, Ports: []corev1.ContainerPort{{Name: "p", ContainerPort: 1}}}},
					InitContainers:      []corev1.Container{{RestartPolicy: &always, Image: "sidecar", Ports: []corev1.ContainerPort{{ContainerPort: 2}}}, {}},
					EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Image: "debug", Command: []string{"sh"}}}},
				},
				Status: corev1.PodStatus{
					Phase: corev1.PodFailed, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}, {IP: "fd00::1"}}, StartTime: &metav1.Time{}, Conditions: []corev1.PodCondition{{}},
					ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.Unix(9, 0)}}}},
				},
			},
			&corev1.Node{
				ObjectMeta: metav1.ObjectMeta{Name: "n", Annotations: map[string]string{"projectcalico.org/IPv4IPIPTunnelAddr": "10.9.0.1", "other": "x"}},
				Spec:       corev1.NodeSpec{PodCIDRs: []string{"10.0.0.0/24"}},
				Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Address: "2001:db8::1"}}, Images: []corev1.ContainerImage{{}}},
			},
		}
	}
	items := func(trimmed bool) []cluster.Item {
		var list []cluster.Item
		for _, o := range full() {
			if trimmed {
				if _, err := trim(o); err != nil {
					t.Fatal(err)
				}
			}
			list = append(list, cluster.Item{Ref: cluster.Ref{Namespace: o.GetNamespace(), Name: o.GetName()}, Object: o})
		}
		return list
	}
	want, got := cluster.Build(metav1.Unix(1, 0).Time, items(false), nil), cluster.Build(metav1.Unix(1, 0).Time, items(true), nil)
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("(-whole +trimmed):\n%s", diff)
	}
	if images := got.Pods[0].Images; !slices.Equal(images, []string{"debug", "i", "sidecar"}) {
		t.Errorf("images %v", images)
	}
	pod := items(true)[0].Object.(*corev1.Pod)
	if pod.Annotations != nil || pod.Spec.Volumes != nil || len(pod.Spec.InitContainers) != 1 || pod.Spec.Containers[1].Env != nil || pod.Status.Conditions != nil {
		t.Errorf("not trimmed: %+v", pod)
	}
}
