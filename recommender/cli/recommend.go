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

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/recommend"
)

type advise struct {
	input
	output
	failOn
	remote
	view
	form
	workload string
	diff     bool
	ready    bool
}

// adviceResult is what recommend prints as JSON.
type adviceResult struct {
	Recommendations []recommend.Recommendation `json:"recommendations"`
	Notes           []string                   `json:"notes"` // what could not be known
}

func newRecommend(env *Env) *cobra.Command {
	a := &advise{}
	cmd := &cobra.Command{
		Use:   "recommend",
		Short: "The tightened manifests, with proof",
		Long: `Recommend gives, for policies that are wider than what was used, the narrower
manifest, and for workloads without a policy a new one. Each is offered only
with its proof, computed exactly: whatever was observed and allowed stays
allowed at both ends, nothing is allowed that was not before, and nothing in it
could go without losing an observed edge. What cannot be proven is withheld,
with the reason.

-o yaml prints manifests that kubectl apply -f - takes, --patch a patch that git
apply takes, new files and all. --in-place edits the files that were read, after
asking; --out writes beside them. Nothing is ever applied to a cluster.

--format says what new policies are written as: kubernetes, calico (NetworkPolicy
of projectcalico.org/v3, with network sets for names outside), calico-staged
(trials that enforce nothing, of new and of tightened policies) or cluster
(ClusterNetworkPolicy: guard rails around nodes and cloud metadata). A policy
that is there is tightened as what it is.`,
		Example: `  netcinch recommend -f manifests/ --flows flows.jsonl

  # See the change as a patch, then apply what is ready in one namespace.
  netcinch recommend -f manifests/ --flows flows.jsonl -n shop --patch | git apply
  netcinch recommend -f manifests/ --flows flows.jsonl -n shop --ready -o yaml | kubectl apply -f -

  # Into the files themselves; as a kustomization; as a trial on Calico.
  netcinch recommend -f manifests/ --flows flows.jsonl --min-readiness ready --in-place
  netcinch recommend -f manifests/ --flows flows.jsonl --out advice/ --layout kustomize
  netcinch recommend -f manifests/ --flows flows.jsonl --format calico-staged -o yaml | kubectl apply -f -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), env) },
	}
	a.manifestFlags(cmd)
	policyFlags(cmd, &a.policies)
	a.flowFlags(cmd)
	a.output.flag(cmd)
	a.failOn.flag(cmd, "any", "ready", "withheld")
	a.remote.flags(cmd)
	a.view.flags(cmd)
	a.form.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&a.workload, "workload", "w", "", "only what selects this workload, namespace/name")
	f.BoolVar(&a.diff, "diff", false, "print unified diffs to the existing manifests")
	f.BoolVar(&a.ready, "ready", false, "only what is ready: every workload concerned was observed for long enough")
	return cmd
}

func (a *advise) run(ctx context.Context, env *Env) error {
	if err := a.known(); err != nil {
		return err
	}
	if a.diff && a.format != "table" {
		return errors.New("give --diff or -o, not both")
	}
	if err := a.check(&a.input, a.diff || a.format != "table"); err != nil {
		return err
	}
	list, notes, err := a.result(ctx, env)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(r recommend.Recommendation) bool {
		return a.namespace != "" && r.Namespace != a.namespace || a.workload != "" && !slices.Contains(r.Workloads, a.workload) || a.ready && !r.Ready
	})
	a.hold(list)
	switch {
	case a.writes():
		err = a.write(env, &a.input, list)
	case a.diff:
		err = writeDiffs(env.Stdout, list)
	case a.format == "yaml":
		a.warn(env, list)
		err = writeManifests(env.Stdout, list)
	default:
		err = a.print(env.Stdout, adviceResult{Recommendations: list, Notes: notes}, func(w io.Writer) error {
			return errors.Join(writeAdvice(w, list), writeNotes(w, notes))
		})
	}
	if err != nil {
		return err
	}
	return a.on(adviceKinds(list)...)
}

// warn says how many of the manifests that are printed are not ready, since
// they may be on their way into a cluster.
func (*advise) warn(env *Env, list []recommend.Recommendation) {
	waiting, all := 0, 0
	for i := range list {
		if list[i].Withheld == "" {
			all++
			if !list[i].Ready {
				waiting++
			}
		}
	}
	if waiting > 0 {
		fmt.Fprintf(env.Stderr, "netcinch: warning: %d of %d manifests not ready: what uses the rest may not have been seen yet; --ready prints only those that are\n", waiting, all)
	}
}

func adviceKinds(list []recommend.Recommendation) []string {
	var kinds []string
	for _, r := range list {
		switch {
		case r.Withheld != "":
			kinds = append(kinds, "withheld")
		case r.Ready:
			kinds = append(kinds, "any", "ready")
		default:
			kinds = append(kinds, "any")
		}
	}
	return kinds
}

func (a *advise) result(ctx context.Context, env *Env) (list []recommend.Recommendation, notes []string, err error) {
	if !a.offline() {
		return a.ask(ctx, env)
	}
	shown := startProgress(env.Stderr)
	defer shown.stop()
	a.shown = shown
	ai, report, err := a.analyse(env, &a.view)
	if err != nil {
		return nil, nil, err
	}
	if a.workload != "" {
		if err = refuse("workload", a.workload, workloadNames(ai.Snapshot, report)); err != nil {
			return nil, nil, err
		}
	}
	in := a.form.input(&a.view, a.workload)
	in.Snapshot, in.Report, in.Engine, in.Policy = ai.Snapshot, report, ai.Engine, a.policies
	in.Progress = shown.set
	list, err = recommend.Build(in)
	if errors.Is(err, recommend.ErrInput) {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, internal(err)
	}
	if list == nil {
		list = []recommend.Recommendation{}
	}
	notes = append([]string{}, report.Notes...)
	if text := recommend.ConflictNote(report); text != "" {
		notes = append(notes, text)
	}
	return list, notes, nil
}

func (a *advise) ask(ctx context.Context, env *Env) ([]recommend.Recommendation, []string, error) {
	if err := a.filesOnly(); err != nil {
		return nil, nil, err
	}
	client, err := a.client(env)
	if err != nil {
		return nil, nil, err
	}
	var list struct {
		Items []recommend.Recommendation `json:"items"`
	}
	if err = client.get(ctx, "/api/v1/recommendations", a.form.query(a.view.query(), a.workload), &list); err != nil {
		return nil, nil, err
	}
	var coverage struct {
		Limits []string `json:"limits"`
	}
	all := a.view
	all.namespace = ""
	if err = client.get(ctx, "/api/v1/coverage", all.query(), &coverage); err != nil {
		return nil, nil, err
	}
	return list.Items, append([]string{}, coverage.Limits...), a.knownAt(ctx, client)
}

// knownAt refuses a workload that a recommender does not know.
func (a *advise) knownAt(ctx context.Context, client *client) error {
	if a.workload == "" {
		return nil
	}
	all := a.view
	all.namespace = ""
	var list struct {
		Items []struct {
			Party analyze.Party `json:"party"`
		} `json:"items"`
	}
	if err := client.get(ctx, "/api/v1/workloads", all.query(), &list); err != nil {
		return err
	}
	var have []string
	for _, w := range list.Items {
		have = append(have, w.Party.Namespace+"/"+w.Party.Name)
	}
	return refuse("workload", a.workload, have)
}

// writeManifests prints what is offered as documents, and names what is
// withheld in comments, so that nobody takes the file for all there is.
func writeManifests(w io.Writer, list []recommend.Recommendation) error {
	var b strings.Builder
	offered := 0
	for _, r := range list {
		if r.Withheld != "" {
			fmt.Fprintf(&b, "# withheld: %s: %s\n", r.Title, oneLine(errors.New(r.Withheld)))
		}
	}
	for _, r := range list {
		if r.Withheld == "" {
			offered++
			fmt.Fprintf(&b, "---\n# %s\n", r.Title)
			if !r.Ready {
				b.WriteString("# not ready: what uses the rest may not have been seen yet\n")
			}
			b.WriteString(r.ReadinessComment())
			b.WriteString(strings.TrimSuffix(r.After, "\n") + "\n")
		}
	}
	if offered == 0 {
		b.WriteString("# nothing to recommend\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func reasons(r recommend.Recommendation) []string {
	var list []string
	for _, s := range r.Readiness {
		for _, why := range s.Reasons {
			list = append(list, s.Workload+": "+why)
		}
	}
	return list
}

func caveats(r recommend.Recommendation) []string {
	var list []string
	for _, s := range r.Readiness {
		for _, why := range s.Caveats {
			list = append(list, s.Workload+": "+why)
		}
	}
	return list
}

func writeDiffs(w io.Writer, list []recommend.Recommendation) error {
	for _, r := range list {
		if r.Withheld == "" && r.Diff != "" {
			if _, err := io.WriteString(w, strings.TrimSuffix(r.Diff, "\n")+"\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

// spelledOut are the statements of a proof that whoever applies it has to know.
var spelledOut = []recommend.StatementName{recommend.NamesHeld, recommend.NamesExtra, recommend.NamesIsolated}

func writeAdvice(w io.Writer, list []recommend.Recommendation) error {
	var rows [][]string
	var held []recommend.Recommendation
	for _, r := range list {
		if r.Withheld != "" {
			held = append(held, r)
			continue
		}
		proof := "holds"
		if !r.Proof.Holds {
			proof = "FAILS"
		}
		ready := "yes"
		if !r.Ready {
			ready = "no"
			if why := reasons(r); len(why) > 0 {
				ready += ": " + why[0]
			}
		} else if why := caveats(r); len(why) > 0 {
			ready += ", but " + why[0]
			if more := len(why) - 1; more > 0 {
				ready += fmt.Sprintf(" (and %d more)", more)
			}
		}
		evidence := fmt.Sprintf("%s, %s kept", analyze.Plural(r.Proof.ObservedEdges, "edge"), analyze.Plural(r.Proof.Connections, "connection"))
		if n := len(r.Proof.Held); n > 0 {
			evidence += fmt.Sprintf(", %d held as unseen cut", n)
		}
		if n := r.Proof.ExtraTotal; n > 0 {
			evidence += fmt.Sprintf(", %d not seen allowed", n)
		}
		if n := len(r.Proof.Isolates); n > 0 {
			evidence += fmt.Sprintf(", %d closed", n)
		}
		rows = append(rows, []string{string(r.Kind), r.Title, evidence, proof, ready})
	}
	if err := table(w, "Nothing to recommend.", []string{"KIND", "RECOMMENDATION", "EVIDENCE", "PROOF", "READY"}, rows); err != nil {
		return err
	}
	for _, r := range list {
		for _, s := range r.Proof.Statements {
			if r.Withheld != "" || !slices.Contains(spelledOut, s.Name) {
				continue
			}
			if _, err := fmt.Fprintf(w, "\n%s: %s\n", r.Title, s.Text); err != nil {
				return err
			}
			if s.Name != recommend.NamesExtra {
				continue
			}
			for _, c := range r.Proof.Extra {
				if _, err := fmt.Fprintf(w, "  %s → %s %s %s\n", c.From, c.To, c.Protocol, c.Ports); err != nil {
					return err
				}
			}
		}
		if r.Withheld == "" && r.Companion {
			for _, text := range r.Evidence[1:] {
				if _, err := fmt.Fprintf(w, "  %s\n", text); err != nil {
					return err
				}
			}
		}
	}
	for _, r := range held {
		if _, err := fmt.Fprintf(w, "\nWithheld: %s: %s\n", r.Title, r.Withheld); err != nil {
			return err
		}
	}
	if len(rows) > 0 {
		_, err := fmt.Fprintln(w, "\nThe manifests: -o yaml. As a patch: --patch. Into the files: --in-place.")
		return err
	}
	return nil
}
