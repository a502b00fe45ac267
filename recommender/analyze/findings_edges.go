// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"slices"
)

// ofEdges states what edges say: unseen, denied, risky, told differently.
func (f *finder) ofEdges() {
	f.spread(len(f.edges), func(f *finder, i int) { f.ofEdge(&f.edges[i]) })
}

func (f *finder) ofEdge(e *Edge) {
	if e.Unseen {
		f.unseen(e)
	}
	if e.Verdict.State == StateDenied || e.Verdict.State == StateMixed {
		f.denied(e)
	}
	if e.Risky != "" {
		f.risk(e)
	}
	if e.Conflict != "" {
		f.add(f.about(e, FindingConflict, SeverityInfo, fmt.Sprintf("The two ends of %s tell different counts", edgeText(e)),
			e.Conflict+".", "The larger count of each pair of pods is shown; nothing is counted twice."))
	}
}

func edgeText(e *Edge) string {
	return e.Client.String() + " → " + e.Server.String() + " " + PortText(e.Number, e.Port)
}

// about begins a finding about an edge.
func (f *finder) about(e *Edge, kind FindingKind, s Severity, title string, evidence ...string) Finding {
	n := Finding{
		ID: identity("finding", string(kind), e.ID), Kind: kind, Scope: ScopeEdge, Severity: s, Title: title,
		Evidence: evidence, Edge: e.ID, First: e.First, Last: e.Last,
	}
	for _, p := range []Party{e.Client, e.Server} {
		if p.Kind == PartyWorkload {
			n.Workloads = append(n.Workloads, p.String())
			if n.Namespace == "" {
				n.Namespace = p.Namespace
			}
		}
	}
	n.Workloads = slices.Compact(n.Workloads)
	return n
}

func (f *finder) counts(e *Edge) string {
	text := fmt.Sprintf("%s, first seen %s, last seen %s", Plural(e.Counters.Connections, "connection"), Moment(e.First), Moment(e.Last))
	if len(e.Processes) > 0 {
		text += ", opened by " + List(e.Processes, 3)
	}
	return text + "."
}

func (f *finder) unseen(e *Edge) {
	severity := SeverityMedium
	if e.Risky != "" || e.Server.Kind == PartyOutside {
		severity = SeverityHigh
	}
	n := f.about(e, FindingUnseen, severity, fmt.Sprintf("%s was never there before", edgeText(e)),
		f.counts(e), "Both ends had been learnt by then; it is held until somebody accepts it, and teaches no recommendation.")
	f.through(&n, e)
	f.add(n)
}

// through says what let an edge pass.
func (f *finder) through(n *Finding, e *Edge) {
	if e.Verdict.State == StateDenied {
		n.Evidence = append(n.Evidence, "Policies deny it.")
		return
	}
	for _, side := range []struct {
		name string
		Side
	}{{"Egress", e.Verdict.Egress}, {"Ingress", e.Verdict.Ingress}} {
		for _, s := range side.Why {
			n.Evidence = append(n.Evidence, fmt.Sprintf("%s let it through: %s.", side.name, s.Text))
			if s.Allowance != nil {
				n.Allowances = append(n.Allowances, *s.Allowance)
				if n.Policy == nil {
					n.Policy, n.File, n.Line = s.Policy, s.File, s.Line
				}
			}
		}
	}
}

func (f *finder) denied(e *Edge) {
	severity := SeverityMedium
	title := fmt.Sprintf("%s was attempted, and policies deny it", edgeText(e))
	if e.Verdict.State == StateMixed {
		title = fmt.Sprintf("%s is allowed for some pods and denied for others", edgeText(e))
	}
	n := f.about(e, FindingDenied, severity, title, f.counts(e))
	for _, side := range []struct {
		name string
		Side
	}{{"Egress", e.Verdict.Egress}, {"Ingress", e.Verdict.Ingress}} {
		if side.Allowed {
			continue
		}
		for _, s := range side.Why {
			n.Evidence = append(n.Evidence, fmt.Sprintf("%s denies it: %s.", side.name, s.Text))
			if s.Policy != nil && n.Policy == nil {
				n.Policy, n.File = s.Policy, s.File
			}
		}
	}
	for _, pair := range e.Verdict.Mixed {
		n.Evidence = append(n.Evidence, "Denied between "+pair+".")
	}
	if e.Outcomes.Established > 0 && e.Verdict.State == StateDenied {
		n.Severity = SeverityHigh
		n.Evidence = append(n.Evidence, fmt.Sprintf("%s came about all the same: the policies are not enforced here, or are newer than the traffic.",
			Plural(e.Outcomes.Established, "connection")))
	}
	f.add(n)
}

func (f *finder) risk(e *Edge) {
	severity := SeverityMedium
	if e.Unseen || e.Server.Kind == PartyOutside {
		severity = SeverityHigh
	}
	n := f.about(e, FindingRisky, severity, fmt.Sprintf("%s reaches %s", edgeText(e), e.Risky), f.counts(e))
	f.through(&n, e)
	f.add(n)
}
