// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"fmt"
	"strings"
)

// SyntaxError is a selector that does not parse.
type SyntaxError struct {
	Offset  int // in bytes, from 0
	Message string
}

func (e *SyntaxError) Error() string { return column(e.Offset) + ": " + e.Message }

// maxDepth bounds nesting, so that a hostile selector cannot exhaust the stack.
const maxDepth = 1000

// Parse reads Calico's selector language. The empty selector selects all.
// Errors are *SyntaxError.
//
// The language: tests on labels (== != in, not in, contains, starts with, ends
// with, has()), all(), global(), !, && tighter than ||, parentheses; strings in
// either quote without escapes; a trailing comma in a set is fine; only space
// and tab separate.
func Parse(text string) (*Expr, error) {
	p := &parser{text: text}
	p.space()
	if p.done() {
		return Everything(), nil
	}
	e, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if !p.done() {
		return nil, p.fail("unexpected %s after the selector's end", p.found())
	}
	return e, nil
}

type parser struct {
	text string
	at   int
}

func (p *parser) done() bool { return p.at >= len(p.text) }

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{p.at, fmt.Sprintf(format, args...)}
}

// found names what stands at the current place, for messages.
func (p *parser) found() string {
	if p.done() {
		return "end"
	}
	rest := p.text[p.at:]
	if n := strings.IndexAny(rest, " \t"); n > 0 {
		rest = rest[:n]
	}
	if len(rest) > 20 {
		rest = rest[:20]
	}
	return fmt.Sprintf("%q", rest)
}

func (p *parser) space() {
	for !p.done() && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

// take consumes the literal, and the space after it, where it stands next.
func (p *parser) take(literal string) bool {
	if !strings.HasPrefix(p.text[p.at:], literal) {
		return false
	}
	p.at += len(literal)
	p.space()
	return true
}

func (p *parser) or(depth int) (*Expr, error) { return p.list(depth, Or, "||", p.and) }

func (p *parser) and(depth int) (*Expr, error) { return p.list(depth, And, "&&", p.operation) }

func (p *parser) list(depth int, op Op, by string, part func(int) (*Expr, error)) (*Expr, error) {
	var parts []*Expr
	for {
		e, err := part(depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, e)
		if !p.take(by) {
			return join(op, parts), nil
		}
	}
}

// operation reads one test, call or parenthesis, with any number of ! before.
func (p *parser) operation(depth int) (*Expr, error) {
	if depth > maxDepth {
		return nil, p.fail("more than %d levels of parentheses", maxDepth)
	}
	negated := false
	for !strings.HasPrefix(p.text[p.at:], "!=") && p.take("!") {
		negated = !negated
	}
	e, err := p.primary(depth)
	if err != nil || !negated {
		return e, err
	}
	return Negate(e), nil
}

func (p *parser) primary(depth int) (*Expr, error) {
	switch {
	case p.done():
		return nil, p.fail("the selector ends where a test is expected, such as app == \"web\"")
	case p.take("("):
		e, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		return e, p.closing("the parenthesis")
	case p.take("has("):
		key := p.label()
		if key == "" {
			return nil, p.fail("has( needs a label name")
		}
		return HasKey(key), p.closing("has(" + key)
	case p.take("all("):
		return Everything(), p.closing("all(")
	case p.take("global("):
		return &Expr{Op: Global}, p.closing("global(")
	}
	key := p.label()
	if key == "" {
		return nil, p.fail("unexpected %s; expected a label name, has(), all(), ! or (", p.found())
	}
	return p.test(key)
}

func (p *parser) closing(what string) error {
	if !p.take(")") {
		return p.fail("no closing ) for %s; found %s", what, p.found())
	}
	return nil
}

// label consumes a label name; "" where none stands next.
func (p *parser) label() string {
	start := p.at
	for !p.done() && isLabelByte(p.text[p.at]) {
		p.at++
	}
	name := p.text[start:p.at]
	p.space()
	return name
}

func isLabelByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' ||
		b == '_' || b == '.' || b == '/' || b == '-'
}
