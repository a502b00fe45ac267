// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/netcinch/netcinch/recommender/question"
)

// writeTrail tells the way to an answer, end by end and tier by tier.
func writeTrail(b *strings.Builder, q question.Question, a question.Answer) {
	word := map[bool]string{true: "allowed", false: "denied"}
	for _, side := range []struct {
		name, end string
		trail     question.TrailSide
	}{{"egress", q.From, a.Trail.Egress}, {"ingress", q.To, a.Trail.Ingress}} {
		fmt.Fprintf(b, "\n%s of %s: %s\n", side.name, side.end, word[side.trail.Allowed])
		if side.trail.Note != "" {
			fmt.Fprintf(b, "  %s\n", side.trail.Note)
			continue
		}
		for i, t := range side.trail.Tiers {
			fmt.Fprintf(b, "  %d. tier %s\n", i+1, t.Name)
			for _, p := range t.Policies {
				writeTrailPolicy(b, p)
			}
			fmt.Fprintf(b, "     → %s\n", t.Text)
		}
	}
	fmt.Fprintln(b)
	writeChanges(b, a)
	for _, u := range a.Uncertain {
		fmt.Fprintf(b, "  uncertain: %s\n", u)
	}
}

func writeTrailPolicy(b *strings.Builder, p question.TrailPolicy) {
	name := p.Policy.Name
	if p.Policy.Namespace != "" {
		name = p.Policy.Namespace + "/" + name
	}
	fmt.Fprintf(b, "     %s %s%s\n", p.Policy.Kind, name, at(p.File, p.Line))
	if len(p.Rules) == 0 {
		fmt.Fprintln(b, "       no rules in this direction")
	}
	for _, r := range p.Rules {
		mark := "·"
		switch {
		case !r.Asked:
			fmt.Fprintf(b, "       - rule %d, %s: not asked any more\n", r.Rule, r.Action)
			continue
		case r.Matched:
			mark = "✓"
		}
		fmt.Fprintf(b, "       %s rule %d, %s: %s%s\n", mark, r.Rule, r.Action, r.Why, at(lineOnly(p.File, r.Line), r.Line))
	}
}

// lineOnly leaves the file out where there is no line to show with it.
func lineOnly(file string, line int) string {
	if line == 0 {
		return ""
	}
	return file
}

// writeChanges says what would turn an answer around.
func writeChanges(b *strings.Builder, a question.Answer) {
	if len(a.Changes) == 0 {
		return
	}
	verb := "allow"
	if a.Allowed {
		verb = "deny"
	}
	fmt.Fprintf(b, "  to %s it:\n", verb)
	for _, c := range a.Changes {
		fmt.Fprintf(b, "           %s%s\n", c.Text, at(c.File, c.Line))
		if c.Rule != "" {
			fmt.Fprintf(b, "             - %s\n", c.Rule)
		}
	}
}
