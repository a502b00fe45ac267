// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command netcinch-agent records what the pods of a node talk to.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/netcinch/netcinch/agent/command"
)

// version is set when linking.
var version = "dev"

func main() { os.Exit(run()) }

// gcPercent keeps the heap small: what lives is a few megabytes and little is
// made, so that collecting sooner costs next to nothing. GOGC overrides it.
const gcPercent = 25

func run() int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return command.Execute(ctx, command.Environment{
		Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Hostname: os.Hostname, Clock: time.Now, Version: version,
	}, os.Args[1:])
}
