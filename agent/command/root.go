// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit statuses.
const (
	ExitFine     = 0
	ExitInput    = 2 // a flag, a file or the node itself is not as it must be
	ExitInternal = 3
)

// Environment is what the command line takes from outside.
type Environment struct {
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Hostname       func() (string, error)
	Clock          func() time.Time
	Version        string
}

// internalError is an error that no other input would have prevented.
type internalError struct{ error }

// Unwrap gives the cause.
func (e internalError) Unwrap() error { return e.error }

// Execute runs the command line and gives the exit status. Errors go to
// stderr, one line each.
func Execute(ctx context.Context, e Environment, args []string) int {
	root := newRoot(e) //nolint:contextcheck // cobra hands the context to the command
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitFine
	}
	_, _ = fmt.Fprintf(e.Stderr, "netcinch-agent: %v\n", err) // nowhere else to say it
	if _, internal := errors.AsType[internalError](err); internal {
		return ExitInternal
	}
	return ExitInput
}

func newRoot(e Environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "netcinch-agent",
		Short: "Record what the pods of this node talk to",
		Long: `netcinch-agent records which pods of this node talk to what, with an eBPF program
on each pod's own interface, and reports it to the netcinch recommender.

It runs as root (or with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN and
CAP_SYS_PTRACE) on Linux with BTF, and gives up all other privileges. It changes nothing: no packet, no route, no Kubernetes object.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(flagError)
	root.SetOut(e.Stdout)
	root.SetErr(e.Stderr)
	root.AddCommand(newRun(e), newRecord(e), newCleanup(e), newStatus(e), newVersion(e))
	return root
}

// flagError says what a flag wants, in place of the parser's words.
func flagError(c *cobra.Command, err error) error {
	iv, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return fmt.Errorf("%w; '%s --help' lists the flags", err, c.CommandPath())
	}
	want := "a value of another form"
	switch iv.GetFlag().Value.Type() {
	case "duration":
		want = "a duration such as 30s, 5m or 1h"
	case "uint32", "int64":
		want = "a whole number"
	}
	if iv.GetFlag().Name == maxFlowsFlag {
		want = maxFlowsRange
	}
	return fmt.Errorf("--%s %q: want %s; '%s --help' lists the flags", iv.GetFlag().Name, iv.GetValue(), want, c.CommandPath())
}

func newVersion(e Environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(e.Stdout, "netcinch-agent %s\n", e.Version)
			return err
		},
	}
}

// usageTemplate puts the worked example last, where a terminal shows it.
const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}

'{{.CommandPath}} COMMAND --help' says more and ends in an example.{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasExample}}

Example:
{{.Example}}{{end}}
`
