// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// calicoMetadata is where Calico keeps the metadata that people gave, on the
// objects that it stores as crd.projectcalico.org/v1.
const calicoMetadata = "projectcalico.org/metadata"

// Complete does to a policy what the API server (for Calico: its admission)
// would have done on the way in, which manifests from git lack. It changes the
// object in place. apiVersion is the one that the object was written in: as
// Calico stores it, absent types mean both directions; as people write it,
// they follow from the rules that are there.
func Complete(apiVersion string, object Typed) error {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return fmt.Errorf("reading apiVersion: %w", err)
	}
	stored := gv.Group == groupCalicoStored
	if stored {
		if err := restoreMetadata(object); err != nil {
			return err
		}
	}
	switch p := object.(type) {
	case *networkingv1.NetworkPolicy:
		completeKubernetes(&p.Spec)
	case *calicov3.StagedKubernetesNetworkPolicy:
		spec := networkingv1.NetworkPolicySpec{Ingress: p.Spec.Ingress, Egress: p.Spec.Egress, PolicyTypes: p.Spec.PolicyTypes}
		completeKubernetes(&spec)
		p.Spec.PolicyTypes = spec.PolicyTypes
		completeStaged(&p.Spec.StagedAction)
	case *calicov3.NetworkPolicy:
		completeCalico(&p.Spec.Tier, &p.Spec.Types, len(p.Spec.Ingress), len(p.Spec.Egress), stored)
	case *calicov3.GlobalNetworkPolicy:
		completeCalico(&p.Spec.Tier, &p.Spec.Types, len(p.Spec.Ingress), len(p.Spec.Egress), stored)
	case *calicov3.StagedNetworkPolicy:
		completeCalico(&p.Spec.Tier, &p.Spec.Types, len(p.Spec.Ingress), len(p.Spec.Egress), stored)
		completeStaged(&p.Spec.StagedAction)
	case *calicov3.StagedGlobalNetworkPolicy:
		completeCalico(&p.Spec.Tier, &p.Spec.Types, len(p.Spec.Ingress), len(p.Spec.Egress), stored)
		completeStaged(&p.Spec.StagedAction)
	}
	return nil
}

// completeKubernetes does what the API's documentation says: "If this field is not specified, it will default based
// on the existence of ingress or egress rules; policies that contain an egress
// section are assumed to affect egress, and all policies (whether or not they
// contain an ingress section) are assumed to affect ingress".
func completeKubernetes(spec *networkingv1.NetworkPolicySpec) {
	if len(spec.PolicyTypes) == 0 {
		spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(spec.Egress) > 0 {
			spec.PolicyTypes = append(spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	for i := range spec.Ingress {
		completePorts(spec.Ingress[i].Ports)
	}
	for i := range spec.Egress {
		completePorts(spec.Egress[i].Ports)
	}
}

func completePorts(ports []networkingv1.NetworkPolicyPort) {
	for i := range ports {
		if ports[i].Protocol == nil {
			tcp := corev1.ProtocolTCP
			ports[i].Protocol = &tcp
		}
	}
}

// completeCalico: absent types are ingress, or egress where there are only
// egress rules, or both where there are both; absent tier is "default".
func completeCalico(tier *string, types *[]calicov3.PolicyType, ingress, egress int, stored bool) {
	if *tier == "" {
		*tier = "default"
	}
	if len(*types) > 0 {
		return
	}
	switch {
	case stored, ingress > 0 && egress > 0:
		*types = []calicov3.PolicyType{calicov3.PolicyTypeIngress, calicov3.PolicyTypeEgress}
	case egress > 0:
		*types = []calicov3.PolicyType{calicov3.PolicyTypeEgress}
	default:
		*types = []calicov3.PolicyType{calicov3.PolicyTypeIngress}
	}
}

func completeStaged(action *calicov3.StagedAction) {
	if *action == "" {
		*action = calicov3.StagedActionSet
	}
}

func restoreMetadata(object Typed) error {
	text, ok := object.GetAnnotations()[calicoMetadata]
	if !ok {
		return nil
	}
	var meta struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal([]byte(text), &meta); err != nil {
		return fmt.Errorf("reading annotation %s: %w", calicoMetadata, err)
	}
	object.SetLabels(meta.Labels)
	object.SetAnnotations(meta.Annotations)
	return nil
}
