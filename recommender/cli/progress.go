// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// patience is after how long a terminal is told how far the work is.
const patience = 2 * time.Second

// progress shows how far long work is, on a terminal only. What else is written
// to the terminal meanwhile has to go through it.
type progress struct {
	w    io.Writer
	done chan struct{}
	over sync.WaitGroup

	mu    sync.Mutex
	stage string
	at    int
	of    int
	drawn bool // its line is on the terminal
}

func startProgress(w io.Writer) *progress {
	p := &progress{w: w, done: make(chan struct{})}
	if isTerminal(w) {
		p.over.Go(p.show)
	}
	return p
}

func (p *progress) set(stage string, at, of int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage, p.at, p.of = stage, at, of
}

func (p *progress) show() {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	for {
		select {
		case <-p.done:
			p.mu.Lock()
			defer p.mu.Unlock()
			p.wipe()
			return
		case <-wait.C:
			p.draw()
			wait.Reset(patience / 10)
		}
	}
}

func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == "" {
		return
	}
	p.wipe()
	fmt.Fprint(p.w, p.text())
	p.drawn = true
}

// wipe takes the line from the terminal.
func (p *progress) wipe() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

// Write writes lines for people, which take the place of the progress.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	return p.w.Write(text)
}

func (p *progress) text() string {
	switch {
	case p.of > 0:
		return fmt.Sprintf("%s: %d of %d", p.stage, p.at, p.of)
	case p.at > 0:
		return fmt.Sprintf("%s: %d", p.stage, p.at)
	}
	return p.stage + "…"
}

func (p *progress) stop() {
	close(p.done)
	p.over.Wait()
}

// told gives the environment with a terminal that shares with the progress.
func (p *progress) told(env *Env) *Env {
	shared := *env
	shared.Stderr = p
	return &shared
}
