// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// options are the flags.
type options struct {
	listen      string
	manifests   string
	binaries    string
	keep        string
	duration    time.Duration
	unseenAfter time.Duration
	learning    time.Duration
	window      time.Duration
}

const usage = `Shows Netcinch at work: builds a small online shop of real processes in network
namespaces, starts the agent and the recommender, and prints the link of the
page. Ctrl-C takes all of it down and leaves nothing behind. Needs root.

Usage:
  netcinch-demo [flags]

Flags:
`

const example = `
Example: the page on another port, for five minutes
  netcinch-demo --listen 127.0.0.1:9000 --for 5m
`

func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("netcinch-demo", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		_, _ = io.WriteString(out, usage)
		flags.PrintDefaults()
		_, _ = io.WriteString(out, example)
	}
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` of the page; port 0 takes a free one")
	flags.DurationVar(&o.duration, "for", 0, "end by itself after this `time`; 0 runs until Ctrl-C")
	flags.DurationVar(&o.unseenAfter, "unseen-after", 50*time.Second, "`time` until a workload opens a connection that it never made before")
	flags.DurationVar(&o.learning, "learning", 35*time.Second, "`time` for which every connection counts as usual")
	flags.DurationVar(&o.window, "window", 5*time.Second, "`time` between two reports of the agent")
	flags.StringVar(&o.manifests, "manifests", "deploy/demo/manifests", "`folder` of the shop's manifests")
	flags.StringVar(&o.binaries, "binaries", "", "`folder` of netcinch and netcinch-agent (default: this program's)")
	flags.StringVar(&o.keep, "keep", "", "`folder` that gets the logs, pods and flows at the end; without it they go, too")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if err := o.complete(flags.Args()); err != nil {
		fmt.Fprintf(out, "netcinch-demo: %v\n", err)
		return o, err
	}
	return o, nil
}

// complete checks the flags and fills in what they leave open.
func (o *options) complete(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%q: no arguments are taken, only flags; see --help", rest[0])
	}
	for name, d := range map[string]time.Duration{"unseen-after": o.unseenAfter, "learning": o.learning, "window": o.window} {
		if d < time.Second {
			return fmt.Errorf("--%s %s: want at least 1s", name, d)
		}
	}
	if o.duration < 0 {
		return fmt.Errorf("--for %s: want a time from now on, or 0", o.duration)
	}
	if o.unseenAfter <= o.learning {
		return fmt.Errorf("--unseen-after %s: want more than --learning %s, else the new connection counts as usual", o.unseenAfter, o.learning)
	}
	if o.binaries != "" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program's folder (give --binaries): %w", err)
	}
	o.binaries = filepath.Dir(self)
	return nil
}
