// SPDX-License-Identifier: Apache-2.0

// Netcinch says what talks to what in a Kubernetes cluster, holds it against
// the network policies in force, and gives the tightened manifests with proof.
// Linked as kubectl-netcinch it is a plugin of kubectl.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/netcinch/netcinch/recommender/cli"
)

// version is set by the build.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, cli.Env{
		Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Now: time.Now, Version: version,
	})
}
