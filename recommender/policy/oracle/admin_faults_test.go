// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// adminFaults answers as kube-network-policies' v1alpha1 does, where it departs
// from the API in two ways:
//
//   - A port by name matches every port and protocol of a destination that
//     declares the name. The API says of NamedPort that it "selects a port on a
//     pod(s) based on name": that one port.
//   - A nodes peer is held against the labels of the node that the destination pod
//     runs on, and never matches a node. The API says of Nodes that it "selects the
//     nodeIPs as the peer type by matching on the IPs present in the
//     node.Status.Addresses field of the node"; a pod is not its node.
//
// It rewrites the cluster to what the judge takes it for, for one protocol and
// port at a time: every pod that declares a name declares it there.
type adminFaults struct {
	snapshot *cluster.Snapshot
	engines  map[asked]*faultyCluster
}

type asked struct {
	protocol flow.Protocol
	port     uint16
}

type faultyCluster struct {
	engine *policy.Engine
	pods   []cluster.Pod
}

// adminName keeps the names in cluster-wide policies apart from those in others,
// which the judge reads right.
func adminName(name string) string { return "admin-" + name }

func (a *adminFaults) answer(t *testing.T, p *policytest.Probe) (egress, ingress bool) {
	t.Helper()
	key := asked{p.Protocol, p.Port}
	c := a.engines[key]
	if c == nil {
		if a.engines == nil {
			a.engines = map[asked]*faultyCluster{}
		}
		c = a.rewritten(t, key)
		a.engines[key] = c
	}
	q := question(p)
	for _, peer := range []*policy.Peer{&q.From, &q.To} {
		if peer.Pod != nil {
			i := slices.IndexFunc(c.pods, func(o cluster.Pod) bool { return o.Name == peer.Pod.Name && o.Namespace == peer.Pod.Namespace })
			peer.Pod = &c.pods[i]
		}
	}
	return c.engine.Allowed(q)
}

func (a *adminFaults) rewritten(t *testing.T, at asked) *faultyCluster {
	t.Helper()
	s := *a.snapshot
	s.Pods, s.Policies = slices.Clone(s.Pods), slices.Clone(s.Policies)
	for i := range s.Pods {
		ports := slices.Clone(s.Pods[i].Ports)
		for _, p := range s.Pods[i].Ports {
			ports = append(ports, cluster.ContainerPort{Name: adminName(p.Name), Protocol: at.protocol, Port: at.port})
		}
		s.Pods[i].Ports = ports
	}
	for i, o := range s.Policies {
		switch p := o.Typed.(type) {
		case *v1alpha1.AdminNetworkPolicy:
			p = p.DeepCopy()
			for k := range p.Spec.Ingress {
				rename(p.Spec.Ingress[k].Ports)
			}
			for k := range p.Spec.Egress {
				rename(p.Spec.Egress[k].Ports)
				for n := range p.Spec.Egress[k].To {
					to := &p.Spec.Egress[k].To[n]
					podsForNodes(&to.Nodes, &to.Pods)
				}
			}
			s.Policies[i].Typed = p
		case *v1alpha1.BaselineAdminNetworkPolicy:
			p = p.DeepCopy()
			for k := range p.Spec.Ingress {
				rename(p.Spec.Ingress[k].Ports)
			}
			for k := range p.Spec.Egress {
				rename(p.Spec.Egress[k].Ports)
				for n := range p.Spec.Egress[k].To {
					to := &p.Spec.Egress[k].To[n]
					podsForNodes(&to.Nodes, &to.Pods)
				}
			}
			s.Policies[i].Typed = p
		}
	}
	return &faultyCluster{engine: compile(t, &s), pods: s.Pods}
}

func rename(ports *[]v1alpha1.AdminNetworkPolicyPort) {
	if ports == nil {
		return
	}
	for i := range *ports {
		if p := &(*ports)[i]; p.NamedPort != nil {
			name := adminName(*p.NamedPort)
			p.NamedPort = &name
		}
	}
}

// podsForNodes: the clusters' nodes have no labels and the policies select all of
// them, which every pod's node answers to.
func podsForNodes(nodes **metav1.LabelSelector, pods **v1alpha1.NamespacedPod) {
	if *nodes != nil {
		*nodes, *pods = nil, &v1alpha1.NamespacedPod{}
	}
}
