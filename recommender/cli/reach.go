// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/question"
)

type reach struct {
	input
	output
	failOn
	from, to string
}

// reachResult is what reach prints.
type reachResult struct {
	Allowed []policy.Cell `json:"allowed"`
	// Unplaced are the pods without an address, where rules name address blocks.
	Unplaced []string `json:"unplaced,omitempty"`
}

func newReach(env *Env) *cobra.Command {
	r := &reach{}
	cmd := &cobra.Command{
		Use:   "reach",
		Short: "What can reach a workload, and what can it reach?",
		Long: `Reach lists all that the policies allow from or to one end, exactly: over all
pods, nodes, ports and outside addresses. The end is namespace/name of a pod or
else of a workload, or the address of a pod or node.

What no policy can cut is left out: a pod's traffic to itself, and a node's to
the pods on it.`,
		Example: `  # Who may talk to the database?
  netcinch reach -f manifests/ --to data/db

  # In CI: fail if the cart can talk to anyone outside.
  netcinch reach -f manifests/ --from shop/cart --fail-on outside`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return r.run(env) },
	}
	r.manifestFlags(cmd)
	policyFlags(cmd, &r.policies)
	r.output.flag(cmd)
	r.failOn.flag(cmd, "any", "outside")
	cmd.Flags().StringVar(&r.from, "from", "", "list what this end can reach")
	cmd.Flags().StringVar(&r.to, "to", "", "list what can reach this end")
	return cmd
}

func (r *reach) run(env *Env) error {
	if err := r.known(); err != nil {
		return err
	}
	switch {
	case len(r.manifests) == 0:
		return errors.New("give the manifests with -f")
	case (r.from == "") == (r.to == ""):
		return errors.New("give --from or --to, one of them")
	}
	s, engine, err := r.loadLiving(env)
	if err != nil {
		return err
	}
	field, name, list := "from", r.from, engine.DestinationsOf
	if r.to != "" {
		field, name, list = "to", r.to, engine.SourcesOf
	}
	peers, err := question.NewJudge(s, engine).Peers(field, name)
	if err != nil {
		return err
	}
	if !engine.Owned(peers[0]) {
		return &question.FieldError{Field: field, Message: fmt.Sprintf("%s is nobody's in the manifests; policies apply to pods and nodes", name)}
	}
	result := reachResult{Allowed: append([]policy.Cell{}, list(peers...)...), Unplaced: engine.Unplaced()}
	tellUnplaced(env.Stderr, result.Unplaced)
	if err := r.print(env.Stdout, result, func(w io.Writer) error { return writeReach(w, result) }); err != nil {
		return err
	}
	return r.on(reachKinds(result)...)
}

func reachKinds(r reachResult) []string {
	var kinds []string
	for _, c := range r.Allowed {
		kinds = append(kinds, "any")
		if len(c.From.Outside)+len(c.To.Outside) > 0 {
			kinds = append(kinds, "outside")
		}
	}
	return kinds
}

func writeReach(w io.Writer, r reachResult) error {
	if len(r.Allowed) == 0 {
		_, err := fmt.Fprintln(w, "Nothing is allowed.")
		return err
	}
	for _, c := range r.Allowed {
		if _, err := fmt.Fprintln(w, c.Text); err != nil {
			return err
		}
	}
	return nil
}
