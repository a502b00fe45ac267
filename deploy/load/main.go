// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	nodes    int
	duration time.Duration
	window   time.Duration
	peak     bool
	senders  int
	history  int
	queries  bool
	askEvery time.Duration
	dir      string
	profile  string
	child    bool
}

func main() { os.Exit(run()) }

func run() int {
	var o options
	flag.IntVar(&o.nodes, "nodes", 500, "nodes of the fleet")
	flag.DurationVar(&o.duration, "for", 10*time.Minute, "how long to send; with -peak, how much time the windows cover")
	flag.DurationVar(&o.window, "window", 30*time.Second, "time between two batches of a node")
	flag.BoolVar(&o.peak, "peak", false, "send as fast as batches are acknowledged")
	flag.IntVar(&o.senders, "senders", 12, "with -peak: how many send at once")
	flag.IntVar(&o.history, "history", 0, "days of history to fill the store with first")
	flag.BoolVar(&o.queries, "queries", false, "ask the store what a page would, meanwhile")
	flag.DurationVar(&o.askEvery, "ask-every", 2*time.Second, "pause between two rounds of queries")
	flag.StringVar(&o.dir, "dir", "", "folder for the store (default: a temporary one, removed at the end)")
	flag.StringVar(&o.profile, "profile", "", "file for a CPU profile of the process under test")
	flag.BoolVar(&o.child, "under-test", false, "be the process under test (used by this program itself)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.nodes < 1 || o.nodes > 2000 || o.window <= 0 || o.senders < 1 {
		fmt.Fprintln(os.Stderr, "netcinch-load: want 1 to 2000 -nodes, a -window above 0 and one of -senders or more")
		return 2
	}
	now := time.Now //nolint:forbidigo // the program's own clock
	f := fleet{nodes: o.nodes, start: now().Add(-50 * 24 * time.Hour)}
	var err error
	if o.child {
		stop() // it ends when its input does, or at once
		err = (&recommender{options: o, fleet: f, now: now}).run(os.Stdin, os.Stdout)
	} else {
		err = (&load{options: o, fleet: f, now: now, out: os.Stdout}).run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "netcinch-load:", err)
		return 1
	}
	return 0
}
