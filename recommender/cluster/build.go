// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Item is one object as a source read it: of a kind that LookupKind knows, and
// completed (Complete). Build does not change it.
type Item struct {
	Ref    Ref
	Object Typed
	Source Source
}

// Build makes the snapshot of a moment from the objects of that moment. Of two
// objects of the same name the first stays, and the second is a Problem.
// Slices of the result are sorted, so equal input gives an equal snapshot.
func Build(taken time.Time, items []Item, problems []Problem) *Snapshot {
	b := &build{snapshot: &Snapshot{Taken: taken, Problems: slices.Clone(problems)}}
	items = b.unique(items)
	b.owners = ownersOf(items)
	for i := range items {
		b.add(items[i])
	}
	b.finish()
	return b.snapshot
}

type build struct {
	snapshot *Snapshot
	owners   owners
}

// identity is a Ref without what tells two spellings of one object apart: the
// version, and which of Calico's two API groups it was read from.
func identity(r Ref) Ref {
	gv, err := schema.ParseGroupVersion(r.APIVersion)
	if err != nil {
		return r
	}
	r.APIVersion = gv.Group
	if gv.Group == groupCalicoStored {
		r.APIVersion = groupCalico
	}
	return r
}

func (b *build) unique(items []Item) []Item {
	seen := make(map[Ref]int, len(items))
	kept := make([]Item, 0, len(items))
	for _, item := range items {
		id := identity(item.Ref)
		if first, ok := seen[id]; ok {
			b.snapshot.Problems = append(b.snapshot.Problems, Problem{
				File: item.Source.File, Line: item.Source.Line, Field: "metadata.name", Ref: item.Ref,
				Message: fmt.Sprintf("%s is defined twice, first at %s; keep one of them (the first is used)", item.Ref, place(kept[first].Source)),
			})
			continue
		}
		seen[id] = len(kept)
		kept = append(kept, item)
	}
	return kept
}

