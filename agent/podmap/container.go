// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
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

// probesOf gives the ports that the kubelet dials at the pod's own address: of
// probes and of lifecycle hooks. A probe of another host is none of the pod's,
// and one that runs a command dials nothing.
func probesOf(spec *corev1.PodSpec) []uint16 {
	var ports []uint16
	for _, containers := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range containers {
			c := &containers[i]
			for _, h := range handlers(c) {
				if port, ok := portOf(h, c.Ports); ok {
					ports = append(ports, port)
				}
			}
		}
	}
	slices.Sort(ports)
	return slices.Clip(slices.Compact(ports))
}

// handlers are what the kubelet does to a container, probes as handlers of
// lifecycle hooks, which can do the same but for gRPC.
func handlers(c *corev1.Container) []corev1.ProbeHandler {
	var all []corev1.ProbeHandler
	for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if probe != nil {
			all = append(all, probe.ProbeHandler)
		}
	}
	if c.Lifecycle == nil {
		return all
	}
	for _, hook := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
		if hook != nil {
			all = append(all, corev1.ProbeHandler{HTTPGet: hook.HTTPGet, TCPSocket: hook.TCPSocket})
		}
	}
	return all
}

func portOf(h corev1.ProbeHandler, ports []corev1.ContainerPort) (uint16, bool) {
	switch {
	case h.HTTPGet != nil && h.HTTPGet.Host == "":
		return number(h.HTTPGet.Port, ports)
	case h.TCPSocket != nil && h.TCPSocket.Host == "":
		return number(h.TCPSocket.Port, ports)
	case h.GRPC != nil:
		return number(intstr.FromInt32(h.GRPC.Port), ports)
	}
	return 0, false
}

// number gives a port that is told by its number, or by its name in the container.
func number(port intstr.IntOrString, ports []corev1.ContainerPort) (uint16, bool) {
	value := port.IntVal
	if port.Type == intstr.String {
		for _, p := range ports {
			if p.Name == port.StrVal {
				value = p.ContainerPort
			}
		}
	}
	if value < 1 || value > 65535 {
		return 0, false
	}
	return uint16(value), true
}

// trimContainers keeps of containers what [probesOf] reads.
func trimContainers(all []corev1.Container) []corev1.Container {
	var kept []corev1.Container
	for i := range all {
		c := &all[i]
		if len(handlers(c)) > 0 {
			kept = append(kept, corev1.Container{
				Ports: c.Ports, StartupProbe: c.StartupProbe, ReadinessProbe: c.ReadinessProbe, LivenessProbe: c.LivenessProbe, Lifecycle: c.Lifecycle,
			})
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
