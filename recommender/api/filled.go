// SPDX-License-Identifier: Apache-2.0

package api

import "reflect"

// filled gives a copy of a body in which nil slices are empty ones, so that a
// list is always a list for whoever reads it. What needs no change is shared,
// never written to: views are read by many requests at once.
func filled(body any) any {
	v := reflect.ValueOf(body)
	if !v.IsValid() {
		return body
	}
	return fill(v).Interface()
}

func fill(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || !mayHold(v.Type().Elem()) {
			return v
		}
		copied := reflect.New(v.Type().Elem())
		copied.Elem().Set(fill(v.Elem()))
		return copied
	case reflect.Slice:
		if v.IsNil() {
			return reflect.MakeSlice(v.Type(), 0, 0)
		}
		if !mayHold(v.Type().Elem()) {
			return v
		}
		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			copied.Index(i).Set(fill(v.Index(i)))
		}
		return copied
	case reflect.Struct:
		if !mayHold(v.Type()) {
			return v
		}
		copied := reflect.New(v.Type()).Elem()
		copied.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				copied.Field(i).Set(fill(v.Field(i)))
			}
		}
		return copied
	default:
		return v
	}
}

// mayHold says whether a value of the type may have a slice in it. Types that
// write themselves (times, addresses) are left alone.
func mayHold(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice:
		return true
	case reflect.Pointer:
		return mayHold(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if f.IsExported() && mayHold(f.Type) {
				return true
			}
		}
	}
	return false
}
