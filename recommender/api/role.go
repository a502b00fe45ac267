// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/netip"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
)

// roleControlPlane marks what the cluster itself is run by.
const roleControlPlane = "control-plane"

// controlPlaneLabels mark nodes of the control plane: the present label and the
// one before Kubernetes 1.24.
var controlPlaneLabels = []string{"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}

// roleOf says what a node is for; empty for one that runs workloads.
func roleOf(v *View, node string) string {
	n := v.Index.Node(node)
	if n == nil {
		return ""
	}
	for _, label := range controlPlaneLabels {
		if _, ok := n.Labels[label]; ok {
			return roleControlPlane
		}
	}
	return ""
}

// outsideRole finds the API server where it runs outside the cluster, as
// managed clusters have it.
func (d *drawing) outsideRole(p analyze.Party) string {
	if p.IP.IsValid() && apiServers(d.view)[p.IP] {
		return roleControlPlane
	}
	return ""
}

// apiServers are the addresses behind the Service default/kubernetes.
func apiServers(v *View) map[netip.Addr]bool {
	out := map[netip.Addr]bool{}
	for _, slice := range v.Snapshot.EndpointSlices {
		if slice.Namespace != "default" || slice.Labels["kubernetes.io/service-name"] != "kubernetes" {
			continue
		}
		for i := range slice.Endpoints {
			for _, text := range slice.Endpoints[i].Addresses {
				if a, err := netip.ParseAddr(text); err == nil {
					out[a.Unmap()] = true
				}
			}
		}
	}
	return out
}

// labelsOf gives the labels of a workload's pods.
func labelsOf(v *View, w flow.Workload) map[string]string {
	if known := v.Index.Workload(w); known != nil && known.TemplateLabels != nil {
		return known.TemplateLabels
	}
	for _, pod := range v.Index.Pods(w) {
		return pod.Labels
	}
	return nil
}
