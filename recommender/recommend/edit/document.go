// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Document is one YAML document under edit.
type Document struct {
	text  string
	lines []string // without "\n"; those of some editors end in "\r"
	crlf  bool
	json  bool
	root  *yaml.Node
	// written is what Bytes wrote, read back; nil where it wrote nothing, or where
	// its words had to be looked into.
	written *yaml.Node
	was     map[*yaml.Node][]*yaml.Node // content of each list and mapping before any change
}

// Parse reads a text that holds exactly one YAML document.
func Parse(text []byte) (*Document, error) {
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); err != nil {
		return nil, fmt.Errorf("parsing YAML: %w", err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("parsing YAML: want one document, got several")
	}
	if len(doc.Content) != 1 {
		return nil, errors.New("parsing YAML: the document is empty")
	}
	d := &Document{text: string(text), root: doc.Content[0], was: map[*yaml.Node][]*yaml.Node{}}
	d.crlf = strings.Contains(d.text, "\r\n")
	d.lines = strings.Split(d.text, "\n")
	d.json = d.root.Style&yaml.FlowStyle != 0 && json.Valid(text)
	d.remember(d.root)
	return d, nil
}

func (d *Document) remember(n *yaml.Node) {
	if n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode {
		return
	}
	d.was[n] = append([]*yaml.Node{}, n.Content...)
	for _, c := range n.Content {
		d.remember(c)
	}
}

// Root is the document's top value.
func (d *Document) Root() *yaml.Node { return d.root }

// JSON gives what Bytes wrote last as JSON, where every reader of YAML takes it
// for the same; ok is false where they may differ, as on what "yes" is, and
// where nothing was written.
func (d *Document) JSON() (text []byte, ok bool) {
	if d.written == nil {
		return nil, false
	}
	return appendJSON(make([]byte, 0, 2*len(d.text)), d.written)
}

// Field gives the value of a field; nil where there is none. An alias is not
// followed: what it names is written elsewhere too.
func Field(mapping *yaml.Node, name string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// SetField sets a field to a new value, or adds it at the end.
func SetField(mapping *yaml.Node, name string, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			mapping.Content[i+1] = value
			return
		}
	}
	mapping.Content = append(mapping.Content, Text(name), value)
}

// RemoveField removes a field where it is there.
func RemoveField(mapping *yaml.Node, name string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			mapping.Content = append(append([]*yaml.Node{}, mapping.Content[:i]...), mapping.Content[i+2:]...)
			return
		}
	}
}

// Clone copies a node with its style and comments, to be written elsewhere.
func Clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Line, c.Column = 0, 0
	c.Content = make([]*yaml.Node, 0, len(n.Content))
	for _, child := range n.Content {
		c.Content = append(c.Content, Clone(child))
	}
	return &c
}

// Text makes a scalar that reads as a string, quoted where YAML, also in its
// version 1.1 (y, no, on), would take it for something else.
func Text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if plain(s) || isBlock(s) {
		return n
	}
	text, err := yaml.Marshal(s)
	switch {
	case err != nil || strings.Contains(s, "\n") || strings.HasPrefix(string(text), `"`):
		n.Style = yaml.DoubleQuotedStyle
	case strings.HasPrefix(string(text), "'"):
		n.Style = yaml.SingleQuotedStyle
	}
	return n
}

// plain says whether a text reads as a string without quotes, also to those who
// take some words of YAML 1.1 for something else: a name, a path, a label.
func plain(s string) bool {
	if s == "" || !isLetter(s[0]) || len(s) <= len("false") && isWord(s) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (c < '0' || c > '9') && c != '_' && c != '.' && c != '/' && c != '-' {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// isWord says whether a text is a truth value or nothing to YAML 1.1.
func isWord(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return true
	}
	return false
}

// Number makes a whole number.
func Number(i int64) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(i)}
}

// Map makes a mapping of names and values in turn.
func Map(content ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: content}
}

// List makes a list.
func List(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
}

// Flow gives a list or mapping flow style: on one line, in brackets.
func Flow(n *yaml.Node) *yaml.Node {
	n.Style |= yaml.FlowStyle
	return n
}
