// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/privilege"
	"github.com/netcinch/netcinch/agent/run"
	"github.com/netcinch/netcinch/agent/status"
)

const statusHelp = `Say how the agent of this machine is doing: which pods it watches and how, which
programs it has loaded, which features of the kernel it found and what is lost
without the others, what passes a second, and what was lost by cause.

It asks the agent on its socket in --run-dir, which answers root and the agent's own
user. Where no agent runs, it tries everything that an agent would load, lets go of
it again, and says what one would find here.

Exit status: 0 fine, 2 a flag is wrong, no agent can run here, or it does not answer.`

const statusExample = `  # What the agent of this node lacks, and what that costs.
  netcinch-agent status

  # In a cluster, for a script: the features that this node is without.
  kubectl -n netcinch exec ds/netcinch-agent -- netcinch-agent status -o json |
      jq -r '.features[] | select(.found | not) | .name'`

type statusFlags struct {
	runDir string
	node   string
	output string
}

func newStatus(e Environment) *cobra.Command {
	var f statusFlags
	c := &cobra.Command{
		Use:     "status",
		Short:   "Say what this node's agent watches, found, and lost",
		Long:    statusHelp,
		Example: statusExample,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return f.status(c.Context(), e) },
	}
	flags := c.Flags()
	flags.StringVar(&f.runDir, "run-dir", status.DefaultDir, "directory of the agent's status socket")
	flags.StringVar(&f.node, "node", "", "name of the agent's node, where several agents run on one machine")
	flags.StringVarP(&f.output, "output", "o", "table", "table, json or yaml")
	return c
}

func (f *statusFlags) status(ctx context.Context, e Environment) error {
	if !slices.Contains([]string{"table", "json", "yaml"}, f.output) {
		return fmt.Errorf("-o %q: want table, json or yaml", f.output)
	}
	r, err := f.report(ctx, e)
	if err != nil {
		return err
	}
	if err := f.write(e, r); err != nil {
		return internalError{fmt.Errorf("writing the status: %w", err)}
	}
	if !r.Agent && r.Problem != "" {
		return errors.New("no agent can run on this machine: see the problem above")
	}
	return nil
}

func (f *statusFlags) report(ctx context.Context, e Environment) (status.Report, error) {
	path, err := status.Find(f.runDir, f.node)
	if err == nil {
		var r status.Report
		if r, err = status.Fetch(ctx, path); err == nil {
			return r, nil
		}
	}
	if !errors.Is(err, status.ErrNoAgent) || f.node != "" {
		return status.Report{}, err
	}
	return f.probe(e)
}

// probe looks at a machine on which no agent answers.
func (f *statusFlags) probe(e Environment) (status.Report, error) {
	o := run.ObserverOptions{
		Window: run.DefaultWindow, Capture: capture.DefaultOptions(), Clock: e.Clock, Logger: slog.New(slog.DiscardHandler),
	}
	o.Capture.Probe.MaxFlows = 1024
	r := run.Probe(o)
	r.Version = e.Version
	if held, err := privilege.Held(); err == nil {
		if err := privilege.Check(held); err != nil {
			r.Problem = err.Error()
		}
	}
	return r, nil
}

func (f *statusFlags) write(e Environment, r status.Report) error {
	if f.output == "table" {
		return status.WriteTable(e.Stdout, r)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil && f.output == "yaml" {
		text, err = yaml.JSONToYAML(text)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.Stdout, string(text))
	return err
}
