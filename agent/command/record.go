// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/agent/flowfile"
	"github.com/netcinch/netcinch/agent/podmap"
	"github.com/netcinch/netcinch/agent/privilege"
	"github.com/netcinch/netcinch/agent/run"
	"github.com/netcinch/netcinch/recommender/wire"
)

const recordHelp = `Record the traffic of this node's pods into a flow file, without any recommender.

Pods are named where --pods-dir or an API server says who they are; everything else
is told by its address. The file can be looked at, kept, and given to
'netcinch graph|unused|recommend|serve --flows'.`

const recordExample = `  # One minute of this node's traffic, and what it says about the policies.
  netcinch-agent record -o flows.jsonl --for 60s --kubeconfig ~/.kube/config
  netcinch unused -f manifests/ --flows flows.jsonl`

// recordFlags say where to write and for how long.
type recordFlags struct {
	watchFlags
	output string
	length time.Duration
}

func newRecord(e Environment) *cobra.Command {
	var f recordFlags
	c := &cobra.Command{
		Use:     "record",
		Short:   "Record this node's traffic into a flow file",
		Long:    recordHelp,
		Example: recordExample,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return f.record(c.Context(), e) },
	}
	flags := c.Flags()
	f.register(flags, 10*time.Second)
	flags.StringVarP(&f.output, "output", "o", "-", "flow file to write; - for standard output")
	flags.DurationVar(&f.length, "for", 0, "how long to record (default: until interrupted)")
	return c
}

func (f *recordFlags) record(ctx context.Context, e Environment) (err error) {
	logger, err := f.logger(e)
	if err != nil {
		return err
	}
	node, err := f.nodeName(e)
	if err != nil {
		return err
	}
	o, err := f.observer(e, node, logger, false)
	if err != nil {
		return err
	}
	if f.length < 0 {
		return fmt.Errorf("--for %v: want a positive duration", f.length)
	}
	held, err := checkPrivileges(logger, f.netns)
	if err != nil {
		return err
	}
	out, finish, err := f.open(e)
	if err != nil {
		return err
	}
	var observer *run.Observer
	writer := flowfile.NewWriter(out, func(a netip.Addr) (wire.PodKey, bool) { return observer.Owner(a) })
	if observer, err = run.NewObserver(o, writer); err != nil {
		return errors.Join(err, finish(false))
	}
	// The flow file gets its name at the end: its directory must stay usable.
	dropPrivileges(logger, held, observer.Roams(), append(f.files(), privilege.File{Path: filepath.Dir(f.output), Write: true}))
	if f.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.length)
		defer cancel()
	}
	if err := observer.Run(ctx); err != nil {
		return internalError{errors.Join(err, finish(true))}
	}
	if err := errors.Join(writer.Err(), finish(true)); err != nil {
		return fmt.Errorf("writing the flow file: %w", err)
	}
	summary(e, writer, observer.Status(), o.Pods)
	return nil
}

func summary(e Environment, w *flowfile.Writer, s run.Status, pods podmap.Source) {
	lost := s.Capture.LostPackets + s.Capture.Unparsed + s.Aggregate.Unattributed
	if s.Pods.Slots == 0 {
		_, _ = fmt.Fprintln(e.Stderr, "netcinch-agent: warning: no interface of a pod was found, so nothing was recorded: see that --netns is the node's network namespace, and --netns-dir where the container runtime keeps the pods'")
	}
	if d, ok := pods.(*podmap.Directory); ok && d.BadFiles() > 0 {
		_, _ = fmt.Fprintf(e.Stderr, "netcinch-agent: warning: %d files of --pods-dir could not be read; their pods are told by address: see the lines above\n", d.BadFiles())
	}
	_, _ = fmt.Fprintf(e.Stderr, "wrote %d lines from %d flow records on %d interfaces; lost: %d, left out without a port: %d\n", // nowhere else to say it
		w.Lines(), s.Aggregate.Records, s.Pods.Slots, lost, w.WithoutPort())
}

// open gives the output. The file gets its name only when it is complete: what
// was there before stays until then.
func (f *recordFlags) open(e Environment) (out io.Writer, finish func(keep bool) error, err error) {
	if f.output == "-" {
		return e.Stdout, func(bool) error { return nil }, nil
	}
	if info, absent := os.Stat(f.output); absent == nil && !info.Mode().IsRegular() {
		return nil, nil, notAFile(f.output, info)
	}
	temp, err := os.CreateTemp(filepath.Dir(f.output), filepath.Base(f.output)+".*")
	if err != nil {
		return nil, nil, fmt.Errorf("making the flow file %s (-o): %w", f.output, err)
	}
	return temp, func(keep bool) error {
		if !keep {
			return errors.Join(temp.Close(), os.Remove(temp.Name()))
		}
		return errors.Join(temp.Chmod(0o644), temp.Close(), os.Rename(temp.Name(), f.output))
	}, nil
}

// notAFile says what is in the way of the flow file. It would be replaced when
// the recording is complete, which a directory cannot be and a device must not.
func notAFile(path string, info fs.FileInfo) error {
	if info.IsDir() {
		return fmt.Errorf("making the flow file %s (-o): it is a directory: give a file name, such as %s", path, filepath.Join(path, "flows.jsonl"))
	}
	return fmt.Errorf("making the flow file %s (-o): it is no regular file: give another name, or - for standard output", path)
}
