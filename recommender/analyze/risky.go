// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/flow"
)

// nodePorts are ports that only the cluster itself has business with, on any
// node. https://kubernetes.io/docs/reference/networking/ports-and-protocols/
var nodePorts = map[uint16]string{
	22:    "SSH of a node",
	2379:  "etcd",
	2380:  "etcd's peers",
	10250: "the kubelet's API, which can run commands in any pod of its node",
	10255: "the kubelet's read-only API",
	10257: "the controller manager",
	10259: "the scheduler",
}

// metadata are the addresses of clouds' metadata services, which hand out the
// node's credentials.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"),
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("fd20:ce::254"),
}

// RiskAPIServer is what Edge.Risky says of a workload that was learnt and uses
// the API server for the first time.
const RiskAPIServer = "first use of the API server"

const apiServerService = "default/kubernetes"

// risky says why an edge from a pod is risky whatever the baseline; empty when
// it is not.
func (x *Index) risky(e *Edge, protocol flow.Protocol) string {
	if e.Client.Kind != PartyWorkload || x.onHost(e.Client) {
		return ""
	}
	if slices.Contains(metadata, e.Server.IP) {
		return "the cloud's metadata service, which hands out the node's credentials"
	}
	if what, ok := nodePorts[e.Port]; ok && protocol == flow.TCP && (e.Server.Kind == PartyNode || x.onHost(e.Server)) {
		return what
	}
	if e.Unseen && x.isAPIServer(e) {
		return RiskAPIServer
	}
	return ""
}

// onHost says whether a workload's pods share their node's network.
func (x *Index) onHost(p Party) bool {
	pods := x.pods[p.Workload()]
	return len(pods) > 0 && pods[0].HostNetwork
}

func (x *Index) isAPIServer(e *Edge) bool {
	if slices.ContainsFunc(e.Services, func(s string) bool {
		name, _, _ := strings.Cut(s, ":")
		return name == apiServerService
	}) {
		return true
	}
	for _, slice := range x.snapshot.EndpointSlices {
		if slice.Namespace != "default" || slice.Labels["kubernetes.io/service-name"] != "kubernetes" {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			for _, text := range endpoint.Addresses {
				a, err := netip.ParseAddr(text)
				if err == nil && (a == e.Server.IP || e.Server.Kind == PartyNode && x.nodeAddr[a] == e.Server.Name) && hasPort(slice.Ports, e.Port) {
					return true
				}
			}
		}
	}
	return false
}
