// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

// baselineCommand is what the subcommands of baseline have in common: they ask
// a running recommender, or work on its data folder while none is running.
type baselineCommand struct {
	remote
	folder storeCommand
	out    output
}

func newBaseline(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "What workloads usually do: show, export, import",
		Long: `A baseline is what a workload was learnt to do. It is open, learning and then
stabilising, until the workload is ready; from then on a new connection is unseen
until somebody accepts it. Exported, it is a YAML file fit for git: the same
baselines give the same bytes. Imported, it makes the baselines of its workloads
exactly what it says, and leaves those of others as they are.`,
		Example: `  netcinch baseline show
  netcinch baseline export > baseline.yaml
  netcinch baseline import baseline.yaml --reason "reviewed in MR-7"
  netcinch baseline export --data-dir /var/lib/netcinch`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBaselineShow(env), newBaselineExport(env), newBaselineImport(env))
	return cmd
}

func (b *baselineCommand) flags(cmd *cobra.Command) {
	b.remote.flags(cmd)
	b.folder.flag(cmd)
	cmd.Flags().Lookup("data-dir").Usage = "folder of a recommender to work on instead of asking one"
}

// offline is a keeper of what a data folder holds.
type offline struct {
	keeper    *alert.Keeper
	catalogue []store.Catalogued
	trail     []store.Decision
}

// open reads the keeper of a cluster; without a name there has to be one only.
func (b *baselineCommand) open(ctx context.Context, s interface {
	store.Store
	store.Register
},
) (*offline, error) {
	saved, err := s.Findings(ctx, store.FindingQuery{Cluster: b.cluster})
	if err != nil {
		return nil, err
	}
	name := b.cluster
	for i := range saved {
		if saved[i].Kind != alert.RowBaseline {
			continue
		}
		if name != "" && name != saved[i].Cluster {
			return nil, fmt.Errorf("there are baselines of %s and of %s; say which with --cluster", name, saved[i].Cluster)
		}
		name = saved[i].Cluster
	}
	if name == "" {
		return nil, errors.New("nothing is learnt in this folder yet")
	}
	o := &offline{}
	if o.keeper, err = alert.New(name, alert.Options{}, saved); err != nil {
		return nil, err
	}
	if o.catalogue, err = s.Catalogue(ctx, store.Query{Cluster: name}); err != nil {
		return nil, err
	}
	o.trail, err = s.Decisions(ctx, store.DecisionQuery{Cluster: name})
	return o, err
}

// read opens the data folder for reading; close has to be called.
func (b *baselineCommand) read(ctx context.Context) (*offline, func() error, error) {
	s, err := b.folder.open()
	if err != nil {
		return nil, nil, err
	}
	o, err := b.open(ctx, s)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return o, s.Close, nil
}

// baselineRow is a baseline as the API answers it.
type baselineRow struct {
	Workload analyze.Party  `json:"workload"`
	State    string         `json:"state"`
	Version  int            `json:"version"`
	Closed   time.Time      `json:"closed,omitzero"`
	Early    bool           `json:"early"`
	Reasons  []string       `json:"reasons"`
	Edges    int            `json:"edges"`
	Changes  []alert.Change `json:"changes"`
}

func newBaselineShow(env *Env) *cobra.Command {
	var b baselineCommand
	namespace := ""
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show how far each workload is learnt",
		Args:    cobra.NoArgs,
		Example: "  netcinch baseline show -n shop",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.out.known(); err != nil {
				return err
			}
			rows, err := b.rows(cmd.Context(), env, namespace)
			if err != nil {
				return err
			}
			return b.out.print(env.Stdout, rows, func(w io.Writer) error { return baselineTable(w, rows) })
		},
	}
	b.flags(cmd)
	b.out.flag(cmd)
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "only workloads in this namespace")
	return cmd
}

func (b *baselineCommand) rows(ctx context.Context, env *Env, namespace string) ([]baselineRow, error) {
	if b.folder.dataDir != "" {
		return b.kept(ctx, env, namespace)
	}
	c, err := b.client(env)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if namespace != "" {
		query.Set("namespace", namespace)
	}
	var list struct {
		Items []baselineRow `json:"items"`
	}
	err = c.get(ctx, "/api/v1/baselines", query, &list)
	return list.Items, err
}

func (b *baselineCommand) kept(ctx context.Context, env *Env, namespace string) ([]baselineRow, error) {
	o, end, err := b.read(ctx)
	if err != nil {
		return nil, err
	}
	file, _ := o.keeper.Export(o.catalogue, o.trail, env.Now())
	edges := map[string]int{}
	for i := range file.Workloads {
		edges[fmt.Sprint(file.Workloads[i].Workload)] = len(file.Workloads[i].Habits)
	}
	var rows []baselineRow
	for _, one := range o.keeper.Baselines() {
		if namespace == "" || one.Workload.Namespace == namespace {
			rows = append(rows, baselineRow{
				Workload: analyze.PartyOf(one.Workload), State: string(one.State), Version: one.Version, Closed: one.Closed, Early: one.Early,
				Reasons: one.Reasons, Edges: edges[fmt.Sprint(one.Workload)], Changes: one.Changes,
			})
		}
	}
	return rows, end()
}

