// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/flow"
)

// LineError is a line that cannot be read.
type LineError struct {
	File    string // as given to NewReader
	Line    int    // from 1
	Field   string // empty where the line is no JSON object
	Message string // what is wrong and what to do
}

// Error gives "file:line: field: message".
func (e *LineError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Field, e.Message)
}

// UnknownField is a field that the reader did not know, and in how many lines
// it stood. Name has the fields around it: "client.color".
type UnknownField struct {
	Name  string
	Lines uint64
}

// maxLineBytes bounds a line; a real one has some 600 bytes.
const maxLineBytes = 1 << 20

// maxUnknown bounds how many unknown fields are told apart; what is beyond is
// counted under the name "…".
const maxUnknown = 100

// Reader reads records one by one, in the file's order. It is not safe for
// concurrent use.
type Reader struct {
	file    string
	in      *bufio.Reader
	line    int
	unknown map[string]uint64
	shared  map[string]string // strings that stood in lines before
}

// NewReader reads from r; file is the name that errors carry.
func NewReader(r io.Reader, file string) *Reader {
	return &Reader{file: file, in: bufio.NewReaderSize(r, maxLineBytes), unknown: map[string]uint64{}, shared: map[string]string{}}
}

// Line is the number of the line that the last Next read, from 1.
func (r *Reader) Line() int { return r.line }

// Unknown lists the fields that were not known so far, sorted by name.
func (r *Reader) Unknown() []UnknownField {
	list := make([]UnknownField, 0, len(r.unknown))
	for name, n := range r.unknown {
		list = append(list, UnknownField{Name: name, Lines: n})
	}
	slices.SortFunc(list, func(a, b UnknownField) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Next gives the next record: io.EOF behind the last, *LineError for a line
// that cannot be read (the next call goes on behind it), other errors when the
// file cannot be read. Blank lines are passed over.
func (r *Reader) Next() (flow.Record, error) {
	for {
		text, err := r.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			r.line++
			return flow.Record{}, r.skipLong()
		case err != nil && !errors.Is(err, io.EOF):
			return flow.Record{}, fmt.Errorf("reading %s: %w", r.file, err)
		case err != nil && len(text) == 0:
			return flow.Record{}, io.EOF
		}
		r.line++
		if r.line == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return r.parse(text)
		}
	}
}

func (r *Reader) skipLong() error {
	for {
		_, err := r.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("reading %s: %w", r.file, err)
		default:
			return r.bad("", fmt.Sprintf("the line is longer than %d bytes; a flow file has one record a line", maxLineBytes))
		}
	}
}

func (r *Reader) bad(field, message string) *LineError {
	return &LineError{File: r.file, Line: r.line, Field: field, Message: message}
}

// parse reads one line.
func (r *Reader) parse(text []byte) (flow.Record, error) {
	var l line
	if r.parseFast(text, &l) {
		return r.finish(&l)
	}
	return r.parseSlow(text)
}

// parseSlow reads any line that is JSON, and counts what was not known.
func (r *Reader) parseSlow(text []byte) (flow.Record, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return flow.Record{}, r.syntax(text, err)
	}
	record, err := r.finish(&l)
	if err == nil {
		r.countUnknown(text, "", reflect.TypeFor[line]())
	}
	return record, err
}

func (r *Reader) finish(l *line) (flow.Record, error) {
	record, err := l.record()
	if fe, ok := errors.AsType[*fieldError](err); ok {
		return flow.Record{}, r.bad(fe.field, fe.message)
	}
	return record, err
}

// syntax turns an error of encoding/json into one that people can act on.
func (r *Reader) syntax(text []byte, err error) error {
	var te *json.UnmarshalTypeError
	var se *json.SyntaxError
	switch {
	case errors.As(err, &te) && te.Field != "":
		return r.bad(strings.TrimPrefix(te.Field, "counters."), fmt.Sprintf("want %s, got %s", wanted(te.Type), te.Value))
	case errors.As(err, &te):
		return r.bad("", fmt.Sprintf("want a JSON object {…}, got %s", te.Value))
	case errors.As(err, &se) && se.Offset >= int64(len(text)):
		return r.bad("", fmt.Sprintf("the line breaks off after %d bytes (%v); the file may be cut short", len(text), err))
	case errors.As(err, &se):
		return r.bad("", fmt.Sprintf("is not JSON at byte %d: %v", se.Offset, err))
	}
	return r.bad("", fmt.Sprintf("is not JSON: %v", err))
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Uint16:
		return "a whole number from 0 to 65535"
	case reflect.Uint64:
		return "a whole number, not negative"
	}
	return "an object {…}"
}

// countUnknown walks a line that is known to be a valid JSON object.
func (r *Reader) countUnknown(text []byte, around string, t reflect.Type) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return
	}
	known := map[string]reflect.Type{}
	collect(t, known)
	for name, value := range fields {
		ft, ok := known[name]
		switch {
		case !ok:
			r.addUnknown(around + name)
		case ft.Kind() == reflect.Struct:
			r.countUnknown(value, around+name+".", ft)
		}
	}
}

func (r *Reader) addUnknown(name string) {
	if _, ok := r.unknown[name]; !ok && len(r.unknown) >= maxUnknown {
		name = "…"
	}
	r.unknown[name]++
}

func collect(t reflect.Type, into map[string]reflect.Type) {
	for f := range t.Fields() {
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if f.Anonymous {
			collect(ft, into)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		into[name] = ft
	}
}

// ReadAll reads every record, and stops at the first line that cannot be read.
func ReadAll(r io.Reader, file string) ([]flow.Record, []UnknownField, error) {
	reader := NewReader(r, file)
	var records []flow.Record
	for {
		record, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return records, reader.Unknown(), nil
		case err != nil:
			return records, reader.Unknown(), err
		}
		records = append(records, record)
	}
}
