// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
	"github.com/netcinch/netcinch/recommender/policy"
)

// input is where an offline command reads from.
type input struct {
	manifests []string
	flows     []string
	fallback  string // namespace of manifests that name none
	strict    bool
	policies  policy.Options
	learning  time.Duration
	given     *pflag.FlagSet // those of the command
	shown     *progress      // of a command whose work goes on after the analysis
}

func (in *input) manifestFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	in.given = f
	f.StringArrayVarP(&in.manifests, "filename", "f", nil, "manifests: a file, or a folder with all below it (repeatable)")
	f.StringVar(&in.fallback, "default-namespace", "", "namespace of objects that name none")
	f.BoolVar(&in.strict, "strict", false, "what is not understood of the objects that a verdict depends on is an error (status 2), not a warning; other kinds are passed over")
}

// orderNames are the orders as people name them.
var orderNames = map[string]policy.Order{"calico": policy.CalicoOrder, "upstream": policy.UpstreamOrder}

// orderValue is the flag --policy-order.
type orderValue struct{ to *policy.Order }

func (v orderValue) String() string {
	if v.to != nil && *v.to == policy.UpstreamOrder {
		return "upstream"
	}
	return "calico"
}

func (orderValue) Type() string { return "calico|upstream" }

func (v orderValue) Set(text string) error {
	order, ok := orderNames[text]
	if !ok {
		return errors.New("want calico or upstream")
	}
	*v.to = order
	return nil
}

// policyFlags says how policies are read where clusters differ.
func policyFlags(cmd *cobra.Command, to *policy.Options) {
	f := cmd.Flags()
	f.Var(orderValue{&to.Order}, "policy-order", "how the kinds of policy combine: calico (all are tiers, by their orders; it is the default, since Calico enforces its kinds wherever they exist, and without them both are the same) or upstream (Admin first and Baseline last, whatever the tiers' orders)")
	f.BoolVar(&to.IPBlockSkipsPods, "ipblock-skips-pods", false, "an ipBlock never matches a pod's address, as with network plugins that know pods by identity")
}

func (in *input) flowFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&in.flows, "flows", nil, "flow file (netcinch.flow/v1 JSON lines), - for standard input (repeatable)")
	f.DurationVar(&in.learning, "learning", analyze.DefaultLearning, "how long a workload is learnt before a new edge of it is unseen")
}

// offline says whether the command works on files.
func (in *input) offline() bool { return len(in.manifests) > 0 || len(in.flows) > 0 }

// filesOnly refuses flags that say how files are read, where none are given.
func (in *input) filesOnly() error {
	var list []string
	for _, name := range []string{"policy-order", "ipblock-skips-pods", "strict", "learning", "default-namespace"} {
		if in.given != nil && in.given.Changed(name) {
			list = append(list, "--"+name)
		}
	}
	if len(list) == 0 {
		return nil
	}
	verb := "works"
	if len(list) > 1 {
		verb = "work"
	}
	return fmt.Errorf("%s %s on files only; give -f, or leave it out (a running recommender goes by the flags that it was started with)", analyze.List(list, len(list)), verb)
}

// needBoth refuses one without the other.
func (in *input) needBoth() error {
	switch {
	case len(in.manifests) == 0:
		return errors.New("--flows needs -f with the manifests of the same cluster")
	case len(in.flows) == 0:
		return errors.New("-f needs --flows with the recorded flows of the same cluster (or leave both out to ask a running recommender)")
	}
	return nil
}

// load reads the manifests and compiles their policies, and tells of what was
// not understood.
func (in *input) load(env *Env) (*cluster.Snapshot, *policy.Engine, error) {
	return in.loadFrom(env, in.manifests)
}

// loadLiving loads without the pods that have finished: they own no address any
// more, so nothing reaches them, and no policy can change that.
func (in *input) loadLiving(env *Env) (*cluster.Snapshot, *policy.Engine, error) {
	s, engine, err := in.load(env)
	if err != nil || !slices.ContainsFunc(s.Pods, finished) {
		return s, engine, err
	}
	living := *s
	living.Pods = slices.DeleteFunc(slices.Clone(s.Pods), finished)
	engine, _ = policy.Compile(&living, in.policies) // its problems were told above
	return &living, engine, nil
}

