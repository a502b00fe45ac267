// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/deploy/demo/workload"
	"github.com/netcinch/netcinch/deploy/demo/world/worldtest"
)

// TestMain makes the test binary play every program of the demo, by the name
// that it is called by: the demo itself for real, its two parts as stand-ins
// that only say that they are ready.
func TestMain(m *testing.M) {
	if os.Getenv("WITHOUT") == "CAP_SYS_ADMIN" {
		withoutSysAdmin()
	}
	switch name := filepath.Base(os.Args[0]); {
	case len(os.Args) > 1 && os.Args[1] == workload.Argument, name == "netcinch-demo":
		os.Exit(run())
	case name == recommenderName, name == agentName:
		os.Exit(standIn(name, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// withoutSysAdmin starts the same program again with a capability less.
func withoutSysAdmin() {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_ADMIN, 0, 0, 0); err != nil {
		panic(err)
	}
	if err := os.Unsetenv("WITHOUT"); err != nil {
		panic(err)
	}
	panic(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}

// standIn serves /readyz where the part would; crashing, if told to, once
// asked.
func standIn(name string, args []string) int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	failed := make(chan error, 1)
	for i, arg := range args[:len(args)-1] {
		if arg == "--listen" || arg == "--metrics-listen" {
			go func() {
				failed <- http.ListenAndServe(args[i+1], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, watched+" 99\n")
				}))
			}()
		}
	}
	if os.Getenv("CRASH") == name {
		os.Stderr.WriteString("cannot go on: no reason given\n")
		return 3
	}
	select {
	case <-signals:
		return 0
	case err := <-failed:
		os.Stderr.WriteString(err.Error() + "\n")
		return 3
	}
}

// programs links the test binary under every program's name.
func programs(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, name := range []string{"netcinch-demo", recommenderName, agentName} {
		if err := os.Symlink(self, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// running is one demo under test.
type running struct {
	*exec.Cmd
	pipe   io.ReadCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

// launch starts the demo on a free port.
func launch(t *testing.T, folder, env string, args ...string) *running {
	t.Helper()
	r := &running{Cmd: exec.Command(filepath.Join(folder, "netcinch-demo"),
		append([]string{"--binaries", folder, "--manifests", "manifests", "--listen", "127.0.0.1:0"}, args...)...)}
	r.Env = append(os.Environ(), env)
	r.Stderr = &r.stderr
	out, err := r.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.pipe, r.out = out, bufio.NewReader(out)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Process.Kill() }) // it has ended, unless the test failed
	return r
}

// until reads lines up to one with the text in it.
func (r *running) until(t *testing.T, text string) {
	t.Helper()
	var all strings.Builder
	for {
		line, err := r.out.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			_ = r.Wait() // so that all of stderr is there
			t.Fatalf("no line with %q (%v) in:\n%s\nstderr:\n%s", text, err, all.String(), r.stderr.String())
		}
	}
}

// end waits for the exit status.
func (r *running) end(t *testing.T) int {
	t.Helper()
	_, _ = io.Copy(io.Discard, r.out) // Wait wants the pipe read to its end
	err := r.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return r.ProcessState.ExitCode()
}

func wantClean(t *testing.T, m worldtest.Machine) {
	t.Helper()
	if left := m.Left(t); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

func TestSignalsLeaveNothing(t *testing.T) {
	machine := worldtest.Alone(t)
	folder := programs(t)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		r := launch(t, folder, "")
		r.until(t, "Open  http://127.0.0.1:")
		if err := r.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if code := r.end(t); code != 0 {
			t.Errorf("%v: exit status %d, want 0; stderr:\n%s", s, code, r.stderr.String())
		}
		wantClean(t, machine)
	}
}

func TestEndsByItself(t *testing.T) {
	machine := worldtest.Alone(t)
	r := launch(t, programs(t), "", "--for", "3s", "--learning", "1s", "--unseen-after", "2s")
	r.until(t, "the frontend opens a connection to the database")
	r.until(t, "nothing is left")
	if code := r.end(t); code != 0 {
		t.Errorf("exit status %d, want 0; stderr:\n%s", code, r.stderr.String())
	}
	wantClean(t, machine)
}

// TestClosedOutputLeavesNothing closes the reading end of the demo's output,
// as a pager does that is left early.
func TestClosedOutputLeavesNothing(t *testing.T) {
	machine := worldtest.Alone(t)
	r := launch(t, programs(t), "", "--for", "3s", "--learning", "1s", "--unseen-after", "2s")
	r.until(t, "Open")
	if err := r.pipe.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(); err != nil {
		t.Errorf("%v; stderr:\n%s", err, r.stderr.String())
	}
	wantClean(t, machine)
}

func TestCrashOfAPartTakesAllDown(t *testing.T) {
	machine := worldtest.Alone(t)
	folder := programs(t)
	for _, name := range []string{recommenderName, agentName} {
		r := launch(t, folder, "CRASH="+name)
		if code := r.end(t); code != 3 {
			t.Errorf("%s crashes: exit status %d, want 3", name, code)
		}
		if text := r.stderr.String(); !strings.Contains(text, "cannot go on") || !strings.Contains(text, "ended (exit status 3)") {
			t.Errorf("%s crashes: stderr %q does not say how", name, text)
		}
		wantClean(t, machine)
	}
}

func TestKilledRunIsCleanedByTheNext(t *testing.T) {
	machine := worldtest.Alone(t)
	folder := programs(t)
	first := launch(t, folder, "")
	first.until(t, "Open")
	second := launch(t, folder, "")
	if code := second.end(t); code != 2 {
		t.Errorf("a second demo: exit status %d, want 2", code)
	}
	wantOneLine(t, second.stderr.String(), "another demo is running (process")
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.end(t)
	third := launch(t, folder, "", "--for", "1s")
	third.until(t, "Removed what a killed run had left behind")
	if code := third.end(t); code != 0 {
		t.Errorf("after a kill: exit status %d, want 0; stderr:\n%s", code, third.stderr.String())
	}
	wantClean(t, machine)
}

func wantOneLine(t *testing.T, got, part string) {
	t.Helper()
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, part) {
		t.Errorf("stderr %q, want one line with %q", got, part)
	}
}

