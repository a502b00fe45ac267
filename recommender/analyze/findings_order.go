// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// ofOrder states what the order of policies says by itself: rules that are
// never asked, and policies of which nobody can say which comes first.
func (f *finder) ofOrder() {
	for _, s := range f.engine.Shadowed() {
		f.shadowed(s)
	}
	for _, t := range f.engine.Ties() {
		f.ambiguous(t)
	}
}

// structure begins a finding that follows from the policies alone.
func (f *finder) structure(kind FindingKind, scope Scope, severity Severity, ref cluster.Ref, about ...string) Finding {
	r := RefOf(ref)
	n := Finding{Kind: kind, Scope: scope, Severity: severity, Namespace: r.Namespace, Policy: &r}
	n.ID = identity(append([]string{"finding", string(kind), string(scope), ref.String()}, about...)...)
	n.Workloads = f.selects(ref)
	if o := f.policies[ref]; o != nil {
		n.File, n.Line = o.Source.File, o.Source.Line
	}
	return n
}

// selects names the workloads that a policy is for, sorted.
func (f *finder) selects(ref cluster.Ref) []string {
	if f.subjects == nil {
		f.subjects = map[cluster.Ref][]string{}
		for _, w := range f.order {
			for _, pod := range f.pods[w] {
				for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
					for _, r := range f.engine.Selecting(pod, d) {
						if list := f.subjects[r]; len(list) == 0 || list[len(list)-1] != *f.names[w] {
							f.subjects[r] = append(list, *f.names[w])
						}
					}
				}
			}
		}
	}
	return sortUnique(f.subjects[ref])
}

func ruleText(id policy.RuleID) string {
	return fmt.Sprintf("%s rule %d of %s", lower(id.Direction), id.Rule+1, id.Policy)
}

// maxDeciders bounds how many rules a shadowed finding names.
const maxDeciders = 4

var actionVerbs = map[policy.Action]string{policy.ActionAllow: "allow", policy.ActionDeny: "deny", policy.ActionPass: "pass"}

func (f *finder) shadowed(s policy.Shadow) {
	severity := SeverityLow
	if s.Action == policy.ActionDeny {
		severity = SeverityMedium // somebody believes that it protects
	}
	n := f.structure(FindingShadowed, ScopeRule, severity, s.Policy, s.Direction.String(), fmt.Sprint(s.Rule))
	n.Title = upper(ruleText(s.RuleID)) + " is never asked"
	var by []string
	for _, id := range s.By {
		by = append(by, ruleText(id))
	}
	for _, tier := range s.Tiers {
		by = append(by, fmt.Sprintf("the default of tier %s", tier))
	}
	n.Evidence = []string{
		fmt.Sprintf("Whatever it would %s is decided before it, by %s.", actionVerbs[s.Action], List(by, maxDeciders)),
		"Computed over all pods, addresses and ports: without the rule nothing would change.",
	}
	if s.Line > 0 && n.File != "" {
		n.Line = max(n.Line, 1) + s.Line - 1
	}
	f.add(n)
}

func (f *finder) ambiguous(t policy.Tie) {
	severity := SeverityMedium
	if t.Defined {
		severity = SeverityLow
	}
	n := f.structure(FindingAmbiguous, ScopePolicy, severity, t.Policies[0], t.Policies[1].String(), t.Direction.String())
	order := "give no order"
	if t.Order != "none" {
		order = "have the same order, " + t.Order
	}
	n.Title = fmt.Sprintf("%s and %s %s, and say different things", t.Policies[0], t.Policies[1], order)
	if t.Defined {
		n.Evidence = append(n.Evidence, fmt.Sprintf("Calico asks policies of one order by name, so %s decides; renaming one of them would change what is allowed.", t.Policies[0]))
	} else {
		n.Evidence = append(n.Evidence, "Which of them counts is not defined; verdicts here take them by name and are marked uncertain.")
	}
	for i, c := range t.Cells {
		if i == maxDeciders {
			n.Evidence = append(n.Evidence, fmt.Sprintf("And on %s.", Plural(len(t.Cells)-i, "more set of connections")))
			break
		}
		n.Evidence = append(n.Evidence, fmt.Sprintf("They disagree on %s.", c.Text))
	}
	n.Evidence = append(n.Evidence, "Different orders make it plain.")
	f.add(n)
}

// notUnderstood names the objects that could not be read, of which nothing
// further is said, and notes whom they may apply to.
func (f *finder) notUnderstood() {
	for _, u := range f.engine.Unread() {
		names := f.workloadsOf(u.Pods)
		for _, name := range names {
			f.unread[name] = append(f.unread[name], u.Text)
		}
		ref := RefOf(u.Ref)
		n := Finding{Kind: FindingNotUnderstood, Scope: ScopePolicy, Severity: SeverityMedium, Namespace: ref.Namespace, Workloads: names}
		n.ID = identity("finding", string(n.Kind), u.Ref.String(), u.Text)
		n.Title = "An object that is not understood may be a policy; nothing is said about it"
		if ref.Name != "" {
			n.Policy = &ref
			n.Title = fmt.Sprintf("%s is not understood: nothing is said about it", u.Ref)
		}
		n.Evidence = []string{upper(u.Text) + ".", "What is said about other policies of the same workloads is not ready for that reason."}
		for _, p := range f.snapshot.Problems {
			if p.Ref == u.Ref && (p.Ref.Name != "" || p.File != "") {
				n.File, n.Line = p.File, p.Line
				n.Evidence = append(n.Evidence, upper(p.Message)+".")
				break
			}
		}
		f.add(n)
	}
}
