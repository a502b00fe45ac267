// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/netcinch/netcinch/recommender/cli"
)

var update = flag.Bool("update", false, "rewrite the wanted output of the stories")

// clock is the time at which the stories take place.
var clock = time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	run := func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(cli.Run(ctx, cli.Env{
			Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
			Now: func() time.Time { return clock }, Version: "v1.2.3",
		}))
	}
	testscript.Main(m, map[string]func(){"netcinch": run, "kubectl-netcinch": run})
}

// Each story in testdata/script runs in a folder of its own that has the shop's
// manifests and flows. status N is the exit status that the command before it
// must have had; keep FOLDER FLOWS makes a store of flows, and spoil FILE PART
// damages a file from a part of it (such as 50%) on.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			return os.CopyFS(env.WorkDir, os.DirFS(filepath.Join("testdata", "shop")))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "keep": keep, "spoil": spoil},
	})
}

// status runs a command and wants an exit status, as in: status 2 netcinch check.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command [argument…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		if exit := exitCode(err); exit != "" {
			got = exit
		} else {
			ts.Fatalf("%s: %v", args[1], err)
		}
	}
	if got != args[0] {
		ts.Fatalf("%s ended with status %s, want %s", args[1], got, args[0])
	}
}
