// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
)

type diff struct {
	input
	output
	failOn
	view
	changed []string
	staged  bool
}

// diffResult is what diff prints.
type diffResult struct {
	Added   []policy.Cell `json:"added"`
	Removed []policy.Cell `json:"removed"`
	// Unplaced are the pods without an address, where rules name address blocks.
	Unplaced []string `json:"unplaced,omitempty"`
	// Staged are the staged policies that are looked ahead at, with --staged.
	Staged []string `json:"staged,omitempty"`
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
With --flows it also says what the change means for past traffic.

With --staged the new set is the old one with its staged policies enforced
(Calico's StagedNetworkPolicy, StagedGlobalNetworkPolicy and
StagedKubernetesNetworkPolicy, with stagedAction Set or Delete): what would
change on the day that they are.`,
		Example: `  # In a pull request: does the edit open anything? (-f2 is short for --f2.)
  netcinch diff -f main/manifests -f2 manifests/ --fail-on added

  # What would the staged policies do?
  netcinch diff -f manifests/ --staged`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context(), env) },
	}
	d.manifestFlags(cmd)
	policyFlags(cmd, &d.policies)
	d.flowFlags(cmd)
	d.output.flag(cmd)
	d.failOn.flag(cmd, "added", "removed")
	cmd.Flags().StringArrayVar(&d.changed, "f2", nil, "the new policies: a file, or a folder with all below it (repeatable)")
	cmd.Flags().BoolVar(&d.staged, "staged", false, "compare with the staged policies of -f in force, instead of --f2")
	return cmd
}

func (d *diff) run(_ context.Context, env *Env) error {
	if err := d.known(); err != nil {
		return err
	}
	switch {
	case d.staged && len(d.changed) > 0:
		return errors.New("give --staged or --f2, not both")
	case d.staged && len(d.manifests) == 0:
		return errors.New("give the manifests with -f")
	case !d.staged && (len(d.manifests) == 0 || len(d.changed) == 0):
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
	before, was, err := d.loadLiving(env)
	if err != nil {
		return none, err
	}
	next, staged, err := d.next(env, before)
	if err != nil {
		return none, err
	}
	now, _ := policy.Compile(next, d.policies)
	delta := policy.Compare(was, now)
	r := diffResult{Added: append([]policy.Cell{}, delta.Added...), Removed: append([]policy.Cell{}, delta.Removed...), Staged: staged}
	r.Unplaced = slices.Concat(was.Unplaced(), now.Unplaced())
	slices.Sort(r.Unplaced)
	r.Unplaced = slices.Compact(r.Unplaced)
	tellUnplaced(env.Stderr, r.Unplaced)
	if len(d.flows) == 0 {
		return r, nil
	}
	quiet := *env
	quiet.Stderr = io.Discard // what there is to tell was told above
	ai, _, err := d.analyse(&quiet, &d.view)
	if err != nil {
		return none, err
	}
	if r.Replay, err = recommend.Replay(recommend.ReplayInput{Input: ai, Policies: next.Policies, Alone: true}); err != nil {
		return none, internal(err)
	}
	return r, nil
}

// next gives the same cluster under the other policies, and the names of the
// staged ones that are among them.
func (d *diff) next(env *Env, before *cluster.Snapshot) (*cluster.Snapshot, []string, error) {
	if !d.staged {
		after, _, err := d.loadFrom(env, d.changed)
		if err != nil {
			return nil, nil, err
		}
		next := *before
		next.Policies, next.Problems = after.Policies, after.Problems
		return &next, nil, nil
	}
	staging := policy.Stage(before)
	_, problems := policy.Compile(staging.Snapshot, d.policies)
	set := map[cluster.Ref]bool{}
	names := []string{}
	for _, ref := range staging.Set {
		set[ref] = true
		names = append(names, ref.String())
	}
	for _, ref := range staging.Deleted {
		names = append(names, ref.String()+" (deleted)")
	}
	slices.Sort(names)
	problems = slices.DeleteFunc(problems, func(p cluster.Problem) bool { return !set[p.Ref] }) // the others were told
	return staging.Snapshot, names, d.tell(env, append(problems, staging.Problems...))
}

func writeDelta(w io.Writer, r diffResult) error {
	if r.Staged != nil {
		text := "No staged policies."
		if len(r.Staged) > 0 {
			text = "With the staged policies in force: " + strings.Join(r.Staged, ", ")
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
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
