// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/recommend"
)

type unused struct {
	input
	output
	failOn
	remote
	view
	usage bool
}

// unusedResult is what unused prints.
type unusedResult struct {
	Window   analyze.Window    `json:"window"`
	Findings []analyze.Finding `json:"findings"`
	Usage    []analyze.Usage   `json:"usage"`
	Totals   []analyze.Total   `json:"totals"`
	// Readiness says how far the evidence about each workload can be trusted.
	Readiness []analyze.Readiness `json:"readiness"`
	Notes     []string            `json:"notes"`
}

// unusedKinds are the findings that speak of allowances.
var unusedKinds = []analyze.FindingKind{
	analyze.FindingUnused, analyze.FindingPartlyUsed, analyze.FindingRedundant, analyze.FindingSelectsNothing,
	analyze.FindingShadowed, analyze.FindingAmbiguous, analyze.FindingNotUnderstood, analyze.FindingConflict,
}

func newUnused(env *Env) *cobra.Command {
	u := &unused{}
	cmd := &cobra.Command{
		Use:   "unused",
		Short: "What do the policies allow that nobody uses?",
		Long: `Unused lists what the policies in force allow and no traffic needed: rules, peers
and ports that were never used, that were used in part, that another allowance
always covers, and policies that select nothing. Besides: rules that are never
asked because what comes before them decides, policies whose order is not
defined, policies that are not understood, and connections of which the two ends
tell different things.

A finding is ready when every workload that it concerns was observed for long
enough; until then it says what is missing. --usage prints how often, when last
and by whom each policy, rule, peer and port was used; -o json has both, and the
use of every single allowance.`,
		Example: `  netcinch unused -f manifests/ --flows flows.jsonl

  # How often, when last, and by whom was each rule used in the last week?
  netcinch unused -f manifests/ --flows flows.jsonl --from -7d --usage

  # In CI: fail when something that is ready to be cut was not.
  netcinch unused -f manifests/ --flows flows.jsonl --fail-on ready`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return u.run(cmd.Context(), env) },
	}
	u.manifestFlags(cmd)
	policyFlags(cmd, &u.policies)
	u.flowFlags(cmd)
	u.output.flag(cmd)
	u.failOn.flag(cmd, "any", "ready", "unused", "partly-used", "redundant", "selects-nothing", "shadowed", "ambiguous-order", "not-understood", "conflict")
	u.remote.flags(cmd)
	u.view.flags(cmd)
	cmd.Flags().BoolVar(&u.usage, "usage", false, "print the use of each policy, rule, peer and port instead of findings")
	return cmd
}

func (u *unused) run(ctx context.Context, env *Env) error {
	if err := u.known(); err != nil {
		return err
	}
	r, err := u.result(ctx, env)
	if err != nil {
		return err
	}
	if err := u.print(env.Stdout, r, func(w io.Writer) error {
		if u.usage {
			return writeUsage(w, r)
		}
		return writeUnused(w, r)
	}); err != nil {
		return err
	}
	var kinds []string
	for _, f := range r.Findings {
		kinds = append(kinds, "any", string(f.Kind))
		if f.Ready {
			kinds = append(kinds, "ready")
		}
	}
	return u.on(kinds...)
}

func (u *unused) result(ctx context.Context, env *Env) (unusedResult, error) {
	if !u.offline() {
		return u.ask(ctx, env)
	}
	_, report, err := u.analyse(env, &u.view)
	if err != nil {
		return unusedResult{}, err
	}
	r := unusedResult{Window: report.Window, Findings: ofAllowances(report.Findings), Usage: report.Usage, Totals: report.Totals, Readiness: report.Readiness, Notes: report.Notes}
	if u.namespace != "" {
		r.Findings = slices.DeleteFunc(r.Findings, func(f analyze.Finding) bool { return f.Namespace != u.namespace })
		r.Usage = slices.DeleteFunc(slices.Clone(r.Usage), func(a analyze.Usage) bool { return a.Allowance.Policy.Namespace != u.namespace })
		r.Readiness = slices.DeleteFunc(slices.Clone(r.Readiness), func(w analyze.Readiness) bool { return w.Workload.Namespace != u.namespace })
		r.Totals = slices.DeleteFunc(slices.Clone(r.Totals), func(t analyze.Total) bool { return t.Policy.Namespace != u.namespace })
	}
	return r, nil
}

