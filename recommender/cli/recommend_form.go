// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
	"github.com/netcinch/netcinch/recommender/recommend/files"
)

// form says in what form recommendations are made and where they go.
type form struct {
	kind      string
	tier      string
	order     float64
	direction string
	extra     int
	deny      bool
	readiness string
	inPlace   bool
	yes       bool
	out       string
	layout    string
	patch     bool
}

func (o *form) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.kind, "format", string(recommend.Kubernetes), "what new policies are written as: kubernetes, calico, calico-staged or cluster")
	f.StringVar(&o.tier, "tier", "", "tier of new Calico policies")
	f.Float64Var(&o.order, "order", 0, "order of new Calico policies (default 1000)")
	f.StringVar(&o.direction, "direction", "both", "new policies for ingress, egress or both")
	f.IntVar(&o.extra, "allow-extra", 0, "how many pairs of peer and port a new policy may allow beyond what was seen, where that saves rules: ranges of ports, whole namespaces, prefixes; each is listed")
	f.BoolVar(&o.deny, "default-deny", false, "offer beside the others, for each namespace (or the workload of -w), a policy that denies what they leave open and nobody was seen to need; whom it closes is named")
	f.StringVar(&o.readiness, "min-readiness", "", "withhold what is less ready than this: learning, stabilising or ready; without it the manifest says so")
	f.BoolVar(&o.inPlace, "in-place", false, "edit the files that were read, all or none; new policies go into the folder netcinch beside them")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask before --in-place")
	f.StringVar(&o.out, "out", "", "write into this folder (or, with --layout single, this file)")
	f.StringVar(&o.layout, "layout", string(files.Copy), "of --out: copy (what was read, with the changes in it), kustomize or single")
	f.BoolVar(&o.patch, "patch", false, "print one patch of all changes, new files too, that git apply takes")
}

func (o *form) writes() bool { return o.inPlace || o.out != "" || o.patch }

// check refuses what does not go together, before any work is done.
func (o *form) check(in *input, printed bool) error {
	ways := 0
	for _, given := range []bool{o.inPlace, o.out != "", o.patch, printed} {
		if given {
			ways++
		}
	}
	switch {
	case !slices.Contains(recommend.Formats, recommend.Format(o.kind)):
		return fmt.Errorf("--format %s: want kubernetes, calico, calico-staged or cluster", o.kind)
	case !slices.Contains([]string{"ingress", "egress", "both"}, o.direction):
		return fmt.Errorf("--direction %s: want ingress, egress or both", o.direction)
	case o.readiness != "" && !slices.Contains(readinessOrder, analyze.ReadyState(o.readiness)):
		return fmt.Errorf("--min-readiness %s: want learning, stabilising or ready", o.readiness)
	case !slices.Contains(files.Layouts, files.Layout(o.layout)):
		return fmt.Errorf("--layout %s: want copy, kustomize or single", o.layout)
	case math.IsNaN(o.order) || math.IsInf(o.order, 0):
		return fmt.Errorf("--order %v: want a number", o.order)
	case o.extra < 0:
		return fmt.Errorf("--allow-extra %d: want 0 or more", o.extra)
	case ways > 1:
		return errors.New("give one of --in-place, --out, --patch, --diff and -o")
	case !in.offline() && (o.inPlace || o.patch || o.out != "" && files.Layout(o.layout) == files.Copy):
		return errors.New("--in-place, --patch and --out with the layout copy work on files: give -f and --flows; --out with --layout kustomize or single takes what a recommender says")
	case o.deny && o.kind == string(recommend.ClusterWide):
		return errors.New("--default-deny goes with policies of workloads; give another --format than cluster")
	case o.yes && !o.inPlace:
		return errors.New("--yes is for --in-place")
	}
	return nil
}

// readinessOrder is from the least ready on.
var readinessOrder = []analyze.ReadyState{analyze.ReadySilent, analyze.ReadyLearning, analyze.ReadyStabilising, analyze.ReadyReady}

func (o *form) input(v *view, workload string) recommend.Input {
	in := recommend.Input{Format: recommend.Format(o.kind), Calico: recommend.CalicoOptions{Tier: o.tier, Order: o.order}, AllowExtra: o.extra, DefaultDeny: o.deny}
	switch o.direction {
	case "ingress":
		in.Scope.Directions = []string{policy.Ingress.String()}
	case "egress":
		in.Scope.Directions = []string{policy.Egress.String()}
	}
	if in.Format != recommend.ClusterWide && v.namespace != "" {
		in.Scope.Namespaces = []string{v.namespace}
	}
	if workload != "" {
		in.Scope.Workloads = []string{workload}
	}
	return in
}

