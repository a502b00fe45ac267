// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

func newStoreInfo(env *Env) *cobra.Command {
	var s storeCommand
	var out output
	cmd := &cobra.Command{
		Use:     "info",
		Short:   "Say what is kept: files, sizes, times, counts, versions",
		Example: "  netcinch store info --data-dir /var/lib/netcinch -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.known(); err != nil {
				return err
			}
			opened, err := s.open()
			if err != nil {
				return err
			}
			info, err := opened.Describe(cmd.Context())
			if err != nil {
				return err
			}
			return out.print(env.Stdout, info, func(w io.Writer) error { return writeInfo(w, info) })
		},
	}
	s.flag(cmd)
	out.flag(cmd)
	return cmd
}

func writeInfo(w io.Writer, info sqlite.Info) error {
	use := "nobody has it open"
	if info.InUse {
		use = "a recommender has it open"
	}
	fmt.Fprintf(w, "%s: %s in %d files; %s\n", info.Dir, bytesText(info.Bytes), len(info.Files), use)
	if !info.From.IsZero() {
		fmt.Fprintf(w, "edges from %s to %s\n", clockText(info.From), clockText(info.To))
	}
	fmt.Fprintln(w)
	var rows [][]string
	for i := range info.Files {
		f := &info.Files[i]
		rows = append(rows, []string{f.Name, fmt.Sprint(f.Version), bytesText(f.Bytes), clockText(f.From), clockText(f.To), contents(f)})
	}
	return table(w, "", []string{"FILE", "VERSION", "SIZE", "FROM", "TO", "CONTENTS"}, rows)
}

func clockText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func contents(f *sqlite.File) string {
	if f.Wrong != "" {
		return "cannot be read: " + f.Wrong
	}
	switch f.Kind {
	case "catalogue":
		return plural(f.Edges, "edge", "edges") + " ever seen"
	case "register":
		return plural(f.Findings, "finding", "findings") + ", " + plural(f.Decisions, "decision", "decisions")
	default:
		text := plural(f.Edges, "edge", "edges") + " in " + plural(f.Batches, "batch", "batches") + " of " + plural(f.Nodes, "node", "nodes")
		if len(f.Clusters) > 1 {
			text += " in clusters " + strings.Join(f.Clusters, ", ")
		}
		return text
	}
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

type checked struct {
	Dir     string   `json:"dir"`
	Checked int      `json:"checked"` // files
	Damage  []damage `json:"damage"`
}

type damage struct {
	File  string `json:"file"`
	Wrong string `json:"wrong"`
}

func newStoreCheck(env *Env) *cobra.Command {
	var s storeCommand
	var out output
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read everything and hold it against its checksums",
		Long: `Check reads every file from end to end: its structure, each edge against the hash
that it is kept under, each packed row against its checksum, the counts of hours
and days against what they are the sum of, and the audit trail against its chain.

Exit status: 0 all is well, 1 there is damage, 2 there is no store.`,
		Example: "  netcinch store check --data-dir /var/lib/netcinch",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.known(); err != nil {
				return err
			}
			c, err := s.check(cmd.Context())
			if err != nil {
				return err
			}
			if err := out.print(env.Stdout, c, func(w io.Writer) error { return writeChecked(w, c) }); err != nil {
				return err
			}
			if len(c.Damage) > 0 {
				return errFindings
			}
			return nil
		},
	}
	s.flag(cmd)
	out.flag(cmd)
	return cmd
}

func (s *storeCommand) check(ctx context.Context) (checked, error) {
	opened, err := s.open()
	if err != nil {
		return checked{}, err
	}
	info, err := opened.Describe(ctx)
	if err != nil {
		return checked{}, err
	}
	c := checked{Dir: info.Dir, Checked: len(info.Files), Damage: []damage{}}
	wrong := opened.Check(ctx)
	if err := ctx.Err(); err != nil {
		return c, err
	}
	for _, f := range info.Files {
		if err := wrong[f.Name]; err != nil {
			c.Damage = append(c.Damage, damage{f.Name, oneLine(err)})
		}
	}
	return c, nil
}

func writeChecked(w io.Writer, c checked) error {
	for _, d := range c.Damage {
		fmt.Fprintf(w, "%s\n", d.Wrong)
	}
	if len(c.Damage) == 0 {
		_, err := fmt.Fprintf(w, "%s: all %d files are sound\n", c.Dir, c.Checked)
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %d of %d files are damaged; the others answer as before. Restore these from a backup: stop the recommender,\nput the file of the backup in place of the damaged one, and start it again\n",
		c.Dir, len(c.Damage), c.Checked)
	return err
}
