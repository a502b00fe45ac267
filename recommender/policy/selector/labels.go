// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// FieldError says which field of a label selector is wrong.
type FieldError struct {
	Path    []any // field names and list positions: "matchExpressions", 0, "operator"
	Message string
}

func (e *FieldError) Error() string { return fmt.Sprint(e.Path...) + ": " + e.Message }

// FromLabels turns a Kubernetes label selector into an expression. An empty
// selector selects everything. Errors are *FieldError.
func FromLabels(s *metav1.LabelSelector) (*Expr, error) {
	var parts []*Expr
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		if err := checkKey(key); err != nil {
			return nil, &FieldError{[]any{"matchLabels", key}, err.Error()}
		}
		value := s.MatchLabels[key]
		if err := checkValue(value); err != nil {
			return nil, &FieldError{[]any{"matchLabels", key}, err.Error()}
		}
		parts = append(parts, KeyIn(key, value))
	}
	for i, r := range s.MatchExpressions {
		part, err := requirement(r)
		if err != nil {
			err.Path = append([]any{"matchExpressions", i}, err.Path...)
			return nil, err
		}
		parts = append(parts, part)
	}
	return All(parts...), nil
}

func requirement(r metav1.LabelSelectorRequirement) (*Expr, *FieldError) {
	if err := checkKey(r.Key); err != nil {
		return nil, &FieldError{[]any{"key"}, err.Error()}
	}
	for _, v := range r.Values {
		if err := checkValue(v); err != nil {
			return nil, &FieldError{[]any{"values"}, err.Error()}
		}
	}
	switch r.Operator {
	case metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn:
		if len(r.Values) == 0 {
			return nil, &FieldError{[]any{"values"}, fmt.Sprintf("operator %s needs at least one value", r.Operator)}
		}
		if r.Operator == metav1.LabelSelectorOpIn {
			return KeyIn(r.Key, r.Values...), nil
		}
		return &Expr{Op: NotIn, Key: r.Key, Values: r.Values}, nil
	case metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist:
		if len(r.Values) > 0 {
			return nil, &FieldError{[]any{"values"}, fmt.Sprintf("operator %s takes no values; leave them out", r.Operator)}
		}
		if r.Operator == metav1.LabelSelectorOpExists {
			return HasKey(r.Key), nil
		}
		return Negate(HasKey(r.Key)), nil
	default:
		return nil, &FieldError{[]any{"operator"}, fmt.Sprintf("%q is not an operator; use In, NotIn, Exists or DoesNotExist", r.Operator)}
	}
}

func checkKey(key string) error {
	if msgs := validation.IsQualifiedName(key); len(msgs) > 0 {
		return fmt.Errorf("%q is not a label name: %s", key, msgs[0])
	}
	return nil
}

func checkValue(value string) error {
	if msgs := validation.IsValidLabelValue(value); len(msgs) > 0 {
		return fmt.Errorf("%q is not a label value: %s", value, msgs[0])
	}
	return nil
}
