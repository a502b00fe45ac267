// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what one document may unfold to, so that aliases of aliases
// do not fill the memory. The largest real manifests have some 100,000 nodes.
const maxNodes = 2_000_000

// fault is what is wrong at a place of a document.
type fault struct {
	line    int // in the document, from 1
	field   string
	message string
}

// decoder checks a document's nodes against a Go type, and turns them into
// what encoding/json makes that type from. It goes over the nodes itself since
// only they know their lines, and since it can name all faults, not the first.
type decoder struct {
	strict bool // unknown fields are faults; else they are left out
	faults []fault
	nodes  int
	open   map[*yaml.Node]bool // aliases being unfolded, to see one that holds itself
}

// unfold visits what an alias stands for.
func (d *decoder) unfold(n *yaml.Node, field string, visit func(*yaml.Node) any) any {
	if d.open[n.Alias] {
		d.fault(n, field, "the alias *%s stands for something that holds it", n.Value)
		return nil
	}
	if d.open == nil {
		d.open = map[*yaml.Node]bool{}
	}
	d.open[n.Alias] = true
	defer delete(d.open, n.Alias)
	return visit(n.Alias)
}

func (d *decoder) fault(n *yaml.Node, field, format string, args ...any) {
	d.faults = append(d.faults, fault{line: n.Line, field: field, message: fmt.Sprintf(format, args...)})
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// decode fills target, a pointer, from a node; it reports whether no fault was found.
func (d *decoder) decode(n *yaml.Node, target any) bool {
	value := d.value(n, reflect.TypeOf(target).Elem(), "")
	if len(d.faults) > 0 {
		return false
	}
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, target)
	}
	if err != nil {
		d.fault(n, "", "cannot be read: %v", err)
	}
	return err == nil
}

// value gives the JSON value of a node that is to become a t.
func (d *decoder) value(n *yaml.Node, t reflect.Type, field string) any {
	if d.nodes++; d.nodes > maxNodes {
		if d.nodes == maxNodes+1 {
			d.fault(n, field, "the document unfolds to more than %d values; write its aliases out", maxNodes)
		}
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return d.unfold(n, field, func(a *yaml.Node) any { return d.value(a, t, field) })
	}
	if isNull(n) {
		return nil
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		return d.special(n, t, field)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.value(n, t.Elem(), field)
	case reflect.Struct:
		return d.structure(n, t, field)
	case reflect.Map:
		return d.mapping(n, t, field)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return d.free(n, field)
		}
		return d.sequence(n, t, field)
	case reflect.Interface:
		return d.free(n, field)
	default:
		return d.scalar(n, t, field)
	}
}

// special is for types that read their own JSON (times, quantities, ports that
// are numbers or names): try it on the spot to know where it fails.
func (d *decoder) special(n *yaml.Node, t reflect.Type, field string) any {
	v := d.free(n, field)
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, reflect.New(t).Interface())
	}
	if err != nil {
		d.fault(n, field, "want %s, got %s", specialWord(t), show(n))
		return nil
	}
	return v
}

func (d *decoder) structure(n *yaml.Node, t reflect.Type, field string) any {
	if n.Kind != yaml.MappingNode {
		d.fault(n, field, "want fields (name: value), got %s", show(n))
		return nil
	}
	fields := fieldsOf(t)
	out := map[string]any{}
	d.pairs(n, field, func(k, v *yaml.Node) {
		ft, ok := fields[k.Value]
		switch {
		case ok:
			out[k.Value] = d.value(v, ft, join(field, k.Value))
		case d.strict && join(field, k.Value) != "status": // older API servers print an empty one
			d.fault(k, join(field, k.Value), "unknown field%s", suggest(k.Value, fields))
		}
	})
	return out
}

func (d *decoder) mapping(n *yaml.Node, t reflect.Type, field string) any {
	if n.Kind != yaml.MappingNode {
		d.fault(n, field, "want names and values (name: value), got %s", show(n))
		return nil
	}
	out := map[string]any{}
	d.pairs(n, field, func(k, v *yaml.Node) {
		out[k.Value] = d.value(v, t.Elem(), join(field, k.Value))
	})
	return out
}

