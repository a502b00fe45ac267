// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// decode reads a manifest as strictly as the API server would, and completes it
// as it would.
func decode(ref cluster.Ref, text []byte) (cluster.Object, error) {
	kind, ok, err := cluster.LookupKind(ref.APIVersion, ref.Kind)
	if err != nil {
		return cluster.Object{}, fmt.Errorf("reading %s: %w", ref, err)
	}
	if !ok {
		return cluster.Object{}, fmt.Errorf("reading %s: %s is not a kind of policy", ref, ref.Kind)
	}
	typed := kind.New()
	if err := yaml.UnmarshalStrict(text, typed); err != nil {
		return cluster.Object{}, fmt.Errorf("reading %s: %w", ref, err)
	}
	if kind.Namespaced && typed.GetNamespace() == "" {
		typed.SetNamespace(ref.Namespace)
	}
	if typed.GetName() != ref.Name || kind.Namespaced && typed.GetNamespace() != ref.Namespace {
		return cluster.Object{}, fmt.Errorf("reading %s: the manifest names %s/%s", ref, typed.GetNamespace(), typed.GetName())
	}
	if err := cluster.Complete(ref.APIVersion, typed); err != nil {
		return cluster.Object{}, fmt.Errorf("completing %s: %w", ref, err)
	}
	return cluster.Object{Ref: ref, Typed: typed, Source: cluster.Source{Line: 1, YAML: text}}, nil
}

// With gives the snapshot with policies in place of those of the same name, or
// beside the others.
func With(s *cluster.Snapshot, policies ...cluster.Object) *cluster.Snapshot {
	next := *s
	next.Policies = slices.Clone(s.Policies)
	for _, p := range policies {
		i := slices.IndexFunc(next.Policies, func(o cluster.Object) bool { return o.Ref == p.Ref })
		if i < 0 {
			next.Policies = append(next.Policies, p)
			continue
		}
		source := next.Policies[i].Source
		if p.Source.File == "" {
			p.Source.File, p.Source.Line = source.File, source.Line
		}
		next.Policies[i] = p
	}
	slices.SortStableFunc(next.Policies, func(a, b cluster.Object) int {
		return cmp.Or(cmp.Compare(a.Ref.Namespace, b.Ref.Namespace), cmp.Compare(a.Ref.Name, b.Ref.Name), cmp.Compare(a.Ref.Kind, b.Ref.Kind))
	})
	return &next
}

// Apply gives the snapshot as it would be with recommendations applied. Those
// that are withheld change nothing.
func Apply(s *cluster.Snapshot, recommendations ...Recommendation) (*cluster.Snapshot, error) {
	var objects []cluster.Object
	for _, r := range recommendations {
		if r.Withheld != "" {
			continue
		}
		o, err := decode(r.Policy.Cluster(), []byte(r.After))
		if err != nil {
			return nil, fmt.Errorf("applying recommendation %s: %w", r.ID, err)
		}
		objects = append(objects, o)
	}
	return With(s, objects...), nil
}
