// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mattfenwick/cyclonus/pkg/generator"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// cyclonusStates plays every step of cyclonus's test cases and gives the state
// of the cluster after each.
func cyclonusStates() []*policytest.State {
	var out []*policytest.State
	g := generator.NewTestCaseGenerator(true, "10.0.0.9", []string{"x", "y", "z"}, nil, nil)
	for i, c := range g.GenerateAllTestCases() {
		s := baseState()
		for k, step := range c.Steps {
			for _, a := range step.Actions {
				apply(s, a)
			}
			after := *s
			after.Name = fmt.Sprintf("%d.%d %s", i+1, k+1, c.Description)
			after.Namespaces, after.Pods, after.Policies = maps.Clone(s.Namespaces), slices.Clone(s.Pods), slices.Clone(s.Policies)
			out = append(out, &after)
		}
	}
	return out
}

func baseState() *policytest.State {
	s := &policytest.State{Namespaces: map[string]map[string]string{}}
	for _, ns := range []string{"x", "y", "z"} {
		s.Namespaces[ns] = map[string]string{"ns": ns}
		for _, pod := range []string{"a", "b", "c"} {
			addPod(s, ns, pod, map[string]string{"pod": pod})
		}
	}
	return s
}

func addPod(s *policytest.State, ns, name string, labels map[string]string) {
	s.Pods = append(s.Pods, policytest.StatePod{Namespace: ns, Name: name, Labels: labels, IP: fmt.Sprintf("10.0.0.%d", len(s.Pods)+1)})
}

func apply(s *policytest.State, a *generator.Action) {
	drop := func(ns, name string) {
		s.Policies = slices.DeleteFunc(slices.Clone(s.Policies), func(p networkingv1.NetworkPolicy) bool { return p.Namespace == ns && p.Name == name })
	}
	switch {
	case a.CreatePolicy != nil:
		s.Policies = append(slices.Clone(s.Policies), *a.CreatePolicy.Policy)
	case a.UpdatePolicy != nil:
		p := a.UpdatePolicy.Policy
		drop(p.Namespace, p.Name)
		s.Policies = append(s.Policies, *p)
	case a.DeletePolicy != nil:
		drop(a.DeletePolicy.Namespace, a.DeletePolicy.Name)
	case a.CreateNamespace != nil:
		s.Namespaces[a.CreateNamespace.Namespace] = a.CreateNamespace.Labels
	case a.SetNamespaceLabels != nil:
		s.Namespaces[a.SetNamespaceLabels.Namespace] = a.SetNamespaceLabels.Labels
	case a.DeleteNamespace != nil:
		ns := a.DeleteNamespace.Namespace
		delete(s.Namespaces, ns)
		s.Pods = slices.DeleteFunc(slices.Clone(s.Pods), func(p policytest.StatePod) bool { return p.Namespace == ns })
		s.Policies = slices.DeleteFunc(slices.Clone(s.Policies), func(p networkingv1.NetworkPolicy) bool { return p.Namespace == ns })
	case a.CreatePod != nil:
		addPod(s, a.CreatePod.Namespace, a.CreatePod.Pod, a.CreatePod.Labels)
	case a.SetPodLabels != nil:
		for i := range s.Pods {
			if s.Pods[i].Namespace == a.SetPodLabels.Namespace && s.Pods[i].Name == a.SetPodLabels.Pod {
				s.Pods = slices.Clone(s.Pods)
				s.Pods[i].Labels = a.SetPodLabels.Labels
			}
		}
	case a.DeletePod != nil:
		s.Pods = slices.DeleteFunc(slices.Clone(s.Pods), func(p policytest.StatePod) bool {
			return p.Namespace == a.DeletePod.Namespace && p.Name == a.DeletePod.Pod
		})
	}
}
