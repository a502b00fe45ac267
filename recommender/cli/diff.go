// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
)

type diff struct {
	input
	output
	failOn
	view
	changed []string
}

// diffResult is what diff prints.
type diffResult struct {
	Added   []policy.Cell `json:"added"`
	Removed []policy.Cell `json:"removed"`
	// Replay is there with --flows: what the change means for past traffic.
	Replay *recommend.ReplayReport `json:"replay,omitempty"`
}

func newDiff(env *Env) *cobra.Command {
	d := &diff{}
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "What changes between two sets of policies, in meaning",
		Long: `Diff compares what two sets of policies allow, not how they are written: the
connections that the new set allows and the old one does not, and the other way
round, exactly, over all pods, ports and outside addresses. Two manifests that
say the same in other words have no difference.

The cluster (pods, namespaces, nodes) is that of -f; of --f2 the policies count.
With --flows it also says what the change means for past traffic.`,
		Example: `  # In a pull request: does the edit open anything? (-f2 is short for --f2.)
  netcinch diff -f main/manifests -f2 manifests/ --fail-on added`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context(), env) },
	}
	d.manifestFlags(cmd)
	d.flowFlags(cmd)
	d.output.flag(cmd)
	d.failOn.flag(cmd, "added", "removed")
	cmd.Flags().StringArrayVar(&d.changed, "f2", nil, "the new policies: a file, or a folder with all below it (repeatable)")
	return cmd
}

func (d *diff) run(_ context.Context, env *Env) error {
	if err := d.known(); err != nil {
		return err
	}
	if len(d.manifests) == 0 || len(d.changed) == 0 {
		return errors.New("give the old manifests with -f and the new ones with --f2")
	}
	result, err := d.result(env)
	if err != nil {
		return err
	}
	if err := d.print(env.Stdout, result, func(w io.Writer) error { return writeDelta(w, result) }); err != nil {
		return err
	}
	var kinds []string
	if len(result.Added) > 0 {
		kinds = append(kinds, "added")
	}
	if len(result.Removed) > 0 {
		kinds = append(kinds, "removed")
	}
	return d.on(kinds...)
}

func (d *diff) result(env *Env) (diffResult, error) {
	var none diffResult
	before, was, err := d.load(env)
	if err != nil {
		return none, err
	}
	after, _, err := d.loadFrom(env, d.changed)
	if err != nil {
		return none, err
	}
	// The same cluster under the other policies.
	next := *before
	next.Policies, next.Problems = after.Policies, after.Problems
	now, _ := policy.Compile(&next, policy.Options{})
	delta := policy.Compare(was, now)
	r := diffResult{Added: append([]policy.Cell{}, delta.Added...), Removed: append([]policy.Cell{}, delta.Removed...)}
	if len(d.flows) == 0 {
		return r, nil
	}
	quiet := *env
	quiet.Stderr = io.Discard // what there is to tell was told above
	ai, _, err := d.analyse(&quiet, &d.view)
	if err != nil {
		return none, err
	}
	if r.Replay, err = recommend.Replay(recommend.ReplayInput{Input: ai, Policies: after.Policies, Alone: true}); err != nil {
		return none, internal(err)
	}
	return r, nil
}

func writeDelta(w io.Writer, r diffResult) error {
	if len(r.Added) == 0 && len(r.Removed) == 0 {
		if _, err := fmt.Fprintln(w, "No difference: both allow the same."); err != nil {
			return err
		}
	}
	for _, c := range r.Added {
		if _, err := fmt.Fprintf(w, "+ %s\n", c.Text); err != nil {
			return err
		}
	}
	for _, c := range r.Removed {
		if _, err := fmt.Fprintf(w, "- %s\n", c.Text); err != nil {
			return err
		}
	}
	if r.Replay == nil {
		return nil
	}
	fmt.Fprintln(w)
	return writeReplay(w, r.Replay)
}
