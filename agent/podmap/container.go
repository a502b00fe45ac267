// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netcinch/netcinch/recommender/wire/probes"
)

// statuses are all that a pod has: those that run at first, those that are put
// in to look at it, and its own.
func statuses(s *corev1.PodStatus) []corev1.ContainerStatus {
	return slices.Concat(s.InitContainerStatuses, s.EphemeralContainerStatuses, s.ContainerStatuses)
}

// containersOf gives the names of a pod's containers by their ids, also of one
// that has just been started again. Ids come as runtime://id.
func containersOf(p *corev1.Pod) map[string]string {
	var names map[string]string
	add := func(id, name string) {
		_, id, found := strings.Cut(id, "://")
		if !found || id == "" {
			return
		}
		if names == nil {
			names = make(map[string]string)
		}
		names[id] = name
	}
	for _, c := range statuses(&p.Status) {
		if t := c.LastTerminationState.Terminated; t != nil {
			add(t.ContainerID, c.Name)
		}
		add(c.ContainerID, c.Name)
	}
	return names
}

// trimContainers keeps of containers what [probes.Ports] reads.
func trimContainers(all []corev1.Container) []corev1.Container {
	var kept []corev1.Container
	for i := range all {
		small := corev1.Container{Ports: all[i].Ports}
		if probes.Keep(&small, &all[i]) {
			kept = append(kept, small)
		}
	}
	return kept
}

// trimStatuses keeps of them what [endOf] and [containersOf] read.
func trimStatuses(all []corev1.ContainerStatus) []corev1.ContainerStatus {
	kept := make([]corev1.ContainerStatus, 0, len(all))
	for _, c := range all {
		kept = append(kept, corev1.ContainerStatus{
			Name: c.Name, ContainerID: c.ContainerID, State: corev1.ContainerState{Terminated: trimEnd(c.State.Terminated)},
			LastTerminationState: corev1.ContainerState{Terminated: trimEnd(c.LastTerminationState.Terminated)},
		})
	}
	return kept
}

func trimEnd(t *corev1.ContainerStateTerminated) *corev1.ContainerStateTerminated {
	if t == nil {
		return nil
	}
	return &corev1.ContainerStateTerminated{ContainerID: t.ContainerID, FinishedAt: t.FinishedAt}
}