// TestUnfit starts the demo where it cannot run: one line, exit status 2, and
// nothing built.
func TestUnfit(t *testing.T) {
	machine := worldtest.Alone(t)
	folder := programs(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "a.yaml"), []byte("kind: Node\nmetadata: {name: [}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"taken port", "address already in use: give another address with --listen", []string{"--listen", taken.Addr().String()}},
		{"no manifests", "no *.yaml in " + folder, []string{"--manifests", folder}},
		{"broken manifest", "a.yaml", []string{"--manifests", broken}},
		{"no binaries", "netcinch: no such file or directory: build it", []string{"--binaries", broken}},
		{"an argument", `"up": no arguments are taken`, []string{"up"}},
		{"wrong times", "--unseen-after 5s: want more than --learning", []string{"--unseen-after", "5s"}},
	} {
		r := launch(t, folder, "", c.args...)
		if code := r.end(t); code != 2 {
			t.Errorf("%s: exit status %d, want 2", c.name, code)
		}
		wantOneLine(t, r.stderr.String(), c.want)
		wantClean(t, machine)
	}
}

// TestWithoutRoot drops root and reads the one line.
func TestWithoutRoot(t *testing.T) {
	r := &running{Cmd: exec.Command("/proc/self/exe")}
	self, err := os.Open(os.Args[0]) // a folder of the tests may be closed to nobody
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	r.Path, r.Args = "/proc/self/fd/3", []string{"netcinch-demo"}
	r.ExtraFiles = []*os.File{self}
	if os.Geteuid() == 0 {
		r.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	r.Stderr = &r.stderr
	if err := r.Run(); err == nil {
		t.Fatal("the demo ran without root")
	}
	wantOneLine(t, r.stderr.String(), "needs root")
	if !strings.Contains(r.stderr.String(), "bin/netcinch serve -f deploy/demo/manifests --flows deploy/demo/sample/flows.jsonl") {
		t.Errorf("%q does not say what to do without root", r.stderr.String())
	}
}

func TestWithoutCapability(t *testing.T) {
	machine := worldtest.Alone(t)
	r := launch(t, programs(t), "WITHOUT=CAP_SYS_ADMIN")
	if code := r.end(t); code != 3 {
		t.Errorf("exit status %d, want 3", code)
	}
	wantOneLine(t, r.stderr.String(), "operation not permitted (needs CAP_SYS_ADMIN)")
	wantClean(t, machine)
}

func TestParse(t *testing.T) {
	var out bytes.Buffer
	if _, err := parse([]string{"--help"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help: %v", err)
	}
	for _, want := range []string{"-listen", "-for", "-unseen-after", "Example:", "Ctrl-C"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("--help lacks %q:\n%s", want, out.String())
		}
	}
	o, err := parse(nil, &out)
	if err != nil {
		t.Fatal(err)
	}
	if o.unseenAfter+o.window >= time.Minute {
		t.Errorf("the unseen connection shows after %s, want within a minute", o.unseenAfter+o.window)
	}
}
