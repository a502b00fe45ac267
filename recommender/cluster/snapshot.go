// SPDX-License-Identifier: Apache-2.0

// Package cluster says what the cluster was at one moment: the Snapshot, a
// pure value of namespaces, nodes, pods, workloads, services and policies.
//
// Two sources make the same Snapshot: package manifest from files, package
// live from an API server. What could not be read is a Problem in it, never a
// silent gap.
package cluster

import (
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Snapshot is the cluster at one moment. It is never changed once built:
// sources hand out a new one. Slices are sorted by namespace and name.
type Snapshot struct {
	Taken           time.Time
	Namespaces      []Namespace
	Nodes           []Node
	Pods            []Pod
	Workloads       []Workload
	ServiceAccounts []ServiceAccount
	Services        []*corev1.Service
	EndpointSlices  []*discoveryv1.EndpointSlice
	Policies        []Object // policies of all kinds, and what they refer to: sets, tiers, host endpoints, profiles
	Problems        []Problem
}

// Namespace is a namespace with its labels; kubernetes.io/metadata.name is
// always among them.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// Node is a node with every address that it is known by.
type Node struct {
	Name      string
	Labels    map[string]string
	Addresses []netip.Addr
	PodCIDRs  []netip.Prefix
}

// Pod is one pod that owns, or owned, an address. A pod that stands for a
// workload's template (folders without pods) has Template set and no address.
type Pod struct {
	Namespace      string
	Name           string
	UID            string
	Labels         map[string]string
	ServiceAccount string
	Node           string
	HostNetwork    bool
	Template       bool
	Finished       bool // phase Succeeded or Failed: owns no address any more
	IPs            []netip.Addr
	Ports          []ContainerPort
	Probes         []uint16 // TCP ports at which its node asks whether it is well
	Workload       flow.Workload
	Started        time.Time // zero when not known
	Ended          time.Time // when the last container of a finished pod ended; zero when not known
	Images         []string  // that run in it, as its spec names them, with those of debugging containers; sorted
}

// ContainerPort is a declared port; policies refer to it by name.
type ContainerPort struct {
	Name     string
	Protocol flow.Protocol
	Port     uint16
	HostPort uint16
}

// Workload is a top owner of pods with what selectors can be built from.
type Workload struct {
	flow.Workload
	Selector       map[string]string // spec.selector.matchLabels; nil where the selector is more than that
	TemplateLabels map[string]string
	Ports          []ContainerPort
	Probes         []uint16 // as a Pod's
	ServiceAccount string
	HostNetwork    bool
	Schedule       string   // CronJob only
	Images         []string // of its template, sorted
	Source         Source
}

// ServiceAccount is a service account with its labels, for Calico's selectors.
type ServiceAccount struct {
	Namespace string
	Name      string
	Labels    map[string]string
}

// Object is one policy-like object: typed, with where it came from.
type Object struct {
	Ref    Ref
	Typed  runtime.Object // *networkingv1.NetworkPolicy, *calicov3.NetworkPolicy, …; defaulted as the API server would
	Source Source
}

// Ref names an object.
type Ref struct {
	APIVersion string
	Kind       string
	Namespace  string // empty for cluster-wide kinds
	Name       string
}

// String gives Kind namespace/name, or Kind name for cluster-wide kinds.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// Source is where an object was read. File is empty for an API server.
type Source struct {
	File string
	Line int    // first line of the document, from 1
	YAML []byte // the document as its author wrote it; for an API server, as rendered
}

// Problem is something in the input that was not understood. Ref is what can
// be told of the object; the object is left out of the snapshot.
type Problem struct {
	File    string
	Line    int
	Field   string
	Ref     Ref
	Message string // what is wrong and what to do
}
