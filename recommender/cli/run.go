// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/question"
)

// The exit statuses.
const (
	StatusFine     = 0
	StatusFindings = 1 // there are findings that --fail-on asks for
	StatusInput    = 2 // wrong usage or input
	StatusInternal = 3 // a fault of this program
)

// Env is what a command sees of the world.
type Env struct {
	Args   []string // Args[0] is the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	Now    func() time.Time
	// Version is the release that version prints.
	Version string
}

// statusError carries the status that the command is to end with.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// internal marks an error as a fault of this program, not of its input.
func internal(err error) error { return &statusError{status: StatusInternal, err: err} }

// errFindings ends a command that printed what it found.
var errFindings = errors.New("there are findings")

// errSaid ends a command whose errors are printed already.
var errSaid = errors.New("the input has errors")

// Run runs one command and gives its exit status.
func Run(ctx context.Context, env Env) (status int) {
	defer func() {
		if fault := recover(); fault != nil {
			fmt.Fprintf(env.Stderr, "netcinch: internal error: %v; please report it with the lines below\n%s", fault, debug.Stack())
			status = StatusInternal
		}
	}()
	root := newRoot(&env) //nolint:contextcheck // commands take the context from ExecuteContext
	root.SetArgs(rewrite(env.Args[1:]))
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	var se *statusError
	var fe *question.FieldError
	switch {
	case err == nil:
		return StatusFine
	case errors.Is(err, errFindings):
		return StatusFindings
	case errors.Is(err, errSaid):
		return StatusInput
	case errors.As(err, &fe): // fields of a question have the names of the flags
		fmt.Fprintf(env.Stderr, "netcinch: --%s\n", oneLine(fe))
		return StatusInput
	case errors.As(err, &se):
		fmt.Fprintf(env.Stderr, "netcinch: %s\n", oneLine(err))
		return se.status
	}
	fmt.Fprintf(env.Stderr, "netcinch: %s\n", oneLine(err))
	return StatusInput
}

func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// rewrite lets diff's second folder be written as -f2, as the documents do:
// the flag library knows single letters and long names only.
func rewrite(args []string) []string {
	out := make([]string, 0, len(args))
	for _, a := range args {
		if a == "-f2" || strings.HasPrefix(a, "-f2=") {
			a = "-" + a
		}
		out = append(out, a)
	}
	return out
}

func newRoot(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "netcinch",
		Short: "What talks to what in a cluster, held against its network policies",
		Long: `Netcinch watches what really talks to what in a Kubernetes cluster, holds it
against the network policies in force, and says what is allowed and nobody uses,
what talks and never did before, and gives the tightened manifest with proof.

Every command but serve reads; none ever changes a cluster. With -f MANIFESTS
(and --flows FILE) a command works on files alone; without them it asks a
running recommender (--server).

Exit status: 0 fine, 1 findings where --fail-on asks, 2 usage or input error,
3 internal error.`,
		Example: `  # The page, from files: no cluster, no root, no agent.
  netcinch serve -f manifests/ --flows flows.jsonl

  # May the cart reach the database, and why?
  netcinch check -f manifests/ --from shop/cart --to data/db --port 5432

  # What do the policies allow that nobody used? The narrower manifests that are
  # ready, applied.
  netcinch unused -f manifests/ --flows flows.jsonl
  netcinch recommend -f manifests/ --flows flows.jsonl --ready -o yaml | kubectl apply -f -`,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	if filepath.Base(env.Args[0]) == "kubectl-netcinch" {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl netcinch"}
	}
	root.AddCommand(newServe(env), newCheck(env), newGraph(env), newUnused(env), newRecommend(env), newReplay(env), newDiff(env), newReach(env), newImport(env), newAlerts(env), newBaseline(env), newStore(env), newVersion(env))
	root.SetFlagErrorFunc(flagError)
	return root
}

func newVersion(env *Env) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Args:    cobra.NoArgs,
		Example: "  netcinch version -o json",
		RunE: func(*cobra.Command, []string) error {
			return out.print(env.Stdout, map[string]string{"version": env.Version}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "netcinch", env.Version)
				return err
			})
		},
	}
	out.flag(cmd)
	return cmd
}
