// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// decode reads a manifest as strictly as the API server would, and completes it
// as it would.
func decode(ref cluster.Ref, text []byte) (cluster.Object, error) {
	return decodeBy(ref, text, func(into any) error { return yaml.UnmarshalStrict(text, into) })
}

// decodeWritten reads what an edit wrote, by the words that all readers of YAML
// agree on where it has no others.
func decodeWritten(ref cluster.Ref, text []byte, doc *edit.Document) (cluster.Object, error) {
	if words, ok := doc.JSON(); ok {
		o, err := decodeBy(ref, text, func(into any) error {
			d := json.NewDecoder(bytes.NewReader(words))
			d.DisallowUnknownFields()
			return d.Decode(into)
		})
		if err == nil {
			return o, nil
		}
	}
	return decode(ref, text)
}

func decodeBy(ref cluster.Ref, text []byte, read func(any) error) (cluster.Object, error) {
	kind, ok, err := cluster.LookupKind(ref.APIVersion, ref.Kind)
	if err != nil {
		return cluster.Object{}, fmt.Errorf("reading %s: %w", ref, err)
	}
	if !ok {
		return cluster.Object{}, fmt.Errorf("reading %s: %s is not a kind of policy", ref, ref.Kind)
	}
	typed := kind.New()
	if err := read(typed); err != nil {
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

// decodeAny reads a manifest of whatever kind it says.
func decodeAny(text []byte) (cluster.Object, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		return cluster.Object{}, fmt.Errorf("reading a manifest: %w", err)
	}
	return decode(cluster.Ref{APIVersion: head.APIVersion, Kind: head.Kind, Namespace: head.Metadata.Namespace, Name: head.Metadata.Name}, text)
}

// decodeAll reads the documents of a recommendation: the policy, and what comes
// with it.
func (r *Recommendation) decodeAll() (cluster.Object, []cluster.Object, error) {
	texts := []string{r.After}
	if r.Kind == KindNew {
		texts = splitDocuments(r.After)
	}
	o, err := decode(r.Policy.Cluster(), []byte(texts[0]))
	if err != nil {
		return o, nil, err
	}
	var further []cluster.Object
	for _, text := range texts[1:] {
		f, err := decodeAny([]byte(text))
		if err != nil {
			return o, nil, err
		}
		further = append(further, f)
	}
	return o, further, nil
}

// splitDocuments cuts a text of ours at the lines between its documents.
func splitDocuments(text string) []string {
	return strings.Split(text, "\n---\n")
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
		o, further, err := r.decodeAll()
		if err != nil {
			return nil, fmt.Errorf("applying recommendation %s: %w", r.ID, err)
		}
		objects = append(append(objects, o), further...)
	}
	return With(s, objects...), nil
}
