// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/recommender/flow"
)

// owners resolves an object to its top owner. Objects that own pods and are
// themselves owned (ReplicaSet by Deployment, Job by CronJob) are in refs.
type owners struct {
	refs map[flow.Workload]*metav1.OwnerReference // nil: present and owned by nothing
}

// maxOwnerDepth ends chains of owners that a hand-written folder closed to a ring.
const maxOwnerDepth = 8

// of gives the workload of a pod.
func (o owners) of(pod *metav1.ObjectMeta, node string) flow.Workload {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return flow.Workload{Namespace: pod.Namespace, Kind: "Pod", Name: pod.Name}
	}
	if ref.Kind == "Node" {
		// A static pod is mirrored as name-node: one workload over all nodes.
		return flow.Workload{Namespace: pod.Namespace, Kind: "Pod", Name: strings.TrimSuffix(pod.Name, "-"+node)}
	}
	return o.top(flow.Workload{Namespace: pod.Namespace, Kind: ref.Kind, Name: ref.Name}, pod.Labels)
}

// top climbs from a direct owner. Where the owner's object is not at hand, the
// shape of its name tells the owner that made it, if it tells it surely.
func (o owners) top(w flow.Workload, podLabels map[string]string) flow.Workload {
	for range maxOwnerDepth {
		ref, present := o.refs[w]
		switch {
		case present && ref == nil:
			return w
		case present:
			w = flow.Workload{Namespace: w.Namespace, Kind: ref.Kind, Name: ref.Name}
		default:
			return guessOwner(w, podLabels)
		}
	}
	return w
}

// guessOwner knows how controllers name what they make: a Deployment's
// ReplicaSet ends in the pod-template-hash that its pods carry; a CronJob's
// Job ends in the minute (before Kubernetes 1.21: the second) that it was
// scheduled for, since 1970.
func guessOwner(w flow.Workload, podLabels map[string]string) flow.Workload {
	made := flow.Workload{Namespace: w.Namespace}
	switch w.Kind {
	case "ReplicaSet":
		for label, kind := range map[string]string{"pod-template-hash": "Deployment", "rollouts-pod-template-hash": "Rollout"} {
			hash := podLabels[label]
			if name, ok := strings.CutSuffix(w.Name, "-"+hash); ok && hash != "" && name != "" {
				made.Kind, made.Name = kind, name
				return made
			}
		}
	case "Job":
		if name, ok := cronJobOf(w.Name); ok {
			made.Kind, made.Name = "CronJob", name
			return made
		}
	}
	return w
}

// cronJobOf takes the schedule suffix off a Job's name. Only numbers that are
// times from 2019 on count, so that "import-20240101" stays a Job.
func cronJobOf(job string) (string, bool) {
	i := strings.LastIndexByte(job, '-')
	if i <= 0 {
		return "", false
	}
	n, err := strconv.ParseUint(job[i+1:], 10, 64)
	if err != nil || job[i+1] == '+' {
		return "", false
	}
	const minute2019, minute2080, second2015, second2080 = 25_700_000, 58_000_000, 1_420_000_000, 3_480_000_000
	minutes := n >= minute2019 && n <= minute2080
	seconds := n >= second2015 && n <= second2080
	return job[:i], minutes || seconds
}
