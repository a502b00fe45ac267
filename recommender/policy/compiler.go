// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// path is the place of a field in a manifest: names and list positions.
type path []any

// with gives a longer path and leaves p as it is.
func (p path) with(more ...any) path { return append(slices.Clip(p), more...) }

// String gives "spec.ingress[0].from[1].ipBlock.cidr".
func (p path) String() string {
	var b strings.Builder
	for i, part := range p {
		switch v := part.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", v)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, v)
		}
	}
	return b.String()
}

// fault is a field that is not understood. It stops the policy's compilation.
type fault struct {
	at      path
	message string
}

func (f *fault) Error() string { return f.at.String() + ": " + f.message }

func faultAt(at path, format string, args ...any) *fault {
	return &fault{at, fmt.Sprintf(format, args...)}
}

// left is a policy that could not be compiled, with the ends that it may have
// meant: every verdict at them is uncertain.
type left struct {
	ref  cluster.Ref
	ends bits.Set
	text string
	// all: outside addresses are meant as well, since nobody knows what was left out.
	all bool
}

// compiler turns objects into the rule model.
type compiler struct {
	top     *topology
	options Options
	tiers   map[string]*tier
	calico  *calicoWorld
	before  *Engine // that the new one follows; nil for none
	units   map[cluster.Ref]*unit
	unit    *unit // of the object at hand
}

// begin turns to an object. What comes of it and what it hangs on goes to its
// unit. The object is copied, so that a unit does not hold on to a whole
// snapshot.
func (c *compiler) begin(o *cluster.Object) {
	if c.unit = c.units[o.Ref]; c.unit == nil {
		own := *o
		c.unit = &unit{object: &own}
		c.units[o.Ref] = c.unit
	}
}

// problem records a fault with its place in the file.
func (c *compiler) problem(o *cluster.Object, f *fault) {
	p := cluster.Problem{File: o.Source.File, Line: o.Source.Line, Field: f.at.String(), Ref: o.Ref, Message: f.message}
	if line := newLocator(o.Source.YAML).line(f.at); line > 0 {
		p.Line = max(o.Source.Line, 1) + line - 1
	}
	c.unit.problems = append(c.unit.problems, p)
}

// leaveOut records that a policy is not in force in the engine, though it may
// be in the cluster.
func (c *compiler) leaveOut(o *cluster.Object, f *fault, ends bits.Set) {
	c.problem(o, f)
	c.doubt(ends, fmt.Sprintf("%s was left out, its %s is not understood; it may apply here", o.Ref, f.at))
}

// doubt makes the verdicts at some ends uncertain.
func (c *compiler) doubt(ends bits.Set, text string) {
	c.unit.left = append(c.unit.left, left{ref: c.unit.object.Ref, ends: ends, text: text})
}

// reach gives the ends that an object could touch, judged by its namespace.
func (t *topology) reach(ns string) bits.Set {
	if ns == "" {
		return t.everyEnd()
	}
	if n, ok := t.nsNumber[ns]; ok {
		return t.namespaces[n].ends
	}
	return bits.Set{}
}
