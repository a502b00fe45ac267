// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// output is the -o flag.
type output struct{ format string }

func (o *output) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "table, json or yaml")
}

// known refuses formats that do not exist, before any work is done.
func (o *output) known() error {
	switch o.format {
	case "table", "json", "yaml":
		return nil
	}
	return fmt.Errorf("-o %s: want table, json or yaml", o.format)
}

// print writes a value as JSON or YAML, or as the table that write makes of it.
func (o *output) print(w io.Writer, value any, write func(io.Writer) error) error {
	if err := o.known(); err != nil {
		return err
	}
	var text []byte
	var err error
	switch o.format {
	case "json":
		text, err = indented(value)
	case "yaml":
		text, err = yaml.Marshal(value)
	default:
		return write(w)
	}
	if err != nil {
		return internal(fmt.Errorf("writing the result: %w", err))
	}
	_, err = w.Write(text)
	return err
}

func indented(value any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(value)
	return []byte(b.String()), err
}

// table writes rows in columns; without rows it writes the words for none.
func table(w io.Writer, none string, header []string, rows [][]string) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, none)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, strings.Join(header, "\t"))
	for _, r := range rows {
		fmt.Fprintln(t, strings.TrimRight(strings.Join(r, "\t"), "\t"))
	}
	return t.Flush()
}

// failOn is the --fail-on flag: which findings end a command with status 1.
type failOn struct{ kinds []string }

func (f *failOn) flag(cmd *cobra.Command, known ...string) {
	cmd.Flags().StringSliceVar(&f.kinds, "fail-on", nil, "end with status 1 on these: "+strings.Join(known, ", "))
	check := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, k := range f.kinds {
			if !slices.Contains(known, k) {
				return fmt.Errorf("--fail-on %s: want %s", k, strings.Join(known, ", "))
			}
		}
		return check(cmd, args)
	}
}

// on gives errFindings where one of the kinds that are there was asked for.
func (f *failOn) on(there ...string) error {
	for _, k := range there {
		if slices.Contains(f.kinds, k) {
			return errFindings
		}
	}
	return nil
}
