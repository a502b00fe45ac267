// SPDX-License-Identifier: Apache-2.0

package policytest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// Snapshot is the state as the engine takes it.
func (s *State) Snapshot() *cluster.Snapshot {
	out := &cluster.Snapshot{}
	for name, labels := range s.Namespaces {
		out.Namespaces = append(out.Namespaces, cluster.Namespace{Name: name, Labels: labels})
	}
	slices.SortFunc(out.Namespaces, func(a, b cluster.Namespace) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range s.Pods {
		pod := cluster.Pod{Namespace: p.Namespace, Name: p.Name, Labels: p.Labels, IPs: []netip.Addr{netip.MustParseAddr(p.IP)}}
		for _, x := range statePorts() {
			pod.Ports = append(pod.Ports, cluster.ContainerPort{Name: x.Name(), Protocol: x.Protocol, Port: x.Port})
		}
		out.Pods = append(out.Pods, pod)
	}
	for i := range s.Policies {
		p := &s.Policies[i]
		out.Policies = append(out.Policies, cluster.Object{
			Ref:   cluster.Ref{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy", Namespace: p.Namespace, Name: p.Name},
			Typed: p,
		})
	}
	return out
}

// StateProbe is one question on a state, by index of its pods.
type StateProbe struct {
	From, To int
	Protocol flow.Protocol
	Port     uint16
}

// Name is the name that the destination gives the port.
func (p StateProbe) Name() string {
	return fmt.Sprintf("serve-%d-%s", p.Port, strings.ToLower(p.Protocol.String()))
}

// Probes lists the questions in the order of Answers.
func (s *State) Probes() []StateProbe {
	var out []StateProbe
	for from := range s.Pods {
		for to := range s.Pods {
			if from == to {
				continue
			}
			for _, x := range statePorts() {
				x.From, x.To = from, to
				out = append(out, x)
			}
		}
	}
	return out
}

func statePorts() []StateProbe {
	var out []StateProbe
	for _, port := range []uint16{80, 81} {
		for _, protocol := range []flow.Protocol{flow.TCP, flow.UDP, flow.SCTP} {
			out = append(out, StateProbe{Protocol: protocol, Port: port})
		}
	}
	return out
}
