// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Layout is how an author writes block style.
type Layout struct {
	// ListIndent is by how many spaces a list's dash stands right of its field's
	// name: 0 or 2 with most authors.
	ListIndent int
}

// Render writes a value as block YAML, without indentation of the whole. It
// ends in a line end.
func Render(n *yaml.Node, layout Layout) string {
	return strings.Join(layout.block(n), "\n") + "\n"
}

// block writes a value as lines.
func (l Layout) block(n *yaml.Node) []string {
	switch {
	case inline(n):
		return []string{oneLine(n) + comment(n.LineComment)}
	case n.Kind == yaml.SequenceNode:
		var lines []string
		for _, item := range n.Content {
			lines = append(lines, l.item(item)...)
		}
		return lines
	default:
		var lines []string
		for i := 0; i+1 < len(n.Content); i += 2 {
			lines = append(lines, l.field(n.Content[i], n.Content[i+1])...)
		}
		return lines
	}
}

// item writes one item of a list, with its dash.
func (l Layout) item(n *yaml.Node) []string {
	body := l.block(n)
	lines := comments(n.HeadComment)
	head := comments(headOf(n))
	lines = append(lines, head...)
	if !inline(n) && len(head) > 0 { // the comment of the first field stands above the dash
		body = body[len(head):]
	}
	for i, line := range body {
		switch {
		case i == 0:
			line = "- " + line
		case line != "":
			line = "  " + line
		}
		lines = append(lines, line)
	}
	return append(lines, comments(n.FootComment)...)
}

// headOf is the comment above the first field of a mapping.
func headOf(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Style&yaml.FlowStyle == 0 {
		return n.Content[0].HeadComment
	}
	return ""
}

func (l Layout) field(key, value *yaml.Node) []string {
	lines := comments(key.HeadComment)
	name := oneLine(key) + ":"
	if inline(value) {
		lines = append(lines, name+" "+oneLine(value)+comment(firstComment(value.LineComment, key.LineComment)))
		return append(lines, comments(key.FootComment)...)
	}
	lines = append(lines, name+comment(firstComment(key.LineComment, value.LineComment)))
	indent := 2
	if value.Kind == yaml.SequenceNode {
		indent = l.ListIndent
	}
	lines = append(lines, comments(value.HeadComment)...)
	lines = append(lines, indented(l.block(value), indent)...)
	return append(lines, comments(key.FootComment)...)
}

func firstComment(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// inline says whether a value is written on its field's line.
func inline(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode || n.Style&yaml.FlowStyle != 0 || len(n.Content) == 0
}

// oneLine writes a value on one line, in flow style.
func oneLine(n *yaml.Node) string {
	if simple(n) {
		return n.Value
	}
	if text, ok := flowText(nil, n); ok && n.Kind != yaml.ScalarNode {
		return string(text)
	}
	c := flowing(n)
	text, err := yaml.Marshal(c)
	if err != nil {
		return "null"
	}
	return strings.TrimSuffix(string(text), "\n")
}

// isNumber says whether a text is a whole number as people write it.
func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == "" && (s == "0" || s[0] != '0')
}

// flowing copies a value without comments, in flow style throughout.
func flowing(n *yaml.Node) *yaml.Node {
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Anchor: n.Anchor, Alias: n.Alias, Style: n.Style}
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		c.Style |= yaml.FlowStyle
	case yaml.ScalarNode:
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			c.Style = yaml.DoubleQuotedStyle
		}
	case yaml.DocumentNode, yaml.AliasNode:
	}
	for _, child := range n.Content {
		c.Content = append(c.Content, flowing(child))
	}
	return c
}

func comments(text string) []string {
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" && !strings.HasPrefix(line, "#") {
			lines[i] = "# " + line
		}
	}
	return lines
}

func comment(text string) string {
	if text == "" {
		return ""
	}
	if !strings.HasPrefix(text, "#") {
		text = "# " + text
	}
	return " " + strings.ReplaceAll(text, "\n", " ")
}

func indented(lines []string, by int) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		if line != "" {
			line = strings.Repeat(" ", by) + line
		}
		out[i] = line
	}
	return out
}

// renderJSON writes a value as JSON, two spaces to a level, in the order of the
// tree.
func renderJSON(n *yaml.Node) (string, error) {
	var raw bytes.Buffer
	if err := writeJSON(&raw, n); err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw.Bytes(), "", "  "); err != nil {
		return "", fmt.Errorf("writing JSON: %w", err)
	}
	out.WriteByte('\n')
	return out.String(), nil
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			key, err := json.Marshal(n.Content[i].Value)
			if err != nil {
				return fmt.Errorf("writing JSON: %w", err)
			}
			b.Write(key)
			b.WriteByte(':')
			if err := writeJSON(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case yaml.ScalarNode, yaml.AliasNode, yaml.DocumentNode:
		var value any
		if err := n.Decode(&value); err != nil {
			return fmt.Errorf("writing JSON: %w", err)
		}
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("writing JSON: %w", err)
		}
		b.Write(text)
	}
	return nil
}
