// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// notInNeedsTheKey rewrites policies to what cyclonus takes them for: it lets
// NotIn match only where the label is present. The specification (API
// conventions of LabelSelectorRequirement, and k8s.io/apimachinery labels)
// says of NotIn: the requirement matches also objects without the key.
func notInNeedsTheKey(s *cluster.Snapshot) *cluster.Snapshot {
	out := *s
	out.Policies = slices.Clone(s.Policies)
	for i, o := range s.Policies {
		np, ok := o.Typed.(*networkingv1.NetworkPolicy)
		if !ok {
			continue
		}
		np = np.DeepCopy()
		addKey(&np.Spec.PodSelector)
		for k := range np.Spec.Ingress {
			peersNeedKey(np.Spec.Ingress[k].From)
		}
		for k := range np.Spec.Egress {
			peersNeedKey(np.Spec.Egress[k].To)
		}
		out.Policies[i].Typed = np
	}
	return &out
}

func peersNeedKey(peers []networkingv1.NetworkPolicyPeer) {
	for i := range peers {
		addKey(peers[i].PodSelector)
		addKey(peers[i].NamespaceSelector)
	}
}

func addKey(s *metav1.LabelSelector) {
	if s == nil {
		return
	}
	for _, r := range slices.Clone(s.MatchExpressions) {
		if r.Operator == metav1.LabelSelectorOpNotIn {
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: r.Key, Operator: metav1.LabelSelectorOpExists})
		}
	}
}