// tellUnplaced warns of pods that no address block can be held against.
func tellUnplaced(w io.Writer, pods []string) {
	if len(pods) == 0 {
		return
	}
	more := ""
	if len(pods) > 1 {
		more = fmt.Sprintf(" and %d more", len(pods)-1)
	}
	fmt.Fprintf(w, "netcinch: warning: pod %s%s: no address in the input, so that address blocks in rules are taken not to hold it; give the pods with their status (kubectl get pods -A -o yaml)\n", pods[0], more)
}

func finished(p cluster.Pod) bool { return p.Finished }

func (in *input) loadFrom(env *Env, paths []string) (*cluster.Snapshot, *policy.Engine, error) {
	s, err := manifest.LoadWith(paths, manifest.Options{Namespace: in.fallback, Clock: env.Now})
	if err != nil {
		return nil, nil, err
	}
	engine, problems := policy.Compile(s, in.policies)
	return s, engine, in.tell(env, slices.Concat(manifest.EmptyFolders(paths), problems, s.Problems))
}

// maxProblems bounds how many problems are told one by one: a hundred thousand
// of them help nobody.
const maxProblems = 100

// tell prints problems as warnings, or with --strict as errors that end the command.
func (in *input) tell(env *Env, problems []cluster.Problem) error {
	slices.SortStableFunc(problems, func(a, b cluster.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	word := "warning"
	if in.strict {
		word = "error"
	}
	for _, p := range problems[:min(len(problems), maxProblems)] {
		fmt.Fprintf(env.Stderr, "netcinch: %s: %s\n", word, problemText(p))
	}
	if more := len(problems) - maxProblems; more > 0 {
		fmt.Fprintf(env.Stderr, "netcinch: %s: … and %d more of %d problems; correct these first, then run it again\n", word, more, len(problems))
	}
	if in.strict && len(problems) > 0 {
		return errSaid
	}
	return nil
}

func problemText(p cluster.Problem) string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// records reads the flow files, each in its order, one after the other.
func (in *input) records(env *Env) ([]flow.Record, error) {
	var all []flow.Record
	for _, path := range in.flows {
		records, err := readFlows(env, path)
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	return all, nil
}

func readFlows(env *Env, path string) ([]flow.Record, error) {
	r, name, err := open(env, path)
	if err != nil {
		return nil, fmt.Errorf("reading flows: %w", err)
	}
	defer r.Close()
	records, unknown, err := jsonl.ReadAll(r, name)
	if len(unknown) > 0 {
		var fields []string
		for _, u := range unknown {
			fields = append(fields, fmt.Sprintf("%s (%d lines)", u.Name, u.Lines))
		}
		fmt.Fprintf(env.Stderr, "netcinch: note: %s: unknown fields were passed over: %s\n", name, strings.Join(fields, ", "))
	}
	return records, err
}

// open opens a file, or standard input for "-".
func open(env *Env, path string) (io.ReadCloser, string, error) {
	if path == "-" {
		return io.NopCloser(env.Stdin), "standard input", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, path, plain(err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, path, errors.Join(fmt.Errorf("%s is a folder; give the file in it", path), f.Close())
	}
	return f, path, nil
}

func plain(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}

// gcPercent is how much may be made anew, as a share of what is in use, before
// memory is collected. Go's own 100 takes 100 to 150 MiB more for a cluster of
// 200,000 edges, and saves a few collections. GOGC overrides it.
const gcPercent = 60

func beThrifty(env *Env) {
	if env.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// analyse reads everything and analyses what of it lies in the view's time.
func (in *input) analyse(env *Env, v *view) (analyze.Input, *analyze.Report, error) {
	var none analyze.Input
	if err := in.needBoth(); err != nil {
		return none, nil, err
	}
	if in.learning < 0 {
		return none, nil, fmt.Errorf("--learning %s is negative", in.learning)
	}
	from, to, err := v.span(env.Now())
	if err != nil {
		return none, nil, err
	}
	beThrifty(env)
	shown := in.shown
	if shown == nil {
		shown = startProgress(env.Stderr)
		defer shown.stop()
	}
	env = shown.told(env)
	shown.set("reading manifests", 0, 0)
	s, engine, err := in.load(env)
	if err != nil {
		return none, nil, err
	}
	shown.set("reading flows", 0, 0)
	records, err := in.records(env)
	if err != nil {
		return none, nil, err
	}
	ai := analyze.Input{Snapshot: s, Engine: engine, Records: within(records, from, to), Options: analyze.Options{Learning: in.learning}, Progress: shown.set}
	report, err := analyze.Analyze(ai)
	if err != nil {
		return none, nil, internal(err)
	}
	return ai, report, v.inScope(s, report)
}
