// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

// export is netcinch store export.
type export struct {
	storeCommand
	view
	cluster string
	level   string
	step    time.Duration
	file    string
	zstd    bool
}

func newStoreExport(env *Env) *cobra.Command {
	e := &export{}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write what is kept as a flow file (netcinch.flow/v1)",
		Long: `Export writes records as JSON lines, in the order of time, step by step: to
standard output, or to a file. --level edges gives workload edges, one record for
each step in which one was seen; --level pods gives the rows as they came, for as
long as they are kept.

Where it is broken off (the reader of a pipe ends, Ctrl-C) it says up to when the
output is whole, and how to go on from there.`,
		Example: `  netcinch store export --data-dir /var/lib/netcinch --from -24h --output-file day.jsonl.zst
  netcinch store export --data-dir /var/lib/netcinch --level pods --from -1h | netcinch graph -f manifests/ --flows -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.run(cmd.Context(), env) },
	}
	e.flag(cmd)
	e.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&e.cluster, "cluster", "", "only what this cluster sent (default: all)")
	f.StringVar(&e.level, "level", "edges", "edges: folded to workloads; pods: as they came")
	f.DurationVar(&e.step, "step", time.Hour, "time that one record of an edge stands for: 5m to 24h, a part of a day")
	f.StringVar(&e.file, "output-file", "", "file to write to, which must not be there (default: standard output)")
	f.BoolVar(&e.zstd, "zstd", false, "compress (also where --output-file ends in .zst)")
	return cmd
}

func (e *export) run(ctx context.Context, env *Env) error {
	if e.level != "edges" && e.level != "pods" {
		return fmt.Errorf("--level %s: want edges or pods", e.level)
	}
	if e.step < sqlite.DefaultResolution || e.step%sqlite.DefaultResolution != 0 || (24*time.Hour)%e.step != 0 {
		return fmt.Errorf("--step %v: want a part of a day in whole five minutes, such as 5m, 1h or 24h", e.step)
	}
	from, to, err := e.span(env.Now())
	if err != nil {
		return err
	}
	opened, err := e.open()
	if err != nil {
		return err
	}
	info, err := opened.Describe(ctx)
	if err != nil {
		return err
	}
	if from.IsZero() || from.Before(info.From) {
		from = info.From
	}
	if to.IsZero() || to.After(info.To) {
		to = info.To
	}
	w, err := e.writer(env)
	if err != nil {
		return err
	}
	// A reader that ends is an error like any other, with something to say about it.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	lines, upTo, err := e.write(ctx, opened, w, from, to)
	err = errors.Join(err, w.Close())
	if err != nil {
		return e.broken(env, err, lines, upTo)
	}
	for name, wrong := range opened.Damage() {
		fmt.Fprintf(env.Stderr, "netcinch: warning: %s is damaged, and left out: %v\n", name, wrong)
	}
	fmt.Fprintf(env.Stderr, "netcinch: %s from %s to %s\n", plural(lines, "record", "records"), clockText(from), clockText(to))
	return nil
}

// broken says how to go on.
func (e *export) broken(env *Env, err error, lines int64, upTo time.Time) error {
	if errors.Is(err, syscall.EPIPE) {
		err = errors.New("the reader of the output has ended")
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("it was broken off")
	}
	if !upTo.IsZero() {
		fmt.Fprintf(env.Stderr, "netcinch: the output is whole up to %s (%s); go on with --from %s\n",
			clockText(upTo), plural(lines, "record", "records"), clockText(upTo))
	}
	return fmt.Errorf("exporting: %w", err)
}

// write gives the records in steps; it returns up to when all of them are written.
func (e *export) write(ctx context.Context, from1 *sqlite.Store, w *exportWriter, from, to time.Time) (lines int64, upTo time.Time, err error) {
	out := jsonl.NewWriter(w)
	for at := from.Truncate(e.step); at.Before(to); at = at.Add(e.step) {
		q := store.Query{Cluster: e.cluster, Namespace: e.namespace, From: later(at, from), To: earlier(at.Add(e.step), to)}
		records, err := e.read(ctx, from1, q)
		if err != nil {
			return lines, upTo, err
		}
		for _, r := range records {
			if err := out.Write(r); err != nil {
				return lines, upTo, err
			}
		}
		if err := w.Flush(); err != nil {
			return lines, upTo, err
		}
		lines, upTo = lines+int64(len(records)), q.To
	}
	return lines, upTo, nil
}

// read gives one step's records: edges with their exact times, rows in the
// step that their window begins in.
func (e *export) read(ctx context.Context, from *sqlite.Store, q store.Query) ([]flow.Record, error) {
	if e.level == "edges" {
		return from.Edges(ctx, q)
	}
	records, err := from.Pods(ctx, q)
	var kept []flow.Record
	for _, r := range records {
		if !r.Window.Start.Before(q.From) && r.Window.Start.Before(q.To) {
			kept = append(kept, r)
		}
	}
	return kept, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// exportWriter is where the lines go, through a buffer and perhaps zstd. A
// flushed step can be read back whole, also where the rest never comes.
type exportWriter struct {
	*bufio.Writer
	pack *zstd.Encoder // nil where it is not compressed
	file *os.File      // nil for standard output
}

func (e *export) writer(env *Env) (*exportWriter, error) {
	w := &exportWriter{}
	out := env.Stdout
	if e.file != "" {
		f, err := os.OpenFile(e.file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("--output-file %s: it is there already; give another name", e.file)
		}
		if err != nil {
			return nil, fmt.Errorf("--output-file %w", plain(err))
		}
		w.file, out = f, f
	}
	if e.zstd || strings.HasSuffix(e.file, ".zst") {
		pack, err := zstd.NewWriter(out)
		if err != nil {
			return nil, internal(err)
		}
		w.pack, out = pack, pack
	}
	w.Writer = bufio.NewWriterSize(out, 1<<16)
	return w, nil
}

func (w *exportWriter) Flush() error {
	if err := w.Writer.Flush(); err != nil || w.pack == nil {
		return err
	}
	return w.pack.Flush()
}

func (w *exportWriter) Close() error {
	err := w.Writer.Flush()
	if w.pack != nil {
		err = cmp.Or(err, w.pack.Close())
	}
	if w.file != nil {
		err = cmp.Or(err, w.file.Sync(), w.file.Close())
	}
	return err
}
