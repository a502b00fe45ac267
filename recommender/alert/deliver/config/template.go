// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"
)

// MaxRendered bounds what a template gives, in bytes.
const MaxRendered = 64 << 10

// Template is a text that is filled in from an alert (text/template).
type Template struct{ parsed *template.Template }

// functions are what templates can call beside those of text/template.
func functions() template.FuncMap {
	return template.FuncMap{
		"upper": strings.ToUpper,
		"lower": strings.ToLower,
		"join":  func(sep string, list []string) string { return strings.Join(list, sep) },
		"time":  func(layout string, t time.Time) string { return t.UTC().Format(layout) },
		"cut":   cut,
		"json": func(v any) (string, error) {
			text, err := json.Marshal(v)
			return string(text), err
		},
	}
}

// cut shortens a text to at most n characters.
func cut(n int, s string) string {
	r := []rune(s)
	if n < 1 || len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// NewTemplate parses a text.
func NewTemplate(text string) (*Template, error) {
	t, err := template.New("template").Option("missingkey=error").Funcs(functions()).Parse(text)
	if err != nil {
		return nil, err
	}
	return &Template{t}, nil
}

var errTooLong = fmt.Errorf("it gives more than %d bytes", MaxRendered)

// limited takes as many bytes as a template may give.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > MaxRendered {
		return 0, errTooLong
	}
	return l.Buffer.Write(p)
}

// Render fills in a value.
func (t *Template) Render(data any) (string, error) {
	var out limited
	if err := t.parsed.Execute(&out, data); err != nil {
		return "", fmt.Errorf("rendering a template: %w", err)
	}
	return out.String(), nil
}

// form is what a rendered template must be.
type form string

const (
	anyText  form = "text"
	jsonText form = "JSON"
)

// template reads a template, and tries it with every sample.
func (l *loader) template(into **Template, want form) func(place) {
	return func(at place) {
		s, ok := l.scalar(at, "a template")
		if !ok {
			return
		}
		t, err := NewTemplate(s)
		if err != nil {
			l.templateProblem(at, err, "")
			return
		}
		for _, sample := range l.options.Samples {
			text, err := t.Render(sample.Data)
			if err == nil && want == jsonText && !json.Valid([]byte(text)) {
				err = errors.New("what it gives is not JSON")
			}
			if err != nil {
				l.templateProblem(at, err, sample.Name)
				return
			}
		}
		*into = t
	}
}

// whereInTemplate finds the line in the words of text/template.
var whereInTemplate = regexp.MustCompile(`template: template:(\d+)(?::\d+)?: (?:executing "template" at )?`)

// templateProblem says what is wrong in which line of the file.
func (l *loader) templateProblem(at place, err error, sample string) {
	message := strings.TrimPrefix(err.Error(), "rendering a template: ")
	line := at.line()
	if m := whereInTemplate.FindStringSubmatch(message); m != nil {
		inside, _ := strconv.Atoi(m[1])
		message = strings.Replace(message, m[0], "", 1)
		if at.node.Style == yaml.LiteralStyle {
			line += inside // the text begins below the |
		} else {
			line += inside - 1
		}
	}
	message = "the template is wrong: " + message
	if sample != "" {
		message += " (tried with " + sample + ")"
	}
	l.problems = append(l.problems, &Problem{File: l.file, Line: line, Field: at.path, Message: message})
}

// templates reads a mapping of names to templates.
func (l *loader) templates(into *map[string]*Template, name *regexp.Regexp) func(place) {
	return func(at place) {
		if at.node.Kind != yaml.MappingNode {
			l.fail(at, "want a mapping of names to templates, found %s", at.is())
			return
		}
		*into = map[string]*Template{}
		for i := 0; i+1 < len(at.node.Content); i += 2 {
			key, value := at.node.Content[i], at.node.Content[i+1]
			here := at.field(key.Value, value)
			if !name.MatchString(key.Value) {
				l.fail(place{key, here.path}, "%q is not a name that is taken here; want letters, digits and _", key.Value)
				continue
			}
			if _, twice := (*into)[key.Value]; twice {
				l.fail(place{key, here.path}, "the name stands here twice")
				continue
			}
			var t *Template
			l.template(&t, anyText)(here)
			(*into)[key.Value] = t
		}
	}
}
