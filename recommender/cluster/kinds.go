// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"slices"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	npav1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	npav1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// The API groups of policies.
const (
	groupNetworking    = "networking.k8s.io"
	groupClusterPolicy = "policy.networking.k8s.io"
	groupCalico        = "projectcalico.org"
	groupCalicoStored  = "crd.projectcalico.org"
)

// Typed is an object of one of the known kinds.
type Typed interface {
	runtime.Object
	metav1.Object
}

// Kind is a kind of object that matters to a verdict.
type Kind struct {
	New        func() Typed
	Namespaced bool
	// Policy marks policies and what they refer to. They go to
	// Snapshot.Policies, and nothing in them may remain not understood; in
	// other kinds fields that this version does not know do no harm.
	Policy bool
}

func inventory(n func() Typed) Kind  { return Kind{New: n, Namespaced: true} }
func wide(n func() Typed) Kind       { return Kind{New: n} }
func policyKind(n func() Typed) Kind { return Kind{New: n, Namespaced: true, Policy: true} }
func widePolicy(n func() Typed) Kind { return Kind{New: n, Policy: true} }
func key(g, v, k string) schemaKey   { return schemaKey{Group: g, Version: v, Kind: k} }
func (k Kind) zero() bool            { return k.New == nil }

type schemaKey = schema.GroupVersionKind

var calicoKinds = map[string]Kind{
	"NetworkPolicy":                 policyKind(func() Typed { return &calicov3.NetworkPolicy{} }),
	"GlobalNetworkPolicy":           widePolicy(func() Typed { return &calicov3.GlobalNetworkPolicy{} }),
	"StagedNetworkPolicy":           policyKind(func() Typed { return &calicov3.StagedNetworkPolicy{} }),
	"StagedGlobalNetworkPolicy":     widePolicy(func() Typed { return &calicov3.StagedGlobalNetworkPolicy{} }),
	"StagedKubernetesNetworkPolicy": policyKind(func() Typed { return &calicov3.StagedKubernetesNetworkPolicy{} }),
	"Tier":                          widePolicy(func() Typed { return &calicov3.Tier{} }),
	"NetworkSet":                    policyKind(func() Typed { return &calicov3.NetworkSet{} }),
	"GlobalNetworkSet":              widePolicy(func() Typed { return &calicov3.GlobalNetworkSet{} }),
	"HostEndpoint":                  widePolicy(func() Typed { return &calicov3.HostEndpoint{} }),
	"Profile":                       widePolicy(func() Typed { return &calicov3.Profile{} }),
	// Of it the failsafe ports matter; it has many fields, other ones with each release.
	"FelixConfiguration": wide(func() Typed { return &calicov3.FelixConfiguration{} }),
}

var otherKinds = map[schemaKey]Kind{
	key("", "v1", "Namespace"):             wide(func() Typed { return &corev1.Namespace{} }),
	key("", "v1", "Node"):                  wide(func() Typed { return &corev1.Node{} }),
	key("", "v1", "Pod"):                   inventory(func() Typed { return &corev1.Pod{} }),
	key("", "v1", "Service"):               inventory(func() Typed { return &corev1.Service{} }),
	key("", "v1", "ServiceAccount"):        inventory(func() Typed { return &corev1.ServiceAccount{} }),
	key("", "v1", "ReplicationController"): inventory(func() Typed { return &corev1.ReplicationController{} }),
	key("apps", "v1", "Deployment"):        inventory(func() Typed { return &appsv1.Deployment{} }),
	key("apps", "v1", "ReplicaSet"):        inventory(func() Typed { return &appsv1.ReplicaSet{} }),
	key("apps", "v1", "StatefulSet"):       inventory(func() Typed { return &appsv1.StatefulSet{} }),
	key("apps", "v1", "DaemonSet"):         inventory(func() Typed { return &appsv1.DaemonSet{} }),
	key("batch", "v1", "Job"):              inventory(func() Typed { return &batchv1.Job{} }),
	key("batch", "v1", "CronJob"):          inventory(func() Typed { return &batchv1.CronJob{} }),

	key("discovery.k8s.io", "v1", "EndpointSlice"): inventory(func() Typed { return &discoveryv1.EndpointSlice{} }),

	key(groupNetworking, "v1", "NetworkPolicy"): policyKind(func() Typed { return &networkingv1.NetworkPolicy{} }),

	key(groupClusterPolicy, "v1alpha1", "AdminNetworkPolicy"):         widePolicy(func() Typed { return &npav1alpha1.AdminNetworkPolicy{} }),
	key(groupClusterPolicy, "v1alpha1", "BaselineAdminNetworkPolicy"): widePolicy(func() Typed { return &npav1alpha1.BaselineAdminNetworkPolicy{} }),
	key(groupClusterPolicy, "v1alpha2", "ClusterNetworkPolicy"):       widePolicy(func() Typed { return &npav1alpha2.ClusterNetworkPolicy{} }),
}