// query is the form as the API takes it; what is usual is left out.
func (o *form) query(q url.Values, workload string) url.Values {
	plain := len(q)
	for name, value := range map[string]string{
		"format": without(o.kind, string(recommend.Kubernetes)), "direction": without(o.direction, "both"), "tier": o.tier,
		"allowExtra": without(strconv.Itoa(o.extra), "0"), "defaultDeny": without(strconv.FormatBool(o.deny), "false"),
		"order": without(strconv.FormatFloat(o.order, 'g', -1, 64), "0"),
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) > plain && workload != "" && o.kind != string(recommend.ClusterWide) {
		q.Set("workload", workload)
	}
	return q
}

// without gives a text unless it is the usual one.
func without(text, usual string) string {
	if text == usual {
		return ""
	}
	return text
}

// hold withholds what is not as ready as --min-readiness asks.
func (o *form) hold(list []recommend.Recommendation) {
	defer func() { recommend.Settle(list) }()
	if o.readiness == "" {
		return
	}
	least := slices.Index(readinessOrder, analyze.ReadyState(o.readiness))
	for i := range list {
		r := &list[i]
		for _, s := range r.Readiness {
			if r.Withheld == "" && slices.Index(readinessOrder, s.State) < least {
				r.After, r.Diff = "", ""
				r.Withheld = fmt.Sprintf("%s is %s, and --min-readiness asks for %s: %s", s.Workload, s.State, o.readiness, strings.Join(s.Reasons, "; "))
			}
		}
		if r.Withheld == "" && !r.Ready && analyze.ReadyState(o.readiness) == analyze.ReadyReady && len(reasons(*r)) > 0 {
			r.After, r.Diff = "", ""
			r.Withheld = fmt.Sprintf("it is not ready, and --min-readiness asks for that: %s", strings.Join(reasons(*r), "; "))
		}
		if r.Withheld == "" && !r.Ready && len(r.Readiness) < len(r.Workloads) && least > 0 {
			r.After, r.Diff = "", ""
			r.Withheld = fmt.Sprintf("the readiness of a workload is not known, and --min-readiness asks for %s", o.readiness)
		}
	}
}

// root is the folder below which new files go.
func root(paths []string) string {
	if info, err := os.Stat(paths[0]); err == nil && info.IsDir() {
		return paths[0]
	}
	return filepath.Dir(paths[0])
}

func (o *form) write(env *Env, in *input, list []recommend.Recommendation) error {
	for _, r := range list {
		if r.Withheld != "" {
			fmt.Fprintf(env.Stderr, "netcinch: note: withheld: %s: %s\n", r.Title, oneLine(errors.New(r.Withheld)))
		}
	}
	if o.out != "" {
		below := ""
		if in.offline() {
			below = root(in.manifests)
		}
		plan, err := files.Lay(files.Layout(o.layout), o.out, in.manifests, below, list)
		if err != nil {
			return err
		}
		return o.put(env, plan)
	}
	plan, err := files.Plan(root(in.manifests), list)
	if err != nil {
		return err
	}
	if o.patch {
		for _, f := range plan {
			if _, err := io.WriteString(env.Stdout, f.Patch()); err != nil {
				return err
			}
		}
		return nil
	}
	if len(plan) > 0 && !o.yes {
		if err := confirm(env, plan); err != nil {
			return err
		}
	}
	return o.put(env, plan)
}

func (o *form) put(env *Env, plan []files.File) error {
	if err := files.Write(plan); err != nil {
		return err
	}
	for _, f := range plan {
		verb := "changed"
		if f.New {
			verb = "wrote"
		}
		fmt.Fprintf(env.Stdout, "%s %s\n", verb, f.Path)
	}
	if len(plan) == 0 {
		fmt.Fprintln(env.Stdout, "Nothing to write.")
	}
	return nil
}

// confirm shows what would be written and asks on a terminal.
func confirm(env *Env, plan []files.File) error {
	if !isTerminal(env.Stdin) {
		return errors.New("--in-place asks before it writes, and there is no terminal to ask on; give --yes")
	}
	for _, f := range plan {
		if f.New {
			fmt.Fprintf(env.Stderr, "would write %s\n", f.Path)
		} else {
			fmt.Fprintf(env.Stderr, "would change %s\n", f.Path)
		}
	}
	fmt.Fprintf(env.Stderr, "Write %s? [y/N] ", analyze.Plural(len(plan), "file"))
	answer, err := bufio.NewReader(env.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing was written")
	}
	return nil
}

// isTerminal says whether a stream is a device that people type at or read.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