func baselineTable(w io.Writer, list []baselineRow) error {
	var rows [][]string
	for i := range list {
		r := &list[i]
		closed, version := "open", ""
		if !r.Closed.IsZero() {
			closed, version = "closed "+r.Closed.UTC().Format(time.RFC3339), fmt.Sprint(r.Version)
		}
		rows = append(rows, []string{r.Workload.String(), r.Workload.WorkloadKind, r.State, closed, version, fmt.Sprint(r.Edges), strings.Join(r.Reasons, "; ")})
	}
	return table(w, "No workload is known.", []string{"WORKLOAD", "KIND", "STATE", "BASELINE", "VERSION", "EDGES", "WHY NOT READY"}, rows)
}

func newBaselineExport(env *Env) *cobra.Command {
	var b baselineCommand
	namespace := ""
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write the closed baselines as a YAML file for git",
		Args:    cobra.NoArgs,
		Example: "  netcinch baseline export > baseline.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.folder.dataDir == "" {
				c, err := b.client(env)
				if err != nil {
					return err
				}
				query := url.Values{}
				if namespace != "" {
					query.Set("namespace", namespace)
				}
				var text []byte
				if err = c.get(cmd.Context(), "/api/v1/baselines/file", query, &text); err != nil {
					return err
				}
				_, err = env.Stdout.Write(text)
				return err
			}
			o, end, err := b.read(cmd.Context())
			if err != nil {
				return err
			}
			file, open := o.keeper.Export(o.catalogue, o.trail, env.Now())
			file.Keep(namespace)
			if len(open) > 0 {
				fmt.Fprintf(env.Stderr, "netcinch: not in it, since it is learnt still: %s\n", analyze.List(open, 10))
			}
			return errors.Join(file.Write(env.Stdout), end())
		},
	}
	b.flags(cmd)
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "only workloads in this namespace")
	return cmd
}

func newBaselineImport(env *Env) *cobra.Command {
	var b baselineCommand
	var why reason
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Put a baseline file in force (- reads standard input)",
		Args:  cobra.ExactArgs(1),
		Example: `  netcinch baseline import baseline.yaml --reason "reviewed in MR-7"
  netcinch baseline import baseline.yaml --data-dir /var/lib/netcinch --reason "before the first start"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(b.out.known(), why.known(env)); err != nil {
				return err
			}
			text, err := readBaseline(env, args[0])
			if err != nil {
				return err
			}
			file, err := alert.ParseBaseline(args[0], text) // wrong at once, with its line
			if err != nil {
				return err
			}
			var sum alert.Imported
			if b.folder.dataDir != "" {
				sum, err = b.put(cmd.Context(), env, args[0], file, why)
			} else {
				var c *client
				if c, err = b.client(env); err == nil {
					err = c.post(cmd.Context(), "/api/v1/baselines/file", map[string]string{"name": args[0], "file": string(text), "reason": why.text, "by": why.by}, &sum)
				}
			}
			if err != nil {
				return err
			}
			return b.out.print(env.Stdout, sum, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s in the file, %d changed: %s known now, %s unseen now.\n",
					analyze.Plural(sum.Workloads, "workload"), sum.Changed, analyze.Plural(sum.Added, "edge"), analyze.Plural(sum.Removed, "edge"))
				return err
			})
		},
	}
	b.flags(cmd)
	b.out.flag(cmd)
	why.flags(cmd)
	return cmd
}

func readBaseline(env *Env, name string) ([]byte, error) {
	from := env.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("reading the baseline: %w", plain(err))
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, alert.MaxBaselineFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the baseline: %w", plain(err))
	}
	return text, nil
}

// put imports into a data folder that no recommender is running on.
func (b *baselineCommand) put(ctx context.Context, env *Env, name string, file *alert.BaselineFile, why reason) (sum alert.Imported, err error) {
	dir, err := b.folder.dir()
	if err != nil {
		return sum, err
	}
	s, err := sqlite.Open(sqlite.Options{Dir: dir, Clock: env.Now})
	if errors.Is(err, store.ErrLocked) {
		return sum, fmt.Errorf("--data-dir %s: a recommender is running on it; ask that one with --server", b.folder.dataDir)
	}
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	o, err := b.open(ctx, s)
	if err != nil {
		return sum, err
	}
	by := "command line"
	if why.by != "" {
		by += " (" + why.by + ")"
	}
	now := env.Now().UTC()
	sum, entries, err := o.keeper.Import(file, name, o.catalogue, o.trail, alert.Order{By: by, Reason: why.text, At: now, NewID: rand.Text})
	if err != nil {
		return sum, err
	}
	rows, err := o.keeper.Unsaved(now)
	if err != nil {
		return sum, err
	}
	for i := range entries {
		if err = s.Decide(ctx, entries[i]); err != nil {
			return sum, err
		}
	}
	_, err = s.Note(ctx, rows)
	return sum, err
}
