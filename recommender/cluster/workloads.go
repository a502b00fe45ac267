// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/wire/probes"
)

// workloadOf reads an object that makes pods; false for other objects.
func workloadOf(item Item) (Workload, bool) {
	var selector *metav1.LabelSelector
	var template *corev1.PodTemplateSpec
	var schedule string
	switch o := item.Object.(type) {
	case *appsv1.Deployment:
		selector, template = o.Spec.Selector, &o.Spec.Template
	case *appsv1.ReplicaSet:
		selector, template = o.Spec.Selector, &o.Spec.Template
	case *appsv1.StatefulSet:
		selector, template = o.Spec.Selector, &o.Spec.Template
	case *appsv1.DaemonSet:
		selector, template = o.Spec.Selector, &o.Spec.Template
	case *batchv1.Job:
		selector, template = o.Spec.Selector, &o.Spec.Template
	case *batchv1.CronJob:
		template, schedule = &o.Spec.JobTemplate.Spec.Template, o.Spec.Schedule
	case *corev1.ReplicationController:
		selector, template = &metav1.LabelSelector{MatchLabels: o.Spec.Selector}, o.Spec.Template
	default:
		return Workload{}, false
	}
	w := Workload{
		Workload: flow.Workload{Namespace: item.Ref.Namespace, Kind: item.Ref.Kind, Name: item.Ref.Name},
		Selector: exactSelector(selector),
		Schedule: schedule,
		Source:   item.Source,
	}
	if template != nil {
		w.TemplateLabels = template.Labels
		w.Ports = portsOf(&template.Spec)
		w.Probes = probes.Ports(&template.Spec)
		w.Images = imagesOf(&template.Spec)
		w.ServiceAccount = serviceAccountOf(&template.Spec)
		w.HostNetwork = template.Spec.HostNetwork
	}
	return w, true
}

func exactSelector(s *metav1.LabelSelector) map[string]string {
	if s == nil || len(s.MatchExpressions) > 0 || len(s.MatchLabels) == 0 {
		return nil
	}
	return s.MatchLabels
}

// workloadFromPods stands for an owner whose object is not at hand (a bare
// pod, an operator's kind): labels and ports are what all of its pods share.
func workloadFromPods(name flow.Workload, pods []*Pod) Workload {
	first := pods[0]
	w := Workload{
		Workload:       name,
		TemplateLabels: maps.Clone(first.Labels),
		Ports:          first.Ports,
		ServiceAccount: first.ServiceAccount,
		HostNetwork:    first.HostNetwork,
	}
	for _, p := range pods[1:] {
		maps.DeleteFunc(w.TemplateLabels, func(k, v string) bool {
			got, ok := p.Labels[k]
			return !ok || got != v
		})
	}
	return w
}

// templatePod stands for a workload that has no pod of its own at the moment.
func templatePod(w Workload) Pod {
	return Pod{
		Namespace:      w.Namespace,
		Name:           w.Name,
		Labels:         w.TemplateLabels,
		ServiceAccount: w.ServiceAccount,
		HostNetwork:    w.HostNetwork,
		Template:       true,
		Ports:          w.Ports,
		Probes:         w.Probes,
		Workload:       w.Workload,
		Images:         w.Images,
	}
}
