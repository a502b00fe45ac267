// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/netip"
	"reflect"

	"github.com/netcinch/netcinch/recommender/analyze"
	ask "github.com/netcinch/netcinch/recommender/question" // question is a request of this API
)

// own are the texts of what a caller may read anyway: manifests of policies
// that the view has kept.
var own = map[string]bool{"Manifest": true, "Before": true, "After": true, "Diff": true, "YAML": true}

// unseenPolicy is what is told of a step that a hidden policy took.
const unseenPolicy = "a policy that you may not see"

func veiledRef(r analyze.Ref) analyze.Ref {
	return analyze.Ref{Kind: r.Kind, Namespace: veiled, Name: veiled}
}

// mask gives a copy of a body in which no text tells what is hidden. It is the
// last thing that happens to every answer and event of a caller who does not
// see everything, whatever route made it.
func (h *veil) mask(body any) any {
	v := reflect.ValueOf(body)
	if h == nil || !v.IsValid() {
		return body
	}
	return h.value(v).Interface()
}

func (h *veil) value(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		if h.tells(v.String()) {
			return reflect.ValueOf(veiled).Convert(v.Type())
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v
		}
		if v.Kind() == reflect.Interface {
			return h.value(v.Elem())
		}
		copied := reflect.New(v.Type().Elem())
		copied.Elem().Set(h.value(v.Elem()))
		return copied
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			return v
		}
		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			copied.Index(i).Set(h.value(v.Index(i)))
		}
		return copied
	case reflect.Array:
		copied := reflect.New(v.Type()).Elem()
		for i := range v.Len() {
			copied.Index(i).Set(h.value(v.Index(i)))
		}
		return copied
	case reflect.Map:
		return h.mapping(v)
	case reflect.Struct:
		return h.structure(v)
	}
	return v
}

func (h *veil) mapping(v reflect.Value) reflect.Value {
	if v.IsNil() {
		return v
	}
	copied := reflect.MakeMapWithSize(v.Type(), v.Len())
	for key, value := range v.Seq2() {
		copied.SetMapIndex(h.value(key), h.value(value))
	}
	return copied
}

func (h *veil) structure(v reflect.Value) reflect.Value {
	switch known := v.Interface().(type) {
	case analyze.Party:
		return reflect.ValueOf(h.party(known))
	case analyze.Ref:
		if !h.ref(known.Namespace) {
			return reflect.ValueOf(veiledRef(known))
		}
		return v
	case netip.Addr:
		if h.words[known.String()] {
			return reflect.ValueOf(netip.Addr{})
		}
		return v
	case ask.TrailPolicy:
		if !h.ref(known.Policy.Namespace) {
			return reflect.ValueOf(ask.TrailPolicy{Policy: veiledRef(known.Policy)})
		}
	case ask.Change:
		if known.Policy != nil && !h.ref(known.Policy.Namespace) {
			return reflect.ValueOf(ask.Change{Direction: known.Direction, Text: "change " + unseenPolicy})
		}
	case analyze.Step:
		if known.Policy != nil && !h.ref(known.Policy.Namespace) {
			return reflect.ValueOf(analyze.Step{Kind: known.Kind, Action: known.Action, Text: unseenPolicy})
		}
	}
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v) // what is not exported is not written either
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous && !f.IsExported() && f.Type.Kind() == reflect.Struct {
			h.embedded(copied.Field(i), v.Field(i))
			continue
		}
		if !f.IsExported() || own[f.Name] && f.Type.Kind() == reflect.String {
			continue
		}
		copied.Field(i).Set(h.value(v.Field(i)))
	}
	return copied
}

// embedded masks the fields that a struct has from one of a type that is not
// exported: they are written as its own.
func (h *veil) embedded(into, from reflect.Value) {
	for i := range from.NumField() {
		if f := from.Type().Field(i); f.IsExported() {
			into.Field(i).Set(h.value(from.Field(i)))
		}
	}
}
