// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/podmap/nodetest"
	"github.com/netcinch/netcinch/agent/privilege"
)

// The capabilities that the DaemonSet gives.
var listed = []uintptr{unix.CAP_BPF, unix.CAP_NET_ADMIN, unix.CAP_PERFMON, unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE}

const nobody = 65534

// build makes the real program, as it is released: without cgo, all of whose
// threads can be changed.
func build(tb testing.TB) string {
	tb.Helper()
	program := filepath.Join(open(tb), "netcinch-agent")
	c := exec.Command("go", "build", "-o", program, "github.com/netcinch/netcinch/agent")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		tb.Fatalf("building the agent: %v: %s", err, out)
	}
	return program
}

// open makes a directory that every user may enter.
func open(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	enter(tb, dir)
	return dir
}

// enter lets every user into a test's directory.
func enter(tb testing.TB, dir string) {
	tb.Helper()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
}

func without(less ...uintptr) []uintptr {
	return slices.DeleteFunc(slices.Clone(listed), func(c uintptr) bool { return slices.Contains(less, c) })
}

func setOf(capabilities []uintptr) privilege.Set {
	var s privilege.Set
	for _, c := range capabilities {
		s |= 1 << c
	}
	return s
}

// recorder is a running 'netcinch-agent record'.
type recorder struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	said  []string
}

// waitFor reads what the agent says until a line has the words; false where it
// ends before.
func (r *recorder) waitFor(words string) bool {
	for r.lines.Scan() {
		r.said = append(r.said, r.lines.Text())
		if strings.Contains(r.lines.Text(), words) {
			return true
		}
	}
	return false
}

func (r *recorder) has(words string) bool {
	return slices.ContainsFunc(r.said, func(s string) bool { return strings.Contains(s, words) })
}

// field reads one of the sets, or another number, of /proc/PID/status.
func (r *recorder) field(tb testing.TB, name string) privilege.Set {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				tb.Fatal(err)
			}
			return privilege.Set(n)
		}
	}
	tb.Fatalf("/proc/PID/status has no %s", name)
	return 0
}

