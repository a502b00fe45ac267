// SPDX-License-Identifier: Apache-2.0

package selector

import "strings"

// test reads what follows a label name: an operator and its value or set.
func (p *parser) test(key string) (*Expr, error) {
	op, err := p.operator(key)
	if err != nil {
		return nil, err
	}
	if op == In || op == NotIn {
		values, fault := p.set()
		return &Expr{Op: op, Key: key, Values: values}, fault
	}
	value, ok, err := p.quoted()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, p.fail("expected a string in quotes, found %s", p.found())
	}
	return &Expr{Op: op, Key: key, Values: []string{value}}, nil
}

func (p *parser) operator(key string) (Op, error) {
	switch {
	case p.take("=="):
		return Eq, nil
	case p.take("!="):
		return Ne, nil
	case p.take("contains"):
		return Contains, nil
	case p.words("starts", "with"):
		return StartsWith, nil
	case p.words("ends", "with"):
		return EndsWith, nil
	case p.words("not", "in"):
		return NotIn, nil
	case p.take("in"):
		return In, nil
	default:
		return 0, p.fail("expected an operator after label %q (==, !=, in, not in, contains, starts with, ends with), found %s", key, p.found())
	}
}

// words consumes two words with or without space between, or nothing.
func (p *parser) words(first, second string) bool {
	start := p.at
	if p.take(first) && p.take(second) {
		return true
	}
	p.at = start
	return false
}

// quoted consumes a string in either kind of quote. There are no escapes.
func (p *parser) quoted() (value string, ok bool, err error) {
	if p.done() || (p.text[p.at] != '"' && p.text[p.at] != '\'') {
		return "", false, nil
	}
	end := strings.IndexByte(p.text[p.at+1:], p.text[p.at])
	if end < 0 {
		return "", false, p.fail("the string that begins here has no closing %c", p.text[p.at])
	}
	value = p.text[p.at+1 : p.at+1+end]
	p.at += end + 2
	p.space()
	return value, true, nil
}

// set consumes {"a", "b"}; empty sets and a trailing comma are legal.
func (p *parser) set() ([]string, error) {
	if !p.take("{") {
		return nil, p.fail("expected a set such as {\"a\", \"b\"}, found %s", p.found())
	}
	values := []string{}
	for {
		value, ok, err := p.quoted()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		values = append(values, value)
		if !p.take(",") {
			break
		}
	}
	if !p.take("}") {
		return nil, p.fail("no closing } for the set; found %s", p.found())
	}
	return values, nil
}
