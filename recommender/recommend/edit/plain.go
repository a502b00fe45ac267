// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDigits is up to how many digits every reader takes a number for the same.
const maxDigits = 9

// appendJSON writes a tree as JSON. It gives up where readers of YAML 1.1 and
// 1.2 may differ.
func appendJSON(to []byte, n *yaml.Node) ([]byte, bool) {
	ok := n.Anchor == ""
	switch n.Kind {
	case yaml.MappingNode:
		ok = ok && n.ShortTag() == "!!map" && distinct(n)
		to = append(to, '{')
		for i := 0; i+1 < len(n.Content) && ok; i += 2 {
			if i > 0 {
				to = append(to, ',')
			}
			if !isText(n.Content[i]) {
				return to, false
			}
			to, ok = appendText(to, n.Content[i].Value)
			if to = append(to, ':'); ok {
				to, ok = appendJSON(to, n.Content[i+1])
			}
		}
		return append(to, '}'), ok
	case yaml.SequenceNode:
		ok = ok && n.ShortTag() == "!!seq"
		to = append(to, '[')
		for i := 0; i < len(n.Content) && ok; i++ {
			if i > 0 {
				to = append(to, ',')
			}
			to, ok = appendJSON(to, n.Content[i])
		}
		return append(to, ']'), ok
	case yaml.ScalarNode:
		switch {
		case !ok:
		case isText(n):
			return appendText(to, n.Value)
		case n.Style == 0 && n.ShortTag() == "!!int" && len(n.Value) <= maxDigits && isNumber(n.Value):
			return append(to, n.Value...), true
		}
	case yaml.AliasNode, yaml.DocumentNode:
	}
	return to, false
}

// isText says whether every reader takes a scalar for a text: it is quoted, or
// reads like nothing else.
func isText(n *yaml.Node) bool {
	switch {
	case n.Kind != yaml.ScalarNode || n.Anchor != "" || n.ShortTag() != "!!str":
		return false
	case n.Style == yaml.DoubleQuotedStyle || n.Style == yaml.SingleQuotedStyle:
		return true
	}
	return n.Style == 0 && (plain(n.Value) || isBlock(n.Value))
}

// isBlock says whether a text reads as an IPv4 address block, which is neither a
// number nor a time to anybody.
func isBlock(s string) bool {
	address, bits, ok := strings.Cut(s, "/")
	return ok && address != "" && bits != "" && strings.Count(address, ".") == 3 && strings.Trim(address, "0123456789.") == "" && strings.Trim(bits, "0123456789") == "" &&
		address[0] != '.' && !strings.HasSuffix(address, ".")
}

func appendText(to []byte, s string) ([]byte, bool) {
	if plain(s) || isBlock(s) {
		return append(append(append(to, '"'), s...), '"'), true
	}
	text, err := json.Marshal(s)
	return append(to, text...), err == nil
}

// flowText writes a collection of plain words and numbers on one line, as the
// library would; ok is false for others.
func flowText(to []byte, n *yaml.Node) (text []byte, ok bool) {
	if n.Anchor != "" {
		return to, false
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return append(to, n.Value...), simple(n)
	case yaml.MappingNode, yaml.SequenceNode:
		ok = n.Tag == "" || n.Tag == "!!map" || n.Tag == "!!seq"
		open, end, between := byte('['), byte(']'), ", "
		if n.Kind == yaml.MappingNode {
			open, end = '{', '}'
		}
		to = append(to, open)
		for i, c := range n.Content {
			switch {
			case n.Kind == yaml.MappingNode && i%2 == 1:
				to = append(to, ": "...)
			case i > 0:
				to = append(to, between...)
			}
			if ok {
				to, ok = flowText(to, c)
			}
		}
		return append(to, end), ok
	case yaml.AliasNode, yaml.DocumentNode:
	}
	return to, false
}

// simple says whether a scalar is written as its value reads.
func simple(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Anchor == "" && n.Style == 0 && (n.Tag == "!!str" && (plain(n.Value) || isBlock(n.Value)) || n.Tag == "!!int" && isNumber(n.Value))
}
