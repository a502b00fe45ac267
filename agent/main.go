// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command netcinch-agent records what the pods of a node talk to.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/netcinch/netcinch/agent/command"
)

// version is set when linking.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return command.Execute(ctx, command.Environment{
		Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Hostname: os.Hostname, Clock: time.Now, Version: version,
	}, os.Args[1:])
}
