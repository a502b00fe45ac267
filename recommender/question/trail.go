// SPDX-License-Identifier: Apache-2.0

package question

import (
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Change is an edit that turns one end's answer around.
type Change struct {
	Direction string       `json:"direction"`        // Egress or Ingress
	Policy    *analyze.Ref `json:"policy,omitempty"` // absent where a policy is to be added
	File      string       `json:"file,omitempty"`
	Line      int          `json:"line,omitempty"` // where the policy begins
	Rule      string       `json:"rule,omitempty"` // a rule to put in, as a YAML list item
	At        int          `json:"at"`             // the number that it gets, or that the rule has which goes; from 0
	Text      string       `json:"text"`
}

// Trail is everything that was asked on the way to an answer, in order.
type Trail struct {
	Egress  TrailSide `json:"egress"`
	Ingress TrailSide `json:"ingress"`
}

// TrailSide is the way to the answer at one end.
type TrailSide struct {
	Allowed bool        `json:"allowed"`
	Note    string      `json:"note,omitempty"` // why nothing was asked
	Tiers   []TrailTier `json:"tiers"`
}

// TrailTier is a tier that applies at the end.
type TrailTier struct {
	Name     string        `json:"name"`
	Reached  bool          `json:"reached"` // false where an earlier tier decided
	Policies []TrailPolicy `json:"policies"`
	Text     string        `json:"text"` // what came of it
}

// TrailPolicy is a policy that selects the end.
type TrailPolicy struct {
	Policy analyze.Ref `json:"policy"`
	File   string      `json:"file,omitempty"`
	Line   int         `json:"line,omitempty"`
	Rules  []TrailRule `json:"rules"`
}

// TrailRule is a rule, and whether it matches.
type TrailRule struct {
	Rule    int    `json:"rule"`   // from 1, as people count
	Action  string `json:"action"` // allow, deny, pass, log
	Asked   bool   `json:"asked"`
	Matched bool   `json:"matched"`
	Why     string `json:"why"`
	Line    int    `json:"line,omitempty"` // in the file
}

var actionWords = map[policy.Action]string{
	policy.ActionAllow: "allow", policy.ActionDeny: "deny", policy.ActionPass: "pass", policy.ActionLog: "log",
}

// explain adds to an answer what would have to change, and the way to it where
// it is asked for.
func (j *Judge) explain(a *Answer, t policy.Trail, trail bool) {
	a.Changes = []Change{}
	for _, c := range t.Changes {
		out := Change{Direction: c.Direction.String(), Rule: c.Rule, At: c.At, Text: c.Text}
		if c.Policy != (cluster.Ref{}) {
			ref := analyze.RefOf(c.Policy)
			out.Policy, out.File, out.Line = &ref, j.files[c.Policy], j.starts[c.Policy]
		}
		a.Changes = append(a.Changes, out)
	}
	if trail {
		a.Trail = &Trail{Egress: j.trailSide(t.Egress), Ingress: j.trailSide(t.Ingress)}
	}
}

func (j *Judge) trailSide(d policy.TrailSide) TrailSide {
	out := TrailSide{Allowed: d.Allowed, Note: d.Note, Tiers: []TrailTier{}}
	for _, t := range d.Tiers {
		tier := TrailTier{Name: t.Name, Reached: t.Reached, Text: t.Text, Policies: []TrailPolicy{}}
		for _, p := range t.Policies {
			made := TrailPolicy{Policy: analyze.RefOf(p.Policy), File: j.files[p.Policy], Line: j.starts[p.Policy], Rules: []TrailRule{}}
			for _, r := range p.Rules {
				rule := TrailRule{Rule: r.Rule + 1, Action: actionWords[r.Action], Asked: r.Asked, Matched: r.Matched, Why: r.Why}
				if r.Line > 0 && made.Line > 0 {
					rule.Line = made.Line + r.Line - 1
				}
				made.Rules = append(made.Rules, rule)
			}
			tier.Policies = append(tier.Policies, made)
		}
		out.Tiers = append(out.Tiers, tier)
	}
	return out
}
