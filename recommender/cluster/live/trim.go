// SPDX-License-Identifier: Apache-2.0

package live

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/recommender/wire/probes"
)

// trim cuts an object down to what a snapshot is made of before it goes to the
// informer's cache: a pod of 8 KB becomes one of less than 1 KB. It changes
// the object, which nobody else has yet. Policies stay whole.
func trim(object any) (any, error) {
	if o, ok := object.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	switch o := object.(type) {
	case *corev1.Pod:
		o.Annotations, o.Finalizers = nil, nil
		trimPod(o)
	case *corev1.Node:
		trimNode(o)
	case *corev1.Service:
		o.Annotations = nil
	case *corev1.ServiceAccount:
		*o = corev1.ServiceAccount{TypeMeta: o.TypeMeta, ObjectMeta: trimMeta(o.ObjectMeta)}
	case *corev1.Namespace:
		o.Annotations, o.Spec = nil, corev1.NamespaceSpec{}
	case *discoveryv1.EndpointSlice:
		o.Annotations = nil
		for i := range o.Endpoints {
			e := &o.Endpoints[i]
			*e = discoveryv1.Endpoint{Addresses: e.Addresses, Conditions: e.Conditions}
		}
	case *appsv1.Deployment:
		o.ObjectMeta, o.Status = trimMeta(o.ObjectMeta), appsv1.DeploymentStatus{}
		trimTemplate(&o.Spec.Template)
	case *appsv1.ReplicaSet:
		o.ObjectMeta, o.Status = trimMeta(o.ObjectMeta), appsv1.ReplicaSetStatus{}
		trimTemplate(&o.Spec.Template)
	case *appsv1.StatefulSet:
		o.ObjectMeta, o.Status, o.Spec.VolumeClaimTemplates = trimMeta(o.ObjectMeta), appsv1.StatefulSetStatus{}, nil
		trimTemplate(&o.Spec.Template)
	case *appsv1.DaemonSet:
		o.ObjectMeta, o.Status = trimMeta(o.ObjectMeta), appsv1.DaemonSetStatus{}
		trimTemplate(&o.Spec.Template)
	case *batchv1.Job:
		o.ObjectMeta, o.Status = trimMeta(o.ObjectMeta), batchv1.JobStatus{}
		trimTemplate(&o.Spec.Template)
	case *batchv1.CronJob:
		o.ObjectMeta, o.Status = trimMeta(o.ObjectMeta), batchv1.CronJobStatus{}
		trimTemplate(&o.Spec.JobTemplate.Spec.Template)
	case *corev1.ReplicationController:
		o.ObjectMeta, o.Status = trimMeta(o.ObjectMeta), corev1.ReplicationControllerStatus{}
		if o.Spec.Template != nil {
			trimTemplate(o.Spec.Template)
		}
	}
	return object, nil
}

func trimMeta(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion,
		Labels: m.Labels, OwnerReferences: m.OwnerReferences,
	}
}

func trimPod(o *corev1.Pod) {
	o.Spec = trimSpec(o.Spec)
	s := o.Status
	o.Status = corev1.PodStatus{Phase: s.Phase, PodIP: s.PodIP, PodIPs: s.PodIPs, StartTime: s.StartTime}
	for _, c := range s.ContainerStatuses {
		if t := c.State.Terminated; t != nil {
			o.Status.ContainerStatuses = append(o.Status.ContainerStatuses, corev1.ContainerStatus{
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: t.FinishedAt}},
			})
		}
	}
}

func trimTemplate(t *corev1.PodTemplateSpec) {
	t.ObjectMeta = metav1.ObjectMeta{Labels: t.Labels}
	t.Spec = trimSpec(t.Spec)
}

func trimSpec(s corev1.PodSpec) corev1.PodSpec {
	return corev1.PodSpec{
		NodeName: s.NodeName, HostNetwork: s.HostNetwork,
		ServiceAccountName: s.ServiceAccountName, DeprecatedServiceAccount: s.DeprecatedServiceAccount,
		Containers: trimContainers(s.Containers), InitContainers: trimContainers(s.InitContainers),
		EphemeralContainers: trimEphemeral(s.EphemeralContainers),
	}
}

func trimEphemeral(list []corev1.EphemeralContainer) []corev1.EphemeralContainer {
	var kept []corev1.EphemeralContainer
	for _, c := range list {
		kept = append(kept, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Image: c.Image}})
	}
	return kept
}

func trimContainers(list []corev1.Container) []corev1.Container {
	var kept []corev1.Container
	for i := range list {
		c := &list[i]
		small := corev1.Container{Image: c.Image, Ports: c.Ports, RestartPolicy: c.RestartPolicy}
		if probes.Keep(&small, c) || len(c.Ports) > 0 || c.Image != "" {
			kept = append(kept, small)
		}
	}
	return kept
}

func trimNode(o *corev1.Node) {
	var annotations map[string]string
	for k, v := range o.Annotations {
		if strings.HasPrefix(k, "projectcalico.org/") {
			if annotations == nil {
				annotations = map[string]string{}
			}
			annotations[k] = v
		}
	}
	o.ObjectMeta = trimMeta(o.ObjectMeta)
	o.Annotations = annotations
	o.Spec = corev1.NodeSpec{PodCIDR: o.Spec.PodCIDR, PodCIDRs: o.Spec.PodCIDRs}
	o.Status = corev1.NodeStatus{Addresses: o.Status.Addresses}
}
