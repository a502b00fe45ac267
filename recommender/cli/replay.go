// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/recommend"
)

type replay struct {
	input
	output
	failOn
	remote
	view
	policies []string
	alone    bool
}

func newReplay(env *Env) *cobra.Command {
	r := &replay{}
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "What past traffic would other policies have denied?",
		Long: `Replay holds past traffic against policies that are not in force yet. The policies
that are given take the place of those of the same kind, namespace and name, and
stand beside the others; with --alone they are all that is in force.

It prints the edges that would have been denied and were not, and those that
were denied and would pass.`,
		Example: `  # What would these policies have cut? Fail if anything.
  netcinch replay -f manifests/ --flows flows.jsonl --policies new.yaml --fail-on denied`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context(), env) },
	}
	r.manifestFlags(cmd)
	r.flowFlags(cmd)
	r.output.flag(cmd)
	r.failOn.flag(cmd, "denied", "allowed")
	r.remote.flags(cmd)
	r.view.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVarP(&r.policies, "policies", "p", nil, "policies to try: a file, or a folder with all below it (repeatable)")
	f.BoolVar(&r.alone, "alone", false, "the policies that are given are all that is in force")
	return cmd
}

func (r *replay) run(ctx context.Context, env *Env) error {
	if err := r.known(); err != nil {
		return err
	}
	if len(r.policies) == 0 {
		return errors.New("which policies? Give them with --policies")
	}
	result, err := r.result(ctx, env)
	if err != nil {
		return err
	}
	if err := r.print(env.Stdout, result, func(w io.Writer) error { return writeReplay(w, result) }); err != nil {
		return err
	}
	var kinds []string
	if len(result.Denied) > 0 {
		kinds = append(kinds, "denied")
	}
	if len(result.Allowed) > 0 {
		kinds = append(kinds, "allowed")
	}
	return r.on(kinds...)
}

func (r *replay) result(ctx context.Context, env *Env) (*recommend.ReplayReport, error) {
	if !r.offline() {
		return r.ask(ctx, env)
	}
	proposed, err := manifest.LoadWith(r.policies, manifest.Options{Namespace: r.fallback, Clock: env.Now})
	if err != nil {
		return nil, err
	}
	if len(proposed.Problems) > 0 { // to replay a part of what was asked for would mislead
		r.strict = true
		return nil, r.tell(env, proposed.Problems)
	}
	if len(proposed.Policies) == 0 {
		return nil, fmt.Errorf("--policies %s: there is no policy in it", strings.Join(r.policies, ", "))
	}
	ai, _, err := r.analyse(env, &r.view)
	if err != nil {
		return nil, err
	}
	result, err := recommend.Replay(recommend.ReplayInput{Input: ai, Policies: proposed.Policies, Alone: r.alone})
	if err != nil {
		return nil, internal(err)
	}
	if r.namespace != "" {
		keepNamespace(result, r.namespace)
	}
	return result, nil
}

// keepNamespace cuts a replay down to the edges with an end in a namespace.
func keepNamespace(r *recommend.ReplayReport, namespace string) {
	cut := func(list []recommend.Replayed) (kept []recommend.Replayed, n uint64) {
		kept = []recommend.Replayed{}
		for _, e := range list {
			if e.Client.Namespace == namespace || e.Server.Namespace == namespace {
				kept = append(kept, e)
				n += e.Connections
			}
		}
		return kept, n
	}
	r.Denied, r.DeniedConnections = cut(r.Denied)
	r.Allowed, r.AllowedConnections = cut(r.Allowed)
}

func (r *replay) ask(ctx context.Context, env *Env) (*recommend.ReplayReport, error) {
	if r.alone {
		return nil, errors.New("--alone works on files only; give -f and --flows")
	}
	client, err := r.client(env)
	if err != nil {
		return nil, err
	}
	// What a recommender would refuse is refused here, with file and line.
	proposed, err := manifest.LoadWith(r.policies, manifest.Options{Namespace: r.fallback})
	if err != nil {
		return nil, err
	}
	if len(proposed.Problems) > 0 {
		r.strict = true
		return nil, r.tell(env, proposed.Problems)
	}
	var text strings.Builder
	for _, p := range proposed.Policies {
		text.WriteString("---\n" + strings.TrimSuffix(string(p.Source.YAML), "\n") + "\n")
	}
	var result recommend.ReplayReport
	path := "/api/v1/replay"
	if q := r.query().Encode(); q != "" {
		path += "?" + q
	}
	return &result, client.post(ctx, path, map[string]string{"policies": text.String()}, &result)
}

func writeReplay(w io.Writer, r *recommend.ReplayReport) error {
	if _, err := fmt.Fprintf(w, "Would have denied %d of %d connections (%d of %d edges).\n", r.DeniedConnections, r.Connections, len(r.Denied), r.Edges); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		list  []recommend.Replayed
	}{{"DENIED NEWLY", r.Denied}, {"ALLOWED NEWLY", r.Allowed}} {
		if len(part.list) == 0 {
			continue
		}
		var rows [][]string
		for _, e := range part.list {
			why := ""
			for _, side := range [][]string{whyDenied("egress", e.After.Egress.Allowed, e.After.Egress.Why), whyDenied("ingress", e.After.Ingress.Allowed, e.After.Ingress.Why)} {
				if len(side) > 0 && why == "" {
					why = side[0]
				}
			}
			rows = append(rows, []string{e.Client.String(), e.Server.String(), portText(e.Protocol, e.Port), fmt.Sprint(e.Connections), why})
		}
		fmt.Fprintln(w)
		if err := table(w, "", []string{part.title, "SERVER", "PORT", "CONNECTIONS", "WHY"}, rows); err != nil {
			return err
		}
	}
	return writeNotes(w, r.Notes)
}

// whyDenied gives the reasons of an end that denies.
func whyDenied(end string, allowed bool, steps []analyze.Step) []string {
	if allowed {
		return nil
	}
	var list []string
	for _, s := range steps {
		list = append(list, end+": "+s.Text)
	}
	return list
}
