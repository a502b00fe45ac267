// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"strconv"
	"strings"
)

// String gives the selector in Calico's language. It parses back to an equal
// selector unless a value holds both kinds of quote.
func (e *Expr) String() string {
	switch e.Op {
	case True:
		return "all()"
	case Global:
		return "global()"
	case Has:
		return "has(" + e.Key + ")"
	case Eq:
		return e.Key + " == " + quote(e.Values[0])
	case Ne:
		return e.Key + " != " + quote(e.Values[0])
	case In:
		return e.Key + " in " + e.set()
	case NotIn:
		return e.Key + " not in " + e.set()
	case Contains:
		return e.Key + " contains " + quote(e.Values[0])
	case StartsWith:
		return e.Key + " starts with " + quote(e.Values[0])
	case EndsWith:
		return e.Key + " ends with " + quote(e.Values[0])
	case Not:
		return "!" + e.Parts[0].enclosed()
	case And:
		return e.joined(" && ")
	case Or:
		return e.joined(" || ")
	}
	return ""
}

func (e *Expr) enclosed() string {
	if e.Op == And || e.Op == Or {
		return "(" + e.String() + ")"
	}
	return e.String()
}

func (e *Expr) joined(by string) string {
	parts := make([]string, len(e.Parts))
	for i, p := range e.Parts {
		parts[i] = p.enclosed()
	}
	return strings.Join(parts, by)
}

func (e *Expr) set() string {
	values := make([]string, len(e.Values))
	for i, v := range e.Values {
		values[i] = quote(v)
	}
	return "{" + strings.Join(values, ", ") + "}"
}

// quote uses the kind of quote that is not in the value; there are no escapes.
func quote(v string) string {
	if strings.Contains(v, `"`) {
		return "'" + v + "'"
	}
	return `"` + v + `"`
}

// Plain gives the selector as people write label selectors on a command line:
// "app=api, tier in (a, b)". What that form cannot say is in Calico's.
func (e *Expr) Plain() string {
	switch e.Op {
	case True:
		return "all"
	case Eq:
		return e.Key + "=" + e.Values[0]
	case In:
		if len(e.Values) == 1 {
			return e.Key + "=" + e.Values[0]
		}
		return e.Key + " in (" + strings.Join(e.Values, ", ") + ")"
	case NotIn:
		return e.Key + " not in (" + strings.Join(e.Values, ", ") + ")"
	case Ne:
		return e.Key + "!=" + e.Values[0]
	case Has:
		return "has " + e.Key
	case And:
		parts := make([]string, len(e.Parts))
		for i, p := range e.Parts {
			parts[i] = p.Plain()
		}
		return strings.Join(parts, ", ")
	case Global, Contains, StartsWith, EndsWith, Not, Or:
	}
	return e.String()
}

// column counts from 1 for messages.
func column(offset int) string { return "column " + strconv.Itoa(offset+1) }
