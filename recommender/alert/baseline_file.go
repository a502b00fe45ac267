// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
)

// BaselineSchema is the schema of baseline files.
const BaselineSchema = "netcinch.baseline/v1"

// Bounds of a baseline file.
const (
	MaxBaselineFile  = 16 << 20
	maxBaselineEdges = 200_000
)

// BaselineFile is what closed baselines hold, as a team keeps it in git: it has
// no time of its own, and is sorted, so that the same baselines give the same
// bytes.
type BaselineFile struct {
	Cluster   string
	Workloads []BaselineEntry
}

// BaselineEntry is one workload of a baseline file.
type BaselineEntry struct {
	Workload flow.Workload
	Version  int
	Images   []string
	Habits   []Habit
	Line     int // in the file
}

// FileError says what is wrong with a baseline file, and where.
type FileError struct {
	File    string
	Line    int
	Field   string
	Message string
}

// Error gives "file:line: field: message".
func (e *FileError) Error() string {
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Field, e.Message)
}

const baselineHeader = `# What the workloads of a cluster usually do, as Netcinch learnt it or people accepted it.
# An edge stands once: with its client, or with its server where the client is no workload.
# netcinch baseline import puts it in force; what is not in it is unseen from then on.
`

// Write writes the file.
func (f *BaselineFile) Write(w io.Writer) error {
	var b strings.Builder
	b.WriteString(baselineHeader)
	fmt.Fprintf(&b, "schema: %s\ncluster: %s\nworkloads:", BaselineSchema, quoted(f.Cluster))
	if len(f.Workloads) == 0 {
		b.WriteString(" []")
	}
	b.WriteString("\n")
	for _, e := range f.Workloads {
		fmt.Fprintf(&b, "  - workload: %s\n", quoted(workloadText(e.Workload)))
		if e.Version > 0 {
			fmt.Fprintf(&b, "    version: %d\n", e.Version)
		}
		if len(e.Images) > 0 {
			b.WriteString("    images:\n")
			for _, image := range e.Images {
				fmt.Fprintf(&b, "      - %s\n", quoted(image))
			}
		}
		b.WriteString("    edges:")
		if len(e.Habits) == 0 {
			b.WriteString(" []")
		}
		b.WriteString("\n")
		for _, h := range e.Habits {
			side, far := "to", h.Server
			if h.Client.Kind != analyze.PartyWorkload {
				side, far = "from", h.Client
			}
			fmt.Fprintf(&b, "      - {%s: %s, port: %s}\n", side, quoted(partyText(far)), quoted(analyze.PortText(h.Protocol, h.Port)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quoted writes a text as YAML, plain where that is safe.
func quoted(text string) string {
	plain := text != "" && strings.IndexFunc(text, func(r rune) bool {
		return !strings.ContainsRune("/.-_ ", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0 && text[0] >= 'A' && text[0] != '_' && text == strings.TrimSpace(text)
	if _, err := strconv.ParseBool(text); err == nil || !plain || slices.Contains([]string{"null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text)) {
		return strconv.Quote(text)
	}
	return text
}

// baselineReader reads a file field by field, so that each error has its line.
type baselineReader struct {
	file  string
	edges int
}

// ParseBaseline reads a baseline file. Every error is a *FileError that names
// line and field; nothing is passed over.
func ParseBaseline(name string, text []byte) (*BaselineFile, error) {
	r := &baselineReader{file: name}
	if len(text) > MaxBaselineFile {
		return nil, r.wrong(1, "file", "has %d bytes; at most %d are read", len(text), MaxBaselineFile)
	}
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&doc); err != nil || len(doc.Content) != 1 {
		return nil, r.wrong(lineIn(err), "file", "is no YAML mapping%s; netcinch baseline export writes one", because(err))
	}
	if d.Decode(&more) == nil {
		return nil, r.wrong(max(more.Line, 1), "file", "has several documents; give one")
	}
	return r.document(doc.Content[0])
}

func because(err error) string {
	if err == nil || errors.Is(err, io.EOF) {
		return ""
	}
	return " (" + strings.TrimPrefix(err.Error(), "yaml: ") + ")"
}

// lineIn reads the line out of the YAML library's error; 1 where it has none.
func lineIn(err error) int {
	if err == nil {
		return 1
	}
	_, rest, ok := strings.Cut(err.Error(), "line ")
	number, _, _ := strings.Cut(rest, ":")
	if n, wrong := strconv.Atoi(number); ok && wrong == nil && n > 0 {
		return n
	}
	return 1
}

func (r *baselineReader) wrong(line int, field, format string, args ...any) error {
	return &FileError{File: r.file, Line: line, Field: field, Message: fmt.Sprintf(format, args...)}
}

// fields reads a mapping, and refuses what is not among the names.
func (r *baselineReader) fields(n *yaml.Node, what string, names ...string) (map[string]*yaml.Node, error) {
	if n.Kind != yaml.MappingNode {
		return nil, r.wrong(n.Line, what, "want a mapping with %s", analyze.List(names, 9))
	}
	out := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case !slices.Contains(names, key.Value):
			return nil, r.wrong(key.Line, key.Value, "is not a field here; there are %s", analyze.List(names, 9))
		case out[key.Value] != nil:
			return nil, r.wrong(key.Line, key.Value, "is given twice")
		}
		out[key.Value] = n.Content[i+1]
	}
	return out, nil
}

func (r *baselineReader) text(fields map[string]*yaml.Node, n *yaml.Node, name string) (string, int, error) {
	field := fields[name]
	switch {
	case field == nil:
		return "", 0, r.wrong(n.Line, name, "is absent")
	case field.Kind != yaml.ScalarNode || field.Value == "":
		return "", 0, r.wrong(field.Line, name, "want a text")
	}
	return field.Value, field.Line, nil
}

func (r *baselineReader) list(n *yaml.Node, name string) ([]*yaml.Node, error) {
	if n == nil {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, r.wrong(n.Line, name, "want a list")
	}
	return n.Content, nil
}

func (r *baselineReader) document(n *yaml.Node) (*BaselineFile, error) {
	fields, err := r.fields(n, "file", "schema", "cluster", "workloads")
	if err != nil {
		return nil, err
	}
	schema, line, err := r.text(fields, n, "schema")
	if err != nil {
		return nil, err
	}
	if schema != BaselineSchema {
		return nil, r.wrong(line, "schema", "%q is not understood; want %s", schema, BaselineSchema)
	}
	f := &BaselineFile{}
	if f.Cluster, _, err = r.text(fields, n, "cluster"); err != nil {
		return nil, err
	}
	if fields["workloads"] == nil {
		return nil, r.wrong(n.Line, "workloads", "is absent")
	}
	items, err := r.list(fields["workloads"], "workloads")
	if err != nil {
		return nil, err
	}
	seen := map[flow.Workload]bool{}
	for _, item := range items {
		e, err := r.entry(item)
		if err != nil {
			return nil, err
		}
		if seen[e.Workload] {
			return nil, r.wrong(e.Line, "workload", "%s is there twice", workloadText(e.Workload))
		}
		seen[e.Workload] = true
		f.Workloads = append(f.Workloads, e)
	}
	return f, nil
}

func (r *baselineReader) entry(n *yaml.Node) (e BaselineEntry, err error) {
	fields, err := r.fields(n, "workloads", "workload", "version", "images", "edges")
	if err != nil {
		return e, err
	}
	name, line, err := r.text(fields, n, "workload")
	if err != nil {
		return e, err
	}
	e.Line = line
	if e.Workload, err = parseWorkload(name); err != nil {
		return e, r.wrong(line, "workload", "%v", err)
	}
	if v := fields["version"]; v != nil {
		if e.Version, err = strconv.Atoi(v.Value); err != nil || e.Version < 1 {
			return e, r.wrong(v.Line, "version", "%q: want a whole number from 1", v.Value)
		}
	}
	images, err := r.list(fields["images"], "images")
	if err != nil {
		return e, err
	}
	for _, image := range images {
		if image.Kind != yaml.ScalarNode || image.Value == "" {
			return e, r.wrong(image.Line, "images", "want the name of an image, without its tag")
		}
		e.Images = append(e.Images, image.Value)
	}
	edges, err := r.list(fields["edges"], "edges")
	if err != nil {
		return e, err
	}
	for _, one := range edges {
		h, err := r.edge(one, e.Workload)
		if err != nil {
			return e, err
		}
		if !slices.Contains(e.Habits, h) {
			e.Habits = append(e.Habits, h)
		}
	}
	return e, nil
}

func (r *baselineReader) edge(n *yaml.Node, w flow.Workload) (h Habit, err error) {
	if r.edges++; r.edges > maxBaselineEdges {
		return h, r.wrong(n.Line, "edges", "the file has more than %d edges", maxBaselineEdges)
	}
	fields, err := r.fields(n, "edges", "to", "from", "port")
	if err != nil {
		return h, err
	}
	side := "to"
	if fields["to"] == nil && fields["from"] != nil {
		side = "from"
	} else if fields["from"] != nil {
		return h, r.wrong(n.Line, "from", "is given beside to; an edge has one of them")
	}
	far, line, err := r.text(fields, n, side)
	if err != nil {
		return h, err
	}
	party, err := parseParty(far)
	if err != nil {
		return h, r.wrong(line, side, "%v", err)
	}
	port, line, err := r.text(fields, n, "port")
	if err != nil {
		return h, err
	}
	if h.Protocol, h.Port, err = parsePort(port); err != nil {
		return h, r.wrong(line, "port", "%v", err)
	}
	h.Client, h.Server = analyze.PartyOf(w), party
	if side == "from" {
		if party.Kind == analyze.PartyWorkload {
			return h, r.wrong(line, "from", "is a workload; the edge stands with that workload, as to: %s", workloadText(w))
		}
		h.Client, h.Server = party, analyze.PartyOf(w)
	}
	return h, nil
}
