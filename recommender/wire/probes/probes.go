// SPDX-License-Identifier: Apache-2.0

// Package probes reads from a pod's spec where its node asks whether it is
// well. Agent and recommender must see alike what is a probe: both read it here.
package probes

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Ports gives the TCP ports, in order, that the kubelet dials at the pod's own
// address: of probes (HTTP, TCP, gRPC) and of lifecycle hooks. A probe that
// names another host is none of the pod's; one that runs a command dials nothing.
func Ports(spec *corev1.PodSpec) []uint16 {
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

// Keep copies to a container that is cut down what [Ports] reads of another,
// but for its ports, and says whether there was anything.
func Keep(to, from *corev1.Container) bool {
	to.StartupProbe, to.ReadinessProbe, to.LivenessProbe = small(from.StartupProbe), small(from.ReadinessProbe), small(from.LivenessProbe)
	if from.Lifecycle != nil {
		to.Lifecycle = &corev1.Lifecycle{PostStart: smallHook(from.Lifecycle.PostStart), PreStop: smallHook(from.Lifecycle.PreStop)}
	}
	return len(handlers(to)) > 0
}

// handlers are what the kubelet does to a container that can dial. A lifecycle
// hook does what a probe does, but for gRPC.
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

func small(p *corev1.Probe) *corev1.Probe {
	if p == nil {
		return nil
	}
	s := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: smallHTTP(p.HTTPGet), TCPSocket: p.TCPSocket}}
	if p.GRPC != nil {
		s.GRPC = &corev1.GRPCAction{Port: p.GRPC.Port}
	}
	return s
}

func smallHook(h *corev1.LifecycleHandler) *corev1.LifecycleHandler {
	if h == nil {
		return nil
	}
	return &corev1.LifecycleHandler{HTTPGet: smallHTTP(h.HTTPGet), TCPSocket: h.TCPSocket}
}

func smallHTTP(h *corev1.HTTPGetAction) *corev1.HTTPGetAction {
	if h == nil {
		return nil
	}
	return &corev1.HTTPGetAction{Port: h.Port, Host: h.Host}
}
