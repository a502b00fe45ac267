// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// LineOf gives the line in File at which a field stands, such as
// "spec.ingress[0].from[1].ipBlock.cidr" or "metadata.labels[a.b/c]"; the line
// of the nearest field around it where the field itself is not written, and
// Line where nothing is known.
func (s Source) LineOf(field string) int {
	var root yaml.Node
	if len(s.YAML) == 0 || yaml.Unmarshal(s.YAML, &root) != nil || len(root.Content) == 0 {
		return s.Line
	}
	return s.Line + FieldLine(root.Content[0], field) - 1
}

// FieldLine is LineOf within one parsed document, whose first line is 1.
func FieldLine(n *yaml.Node, field string) int {
	line := max(n.Line, 1)
	for field != "" {
		name, rest := nextStep(field)
		child, at := stepInto(n, name)
		if child == nil {
			break
		}
		n, line, field = child, at, rest
	}
	return line
}

// nextStep takes the first name or index off a field's path.
func nextStep(field string) (name, rest string) {
	if field[0] == '[' {
		if end := strings.IndexByte(field, ']'); end > 0 {
			return field[1:end], strings.TrimPrefix(field[end+1:], ".")
		}
	}
	end := strings.IndexAny(field, ".[")
	if end <= 0 {
		return field, ""
	}
	return field[:end], strings.TrimPrefix(field[end:], ".")
}

func stepInto(n *yaml.Node, name string) (child *yaml.Node, line int) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i+1], n.Content[i].Line
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i].Line
		}
	}
	return nil, 0
}
