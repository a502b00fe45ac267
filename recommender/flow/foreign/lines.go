// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/netcinch/netcinch/recommender/flow/jsonl"
)

// shape is the fields that a published format has. A nil shape is a value, or
// something that is passed over with all below it.
type shape map[string]shape

// maxLine bounds a line. A list of flows on one line can be long.
const maxLine = 16 << 20

// maxUnknown bounds how many unknown fields are told apart.
const maxUnknown = 100

// lines reads a log's objects: one a line, or lists of them on a line.
type lines struct {
	file    string
	in      *bufio.Reader
	line    int
	known   shape
	unknown map[string]uint64
	pending []json.RawMessage // of a list that is being read
}

func newLines(r io.Reader, file string, known shape) *lines {
	return &lines{file: file, in: bufio.NewReaderSize(r, 1<<16), known: known, unknown: map[string]uint64{}}
}

func (l *lines) bad(field, message string) *jsonl.LineError {
	return &jsonl.LineError{File: l.file, Line: l.line, Field: field, Message: message}
}

// next gives the next object: io.EOF behind the last, *jsonl.LineError for a
// line that cannot be read; the next call goes on behind it.
func (l *lines) next() (object, error) {
	for {
		if len(l.pending) > 0 {
			text := l.pending[0]
			l.pending = l.pending[1:]
			return l.object(text)
		}
		text, err := l.readLine()
		if err != nil {
			return nil, err
		}
		switch text = bytes.TrimSpace(text); {
		case len(text) == 0:
		case text[0] == '[':
			if err := json.Unmarshal(text, &l.pending); err != nil {
				return nil, l.syntax(text, err)
			}
		default:
			o, err := l.object(text)
			if err != nil {
				return nil, err
			}
			if list, ok := wrapped(o); ok {
				l.pending = list
				continue
			}
			return o, nil
		}
	}
}

// wrapped unpacks the answers of an API, which hold a list.
func wrapped(o object) ([]json.RawMessage, bool) {
	for _, name := range []string{"flows", "items"} {
		var list []json.RawMessage
		if text, ok := o[name]; ok && json.Unmarshal(text, &list) == nil {
			return list, true
		}
	}
	return nil, false
}

func (l *lines) readLine() ([]byte, error) {
	var long []byte
	for {
		part, err := l.in.ReadSlice('\n')
		if len(long)+len(part) > maxLine {
			return nil, l.skip(err)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("reading %s: %w", l.file, err)
		case err != nil && len(long)+len(part) == 0:
			return nil, io.EOF
		}
		l.line++
		if l.line == 1 {
			part = bytes.TrimPrefix(part, []byte("\xef\xbb\xbf"))
		}
		if long == nil {
			return part, nil
		}
		return append(long, part...), nil
	}
}

// skip passes over the rest of a line that is too long.
func (l *lines) skip(err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.in.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading %s: %w", l.file, err)
	}
	l.line++
	return l.bad("", fmt.Sprintf("the line is longer than %d MiB; give one event a line", maxLine>>20))
}

func (l *lines) object(text []byte) (object, error) {
	if !json.Valid(text) {
		var any json.RawMessage
		return nil, l.syntax(text, json.Unmarshal(text, &any))
	}
	o, ok := split(text)
	if !ok {
		return nil, l.bad("", "want a JSON object {…}, got "+brief(text))
	}
	l.count(o, "", l.known)
	return o, nil
}

func (l *lines) syntax(text []byte, err error) error {
	var se *json.SyntaxError
	switch {
	case len(text) == 1 && (text[0] == '{' || text[0] == '['):
		return l.bad("", "an event is spread over several lines; give one event a line, as jq -c does")
	case errors.As(err, &se) && se.Offset >= int64(len(text)):
		return l.bad("", fmt.Sprintf("the line breaks off after %d bytes; the file may be cut short", len(text)))
	}
	return l.bad("", fmt.Sprintf("is not JSON: %v", err))
}

// count notes the fields that the format does not have.
func (l *lines) count(o object, around string, known shape) {
	for name, value := range o {
		below, ok := known[name]
		switch {
		case !ok:
			l.addUnknown(around + name)
		case below != nil && len(value) > 0 && value[0] == '{':
			inner, _ := split(value)
			l.count(inner, around+name+".", below)
		}
	}
}

func (l *lines) addUnknown(name string) {
	if _, ok := l.unknown[name]; !ok && len(l.unknown) >= maxUnknown {
		name = "…"
	}
	l.unknown[name]++
}

func (l *lines) unknownFields() []jsonl.UnknownField {
	list := make([]jsonl.UnknownField, 0, len(l.unknown))
	for name, n := range l.unknown {
		list = append(list, jsonl.UnknownField{Name: name, Lines: n})
	}
	slices.SortFunc(list, func(a, b jsonl.UnknownField) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
