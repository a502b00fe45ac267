// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/agent/probe"
)

const cleanupHelp = `Take away what agents have left in the kernel: pinned maps and links, and clsact
filters. Counting ends; what was counted and not reported is gone.

No agent may be running with the same --pin-dir. Batches in the spool directory stay.`

const cleanupExample = `  # After the DaemonSet is deleted, on each node.
  netcinch-agent cleanup`

func newCleanup(e Environment) *cobra.Command {
	var pinDir string
	var netnsDirs []string
	c := &cobra.Command{
		Use:     "cleanup",
		Short:   "Take away what agents have left in the kernel",
		Long:    cleanupHelp,
		Example: cleanupExample,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, err := probe.CleanUp(pinDir, netnsDirs)
			if err != nil {
				return fmt.Errorf("cleaning up: %w", err)
			}
			_, err = fmt.Fprintf(e.Stdout, "removed %d links, filters of %d interfaces and %d maps\n", r.Links, r.Filters, r.Maps)
			return err
		},
	}
	c.Flags().StringVar(&pinDir, "pin-dir", probe.DefaultPinDir, "directory where agents pinned")
	c.Flags().StringArrayVar(&netnsDirs, "netns-dir", []string{"/run/netns"}, "directory where the container runtime keeps the pods' network namespaces; repeatable")
	return c
}
