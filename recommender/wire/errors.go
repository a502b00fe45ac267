// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
)

// The kinds of refusal; test for them with errors.Is.
var (
	ErrMalformed   = errors.New("malformed batch")           // never right, whoever retries it
	ErrVersion     = errors.New("other version of the wire") // agent and recommender differ
	ErrTooLarge    = errors.New("batch too large")           // beyond the limits of this package
	ErrImplausible = errors.New("implausible batch")         // well formed, but cannot be true
)

// Error names what is wrong in a batch, where, and what would be right.
type Error struct {
	Kind   error  // one of the sentinels of this package
	Column string // as in wire.proto: "edges.remote", "strings", "sequence"
	Index  int    // entry of the column; -1 where the column is a single value
	Detail string
}

// Error gives "malformed batch: edges.remote[17]: …".
func (e *Error) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("%v: %s: %s", e.Kind, e.Column, e.Detail)
	}
	return fmt.Sprintf("%v: %s[%d]: %s", e.Kind, e.Column, e.Index, e.Detail)
}

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

func malformed(column string, index int, format string, args ...any) *Error {
	return &Error{Kind: ErrMalformed, Column: column, Index: index, Detail: fmt.Sprintf(format, args...)}
}

func implausible(column string, index int, format string, args ...any) *Error {
	return &Error{Kind: ErrImplausible, Column: column, Index: index, Detail: fmt.Sprintf(format, args...)}
}

func tooLarge(column, format string, args ...any) *Error {
	return &Error{Kind: ErrTooLarge, Column: column, Index: -1, Detail: fmt.Sprintf(format, args...)}
}