// irrelevant are the kinds, of groups that hold kinds that matter, which can
// change no verdict. Groups that are not listed are irrelevant as a whole.
var irrelevant = map[string][]string{
	"": {
		"Binding", "ComponentStatus", "ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolume",
		"PersistentVolumeClaim", "PodTemplate", "ResourceQuota", "Secret",
	},
	"apps":             {"ControllerRevision"},
	"batch":            {},
	"discovery.k8s.io": {},
	groupNetworking:    {"Ingress", "IngressClass", "IPAddress", "ServiceCIDR"},
	groupClusterPolicy: {},
	groupCalico:        calicoIrrelevant,
	groupCalicoStored:  calicoIrrelevant,
}

var calicoIrrelevant = []string{
	"BGPConfiguration", "BGPFilter", "BGPPeer", "BlockAffinity", "CalicoNodeStatus", "ClusterInformation",
	"IPAMBlock", "IPAMConfig", "IPAMConfiguration", "IPAMHandle", "IPPool", "IPReservation",
	"KubeControllersConfiguration", "Node",
}

// LookupKind says what to do with an object: a kind that matters, or one that
// changes no verdict (ok is false and err nil), or one that might and is not
// understood: err says what to do about it.
func LookupKind(apiVersion, kind string) (k Kind, ok bool, err error) {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil || gv.Version == "" {
		return Kind{}, false, fmt.Errorf("apiVersion %q is not of the form group/version", apiVersion)
	}
	if k := known(gv, kind); !k.zero() {
		return k, true, nil
	}
	skipped, mattering := irrelevant[gv.Group]
	switch {
	case slices.Contains(skipped, kind):
		return Kind{}, false, nil
	case mattering, gv.Group == "extensions":
		if want := versionsOf(gv.Group, kind); want != "" {
			return Kind{}, false, fmt.Errorf("%s of apiVersion %s is not understood; write it as %s", kind, apiVersion, want)
		}
		if gv.Group == "extensions" {
			return Kind{}, false, nil
		}
		return Kind{}, false, fmt.Errorf("unknown kind %s in apiVersion %s; correct its name, or take it out", kind, apiVersion)
	case strings.HasSuffix(kind, "NetworkPolicy"):
		if want := versionsOf("", kind); want != "" {
			return Kind{}, false, fmt.Errorf("%s of apiVersion %s is not understood; meant %s?", kind, apiVersion, want)
		}
		return Kind{}, false, fmt.Errorf("policies of kind %s (%s) are not evaluated; verdicts for what it selects may be wrong", kind, apiVersion)
	}
	return Kind{}, false, nil
}

func known(gv schema.GroupVersion, kind string) Kind {
	if (gv.Group == groupCalico && gv.Version == "v3") || (gv.Group == groupCalicoStored && gv.Version == "v1") {
		return calicoKinds[kind]
	}
	return otherKinds[gv.WithKind(kind)]
}

// versionsOf names the API versions in which a kind is known: of the group
// itself, else, for groups that lost their kinds to others, of any group.
func versionsOf(group, kind string) string {
	var same, others []string
	for k := range otherKinds {
		if k.Kind != kind {
			continue
		}
		others = append(others, k.GroupVersion().String())
		if k.Group == group {
			same = append(same, k.GroupVersion().String())
		}
	}
	if _, ok := calicoKinds[kind]; ok {
		others = append(others, groupCalico+"/v3")
		switch group {
		case groupCalico:
			same = append(same, groupCalico+"/v3")
		case groupCalicoStored:
			same = append(same, groupCalicoStored+"/v1")
		}
	}
	_, mattering := irrelevant[group]
	if mattering && group != "" {
		others = same
	}
	if group == "" && len(same) > 0 {
		others = same
	}
	slices.Sort(others)
	return strings.Join(others, " or ")
}
