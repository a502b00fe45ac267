// SPDX-License-Identifier: Apache-2.0

// Package question answers questions that name their ends as people do: may
// shop/cart reach data/db on port 5432, and why?
//
// An end is namespace/name of a pod or else of a workload, namespace/Kind/name
// of a workload, or an address; a port is a number, or the name of a container
// port of the server. The answer is the verdict in the words of the report,
// with the file and line of each step.
package question

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// Question is one line of a query file, and what the flags of check say.
type Question struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Port     Port   `json:"port,omitempty"`
	Protocol string `json:"protocol,omitempty"`
	// Explain asks for the whole way to the answer.
	Explain bool `json:"explain,omitempty"`
}

// Port is a port as people give it: a number, or a name of the server's.
type Port string

// UnmarshalJSON takes a number or a string.
func (p *Port) UnmarshalJSON(text []byte) error {
	var n json.Number
	var s string
	if err := json.Unmarshal(text, &s); err == nil {
		*p = Port(s)
		return nil
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return wrong("port", "want a number or a name, got %s", text)
	}
	*p = Port(n)
	return nil
}

// MarshalJSON writes a number where it is one.
func (p Port) MarshalJSON() ([]byte, error) {
	if n, err := strconv.ParseUint(string(p), 10, 16); err == nil && strconv.FormatUint(n, 10) == string(p) {
		return []byte(p), nil
	}
	return json.Marshal(string(p))
}

// Answer is the verdict in the words of the API.
type Answer struct {
	Allowed   bool         `json:"allowed"`
	Egress    analyze.Side `json:"egress"`
	Ingress   analyze.Side `json:"ingress"`
	Uncertain []string     `json:"uncertain"`
	// Changes are the smallest edits that together would turn the answer around.
	Changes []Change `json:"changes"`
	// Trail is there where the question asks to explain.
	Trail *Trail `json:"trail,omitempty"`
}

// FieldError says which part of a question is wrong.
type FieldError struct {
	Field   string // from, to, port or protocol
	Message string
}

// Error gives "field: message".
func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
}

// Parse reads one question, a JSON object. Errors that are about a field are
// *FieldErrors; fields that are not known are errors, since a question that
// was meant to say more must not be answered as if it had not.
func Parse(text []byte) (Question, error) {
	var q Question
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return Question{}, notAQuestion(err)
	}
	if d.More() {
		return Question{}, errors.New("is more than one question; write one a line")
	}
	return q, nil
}

// notAQuestion turns an error of encoding/json into one that names the field.
func notAQuestion(err error) error {
	var te *json.UnmarshalTypeError
	var fe *FieldError
	unknown, isUnknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &fe):
		return fe
	case errors.As(err, &te) && te.Field != "":
		return wrong(te.Field, "want text, got %s", te.Value)
	case isUnknown:
		return wrong(strings.Trim(unknown, `"`), "unknown field; a question has from, to, port, protocol and explain")
	}
	return fmt.Errorf("is not a question: %w; want {\"from\":…,\"to\":…,\"port\":…,\"protocol\":…}", err)
}
