// SPDX-License-Identifier: Apache-2.0

//go:build linux

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/command"
	"github.com/netcinch/netcinch/recommender/cli"
)

// The test binary is also the agent and the recommender, so that each is a
// process that can be killed, and no build is needed before the test.
const roleVariable = "NETCINCH_E2E_ROLE"

func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	switch os.Getenv(roleVariable) {
	case "agent":
		os.Exit(command.Execute(ctx, command.Environment{
			Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Hostname: os.Hostname, Clock: time.Now, Version: "e2e",
		}, os.Args[1:]))
	case "recommender":
		os.Exit(cli.Run(ctx, cli.Env{
			Args: append([]string{"netcinch"}, os.Args[1:]...), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			Getenv: os.Getenv, Now: time.Now, Version: "e2e",
		}))
	}
	stop()
	os.Exit(m.Run())
}

// process is one of the two at work.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
	err  error         // how, after done
}

// output collects what a process says; tests read it while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func start(tb testing.TB, name string, args ...string) *process {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return startProgram(tb, self, name, args...)
}

// startProgram starts a program that may be another than this one.
func startProgram(tb testing.TB, program, name string, args ...string) *process {
	tb.Helper()
	p := &process{t: tb, name: name, cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+name)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	tb.Cleanup(func() {
		p.kill()
		if tb.Failed() {
			tb.Logf("the %s said:\n%s", name, &p.out)
		}
	})
	return p
}

// kill ends the process without a warning.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // may have ended already
	<-p.done
}

// stop asks the process to end, and wants exit status 0.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("stopping the %s: %v", p.name, err)
	}
	select {
	case <-p.done:
	case <-time.After(hang):
		p.t.Fatalf("the %s does not stop", p.name)
	}
	if p.err != nil {
		p.t.Fatalf("the %s ended with %v", p.name, p.err)
	}
}
