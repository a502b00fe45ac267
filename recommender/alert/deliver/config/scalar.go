// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// fields says how each field of a mapping is read.
type fields map[string]func(place)

// mapping reads a mapping: fields that are not known and fields that are there
// twice are problems.
func (r *reader) mapping(at place, known fields) {
	if at.node.Kind != yaml.MappingNode {
		r.fail(at, "want a mapping with %s, found %s", names(known), at.is())
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(at.node.Content); i += 2 {
		key, value := at.node.Content[i], at.node.Content[i+1]
		here := at.field(key.Value, value)
		read, ok := known[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fail(place{key, at.path}, "a field's name is a word; this is none")
		case !ok:
			r.fail(place{key, here.path}, "there is no such field here; there are %s", names(known))
		case seen[key.Value] > 0:
			r.fail(place{key, here.path}, "the field stands in line %d already", seen[key.Value])
		default:
			seen[key.Value] = key.Line
			read(here)
		}
	}
}

func names(known fields) string {
	var all []string
	for name := range known {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// list reads a list, item by item.
func (r *reader) list(at place, read func(place)) {
	if at.node.Kind != yaml.SequenceNode {
		r.fail(at, "want a list, found %s", at.is())
		return
	}
	for i, n := range at.node.Content {
		read(at.item(i, n))
	}
}

// scalar gives a single value as it is written.
func (r *reader) scalar(at place, want string) (string, bool) {
	if at.node.Kind != yaml.ScalarNode || at.node.Tag == "!!null" {
		r.fail(at, "want %s, found %s", want, at.is())
		return "", false
	}
	return at.node.Value, true
}

func (r *reader) text(into *string) func(place) {
	return func(at place) {
		if s, ok := r.scalar(at, "text"); ok {
			*into = s
		}
	}
}

func (r *reader) flag(into *bool) func(place) {
	return func(at place) {
		if s, ok := r.scalar(at, "true or false"); !ok {
			return
		} else if at.node.Tag != "!!bool" {
			r.fail(at, "%q: want true or false", s)
		} else {
			*into = s == "true" || s == "True" || s == "TRUE"
		}
	}
}

func (r *reader) duration(into *time.Duration, least, most time.Duration) func(place) {
	return func(at place) {
		s, ok := r.scalar(at, "a duration such as 30s")
		if !ok {
			return
		}
		d, err := time.ParseDuration(s)
		if err != nil || d < least || d > most {
			r.fail(at, "%q: want a duration such as 30s, from %v to %v", s, least, most)
			return
		}
		*into = d
	}
}

func (r *reader) number(into *int, least, most int) func(place) {
	return func(at place) {
		s, ok := r.scalar(at, "a number")
		if !ok {
			return
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			r.fail(at, "%q: want a whole number from %d to %d", s, least, most)
			return
		}
		*into = n
	}
}

// texts reads a list of texts, or one text alone.
func (r *reader) texts(into *[]string, check func(place, string) bool) func(place) {
	one := func(at place) {
		if s, ok := r.scalar(at, "text"); ok && (check == nil || check(at, s)) {
			*into = append(*into, s)
		}
	}
	return func(at place) {
		if at.node.Kind == yaml.ScalarNode {
			one(at)
			return
		}
		before := len(*into)
		problems := len(r.problems)
		r.list(at, one)
		if len(*into) == before && len(r.problems) == problems {
			r.fail(at, "the list is empty: it would never match; leave the field out for all")
		}
	}
}

// oneOf makes a check that a text is among some.
func (r *reader) oneOf(known []string) func(place, string) bool {
	return func(at place, s string) bool {
		if slices.Contains(known, s) {
			return true
		}
		r.fail(at, "%q: want one of %s", s, strings.Join(known, ", "))
		return false
	}
}
