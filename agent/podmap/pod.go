// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netcinch/netcinch/recommender/wire/probes"
)

// Pod is what identifies a pod of this node, and when it lived.
type Pod struct {
	Namespace   string
	Name        string
	UID         string
	Hash        string       // of a static pod: what the kubelet calls it by, in the place of the UID
	Node        string       // that it is bound to; empty where the source has only this node's
	Addresses   []netip.Addr // status.podIPs
	HostNetwork bool         // shares the node's interfaces: has none of its own
	Started     time.Time    // when the kubelet took it, else when it was created; zero where neither is known
	Over        bool         // has succeeded or failed
	Ended       time.Time    // when its last container ended; zero where that is not known

	Containers map[string]string // names of its containers, by the id that the runtime gives each
	Probes     []uint16          // ports that the kubelet asks at whether it is well, in order; TCP
}

// key tells pods apart: the UID where there is one, so that a pod which was
// deleted and made again under the same name is another one.
func (p Pod) key() string {
	if p.UID != "" {
		return p.UID
	}
	return p.Namespace + "/" + p.Name
}

// Source gives the pods of this node, all of them, whenever they change, until
// the context ends. It reports its own troubles; an error means that it cannot
// start.
type Source interface {
	Watch(ctx context.Context, update func([]Pod)) error
}

// staticPodHash is the annotation with a static pod's own UID: the API server
// gives its mirror another one.
const staticPodHash = "kubernetes.io/config.hash"

// podOf takes what matters from a pod object. The error names the field.
func podOf(p *corev1.Pod) (Pod, error) {
	if p.Namespace == "" || p.Name == "" {
		return Pod{}, fmt.Errorf("a Pod without metadata.namespace or metadata.name (%q, %q)", p.Namespace, p.Name)
	}
	pod := Pod{Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Node: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork, Started: p.CreationTimestamp.Time}
	pod.Hash = p.Annotations[staticPodHash]
	if p.Status.StartTime != nil {
		pod.Started = p.Status.StartTime.Time
	}
	pod.Containers, pod.Probes = containersOf(p), probes.Ports(&p.Spec)
	ips := p.Status.PodIPs
	if len(ips) == 0 && p.Status.PodIP != "" {
		ips = []corev1.PodIP{{IP: p.Status.PodIP}}
	}
	for i, ip := range ips {
		address, err := netip.ParseAddr(ip.IP)
		if err != nil {
			return Pod{}, fmt.Errorf("pod %s/%s: status.podIPs[%d]: %w", p.Namespace, p.Name, i, err)
		}
		pod.Addresses = append(pod.Addresses, address.Unmap().WithZone(""))
	}
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		pod.Over, pod.Ended = true, endOf(p)
	}
	return pod, nil
}

// endOf gives when the last container of a finished pod ended.
func endOf(p *corev1.Pod) time.Time {
	var end time.Time
	for _, c := range p.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil && t.FinishedAt.After(end) {
			end = t.FinishedAt.Time
		}
	}
	return end
}