// pairs visits a mapping's entries, those of merge keys (<<) after its own.
func (d *decoder) pairs(n *yaml.Node, field string, visit func(k, v *yaml.Node)) {
	seen := map[string]bool{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge":
			merged = append(merged, v)
		case k.Kind != yaml.ScalarNode:
			d.fault(k, field, "a field's name must be a plain word")
		case seen[k.Value]:
			d.fault(k, join(field, k.Value), "the field is given twice; keep one")
		default:
			seen[k.Value] = true
			visit(k, v)
		}
	}
	for _, m := range merged {
		d.merge(m, field, seen, visit, 0)
	}
}

func (d *decoder) merge(m *yaml.Node, field string, seen map[string]bool, visit func(k, v *yaml.Node), depth int) {
	if m.Kind == yaml.AliasNode {
		m = m.Alias
	}
	const deepest = 16
	switch {
	case depth > deepest:
		d.fault(m, field, "merge keys (<<) are nested too deep")
	case m.Kind == yaml.SequenceNode:
		for _, one := range m.Content {
			d.merge(one, field, seen, visit, depth+1)
		}
	case m.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(m.Content); i += 2 {
			k := m.Content[i]
			switch {
			case k.ShortTag() == "!!merge":
				d.merge(m.Content[i+1], field, seen, visit, depth+1)
			case !seen[k.Value]:
				seen[k.Value] = true
				visit(k, m.Content[i+1])
			}
		}
	default:
		d.fault(m, field, "a merge key (<<) wants an alias of fields")
	}
}

func (d *decoder) sequence(n *yaml.Node, t reflect.Type, field string) any {
	if n.Kind != yaml.SequenceNode {
		d.fault(n, field, "want a list (- item), got %s", show(n))
		return nil
	}
	out := make([]any, 0, len(n.Content))
	for i, item := range n.Content {
		out = append(out, d.value(item, t.Elem(), field+"["+strconv.Itoa(i)+"]"))
	}
	return out
}

func (d *decoder) scalar(n *yaml.Node, t reflect.Type, field string) any {
	if n.Kind != yaml.ScalarNode {
		d.fault(n, field, "want %s, got %s", kindWord(t), show(n))
		return nil
	}
	v, ok := scalarOf(n, t)
	if !ok {
		hint := ""
		if t.Kind() == reflect.String {
			hint = "; put it in quotes"
		}
		d.fault(n, field, "want %s, got %s%s", kindWord(t), show(n), hint)
	}
	return v
}

// oldBool are the words that Kubernetes' YAML 1.1 reads as truth values, not text.
var oldBool = map[string]bool{
	"yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"no": false, "No": false, "NO": false, "off": false, "Off": false, "OFF": false,
}

func scalarOf(n *yaml.Node, t reflect.Type) (any, bool) {
	tag := n.ShortTag()
	word, old := oldBool[n.Value]
	old = old && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	switch t.Kind() {
	case reflect.String:
		return n.Value, (tag == "!!str" || tag == "!!timestamp" || tag == "!!binary") && !old
	case reflect.Bool:
		if old {
			return word, true
		}
		v, err := strconv.ParseBool(strings.ToLower(n.Value))
		return v, err == nil && tag == "!!bool"
	case reflect.Float32, reflect.Float64:
		var f float64
		err := n.Decode(&f)
		return f, err == nil && (tag == "!!int" || tag == "!!float") && !math.IsNaN(f) && !math.IsInf(f, 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		err := n.Decode(&i)
		return i, err == nil && tag == "!!int" && !reflect.Zero(t).OverflowInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var u uint64
		err := n.Decode(&u)
		return u, err == nil && tag == "!!int" && !reflect.Zero(t).OverflowUint(u)
	default:
		return nil, false
	}
}

// free gives the JSON value of a node of any shape.
func (d *decoder) free(n *yaml.Node, field string) any {
	if d.nodes++; d.nodes > maxNodes {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return d.unfold(n, field, func(a *yaml.Node) any { return d.free(a, field) })
	case yaml.MappingNode:
		out := map[string]any{}
		d.pairs(n, field, func(k, v *yaml.Node) { out[k.Value] = d.free(v, join(field, k.Value)) })
		return out
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for i, item := range n.Content {
			out = append(out, d.free(item, field+"["+strconv.Itoa(i)+"]"))
		}
		return out
	default:
		return freeScalar(n)
	}
}

func freeScalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err == nil {
			if f, ok := v.(float64); !ok || (!math.IsNaN(f) && !math.IsInf(f, 0)) {
				return v
			}
		}
	}
	return n.Value
}
