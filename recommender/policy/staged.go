// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Staging is what the staged policies of a snapshot would do if they were
// enforced.
type Staging struct {
	// Snapshot has each staged policy in force, in the place of the enforced one
	// of its kind, namespace and name, or that one gone. A policy that came of a
	// staged one keeps the staged one's Ref, so that verdicts name what was written.
	Snapshot *cluster.Snapshot
	Set      []cluster.Ref // staged policies that would be in force
	Deleted  []cluster.Ref // enforced policies that would be gone
	Problems []cluster.Problem
}

// Stage enforces the staged policies of a snapshot in a copy of it. Those that
// are to be learnt or ignored stay out. Compare the engines of both snapshots
// to see what would change.
func Stage(s *cluster.Snapshot) Staging {
	next := *s
	out := Staging{Snapshot: &next}
	gone := map[cluster.Ref]bool{}
	var put []cluster.Object
	for i := range s.Policies {
		o := s.Policies[i]
		action, typed, kind := enforced(o.Typed)
		if typed == nil {
			continue
		}
		gone[o.Ref] = true
		old := counterpart(s.Policies, o.Ref, kind)
		switch action {
		case calicov3.StagedActionSet, "":
			out.Set = append(out.Set, o.Ref)
			o.Typed = typed
			put = append(put, o)
			if old != nil {
				gone[*old] = true
			}
		case calicov3.StagedActionDelete:
			if old == nil {
				out.Problems = append(out.Problems, cluster.Problem{
					File: o.Source.File, Line: o.Source.Line, Field: "metadata.name", Ref: o.Ref,
					Message: fmt.Sprintf("there is no %s %s to delete", kind, cluster.Ref{Namespace: o.Ref.Namespace, Name: o.Ref.Name}),
				})
				continue
			}
			gone[*old] = true
			out.Deleted = append(out.Deleted, *old)
		case calicov3.StagedActionLearn, calicov3.StagedActionIgnore:
		default:
			out.Problems = append(out.Problems, cluster.Problem{
				File: o.Source.File, Line: o.Source.Line, Field: "spec.stagedAction", Ref: o.Ref,
				Message: fmt.Sprintf("%q is not a staged action; use Set or Delete", action),
			})
		}
	}
	next.Policies = append(slices.DeleteFunc(slices.Clone(s.Policies), func(o cluster.Object) bool { return gone[o.Ref] }), put...)
	return out
}

// enforced gives the policy that a staged one would become, and its kind; nil
// where the object is no staged policy.
func enforced(o runtime.Object) (calicov3.StagedAction, runtime.Object, string) {
	switch staged := o.(type) {
	case *calicov3.StagedNetworkPolicy:
		action, np := calicov3.ConvertStagedPolicyToEnforced(staged)
		return action, np, "NetworkPolicy"
	case *calicov3.StagedGlobalNetworkPolicy:
		action, np := calicov3.ConvertStagedGlobalPolicyToEnforced(staged)
		return action, np, "GlobalNetworkPolicy"
	case *calicov3.StagedKubernetesNetworkPolicy:
		spec := staged.Spec
		return spec.StagedAction, &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: staged.Namespace, Name: staged.Name, Labels: staged.Labels},
			Spec:       networkingv1.NetworkPolicySpec{PodSelector: spec.PodSelector, Ingress: spec.Ingress, Egress: spec.Egress, PolicyTypes: spec.PolicyTypes},
		}, "NetworkPolicy"
	}
	return "", nil, ""
}

// counterpart finds the enforced policy that a staged one stands for.
func counterpart(objects []cluster.Object, staged cluster.Ref, kind string) *cluster.Ref {
	kubernetes := staged.Kind == calicov3.KindStagedKubernetesNetworkPolicy
	for i := range objects {
		ref := &objects[i].Ref
		_, isKubernetes := objects[i].Typed.(*networkingv1.NetworkPolicy)
		if ref.Kind == kind && ref.Namespace == staged.Namespace && ref.Name == staged.Name && kubernetes == isKubernetes {
			return ref
		}
	}
	return nil
}
