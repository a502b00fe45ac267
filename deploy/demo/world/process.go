// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/netcinch/netcinch/deploy/demo/workload"
)

// process is one running container.
type process struct {
	name      string // the pod's namespace/name, or the name of an outside process
	container string
	cmd       *exec.Cmd
	stdin     io.WriteCloser
	stderr    tail
	ready     chan struct{} // closed when every port listens
	done      chan struct{} // closed when it has ended; err is set then
	err       error
}

// start runs a workload in a place. Its executable has the container's name,
// as it would have in an image of its own.
func (w *World) start(in *place, name, container string, args []string) (*process, error) {
	executable, err := w.executable(container)
	if err != nil {
		return nil, err
	}
	p := &process{name: name, container: container, ready: make(chan struct{}), done: make(chan struct{})}
	options := workload.Options{Name: container, Resolver: w.plan.Resolver, Zone: w.zonePath()}
	p.cmd = exec.Command(executable, workload.Arguments(options, args)...)
	p.cmd.Env = []string{"GOMAXPROCS=1", "GOMEMLIMIT=32MiB"}
	p.cmd.Dir = "/"
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	if err := w.thread.in(in.ns, p.cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		w.listen(p, stdout)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// executable gives the path of the program under the container's name.
func (w *World) executable(container string) (string, error) {
	path := filepath.Join(w.options.State, "bin", container)
	err := os.Link(w.options.Executable, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return path, nil
	}
	if err := copyFile(w.options.Executable, path); err != nil { // another file system
		return "", fmt.Errorf("placing the program of %s: %w", container, err)
	}
	return path, nil
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// listen takes a process's reports until its output ends.
func (w *World) listen(p *process, out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var r workload.Report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // a line that is no report has no meaning here
		}
		if r.Ready {
			close(p.ready)
			continue
		}
		w.mu.Lock()
		w.calls[callKey{p.name, r.Call}] = CallState{
			Process: p.name, Container: p.container, Call: r.Call, OK: r.OK, Error: r.Error,
		}
		w.mu.Unlock()
	}
}

// say writes one steering line. A process that is gone is noticed by its end.
func (p *process) say(line string) { _, _ = io.WriteString(p.stdin, line+"\n") }

// grace is how long a process may take to end by itself.
const grace = 2 * time.Second

// stop ends the process: by the end of its input, else by force.
func (p *process) stop() {
	_ = p.stdin.Close() // it may be gone already
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Kill() // it may have ended meanwhile
		<-p.done
	}
}

// ended says how and why a process ended, with the last lines that it wrote.
func (p *process) ended() error {
	text := strings.TrimSpace(p.stderr.String())
	if text != "" {
		text = ": " + text
	}
	if p.err == nil {
		return fmt.Errorf("%s ended before its time%s", p.name, text)
	}
	return fmt.Errorf("%s ended (%w)%s", p.name, p.err, text)
}

// tail keeps the last bytes written to it.
type tail struct {
	mu   sync.Mutex
	data []byte
}

const tailSize = 2 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, b...)
	if over := len(t.data) - tailSize; over > 0 {
		t.data = t.data[over:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.data)
}
