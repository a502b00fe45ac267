// SPDX-License-Identifier: Apache-2.0

package policytest

import (
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// Probe is a question that every judge can answer: both ends have an address of
// one family, no node is asked about its own pods and no pod about itself.
type Probe struct {
	From, To Peer
	Protocol flow.Protocol
	Port     uint16
}

// Probes lists the probes of a cluster, always in the same order.
func (d *Dice) Probes(s *cluster.Snapshot) []Probe {
	var out []Probe
	peers := d.Peers(s)
	for _, from := range peers {
		for _, to := range peers {
			if !judged(&from, &to) {
				continue
			}
			for _, protocol := range []flow.Protocol{flow.TCP, flow.UDP, flow.SCTP} {
				for _, port := range []uint16{53, 80, 81, 9999} {
					out = append(out, Probe{from, to, protocol, port})
				}
			}
		}
	}
	return out
}

func judged(from, to *Peer) bool {
	for _, p := range []*Peer{from, to} {
		if !p.Addr.IsValid() || p.DNS != "" || (p.Pod != nil && p.Pod.HostNetwork) {
			return false
		}
	}
	if from.Addr.Is4() != to.Addr.Is4() || (from.Pod == nil && to.Pod == nil) || from.Pod == to.Pod {
		return false
	}
	return from.Pod != nil || from.Addr.String() != nodeAddress(to.Pod, from.Addr.Is4())
}

// nodeAddress is the address of the pod's node, as Cluster numbers them.
func nodeAddress(p *cluster.Pod, four bool) string {
	number := string(p.Node[1] + 1)
	if four {
		return "192.168.0." + number
	}
	return "fd00:ff::" + number
}

// State is one cluster of Kubernetes policies with a judge's answers: for each
// source pod, each destination pod that is another, ports 80 and 81 and TCP,
// UDP, SCTP of each, two bits: egress, ingress.
type State struct {
	Name       string                       `json:"name"`
	Namespaces map[string]map[string]string `json:"namespaces"`
	Pods       []StatePod                   `json:"pods"`
	Policies   []networkingv1.NetworkPolicy `json:"policies"`
	Answers    []byte                       `json:"answers"`
}

// StatePod is a pod of a State; its ports are named serve-80-tcp and so on.
type StatePod struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels"`
	IP        string            `json:"ip"`
}

// Random is a judge's answers on a random cluster, two bits a probe.
type Random struct {
	Seed    uint64 `json:"seed"`
	Kind    string `json:"kind"` // "kubernetes", "clusterwide" or "admin"
	Answers []byte `json:"answers"`
}

// KubernetesOnly makes a random cluster with Kubernetes policies alone.
func KubernetesOnly(seed uint64) (*Dice, *cluster.Snapshot) {
	d := New(seed)
	s := d.Cluster()
	for i := range 1 + d.IntN(6) {
		s.Policies = append(s.Policies, d.KubernetesPolicy("k"+string(rune('0'+i))))
	}
	return d, s
}

// ClusterWide makes a random cluster with Kubernetes and cluster-wide policies.
func ClusterWide(seed uint64) (*Dice, *cluster.Snapshot) {
	d, s := KubernetesOnly(seed)
	for i := range 1 + d.IntN(4) {
		s.Policies = append(s.Policies, d.WidePolicy("w"+string(rune('0'+i))))
	}
	return d, s
}

// SetAnswer stores two bits at a position, growing the answers as needed.
func SetAnswer(answers []byte, at int, egress, ingress bool) []byte {
	for len(answers) <= at/4 {
		answers = append(answers, 0)
	}
	if egress {
		answers[at/4] |= 1 << (at % 4 * 2)
	}
	if ingress {
		answers[at/4] |= 2 << (at % 4 * 2)
	}
	return answers
}

// Answer reads the two bits at a position.
func Answer(answers []byte, at int) (egress, ingress bool) {
	b := answers[at/4] >> (at % 4 * 2)
	return b&1 != 0, b&2 != 0
}
