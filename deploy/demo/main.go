// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/netcinch/netcinch/deploy/demo/workload"
)

func main() { os.Exit(run()) }

// run gives the exit status: 0 fine, 2 when something about the call or the
// machine must be changed first, 3 when a part failed.
func run() int {
	if len(os.Args) > 1 && os.Args[1] == workload.Argument {
		return workload.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr)
	}
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	// A reader that went away must not end the demo before it has cleaned up.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	d := &demo{options: o, out: os.Stdout, now: time.Now}
	err = d.run(ctx)
	var unfit unfitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &unfit):
		fmt.Fprintf(os.Stderr, "netcinch-demo: %v\n", err)
		return 2
	default:
		fmt.Fprintf(os.Stderr, "netcinch-demo: %v\n", err)
		return 3
	}
}

// unfitError says what about the call or the machine must be changed first.
// Nothing has been built.
type unfitError struct{ error }

func (e unfitError) Unwrap() error { return e.error }
