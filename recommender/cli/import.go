// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/flow/foreign"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
)

// importer is the import command of one format.
type importer struct {
	input
	format foreign.Format
	out    string
	window time.Duration
}

func newImport(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Turn the flow logs of another tool into a flow file",
		Long: `Import reads the flow logs of Hubble, Calico or NetObserv and writes a flow file,
so that all advice can be had without Netcinch's agent.

What the log has and a flow file has no place for is passed over. A field that
the published format does not have, an event that cannot be an edge and a line
that cannot be read are counted and named; with --strict they end the command
with status 2, and nothing is written.`,
		Example: `  hubble observe --last 100000 -o jsonpb | netcinch import hubble -o flows.jsonl
  netcinch recommend -f manifests/ --flows flows.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for format, words := range map[foreign.Format][2]string{
		foreign.Hubble:    {"Cilium's Hubble: what hubble observe -o jsonpb prints", "hubble observe --last 100000 -o jsonpb | netcinch import hubble -o flows.jsonl"},
		foreign.Calico:    {"Calico: what Goldmane or Whisker gives, or Felix writes to a file", "netcinch import calico /var/log/calico/flowlogs/flows.log -f manifests/ -o flows.jsonl"},
		foreign.NetObserv: {"NetObserv: flow logs as JSON lines, of its command line, Kafka or Loki", "netcinch import netobserv flows.json -o flows.jsonl"},
	} {
		cmd.AddCommand(newImportOf(env, format, words[0], words[1]))
	}
	return cmd
}

func newImportOf(env *Env, format foreign.Format, short, example string) *cobra.Command {
	im := &importer{format: format}
	cmd := &cobra.Command{
		Use:   string(format) + " [FILE…]",
		Short: short,
		Long: short + `.

Without FILE, or for -, standard input is read. With -f the manifests say whose
pods the names of the log are, where the log names the pod only.`,
		Example: "  " + example,
		Args:    cobra.ArbitraryArgs,
		RunE:    func(_ *cobra.Command, args []string) error { return im.run(env, args) },
	}
	im.manifestFlags(cmd)
	f := cmd.Flags()
	f.Lookup("strict").Usage = "what is left out or not known is an error (status 2), and nothing is written"
	f.StringVarP(&im.out, "output", "o", "-", "flow file to write, - for standard output")
	f.DurationVar(&im.window, "window", 0, "length of the time windows that events are folded to (default 5m)")
	return cmd
}

func (im *importer) run(env *Env, files []string) error {
	if im.window < 0 {
		return fmt.Errorf("--window %s is negative", im.window)
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	o := foreign.Options{Window: im.window}
	if len(im.manifests) > 0 {
		s, err := manifest.LoadWith(im.manifests, manifest.Options{Namespace: im.fallback, Clock: env.Now})
		if err != nil {
			return err
		}
		o.Workload = ownersIn(s)
	}
	out, err := newTarget(env, im.out)
	if err != nil {
		return err
	}
	defer out.abandon()
	w := jsonl.NewWriter(out)
	for _, file := range files {
		if err := im.one(env, file, o, w); err != nil {
			return err
		}
	}
	return out.keep()
}

func (im *importer) one(env *Env, file string, o foreign.Options, w *jsonl.Writer) error {
	r, name, err := open(env, file)
	if err != nil {
		return fmt.Errorf("reading flow logs: %w", err)
	}
	defer r.Close()
	unnamed := map[string]uint64{}
	s, err := foreign.Convert(r, name, im.format, o, func(r flow.Record) error {
		for _, e := range []flow.Endpoint{r.Edge.Client, r.Edge.Server} {
			if strings.HasSuffix(e.DNS, foreign.Aggregated) {
				unnamed["addresses that the log aggregates"]++
			}
			if e.Pod != "" && e.Workload.Name == "" {
				unnamed["pods whose workload the log does not name"]++
			}
		}
		return w.Write(r)
	})
	if err != nil {
		return err
	}
	return im.tell(env, name, s, unnamed)
}

// tell says what became of a log.
func (im *importer) tell(env *Env, name string, s *foreign.Summary, unnamed map[string]uint64) error {
	word := "note"
	if im.strict {
		word = "error"
	}
	say := func(format string, args ...any) {
		fmt.Fprintf(env.Stderr, "netcinch: %s: %s: %s\n", word, name, fmt.Sprintf(format, args...))
	}
	faults := 0
	for _, b := range s.Bad {
		fmt.Fprintf(env.Stderr, "netcinch: %s: %s\n", map[bool]string{true: "error", false: "warning"}[im.strict], b)
		faults++
	}
	if more := s.BadAll - uint64(len(s.Bad)); more > 0 {
		say("%s could not be read, too", analyze.Plural(more, "more line"))
	}
	for _, l := range s.Left {
		text := fmt.Sprintf("left out %s: %s", analyze.Plural(l.Events, "event"), l.Why)
		if l.Example != "" {
			text += ", such as " + l.Example
		}
		say("%s", text)
	}
	for _, u := range s.Unknown {
		say("field %s is not known and was passed over in %s", u.Name, analyze.Plural(u.Lines, "event"))
		faults++
	}
	if s.Early > 0 {
		say("%s closed early: a connection may count twice there", analyze.Plural(s.Early, "window was"))
	}
	for _, why := range []string{"addresses that the log aggregates", "pods whose workload the log does not name"} {
		if n := unnamed[why]; n > 0 {
			say("%s of %s: no rule can be made for them, and what they belong to is not ready", analyze.Plural(n, "record"), why)
		}
	}
	if im.strict && faults > 0 {
		return errSaid
	}
	span := ""
	if !s.From.IsZero() {
		span = fmt.Sprintf(", from %s to %s", analyze.Moment(s.From), analyze.Moment(s.To))
	}
	fmt.Fprintf(env.Stderr, "netcinch: %s: %s became %s%s\n", name, analyze.Plural(s.Taken, "event"), analyze.Plural(s.Records, "record"), span)
	return nil
}

// ownersIn names the workloads of pods: by the pod's name, and for names that
// end in * by what all pods whose names begin so have in common.
func ownersIn(s *cluster.Snapshot) func(namespace, pod string) (flow.Workload, bool) {
	byName := map[[2]string]flow.Workload{}
	for i := range s.Pods {
		if p := &s.Pods[i]; !p.Template {
			byName[[2]string{p.Namespace, p.Name}] = p.Workload
		}
	}
	return func(namespace, pod string) (flow.Workload, bool) {
		if w, ok := byName[[2]string{namespace, pod}]; ok {
			return w, !w.IsZero()
		}
		prefix, several := strings.CutSuffix(pod, "*")
		if !several {
			return flow.Workload{}, false
		}
		var found flow.Workload
		for k, w := range byName {
			switch {
			case k[0] != namespace || !strings.HasPrefix(k[1], prefix):
			case !found.IsZero() && found != w:
				return flow.Workload{}, false
			default:
				found = w
			}
		}
		return found, !found.IsZero()
	}
}

// target is a file that is there whole or not at all, or standard output.
type target struct {
	*bufio.Writer
	file *os.File // nil for standard output
	path string
}

func newTarget(env *Env, path string) (*target, error) {
	if path == "-" {
		return &target{Writer: bufio.NewWriter(env.Stdout)}, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("-o %s is a folder; give the file in it", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, plain(err))
	}
	return &target{Writer: bufio.NewWriter(f), file: f, path: path}, nil
}

// keep puts the file in place.
func (t *target) keep() error {
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing %s: %w", t.name(), plain(err))
	}
	if t.file == nil {
		return nil
	}
	f := t.file
	t.file = nil
	err := errors.Join(f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), t.path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", t.path, errors.Join(plain(err), os.Remove(f.Name())))
	}
	return nil
}

func (t *target) name() string {
	if t.path == "" {
		return "standard output"
	}
	return t.path
}

// abandon removes what was written, unless it was kept.
func (t *target) abandon() {
	if t.file != nil {
		_ = t.file.Close()
		_ = os.Remove(t.file.Name())
	}
}

var _ io.Writer = (*target)(nil)
