// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/wire/probes"
)

// podOf trims a pod to what matters here. An address that does not parse is
// left out; the API server lets none through.
func podOf(p *corev1.Pod, o owners) Pod {
	pod := Pod{
		Namespace:      p.Namespace,
		Name:           p.Name,
		UID:            string(p.UID),
		Labels:         p.Labels,
		ServiceAccount: serviceAccountOf(&p.Spec),
		Node:           p.Spec.NodeName,
		HostNetwork:    p.Spec.HostNetwork,
		Finished:       p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed,
		IPs:            podAddresses(&p.Status),
		Ports:          portsOf(&p.Spec),
		Probes:         probes.Ports(&p.Spec),
		Workload:       o.of(&p.ObjectMeta, p.Spec.NodeName),
		Images:         imagesOf(&p.Spec),
	}
	if p.Status.StartTime != nil {
		pod.Started = p.Status.StartTime.UTC()
	}
	if pod.Finished {
		pod.Ended = endOf(&p.Status)
	}
	return pod
}

func podAddresses(status *corev1.PodStatus) []netip.Addr {
	var addrs []netip.Addr
	add := func(text string) {
		if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(addrs, a.Unmap()) {
			addrs = append(addrs, a.Unmap())
		}
	}
	add(status.PodIP)
	for _, ip := range status.PodIPs {
		add(ip.IP)
	}
	return addrs
}

// endOf is when the last container ended; the pod owned its address until then.
func endOf(status *corev1.PodStatus) time.Time {
	var end time.Time
	for _, list := range [][]corev1.ContainerStatus{status.InitContainerStatuses, status.ContainerStatuses} {
		for _, c := range list {
			if t := c.State.Terminated; t != nil && t.FinishedAt.After(end) {
				end = t.FinishedAt.UTC()
			}
		}
	}
	return end
}

func serviceAccountOf(spec *corev1.PodSpec) string {
	switch {
	case spec.ServiceAccountName != "":
		return spec.ServiceAccountName
	case spec.DeprecatedServiceAccount != "":
		return spec.DeprecatedServiceAccount
	}
	return "default"
}

// portsOf lists the ports of the containers that run for the pod's life.
func portsOf(spec *corev1.PodSpec) []ContainerPort {
	var ports []ContainerPort
	lasting(spec, func(c *corev1.Container) {
		for _, p := range c.Ports {
			ports = append(ports, containerPort(p))
		}
	})
	return ports
}

// lasting visits the containers that run for the pod's life: containers, and
// init containers that restart always (sidecars).
func lasting(spec *corev1.PodSpec, visit func(*corev1.Container)) {
	for i := range spec.Containers {
		visit(&spec.Containers[i])
	}
	for i := range spec.InitContainers {
		if policy := spec.InitContainers[i].RestartPolicy; policy != nil && *policy == corev1.ContainerRestartPolicyAlways {
			visit(&spec.InitContainers[i])
		}
	}
}

// imagesOf lists the images of the containers that run for the pod's life, and
// of those that were put in for debugging.
func imagesOf(spec *corev1.PodSpec) []string {
	var images []string
	add := func(image string) {
		if image != "" && !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	lasting(spec, func(c *corev1.Container) { add(c.Image) })
	for i := range spec.EphemeralContainers {
		add(spec.EphemeralContainers[i].Image)
	}
	slices.Sort(images)
	return images
}

func containerPort(p corev1.ContainerPort) ContainerPort {
	return ContainerPort{
		Name:     p.Name,
		Protocol: protocolOf(p.Protocol),
		Port:     port16(p.ContainerPort),
		HostPort: port16(p.HostPort),
	}
}

// protocolOf reads a protocol: "Must be UDP, TCP, or SCTP. Defaults to TCP".
func protocolOf(p corev1.Protocol) flow.Protocol {
	switch p {
	case corev1.ProtocolUDP:
		return flow.UDP
	case corev1.ProtocolSCTP:
		return flow.SCTP
	}
	return flow.TCP
}

// port16 is 0, no port, for numbers that are none.
func port16(n int32) uint16 {
	if n < 1 || n > 65535 {
		return 0
	}
	return uint16(n)
}