func (u *unused) ask(ctx context.Context, env *Env) (unusedResult, error) {
	r := unusedResult{Usage: []analyze.Usage{}, Totals: []analyze.Total{}, Readiness: []analyze.Readiness{}, Notes: []string{}}
	if err := u.filesOnly(); err != nil {
		return r, err
	}
	client, err := u.client(env)
	if err != nil {
		return r, err
	}
	var findings struct {
		Meta  meta              `json:"meta"`
		Items []analyze.Finding `json:"items"`
	}
	if err := client.get(ctx, "/api/v1/findings", u.query(), &findings); err != nil {
		return r, err
	}
	var policies struct {
		Items []struct {
			Allowances []analyze.Usage `json:"allowances"`
			Totals     []analyze.Total `json:"totals"`
		} `json:"items"`
	}
	if err := client.get(ctx, "/api/v1/policies", u.query(), &policies); err != nil {
		return r, err
	}
	var workloads struct {
		Items []struct {
			Readiness *analyze.Readiness `json:"readiness"`
		} `json:"items"`
	}
	if err := client.get(ctx, "/api/v1/workloads", u.query(), &workloads); err != nil {
		return r, err
	}
	for _, w := range workloads.Items {
		if w.Readiness != nil {
			r.Readiness = append(r.Readiness, *w.Readiness)
		}
	}
	r.Window, r.Findings = findings.Meta.Window, ofAllowances(findings.Items)
	for _, p := range policies.Items {
		r.Usage, r.Totals = append(r.Usage, p.Allowances...), append(r.Totals, p.Totals...)
	}
	return r, nil
}

func ofAllowances(all []analyze.Finding) []analyze.Finding {
	kept := []analyze.Finding{}
	for _, f := range all {
		if slices.Contains(unusedKinds, f.Kind) {
			kept = append(kept, f)
		}
	}
	return kept
}

func writeUnused(w io.Writer, r unusedResult) error {
	var rows [][]string
	for _, f := range r.Findings {
		ready := "yes"
		if !f.Ready {
			ready = "no"
			if len(f.Reservations) > 0 {
				ready += ": " + f.Reservations[0]
			}
		}
		place := "-"
		if f.File != "" {
			place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		rows = append(rows, []string{string(f.Kind), f.Title, place, ready})
	}
	none := "Nothing: every allowance of the policies in force was used."
	switch {
	case len(r.Usage) == 0:
		none = "Nothing: there is no policy that allows anything."
	case r.Usage[0].State == analyze.UseUnknown:
		none = "Nothing can be said: no traffic was recorded in this time."
	}
	if err := table(w, none, []string{"FINDING", "WHAT", "WHERE", "READY"}, rows); err != nil {
		return err
	}
	if err := writeReadiness(w, r.Readiness); err != nil {
		return err
	}
	return writeNotes(w, r.Notes)
}

// writeReadiness lists the workloads about which something is to be said: those
// that are not ready, and those that are with a caveat.
func writeReadiness(w io.Writer, all []analyze.Readiness) error {
	var states []recommend.WorkloadState
	for i := range all {
		if r := &all[i]; r.Edges > 0 {
			states = append(states, recommend.WorkloadState{
				Workload: r.Workload.String(), State: r.State, Coverage: r.Coverage, Observed: r.Observed, Reasons: r.Reasons, Caveats: r.Caveats,
			})
		}
	}
	return writeStates(w, states)
}

func writeStates(w io.Writer, all []recommend.WorkloadState) error {
	var rows [][]string
	for _, s := range all {
		if why := strings.Join(slices.Concat(s.Reasons, s.Caveats), "; "); why != "" {
			rows = append(rows, []string{s.Workload, string(s.State), analyze.Span(time.Duration(s.Observed * float64(time.Second))), analyze.Percent(s.Coverage), why})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return table(w, "", []string{"WORKLOAD", "READINESS", "OBSERVED", "COVERAGE", "WHAT IS MISSING"}, rows)
}

// writeUsage writes one row for each policy, rule, peer and port; a policy's
// own row comes first, and what belongs to it below.
func writeUsage(w io.Writer, r unusedResult) error {
	var rows [][]string
	for _, t := range r.Totals {
		indent := map[analyze.Scope]string{analyze.ScopeRule: "  ", analyze.ScopePeer: "    ", analyze.ScopePort: "    "}[t.Scope]
		text := t.Text
		switch t.Scope {
		case analyze.ScopePeer:
			text = "peer " + text
		case analyze.ScopePort:
			text = "port " + text
		case analyze.ScopePolicy, analyze.ScopeRule, analyze.ScopeEdge:
		}
		last := "-"
		if !t.LastHit.IsZero() {
			last = analyze.Moment(t.LastHit)
		}
		by := "-"
		if len(t.Peers) > 0 {
			by = analyze.List(t.UsedBy, maxUsers) + " with " + analyze.List(t.Peers, maxUsers)
		}
		rows = append(rows, []string{indent + text, string(t.State), fmt.Sprint(t.Hits), fmt.Sprint(t.AloneHits), last, by})
	}
	if err := table(w, "Nothing: there is no policy that allows anything.", []string{"WHAT", "USE", "HITS", "ALONE", "LAST HIT", "WHO"}, rows); err != nil {
		return err
	}
	if err := writeReadiness(w, r.Readiness); err != nil {
		return err
	}
	return writeNotes(w, r.Notes)
}

// maxUsers bounds how many users a row names.
const maxUsers = 3
