// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"go.yaml.in/yaml/v3"
)

// locator finds fields in a manifest as its author wrote it.
type locator struct{ root *yaml.Node }

// newLocator parses YAML or JSON; what does not parse has no lines.
func newLocator(source []byte) locator {
	var doc yaml.Node
	if len(source) == 0 || yaml.Unmarshal(source, &doc) != nil || len(doc.Content) == 0 {
		return locator{}
	}
	return locator{doc.Content[0]}
}

// line gives the line of the deepest part of the path that exists, from 1;
// 0 where not even its first part does. For a named field it is the line of
// the name, for a list item the line where the item begins.
func (l locator) line(at path) int {
	node, line := l.root, 0
	for _, part := range at {
		if node == nil {
			break
		}
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		switch part := part.(type) {
		case int:
			if node.Kind != yaml.SequenceNode || part < 0 || part >= len(node.Content) {
				return line
			}
			node = node.Content[part]
			line = node.Line
		case string:
			key, value := field(node, part)
			if key == nil {
				return line
			}
			node, line = value, key.Line
		}
	}
	return line
}

func field(node *yaml.Node, name string) (key, value *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}