// TestPrivileges runs the agent as a user without rights, with exactly the
// listed capabilities and with each of them taken away.
func TestPrivileges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_SETUID and CAP_SETPCAP to give capabilities away, CAP_SYS_ADMIN to make network namespaces")
	}
	program := build(t)
	node := nodetest.New(t)
	enter(t, filepath.Dir(node.Path))
	enter(t, node.PodsDir)
	client := node.AddPod("client", "10.77.0.2", "fd77::2")
	server := node.AddPod("server", "10.77.0.3", "fd77::3")
	serve(server.Listen("[::]:8080"))
	for _, test := range []struct {
		name    string
		uid     uint32
		give    []uintptr // nil: everything that root has
		says    []string
		refused bool // does not start
		enter   bool // is told to enter the node's namespace
		keeps   []uintptr
	}{
		{name: "exactly the listed", uid: nobody, give: listed, keeps: listed, says: []string{"CAP_NET_BROADCAST"}},
		{
			name: "without CAP_SYS_ADMIN", uid: nobody, give: without(unix.CAP_SYS_ADMIN), keeps: without(unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE),
			says: []string{"capability=CAP_SYS_ADMIN used_for=\"entering the network namespaces of pods\" lost=\"pods are watched from the host's side"},
		},
		{
			name: "without CAP_SYS_ADMIN, and told to enter", uid: nobody, give: without(unix.CAP_SYS_ADMIN), refused: true, enter: true,
			says: []string{"missing CAP_SYS_ADMIN (entering the network namespace that --netns names)", "(hostNetwork: true) and leave --netns out"},
		},
		{
			name: "without CAP_SYS_PTRACE", uid: nobody, give: without(unix.CAP_SYS_PTRACE), keeps: without(unix.CAP_SYS_PTRACE),
			says: []string{"capability=CAP_SYS_PTRACE used_for=", "lost=\"pods whose network namespace has no name in --netns-dir"},
		},
		{
			name: "without CAP_NET_ADMIN", uid: nobody, give: without(unix.CAP_NET_ADMIN), refused: true,
			says: []string{"missing CAP_NET_ADMIN (attaching programs to interfaces): run the agent as root"},
		},
		{name: "without CAP_BPF, for which CAP_SYS_ADMIN stands", uid: nobody, give: without(unix.CAP_BPF), keeps: without(unix.CAP_BPF)},
		{name: "without CAP_PERFMON, for which CAP_SYS_ADMIN stands", uid: nobody, give: without(unix.CAP_PERFMON), keeps: without(unix.CAP_PERFMON)},
		{
			name: "without CAP_BPF and CAP_SYS_ADMIN", uid: nobody, give: without(unix.CAP_BPF, unix.CAP_SYS_ADMIN), refused: true,
			says: []string{"missing CAP_BPF (loading programs and their maps): run the agent as root"},
		},
		{
			name: "without CAP_PERFMON and CAP_SYS_ADMIN", uid: nobody, give: without(unix.CAP_PERFMON, unix.CAP_SYS_ADMIN), refused: true,
			says: []string{"missing CAP_PERFMON (programs that read packets and the kernel's structures): run the agent as root"},
		},
		{name: "root with everything", keeps: append(slices.Clone(listed), unix.CAP_NET_BROADCAST)},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := open(t)
			if err := os.Chown(dir, int(test.uid), int(test.uid)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "flows.jsonl")
			arguments := []string{"netcinch-agent", "record", "--node", "n", "--netns-dir", node.PodsDir, "-o", file, "--log-level", "debug"}
			if test.enter {
				arguments = append(arguments, "--netns", node.Path)
			}
			r := start(t, node, &exec.Cmd{
				Path: program, Dir: dir, Args: arguments,
				SysProcAttr: &syscall.SysProcAttr{
					Credential: &syscall.Credential{Uid: test.uid, Gid: test.uid}, AmbientCaps: test.give,
				},
			})
			started := r.waitFor("interface watched")
			if started {
				started = r.waitFor("interface watched") // of the other pod
			}
			if started == test.refused {
				t.Fatalf("started is %v, want %v: %s", started, !test.refused, strings.Join(r.said, "\n"))
			}
			for _, words := range test.says {
				if !r.has(words) {
					t.Errorf("does not say %q: %s", words, strings.Join(r.said, "\n"))
				}
			}
			if test.refused {
				var exit *exec.ExitError
				if err := r.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != ExitInput || len(r.said) != 1 {
					t.Errorf("ended with %v and said %q: want status 2 and one line", err, r.said)
				}
				return
			}
			want := setOf(test.keeps)
			if got := r.field(t, "CapEff"); got != want {
				t.Errorf("holds %v, want %v", privilege.Names(got), privilege.Names(want))
			}
			if got := r.field(t, "CapPrm"); got != want {
				t.Errorf("may raise %v, want %v", privilege.Names(got), privilege.Names(want))
			}
			if test.uid == 0 && r.field(t, "CapBnd") != want {
				t.Errorf("another program may get %v, want %v", privilege.Names(r.field(t, "CapBnd")), privilege.Names(want))
			}
			if r.field(t, "CapAmb") != 0 || r.field(t, "CapInh") != 0 || r.field(t, "NoNewPrivs") != 1 {
				t.Error("another program may gain privileges")
			}
			for _, address := range []string{"10.77.0.3:8080", "[fd77::3]:8080"} {
				c, err := client.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, c); err != nil { // until the server closes
					t.Error(err)
				}
				c.Close()
			}
			r.stop(t)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"10.77.0.3", "fd77::3"} {
				if !strings.Contains(string(text), want) {
					t.Errorf("no flow to %s was recorded: %s\n%s", want, text, strings.Join(r.said, "\n"))
				}
			}
		})
	}
}

// serve greets every caller and closes.
func serve(l net.Listener) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello\n")
			c.Close()
		}
	}()
}

// start runs the agent where the DaemonSet does: in the node's namespace.
func start(tb testing.TB, node *nodetest.Node, c *exec.Cmd) *recorder {
	tb.Helper()
	errs, err := c.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := node.Do(c.Start); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = c.Process.Kill() // has ended, unless the test failed
		_ = c.Wait()
	})
	return &recorder{cmd: c, lines: bufio.NewScanner(errs)}
}

// stop ends the agent in order.
func (r *recorder) stop(tb testing.TB) {
	tb.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatal(err)
	}
	r.waitFor("wrote ")
	if err := r.cmd.Wait(); err != nil {
		tb.Errorf("ended with %v: %s", err, strings.Join(r.said, "\n"))
	}
}
