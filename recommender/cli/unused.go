// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/analyze"
)

type unused struct {
	input
	output
	failOn
	remote
	view
}

// unusedResult is what unused prints.
type unusedResult struct {
	Window   analyze.Window    `json:"window"`
	Findings []analyze.Finding `json:"findings"`
	Usage    []analyze.Usage   `json:"usage"`
	Notes    []string          `json:"notes"`
}

// unusedKinds are the findings that speak of allowances.
var unusedKinds = []analyze.FindingKind{
	analyze.FindingUnused, analyze.FindingPartlyUsed, analyze.FindingRedundant, analyze.FindingSelectsNothing,
}

func newUnused(env *Env) *cobra.Command {
	u := &unused{}
	cmd := &cobra.Command{
		Use:   "unused",
		Short: "What do the policies allow that nobody uses?",
		Long: `Unused lists what the policies in force allow and no traffic needed: rules, peers
and ports that were never used, that were used in part, that another allowance
always covers, and policies that select nothing.

A finding is ready when every workload that it concerns was observed for long
enough; until then it says what is missing. With -o json the use of every
single allowance is there too.`,
		Example: `  netcinch unused -f manifests/ --flows flows.jsonl

  # In CI: fail when something that is ready to be cut was not.
  netcinch unused -f manifests/ --flows flows.jsonl --fail-on ready`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return u.run(cmd.Context(), env) },
	}
	u.manifestFlags(cmd)
	u.flowFlags(cmd)
	u.output.flag(cmd)
	u.failOn.flag(cmd, "any", "ready", "unused", "partly-used", "redundant", "selects-nothing")
	u.remote.flags(cmd)
	u.view.flags(cmd)
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
	if err := u.print(env.Stdout, r, func(w io.Writer) error { return writeUnused(w, r) }); err != nil {
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
	r := unusedResult{Window: report.Window, Findings: ofAllowances(report.Findings), Usage: report.Usage, Notes: report.Notes}
	if u.namespace != "" {
		r.Findings = slices.DeleteFunc(r.Findings, func(f analyze.Finding) bool { return f.Namespace != u.namespace })
		r.Usage = slices.DeleteFunc(slices.Clone(r.Usage), func(a analyze.Usage) bool { return a.Allowance.Policy.Namespace != u.namespace })
	}
	return r, nil
}

func (u *unused) ask(ctx context.Context, env *Env) (unusedResult, error) {
	r := unusedResult{Usage: []analyze.Usage{}, Notes: []string{}}
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
		} `json:"items"`
	}
	if err := client.get(ctx, "/api/v1/policies", u.query(), &policies); err != nil {
		return r, err
	}
	r.Window, r.Findings = findings.Meta.Window, ofAllowances(findings.Items)
	for _, p := range policies.Items {
		r.Usage = append(r.Usage, p.Allowances...)
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
	if len(r.Usage) == 0 {
		none = "Nothing: there is no policy that allows anything."
	}
	if err := table(w, none, []string{"FINDING", "WHAT", "WHERE", "READY"}, rows); err != nil {
		return err
	}
	return writeNotes(w, r.Notes)
}
