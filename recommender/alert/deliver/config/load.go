// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Options are what a file is checked against.
type Options struct {
	Getenv     func(string) string // nil: the environment
	Kinds      []string            // that alerts have
	Severities []string            // the most severe first
	Samples    []Sample            // each template is rendered with each of them
	Kubernetes bool                // there is an API server to write events to
}

// Sample is a value that templates are tried with.
type Sample struct {
	Name string // such as "a scan that fires"
	Data any
}

// loader reads one file.
type loader struct {
	reader
	options Options
	config  *Config
}

// Load reads a file of alerts and the secrets that it names. Its error is a
// [FileError] with a problem for each thing that is wrong.
func Load(path string, o Options) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, &FileError{Problems: []*Problem{{File: path, Message: "it cannot be read: " + err.Error()}}}
	}
	return Parse(path, text, o)
}

// Parse is Load of a file whose text is there already. Files that it names are
// looked for beside it.
func Parse(path string, text []byte, o Options) (*Config, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	l := &loader{reader: reader{file: path}, options: o, config: &Config{File: path}}
	if root := l.document(text); root != nil {
		l.root(place{node: root})
	}
	if len(l.problems) > 0 {
		return nil, &FileError{l.problems, l.config.Files}
	}
	l.config.Sum = sum(text, l.config.Files)
	return l.config, nil
}

// Digest gives what Config.Sum would be if the file were loaded now.
func (c *Config) Digest() string {
	text, err := readFile(c.File)
	if err != nil {
		return "unreadable"
	}
	return sum(text, c.Files)
}

func sum(text []byte, files []string) string {
	h := sha256.New()
	h.Write(text)
	for _, path := range files {
		content, err := readFile(path)
		inner := sha256.Sum256(content)
		h.Write(inner[:])
		if err != nil {
			h.Write([]byte("unreadable"))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// lineOfError finds the line in the words of the YAML library.
var lineOfError = regexp.MustCompile(`^yaml: line (\d+): `)

func (l *loader) document(text []byte) *yaml.Node {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			l.fail(place{}, "the file is empty; write sinks into it")
			return nil
		}
		p := &Problem{File: l.file, Message: "this is not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
		if m := lineOfError.FindStringSubmatch(err.Error()); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			p.Message = "this is not YAML: " + strings.TrimPrefix(err.Error(), m[0])
		}
		l.problems = append(l.problems, p)
		return nil
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		l.fail(place{node: &more}, "there is a second document; write one")
		return nil
	}
	return doc.Content[0]
}

func (l *loader) root(at place) {
	var routes []place
	var sinks bool
	l.mapping(at, fields{
		"page": l.page,
		"sinks": func(at place) {
			sinks = true
			l.list(at, l.sink)
		},
		"routes": func(at place) { l.list(at, func(at place) { routes = append(routes, at) }) },
	})
	if len(l.problems) > 0 && len(l.config.Sinks) == 0 {
		return // routes would only complain of what is missing
	}
	if !sinks || len(l.config.Sinks) == 0 {
		l.fail(at, "there is no sink; write one under sinks, with name and type")
		return
	}
	for _, r := range routes {
		l.route(r)
	}
	l.checkRoutes()
}

func (l *loader) page(at place) {
	if s, ok := l.scalar(at, "the page's address"); ok {
		if u := l.address(at, s, false); u != nil {
			l.config.Page = strings.TrimSuffix(u.String(), "/")
		}
	}
}

func (l *loader) route(at place) {
	r := Route{Line: at.line()}
	l.mapping(at, fields{
		"cluster":   l.texts(&r.Clusters, nil),
		"namespace": l.texts(&r.Namespaces, nil),
		"kind":      l.texts(&r.Kinds, l.oneOf(l.options.Kinds)),
		"severity":  l.texts(&r.Severities, l.oneOf(l.options.Severities)),
		"sinks": l.texts(&r.Sinks, func(at place, s string) bool {
			known := slices.ContainsFunc(l.config.Sinks, func(one Sink) bool { return one.Name == s })
			if !known {
				l.fail(at, "there is no sink %q; there are %s", s, strings.Join(l.sinkNames(), ", "))
			}
			return known
		}),
		"continue": l.flag(&r.Continue),
	})
	if len(r.Sinks) == 0 && at.node.Kind == yaml.MappingNode && !has(at.node, "sinks") {
		l.fail(at, "the route names no sinks")
	}
	l.config.Routes = append(l.config.Routes, r)
}

func has(n *yaml.Node, name string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

func (l *loader) sinkNames() (all []string) {
	for i := range l.config.Sinks {
		all = append(all, l.config.Sinks[i].Name)
	}
	return all
}

// all says whether a route lets everything through.
func (r *Route) all() bool {
	return len(r.Clusters) == 0 && len(r.Namespaces) == 0 && len(r.Kinds) == 0 && len(r.Severities) == 0
}

// checkRoutes finds routes that no alert reaches, and sinks that no route names.
func (l *loader) checkRoutes() {
	if len(l.config.Routes) == 0 || len(l.problems) > 0 {
		return
	}
	named := map[string]bool{}
	closed := 0
	for i := range l.config.Routes {
		r := &l.config.Routes[i]
		if closed > 0 {
			l.problems = append(l.problems, &Problem{
				File: l.file, Line: r.Line, Field: "routes[" + strconv.Itoa(i) + "]",
				Message: "no alert comes here: the route in line " + strconv.Itoa(closed) + " takes all; move it to the end, or give it continue: true",
			})
			return
		}
		if r.all() && !r.Continue {
			closed = r.Line
		}
		for _, s := range r.Sinks {
			named[s] = true
		}
	}
	for i := range l.config.Sinks {
		if s := &l.config.Sinks[i]; !named[s.Name] {
			l.problems = append(l.problems, &Problem{
				File: l.file, Line: s.Line, Field: "sinks[" + strconv.Itoa(i) + "]",
				Message: "no route names the sink " + strconv.Quote(s.Name) + "; name it in one, or remove it",
			})
		}
	}
}

// Matches says whether a route picks an alert.
func (r *Route) Matches(cluster, namespace, kind, severity string) bool {
	in := func(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }
	return in(r.Clusters, cluster) && in(r.Kinds, kind) && in(r.Severities, severity) &&
		(len(r.Namespaces) == 0 || slices.ContainsFunc(r.Namespaces, func(p string) bool { return glob(p, namespace) }))
}

// glob matches a text with a pattern in which * stands for any characters.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

// For gives the names of the sinks that an alert goes to, each once, in the
// order of the file; none where no route picks it.
func (c *Config) For(cluster, namespace, kind, severity string) []string {
	to := map[string]bool{}
	for i := range c.Routes {
		r := &c.Routes[i]
		if !r.Matches(cluster, namespace, kind, severity) {
			continue
		}
		for _, s := range r.Sinks {
			to[s] = true
		}
		if !r.Continue {
			break
		}
	}
	var out []string
	for i := range c.Sinks {
		if s := c.Sinks[i].Name; to[s] || len(c.Routes) == 0 {
			out = append(out, s)
		}
	}
	return out
}

// Sink gives the sink of a name, nil for none.
func (c *Config) Sink(name string) *Sink {
	i := slices.IndexFunc(c.Sinks, func(s Sink) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Sinks[i]
}
