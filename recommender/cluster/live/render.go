// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/json"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
)

// renderer writes policies as the manifests that people would have applied,
// each once for each version of it. It is used by one goroutine at a time.
type renderer struct {
	done map[cluster.Ref]rendered
}

type rendered struct {
	version  string // resourceVersion
	items    []cluster.Item
	problems []cluster.Problem
}

func newRenderer() *renderer { return &renderer{done: map[cluster.Ref]rendered{}} }

// policy completes an item of a NetworkPolicy with a copy that has the API
// server's defaults, and with its text.
func (r *renderer) policy(item cluster.Item, policy *networkingv1.NetworkPolicy) cluster.Item {
	have, ok := r.done[item.Ref]
	if ok && have.version == policy.ResourceVersion && have.version != "" {
		return have.items[0]
	}
	own := policy.DeepCopy()
	item.Object = own
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(own)
	if err == nil {
		item.Source.Line = 1
		item.Source.YAML, err = text(item.Ref, content)
	}
	if err == nil {
		err = cluster.Complete(item.Ref.APIVersion, own)
	}
	if err != nil {
		item.Source = cluster.Source{}
	}
	r.done[item.Ref] = rendered{version: policy.ResourceVersion, items: []cluster.Item{item}}
	return item
}

// object reads an optional kind's object as a manifest is read, so that what
// is not understood is found in the same way.
func (r *renderer) object(ref cluster.Ref, u *unstructured.Unstructured) ([]cluster.Item, []cluster.Problem) {
	have, ok := r.done[ref]
	if ok && have.version == u.GetResourceVersion() && have.version != "" {
		return have.items, have.problems
	}
	one := rendered{version: u.GetResourceVersion()}
	manifestText, err := text(ref, u.Object)
	if err != nil {
		one.problems = []cluster.Problem{{Ref: ref, Message: err.Error()}}
	} else {
		one.items, one.problems = manifest.Read("", manifestText)
	}
	r.done[ref] = one
	return one.items, one.problems
}

// keep forgets objects that are gone.
func (r *renderer) keep(present map[cluster.Ref]bool) {
	for ref := range r.done {
		if !present[ref] {
			delete(r.done, ref)
		}
	}
}

// serverFields are what the API server adds to metadata.
var serverFields = []string{
	"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds",
}

// text renders an object without what the API server added.
func text(ref cluster.Ref, content map[string]any) ([]byte, error) {
	u := (&unstructured.Unstructured{Object: content}).DeepCopy()
	u.SetAPIVersion(ref.APIVersion)
	u.SetKind(ref.Kind)
	delete(u.Object, "status")
	for _, f := range serverFields {
		unstructured.RemoveNestedField(u.Object, "metadata", f)
	}
	unstructured.RemoveNestedField(u.Object, "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")
	if len(u.GetAnnotations()) == 0 {
		unstructured.RemoveNestedField(u.Object, "metadata", "annotations")
	}
	out, err := json.Marshal(u.Object)
	if err == nil {
		out, err = yaml.JSONToYAML(out)
	}
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", ref, err)
	}
	return out, nil
}
