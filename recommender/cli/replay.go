// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/question"
	"github.com/netcinch/netcinch/recommender/recommend"
)

type replay struct {
	input
	output
	failOn
	remote
	view
	policies []string
	against  []string
	only     []string
	without  []string
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

With --against, two sets of policies are compared on the same history: the one of
--against takes the place of what is in force. --only tries a few of the given
policies, --without takes away policies that are in force; both name them as
namespace/name or Kind/namespace/name.

It prints the edges that would have been denied and were not, with whom that
would have hit, and those that were denied and would pass; and how ready the
workloads are, since what was never seen can't be replayed. --fail-on denied,
allowed or not-ready makes that status 1.`,
		Example: `  # What would these policies have cut in the last week? Fail if anything.
  netcinch replay -f manifests/ --flows flows.jsonl --policies new.yaml --from -7d --fail-on denied

  # In CI: the policies of this branch against those of main, on one namespace.
  netcinch replay -f cluster/ --flows flows.jsonl -p policies/ --against main/policies/ -n shop --fail-on denied

  # What would become of the traffic without one policy?
  netcinch replay -f manifests/ --flows flows.jsonl --without shop/cart`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context(), env) },
	}
	r.manifestFlags(cmd)
	policyFlags(cmd, &r.input.policies)
	r.flowFlags(cmd)
	r.output.flag(cmd)
	r.failOn.flag(cmd, "denied", "allowed", "not-ready")
	r.remote.flags(cmd)
	r.view.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVarP(&r.policies, "policies", "p", nil, "policies to try: a file, or a folder with all below it (repeatable)")
	f.StringArrayVar(&r.against, "against", nil, "policies to compare with, instead of those in force: a file, or a folder with all below it (repeatable)")
	f.StringArrayVar(&r.only, "only", nil, "of the given policies only this one, as namespace/name (repeatable)")
	f.StringArrayVar(&r.without, "without", nil, "take away this policy that is in force, as namespace/name (repeatable)")
	f.BoolVar(&r.alone, "alone", false, "the policies that are given are all that is in force")
	return cmd
}

func (r *replay) run(ctx context.Context, env *Env) error {
	if err := r.known(); err != nil {
		return err
	}
	if len(r.policies) == 0 && len(r.without) == 0 {
		return errors.New("which policies? Give them with --policies, or name one with --without")
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
	if slices.ContainsFunc(result.Readiness, func(s recommend.WorkloadState) bool { return s.State != analyze.ReadyReady }) {
		kinds = append(kinds, "not-ready")
	}
	return r.on(kinds...)
}

func (r *replay) result(ctx context.Context, env *Env) (*recommend.ReplayReport, error) {
	if !r.offline() {
		return r.ask(ctx, env)
	}
	in := recommend.ReplayInput{Alone: r.alone, Namespace: r.namespace, Policy: r.input.policies}
	var err error
	if len(r.policies) > 0 {
		if in.Policies, err = r.proposed(env, "--policies", r.policies); err != nil {
			return nil, err
		}
	}
	if len(r.against) > 0 {
		if in.Against, err = r.proposed(env, "--against", r.against); err != nil {
			return nil, err
		}
	}
	if in.Policies, err = chosen("only", in.Policies, r.only); err != nil {
		return nil, err
	}
	if in.Input, _, err = r.analyse(env, &r.view); err != nil {
		return nil, err
	}
	gone, err := chosen("without", in.Input.Snapshot.Policies, r.without)
	if err != nil {
		return nil, err
	}
	if len(r.without) > 0 {
		for _, o := range gone {
			in.Without = append(in.Without, o.Ref)
		}
	}
	result, err := recommend.Replay(in)
	if err != nil {
		return nil, internal(err)
	}
	return result, nil
}

// proposed reads policies to try. To replay a part of what was asked for would
// mislead, so each problem is an error.
func (r *replay) proposed(env *Env, flag string, paths []string) ([]cluster.Object, error) {
	s, err := manifest.LoadWith(paths, manifest.Options{Namespace: r.fallback, Clock: env.Now})
	if err != nil {
		return nil, err
	}
	if len(s.Problems) > 0 {
		strict := input{strict: true}
		return nil, strict.tell(env, s.Problems)
	}
	if len(s.Policies) == 0 {
		return nil, fmt.Errorf("%s %s: there is no policy in it", flag, strings.Join(paths, ", "))
	}
	return s.Policies, nil
}

// chosen keeps the policies that are named, as [Kind/][namespace/]name; all of
// them where none is.
func chosen(flag string, policies []cluster.Object, wanted []string) ([]cluster.Object, error) {
	if len(wanted) == 0 {
		return policies, nil
	}
	var have []string
	kept := []cluster.Object{}
	for _, o := range policies {
		short := strings.TrimPrefix(o.Ref.Namespace+"/"+o.Ref.Name, "/")
		have = append(have, short)
		if slices.Contains(wanted, short) || slices.Contains(wanted, o.Ref.Kind+"/"+short) {
			kept = append(kept, o)
			have = append(have, o.Ref.Kind+"/"+short)
		}
	}
	for _, name := range wanted {
		if err := refuse("policy", name, slices.Clone(have)); err != nil {
			if fe, ok := errors.AsType[*question.FieldError](err); ok {
				fe.Field = flag
			}
			return nil, err
		}
	}
	return kept, nil
}

func (r *replay) ask(ctx context.Context, env *Env) (*recommend.ReplayReport, error) {
	if err := r.filesOnly(); err != nil {
		return nil, err
	}
	client, err := r.client(env)
	if err != nil {
		return nil, err
	}
	// What a recommender would refuse is refused here, with file and line.
	request := replayRequest{Alone: r.alone}
	for _, side := range []struct {
		flag  string
		paths []string
		only  []string
		into  *string
	}{{"--policies", r.policies, r.only, &request.Policies}, {"--against", r.against, nil, &request.Against}} {
		if len(side.paths) == 0 {
			continue
		}
		var list []cluster.Object
		if list, err = r.proposed(env, side.flag, side.paths); err == nil {
			list, err = chosen("only", list, side.only)
		}
		if err != nil {
			return nil, err
		}
		*side.into = documents(list)
	}
	if request.Remove, err = r.removed(ctx, client); err != nil {
		return nil, err
	}
	var result recommend.ReplayReport
	path := "/api/v1/replay"
	if q := r.query().Encode(); q != "" {
		path += "?" + q
	}
	return &result, client.post(ctx, path, request, &result)
}

// replayRequest is what the API takes.
type replayRequest struct {
	Policies string   `json:"policies"`
	Against  string   `json:"against,omitempty"`
	Remove   []string `json:"remove,omitempty"`
	Alone    bool     `json:"alone,omitempty"`
}

func documents(list []cluster.Object) string {
	var text strings.Builder
	for _, p := range list {
		text.WriteString("---\n" + strings.TrimSuffix(string(p.Source.YAML), "\n") + "\n")
	}
	return text.String()
}

// removed finds the ids of the policies of --without.
func (r *replay) removed(ctx context.Context, client *client) ([]string, error) {
	if len(r.without) == 0 {
		return nil, nil
	}
	var list struct {
		Items []struct {
			ID  string      `json:"id"`
			Ref analyze.Ref `json:"ref"`
		} `json:"items"`
	}
	if err := client.get(ctx, "/api/v1/policies", url.Values{"brief": {"true"}}, &list); err != nil {
		return nil, err
	}
	var have []cluster.Object
	ids := map[cluster.Ref]string{}
	for _, p := range list.Items {
		ids[p.Ref.Cluster()] = p.ID
		have = append(have, cluster.Object{Ref: p.Ref.Cluster()})
	}
	gone, err := chosen("without", have, r.without)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, o := range gone {
		out = append(out, ids[o.Ref])
	}
	return out, nil
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
			rows = append(rows, []string{
				e.Client.String(), e.Server.String(), portText(e.Protocol, e.Port), fmt.Sprint(e.Connections),
				analyze.Moment(e.First), analyze.Moment(e.Last), orDash(analyze.List(e.Processes, maxUsers), len(e.Processes)), whyOf(&e),
			})
		}
		fmt.Fprintln(w)
		if err := table(w, "", []string{part.title, "SERVER", "PORT", "CONNECTIONS", "FIRST SEEN", "LAST SEEN", "PROCESS", "WHY"}, rows); err != nil {
			return err
		}
	}
	if len(r.Hit) > 0 {
		var rows [][]string
		for _, h := range r.Hit {
			rows = append(rows, []string{h.Who, fmt.Sprint(h.Edges), fmt.Sprint(h.Connections)})
		}
		fmt.Fprintln(w)
		if err := table(w, "", []string{"WHO IS HIT", "EDGES", "CONNECTIONS"}, rows); err != nil {
			return err
		}
	}
	if err := writeStates(w, r.Readiness); err != nil {
		return err
	}
	return writeNotes(w, r.Notes)
}

func orDash(text string, n int) string {
	if n == 0 {
		return "-"
	}
	return text
}

// whyOf says in one line why a replayed edge would be denied.
func whyOf(e *recommend.Replayed) string {
	for _, side := range [][]string{whyDenied("egress", e.After.Egress.Allowed, e.After.Egress.Why), whyDenied("ingress", e.After.Ingress.Allowed, e.After.Ingress.Why)} {
		if len(side) > 0 {
			return side[0]
		}
	}
	return ""
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
