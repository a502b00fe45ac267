// SPDX-License-Identifier: Apache-2.0

// Package selector holds label selectors of all policy kinds in one form, the
// expression. Kubernetes label selectors and Calico's selector language are
// its two sources; an Index answers which members of a universe it selects.
package selector

import (
	"slices"
	"strings"
)

// Op is what an expression tests or how it joins its parts.
type Op uint8

// The operators. Ne and NotIn are true also where the label is absent.
const (
	True Op = iota
	Global
	Has
	Eq
	Ne
	In
	NotIn
	Contains
	StartsWith
	EndsWith
	Not
	And
	Or
)

// Expr is one node of a selector. Key and Values serve the tests, Parts serves
// Not (one part), And and Or (two or more).
type Expr struct {
	Op     Op
	Key    string
	Values []string
	Parts  []*Expr
}

// Everything is the selector that selects all.
func Everything() *Expr { return &Expr{Op: True} }

// HasKey selects what has the label.
func HasKey(key string) *Expr { return &Expr{Op: Has, Key: key} }

// KeyIn selects what has the label with one of the values.
func KeyIn(key string, values ...string) *Expr { return &Expr{Op: In, Key: key, Values: values} }

// Negate turns a selector around.
func Negate(e *Expr) *Expr { return &Expr{Op: Not, Parts: []*Expr{e}} }

// All joins selectors by "and"; none at all selects everything.
func All(parts ...*Expr) *Expr { return join(And, parts) }

func join(op Op, parts []*Expr) *Expr {
	switch len(parts) {
	case 0:
		return Everything()
	case 1:
		return parts[0]
	}
	return &Expr{Op: op, Parts: parts}
}

// Prefix gives the same selector with every label name prefixed, and with
// all() and global() replaced, as a namespace or service account selector
// becomes one on pods.
func (e *Expr) Prefix(prefix string, all, global *Expr) *Expr {
	switch e.Op {
	case True:
		return all
	case Global:
		return global
	case Not, And, Or:
		out := &Expr{Op: e.Op}
		for _, p := range e.Parts {
			out.Parts = append(out.Parts, p.Prefix(prefix, all, global))
		}
		return out
	case Has, Eq, Ne, In, NotIn, Contains, StartsWith, EndsWith:
		return &Expr{Op: e.Op, Key: prefix + e.Key, Values: e.Values}
	}
	return e
}

// UsesGlobal says whether global() is anywhere in the selector.
func (e *Expr) UsesGlobal() bool {
	return e.Op == Global || slices.ContainsFunc(e.Parts, (*Expr).UsesGlobal)
}

// Matches evaluates the selector on one set of labels.
func (e *Expr) Matches(labels map[string]string) bool {
	value, has := "", false
	if e.Key != "" {
		value, has = labels[e.Key]
	}
	switch e.Op {
	case True, Global:
		return true
	case Has:
		return has
	case Not:
		return !e.Parts[0].Matches(labels)
	case And:
		return !slices.ContainsFunc(e.Parts, func(p *Expr) bool { return !p.Matches(labels) })
	case Or:
		return slices.ContainsFunc(e.Parts, func(p *Expr) bool { return p.Matches(labels) })
	case Ne, NotIn:
		return !has || !slices.Contains(e.Values, value)
	case Eq, In, Contains, StartsWith, EndsWith:
		return has && e.test(value)
	}
	return false
}

// test evaluates the tests that need a value.
func (e *Expr) test(value string) bool {
	switch e.Op {
	case Eq, In:
		return slices.Contains(e.Values, value)
	case Contains:
		return strings.Contains(value, e.Values[0])
	case StartsWith:
		return strings.HasPrefix(value, e.Values[0])
	case EndsWith:
		return strings.HasSuffix(value, e.Values[0])
	case True, Global, Has, Ne, NotIn, Not, And, Or: // need no value
	}
	return false
}
