// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is one YAML document of a file, not yet parsed.
type document struct {
	text []byte
	line int // of the text's first line in the file, from 1
}

// split cuts a file at its document markers, so that a document that does not
// parse takes no other with it. A marker is "---" at the start of a line: YAML
// allows no content there, not even within a block scalar.
func split(text []byte) []document {
	var docs []document
	current := document{line: 1}
	line := 0
	for rest := text; len(rest) > 0; {
		line++
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		this := rest[:end]
		rest = rest[end:]
		if isMarker(this) {
			docs = append(docs, current)
			current = document{line: line}
			if blank(this[3:]) {
				current.line = line + 1
				continue
			}
		}
		current.text = append(current.text, this...)
	}
	return append(docs, current)
}

func isMarker(line []byte) bool {
	return bytes.HasPrefix(line, []byte("---")) && (len(line) == 3 || strings.IndexByte(" \t\r\n", line[3]) >= 0)
}

// blank says whether a line holds nothing but space and a comment.
func blank(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#'
}

// parse gives the root node of a document: nil where it holds nothing.
func (d document) parse(file string) (*yaml.Node, error) {
	text := d.text
	if strings.EqualFold(filepath.Ext(file), ".json") && json.Valid(text) {
		// JSON indents with tabs, YAML forbids it. Within valid JSON a tab is
		// never part of a string.
		text = bytes.ReplaceAll(text, []byte("\t"), []byte(" "))
	}
	var root yaml.Node
	err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&root)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	case len(root.Content) == 0:
		return nil, nil
	}
	return root.Content[0], nil
}

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxError takes the parser's error apart: the line within the document and
// the words after it.
func syntaxError(err error) (line int, message string) {
	text := err.Error()
	m := yamlErrorLine.FindStringSubmatch(text)
	if m == nil {
		return 1, text
	}
	message = text[len(m[0]):]
	line = 1
	if n, err := strconv.Atoi(m[1]); err == nil {
		line = n
		if strings.HasPrefix(message, "did not find expected") {
			line++ // the parser's own errors, unlike the scanner's, count lines from 0
		}
	}
	return line, message
}
