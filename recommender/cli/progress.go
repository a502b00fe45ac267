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

// progress shows how far long work is, on a terminal only.
type progress struct {
	w    io.Writer
	done chan struct{}
	over sync.WaitGroup

	mu    sync.Mutex
	stage string
	at    int
	of    int
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
			fmt.Fprint(p.w, "\r\x1b[K")
			return
		case <-wait.C:
			fmt.Fprint(p.w, "\r\x1b[K"+p.text())
			wait.Reset(patience / 10)
		}
	}
}

func (p *progress) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == 0 {
		return p.stage + "…"
	}
	return fmt.Sprintf("%s: %d of %d", p.stage, p.at, p.of)
}

func (p *progress) stop() {
	close(p.done)
	p.over.Wait()
}
