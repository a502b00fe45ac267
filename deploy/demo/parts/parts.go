// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package parts runs the two programs that the demo shows, the recommender
// and the agent, each as a process of its own that ends with the demo.
package parts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Part is one running program. Its output goes to a log file.
type Part struct {
	Name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended; err is set then
	err  error
}

// Start runs the program; what it writes goes to NAME.log in the folder.
func Start(name, executable, folder string, args ...string) (*Part, error) {
	path := filepath.Join(folder, name+".log")
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	defer log.Close() // the program has its own descriptor
	p := &Part{Name: name, cmd: exec.Command(executable, args...), log: path, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// A process group of its own: Ctrl-C reaches the demo alone, which then
	// ends its parts in order. If the demo is killed, the kernel kills them.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// Pdeathsig follows the thread that started the process: this one is
		// held until the process has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// Done is closed when the program has ended.
func (p *Part) Done() <-chan struct{} { return p.done }

// Ended says that the program ended, how, and its last lines. Only after Done.
func (p *Part) Ended() error {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	text := fmt.Sprintf("the %s ended (%s)", p.Name, how)
	if said := p.lastWords(); said != "" {
		text += ": " + said
	}
	return errors.New(text)
}

// lastSize bounds how much of the log an error shows, in bytes.
const lastSize = 2 << 10

// lastWords is what of the last lines may say why a program ended: all but
// what it logged below the level of an error.
func (p *Part) lastWords() string {
	var kept []string
	for line := range strings.Lines(p.lastLines()) {
		line = strings.TrimSpace(line)
		if line != "" && !harmless.MatchString(line) {
			kept = append(kept, line)
		}
	}
	if len(kept) > 1 {
		return "\n" + strings.Join(kept, "\n")
	}
	return strings.Join(kept, "")
}

var harmless = regexp.MustCompile(`^time=\S+ level=(DEBUG|INFO|WARN)|^\{"time":"[^"]*","level":"(DEBUG|INFO|WARN)"`)

// lastLines begins on a line of its own where there are several.
func (p *Part) lastLines() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if over := len(data) - lastSize; over > 0 {
		data = data[over:]
		if line := bytes.IndexByte(data, '\n'); line >= 0 {
			data = data[line+1:]
		}
	}
	data = bytes.TrimSpace(data)
	if bytes.Contains(data, []byte{'\n'}) {
		return "\n" + string(data)
	}
	return string(data)
}

// How long a program may take to be ready, and to end when asked.
const (
	readyTimeout = time.Minute
	readyPoll    = 100 * time.Millisecond
	grace        = 5 * time.Second
)

// AwaitReady asks the address until it answers 200, the program ends, or a
// minute is over.
func (p *Part) AwaitReady(ctx context.Context, url string) error {
	return p.await(ctx, "be ready", func(ctx context.Context) error {
		_, err := get(ctx, url)
		return err
	})
}

// AwaitMetric asks the address until the metric of that name, labels
// included, is at least the value.
func (p *Part) AwaitMetric(ctx context.Context, url, name string, least int) error {
	return p.await(ctx, "reach "+name, func(ctx context.Context) error {
		body, err := get(ctx, url)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(body)) {
			text, ok := strings.CutPrefix(line, name+" ")
			if !ok {
				continue
			}
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err == nil && value >= float64(least) {
				return nil
			}
			return fmt.Errorf("%s is %s, want %d", name, strings.TrimSpace(text), least)
		}
		return fmt.Errorf("no metric %s", name)
	})
}

func (p *Part) await(ctx context.Context, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.Ended()
		case <-ctx.Done():
			return fmt.Errorf("waiting for the %s to %s (%w); it said last: %s", p.Name, what, err, p.lastLines())
		case <-tick.C:
		}
	}
}

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 4 << 20

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("building request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: status %s", url, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxAnswer))
}

// Stop asks the program to end, and ends it by force when it does not.
func (p *Part) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Kill() // it may have ended meanwhile
		<-p.done
	}
}