func place(s Source) string {
	if s.File == "" {
		return "the API server"
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

func ownersOf(items []Item) owners {
	o := owners{refs: map[flow.Workload]*metav1.OwnerReference{}}
	for _, item := range items {
		w := flow.Workload{Namespace: item.Ref.Namespace, Kind: item.Ref.Kind, Name: item.Ref.Name}
		switch object := item.Object.(type) {
		case *appsv1.Deployment, *appsv1.StatefulSet, *appsv1.DaemonSet, *batchv1.CronJob, *appsv1.ReplicaSet, *batchv1.Job, *corev1.ReplicationController:
			o.refs[w] = metav1.GetControllerOf(object.(metav1.Object))
		}
	}
	return o
}

func (b *build) add(item Item) {
	s := b.snapshot
	switch o := item.Object.(type) {
	case *corev1.Namespace:
		s.Namespaces = append(s.Namespaces, namespaceOf(o.Name, o.Labels))
	case *corev1.Node:
		s.Nodes = append(s.Nodes, nodeOf(o))
	case *corev1.Pod:
		s.Pods = append(s.Pods, podOf(o, b.owners))
	case *corev1.ServiceAccount:
		s.ServiceAccounts = append(s.ServiceAccounts, ServiceAccount{Namespace: o.Namespace, Name: o.Name, Labels: o.Labels})
	case *corev1.Service:
		s.Services = append(s.Services, o)
	case *discoveryv1.EndpointSlice:
		s.EndpointSlices = append(s.EndpointSlices, o)
	default:
		if w, ok := workloadOf(item); ok {
			if b.owners.refs[w.Workload] == nil {
				s.Workloads = append(s.Workloads, w)
			}
			return
		}
		s.Policies = append(s.Policies, Object{Ref: item.Ref, Typed: item.Object, Source: item.Source})
	}
}

func namespaceOf(name string, labels map[string]string) Namespace {
	all := map[string]string{}
	maps.Copy(all, labels)
	all[corev1.LabelMetadataName] = name
	return Namespace{Name: name, Labels: all}
}

// calicoNodeAddresses are annotations by which Calico says what further
// addresses a node speaks from: its traffic to pods of other nodes carries the
// tunnel's address.
var calicoNodeAddresses = []string{
	"projectcalico.org/IPv4Address", "projectcalico.org/IPv6Address", "projectcalico.org/IPv4IPIPTunnelAddr",
	"projectcalico.org/IPv4VXLANTunnelAddr", "projectcalico.org/IPv6VXLANTunnelAddr",
	"projectcalico.org/IPv4WireguardInterfaceAddr", "projectcalico.org/IPv6WireguardInterfaceAddr",
}

func nodeOf(o *corev1.Node) Node {
	n := Node{Name: o.Name, Labels: o.Labels}
	add := func(text string) {
		text, _, _ = strings.Cut(text, "/")
		if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(n.Addresses, a.Unmap()) {
			n.Addresses = append(n.Addresses, a.Unmap())
		}
	}
	for _, a := range o.Status.Addresses {
		add(a.Address)
	}
	for _, name := range calicoNodeAddresses {
		add(o.Annotations[name])
	}
	for _, text := range append([]string{o.Spec.PodCIDR}, o.Spec.PodCIDRs...) {
		if p, err := netip.ParsePrefix(text); err == nil && !slices.Contains(n.PodCIDRs, p.Masked()) {
			n.PodCIDRs = append(n.PodCIDRs, p.Masked())
		}
	}
	return n
}

// finish adds what objects imply and sorts.
func (b *build) finish() {
	s := b.snapshot
	b.addTemplates() // while the workloads are those that have an object
	b.addOwners()
	b.addNamespaces()
	slices.SortFunc(s.Namespaces, func(a, b Namespace) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(s.Pods, func(a, b Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Workload.Kind, b.Workload.Kind))
	})
	slices.SortFunc(s.Workloads, func(a, b Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	slices.SortFunc(s.ServiceAccounts, func(a, b ServiceAccount) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(s.Services, func(a, b *corev1.Service) int { return compareMeta(a, b) })
	slices.SortFunc(s.EndpointSlices, func(a, b *discoveryv1.EndpointSlice) int { return compareMeta(a, b) })
	slices.SortFunc(s.Policies, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Ref.Namespace, b.Ref.Namespace), cmp.Compare(a.Ref.Name, b.Ref.Name),
			cmp.Compare(a.Ref.Kind, b.Ref.Kind), cmp.Compare(a.Ref.APIVersion, b.Ref.APIVersion))
	})
	slices.SortStableFunc(s.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

func compareMeta(a, b metav1.Object) int {
	return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
}

// addOwners adds workloads that are known from their pods alone.
func (b *build) addOwners() {
	s := b.snapshot
	have := map[flow.Workload]bool{}
	for _, w := range s.Workloads {
		have[w.Workload] = true
	}
	pods := map[flow.Workload][]*Pod{}
	for i := range s.Pods {
		if w := s.Pods[i].Workload; !have[w] {
			pods[w] = append(pods[w], &s.Pods[i])
		}
	}
	for w, list := range pods {
		s.Workloads = append(s.Workloads, workloadFromPods(w, list))
	}
}

// addTemplates lets a template stand in for each workload that has no pod that
// lives: a folder without pods, a CronJob between two runs.
func (b *build) addTemplates() {
	s := b.snapshot
	live := map[flow.Workload]bool{}
	for i := range s.Pods {
		if !s.Pods[i].Finished {
			live[s.Pods[i].Workload] = true
		}
	}
	for _, w := range s.Workloads {
		if !live[w.Workload] {
			s.Pods = append(s.Pods, templatePod(w))
		}
	}
}

// addNamespaces adds namespaces that objects lie in and no object describes.
func (b *build) addNamespaces() {
	s := b.snapshot
	have := map[string]bool{"": true}
	for _, n := range s.Namespaces {
		have[n.Name] = true
	}
	add := func(name string) {
		if !have[name] {
			have[name] = true
			s.Namespaces = append(s.Namespaces, namespaceOf(name, nil))
		}
	}
	for i := range s.Pods {
		add(s.Pods[i].Namespace)
	}
	for _, p := range s.Policies {
		add(p.Ref.Namespace)
	}
	for _, svc := range s.Services {
		add(svc.Namespace)
	}
}
