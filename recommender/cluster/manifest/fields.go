// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

var fieldCache sync.Map // reflect.Type → map[string]reflect.Type

// fieldsOf gives the JSON fields of a struct, those of inlined structs among them.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if have, ok := fieldCache.Load(t); ok {
		return have.(map[string]reflect.Type)
	}
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && (f.Anonymous || strings.Contains(options, "inline")):
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			maps.Copy(fields, fieldsOf(inner))
		case name == "":
			fields[f.Name] = f.Type
		default:
			fields[name] = f.Type
		}
	}
	fieldCache.Store(t, fields)
	return fields
}

// join appends a name to a field's path; names with dots go in brackets.
func join(field, name string) string {
	if strings.ContainsAny(name, ".[]") {
		return field + "[" + name + "]"
	}
	if field == "" {
		return name
	}
	return field + "." + name
}

// suggest names the field that was probably meant.
func suggest(name string, fields map[string]reflect.Type) string {
	best, distance := "", 3
	var names []string
	for f := range fields {
		names = append(names, f)
	}
	slices.Sort(names)
	for _, f := range names {
		if strings.EqualFold(f, name) {
			return fmt.Sprintf("; meant %q?", f)
		}
		if n := edits(name, f); n < distance {
			best, distance = f, n
		}
	}
	if best != "" {
		return fmt.Sprintf("; meant %q?", best)
	}
	slices.Sort(names)
	return "; here there can be " + strings.Join(names, ", ")
}

// edits is the Levenshtein distance of two short names.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			row[j+1] = min(substitute, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// show says what a node is, as people would.
func show(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	}
	const longest = 60
	text := n.Value
	if len(text) > longest {
		text = text[:longest] + "…"
	}
	if _, old := oldBool[n.Value]; old && n.Style == 0 {
		return "the truth value " + text
	}
	switch n.ShortTag() {
	case "!!str":
		return fmt.Sprintf("text %q", text)
	case "!!bool":
		return "the truth value " + text
	case "!!int", "!!float":
		return "the number " + text
	}
	return fmt.Sprintf("%q", text)
}

// specialWord says what a type that reads its own JSON takes.
func specialWord(t reflect.Type) string {
	switch t.Name() {
	case "IntOrString":
		return "a name or a whole number of at most 32 bits"
	case "Time", "MicroTime":
		return "a time such as 2026-01-31T10:00:00Z"
	case "Duration":
		return "a duration such as 90s"
	case "Quantity":
		return "a quantity such as 100m or 2Gi"
	case "Port":
		return "a port from 0 to 65535, a range from low to high such as 6000:6100, or a port's name"
	case "Protocol":
		return "a protocol's name or number, such as TCP or 6"
	}
	return "a valid " + t.Name()
}

func kindWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint, reflect.Uint64:
		return fmt.Sprintf("a whole number of at most %d bits, not negative", t.Bits())
	}
	return "a " + t.Kind().String()
}
