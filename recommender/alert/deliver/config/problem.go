// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong in a file of alerts.
type Problem struct {
	File    string
	Line    int    // from 1; 0 where none is to blame
	Field   string // such as sinks[1].url; empty for the whole file
	Message string // what is wrong, and what to do
}

// String gives FILE:LINE: FIELD: MESSAGE.
func (p *Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteString(":" + strconv.Itoa(p.Line))
	}
	if p.Field != "" {
		b.WriteString(": " + p.Field)
	}
	return b.String() + ": " + p.Message
}

// FileError is everything that is wrong with a file of alerts.
type FileError struct {
	Problems []*Problem
	Files    []string // that it names, as far as they are known
}

// Error gives one problem a line.
func (e *FileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// FilesOf gives the files that a wrong file names, as far as they are known: a
// change of one of them may put it right.
func FilesOf(err error) []string {
	if e, ok := errors.AsType[*FileError](err); ok {
		return e.Files
	}
	return nil
}

// reader collects what is wrong while a file is read.
type reader struct {
	file     string
	problems []*Problem
}

func (r *reader) fail(at place, format string, args ...any) {
	r.problems = append(r.problems, &Problem{File: r.file, Line: at.line(), Field: at.path, Message: fmt.Sprintf(format, args...)})
}

// place is a value of the file and where it stands.
type place struct {
	node *yaml.Node
	path string
}

func (p place) line() int {
	if p.node == nil {
		return 0
	}
	return p.node.Line
}

func (p place) field(name string, n *yaml.Node) place {
	if p.path == "" {
		return place{n, name}
	}
	return place{n, p.path + "." + name}
}

func (p place) item(i int, n *yaml.Node) place {
	return place{n, p.path + "[" + strconv.Itoa(i) + "]"}
}

// is describes what stands at a place, for an error.
func (p place) is() string {
	switch p.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	case yaml.DocumentNode, yaml.ScalarNode:
	}
	if p.node.Tag == "!!null" {
		return "nothing"
	}
	return "a value"
}
