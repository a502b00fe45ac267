// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/alert/deliver"
	"github.com/netcinch/netcinch/recommender/app"
)

// sinksCommand is what the commands that work on a file of sinks have in common.
type sinksCommand struct {
	remote
	out     output
	file    string
	options app.Options
}

func (s *sinksCommand) fileFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.file, "alerts", "", "file of sinks to work on from this machine, without a recommender")
	f.StringVar(&s.options.Kubeconfig, "kubeconfig", "", "with --alerts: file to reach the API server with, for sinks of type kubernetes (default: the usual places)")
	f.StringVar(&s.options.Context, "context", "", "with --alerts: context of the kubeconfig (default: its current one)")
	s.out.flag(cmd)
}

func (s *sinksCommand) deliverOptions(env *Env) deliver.Options {
	return deliver.Options{
		File: s.file, Kubernetes: app.Clients(s.options), Clusters: []string{"default"}, Stdout: env.Stdout, Getenv: env.Getenv,
		Release: env.Version, Now: env.Now,
	}
}

func newSinkTest(env *Env) *cobra.Command {
	var s sinksCommand
	cmd := &cobra.Command{
		Use:   "test [SINK]",
		Short: "Tell sinks a test alert now, and say how they took it",
		Long: `Test tells the sink that is named a test alert of severity info, or each of them.
It asks a running recommender to do so; with --alerts FILE it does it itself, from
this machine, which also checks the file. Exit status 2 where a sink did not take it.`,
		Example: `  netcinch alert test
  netcinch alert test team-chat --server http://127.0.0.1:8080
  netcinch alert test --alerts alerts.yaml`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.out.known(); err != nil {
			return err
		}
		name := ""
		if len(args) > 0 {
			name = args[0]
		}
		results, err := s.test(cmd.Context(), env, name)
		if err != nil {
			return err
		}
		return s.printTests(env, results)
	}
	s.flags(cmd)
	s.fileFlags(cmd)
	return cmd
}

func (s *sinksCommand) test(ctx context.Context, env *Env, name string) ([]deliver.TestResult, error) {
	if s.file != "" {
		return deliver.TestFile(ctx, s.deliverOptions(env), name)
	}
	c, err := s.client(env)
	if err != nil {
		return nil, err
	}
	names := []string{name}
	if name == "" {
		list, err := listSinks(ctx, c)
		if err != nil {
			return nil, err
		}
		names = nil
		for i := range list.Sinks {
			names = append(names, list.Sinks[i].Name)
		}
	}
	var all []deliver.TestResult
	for _, one := range names {
		var r deliver.TestResult
		if err := c.post(ctx, "/api/v1/sinks/"+url.PathEscape(one)+"/test", struct{}{}, &r); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (s *sinksCommand) printTests(env *Env, results []deliver.TestResult) error {
	failed := false
	var rows [][]string
	for _, r := range results {
		taken := "yes"
		if !r.OK {
			failed, taken = true, "no: "+r.Problem
		}
		rows = append(rows, []string{r.Sink, r.Type, r.Target, strconv.FormatInt(r.Millis, 10) + " ms", taken})
	}
	err := s.out.print(env.Stdout, results, func(w io.Writer) error {
		return table(w, "There are no sinks.", []string{"SINK", "TYPE", "TARGET", "TOOK", "TAKEN"}, rows)
	})
	if err == nil && failed {
		return errSaid
	}
	return err
}

func newSinkCheck(env *Env) *cobra.Command {
	var s sinksCommand
	cmd := &cobra.Command{
		Use:   "check --alerts FILE",
		Short: "Check a file of sinks, and whether each can be reached, without telling them anything",
		Long: `Check reads a file of sinks as serve --alerts does: fields, secrets, certificates,
routes, and every template with an alert of each kind. Then it looks whether each
sink can be reached. What is wrong is named by file, line and field, with exit
status 2. It changes nothing and tells nobody.`,
		Example: "  netcinch alert check --alerts alerts.yaml",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := s.out.known(); err != nil {
			return err
		}
		if s.file == "" {
			return fmt.Errorf("give --alerts, the file of sinks to check; see %s --help", cmd.CommandPath())
		}
		results, err := deliver.CheckFile(cmd.Context(), s.deliverOptions(env))
		if err != nil {
			return err
		}
		failed := false
		var rows [][]string
		for _, r := range results {
			reached := "yes"
			if !r.OK {
				failed, reached = true, "no: "+r.Problem
			}
			rows = append(rows, []string{r.Sink, r.Type, r.Target, reached})
		}
		err = s.out.print(env.Stdout, results, func(w io.Writer) error {
			return table(w, "There are no sinks.", []string{"SINK", "TYPE", "TARGET", "REACHED"}, rows)
		})
		if err == nil && failed {
			return errSaid
		}
		return err
	}
	s.fileFlags(cmd)
	return cmd
}

// sinkListing is the answer of GET /api/v1/sinks.
type sinkListing struct {
	Configured bool `json:"configured"`
	deliver.Status
}

func listSinks(ctx context.Context, c *client) (sinkListing, error) {
	var list sinkListing
	err := c.get(ctx, "/api/v1/sinks", nil, &list)
	if err == nil && !list.Configured {
		err = fmt.Errorf("the recommender at %s tells alerts to nobody; start it with --alerts FILE", c.base)
	}
	return list, err
}

func newSinks(env *Env) *cobra.Command {
	var s sinksCommand
	cmd := &cobra.Command{
		Use:     "sinks",
		Short:   "List where alerts are told, whether they arrive, and what waits",
		Example: "  netcinch alert sinks",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := s.out.known(); err != nil {
			return err
		}
		c, err := s.client(env)
		if err != nil {
			return err
		}
		list, err := listSinks(cmd.Context(), c)
		if err != nil {
			return err
		}
		return s.out.print(env.Stdout, list, func(w io.Writer) error { return writeSinks(w, list) })
	}
	s.flags(cmd)
	s.out.flag(cmd)
	return cmd
}

func writeSinks(w io.Writer, list sinkListing) error {
	var rows [][]string
	for i := range list.Sinks {
		one := &list.Sinks[i]
		last := "never"
		if !one.Success.IsZero() {
			last = one.Success.UTC().Format(time.RFC3339)
		}
		rows = append(rows, []string{
			one.Name, one.Type, one.Target, string(one.State), fmt.Sprintf("%d of %d", one.Waiting, one.Limit), strconv.FormatUint(one.Delivered, 10),
			strconv.FormatUint(one.Overflowed+one.Refused, 10), last, one.Problem,
		})
	}
	err := table(w, "There are no sinks.", []string{"SINK", "TYPE", "TARGET", "STATE", "WAITING", "TOLD", "LOST", "REACHED", "PROBLEM"}, rows)
	if err == nil && list.Problem != "" {
		_, err = fmt.Fprintf(w, "\nThe file as it is now is not in force: %s\n", list.Problem)
	}
	return err
}
