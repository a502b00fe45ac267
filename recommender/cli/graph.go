// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/analyze"
)

type graph struct {
	input
	output
	failOn
	remote
	view
}

// graphResult is what graph prints.
type graphResult struct {
	Window analyze.Window `json:"window"`
	Edges  []analyze.Edge `json:"edges"`
	Notes  []string       `json:"notes"`
}

func newGraph(env *Env) *cobra.Command {
	g := &graph{}
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "What talks to what, and do the policies allow it?",
		Long: `Graph lists the edges: who opened connections to whom, folded to workloads,
nodes and outside addresses, with the verdict of the policies in force.

Marks: unseen is an edge that began after the learning period; risky one to a
destination that is sensitive whatever the baseline; dropped and refused count
connections that did not come about.`,
		Example: `  netcinch graph -f manifests/ --flows flows.jsonl

  # In CI: fail when something talks that the policies deny.
  netcinch graph -f manifests/ --flows flows.jsonl --fail-on denied -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.run(cmd.Context(), env) },
	}
	g.manifestFlags(cmd)
	policyFlags(cmd, &g.policies)
	g.flowFlags(cmd)
	g.output.flag(cmd)
	g.failOn.flag(cmd, "denied", "unseen", "risky")
	g.remote.flags(cmd)
	g.view.flags(cmd)
	return cmd
}

func (g *graph) run(ctx context.Context, env *Env) error {
	if err := g.known(); err != nil {
		return err
	}
	r, err := g.result(ctx, env)
	if err != nil {
		return err
	}
	if err := g.print(env.Stdout, r, func(w io.Writer) error { return writeGraph(w, r) }); err != nil {
		return err
	}
	return g.on(edgeKinds(r.Edges)...)
}

func (g *graph) result(ctx context.Context, env *Env) (graphResult, error) {
	if !g.offline() {
		if err := g.filesOnly(); err != nil {
			return graphResult{}, err
		}
		client, err := g.client(env)
		if err != nil {
			return graphResult{}, err
		}
		var list struct {
			Meta  meta           `json:"meta"`
			Items []analyze.Edge `json:"items"`
		}
		err = client.get(ctx, "/api/v1/edges", g.query(), &list)
		return graphResult{Window: list.Meta.Window, Edges: list.Items, Notes: []string{}}, err
	}
	_, report, err := g.analyse(env, &g.view)
	if err != nil {
		return graphResult{}, err
	}
	r := graphResult{Window: report.Window, Edges: []analyze.Edge{}, Notes: report.Notes}
	for i := range report.Edges {
		if g.concerns(&report.Edges[i]) {
			r.Edges = append(r.Edges, report.Edges[i])
		}
	}
	return r, nil
}

func edgeKinds(edges []analyze.Edge) []string {
	var kinds []string
	for i := range edges {
		e := &edges[i]
		if e.Verdict.State == analyze.StateDenied || e.Verdict.State == analyze.StateMixed {
			kinds = append(kinds, "denied")
		}
		if e.Unseen {
			kinds = append(kinds, "unseen")
		}
		if e.Risky != "" {
			kinds = append(kinds, "risky")
		}
	}
	return kinds
}

func writeGraph(w io.Writer, r graphResult) error {
	var rows [][]string
	for i := range r.Edges {
		e := &r.Edges[i]
		rows = append(rows, []string{
			e.Client.String(), e.Server.String(), portText(e.Protocol, e.Port), fmt.Sprint(e.Counters.Connections),
			string(e.Verdict.State), stamp(e.Last), strings.Join(marks(e), ", "),
		})
	}
	if err := table(w, "No edges: no flow was recorded in this time.", []string{"CLIENT", "SERVER", "PORT", "CONNECTIONS", "VERDICT", "LAST SEEN", "MARKS"}, rows); err != nil {
		return err
	}
	return writeNotes(w, r.Notes)
}

// marks are what sets an edge apart.
func marks(e *analyze.Edge) []string {
	var list []string
	if e.Unseen {
		list = append(list, "unseen")
	}
	if e.Risky != "" {
		list = append(list, "risky: "+e.Risky)
	}
	for _, o := range []struct {
		n    uint64
		word string
	}{{e.Outcomes.Dropped, "dropped"}, {e.Outcomes.Refused, "refused"}, {e.Outcomes.Unanswered, "unanswered"}} {
		if o.n > 0 {
			list = append(list, fmt.Sprintf("%d %s", o.n, o.word))
		}
	}
	if e.Guessed {
		list = append(list, "direction guessed")
	}
	return list
}

func portText(protocol string, port uint16) string {
	if port == 0 {
		return protocol
	}
	return fmt.Sprintf("%s %d", protocol, port)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func writeNotes(w io.Writer, notes []string) error {
	for _, n := range notes {
		if _, err := fmt.Fprintf(w, "\nNote: %s\n", n); err != nil {
			return err
		}
	}
	return nil
}
