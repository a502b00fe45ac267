// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"
)

// The lines that the parent writes to standard input.
const (
	Begin = "begin" // start calling: every server listens now
	Tell  = "tell"  // start the calls that wait to be told
)

// Report is one line on standard output.
type Report struct {
	Ready bool   `json:"ready,omitempty"` // every port listens
	Call  string `json:"call,omitempty"`  // the call's address as in the manifest
	OK    bool   `json:"ok,omitempty"`    // the call works, since this line
	Error string `json:"error,omitempty"` // or why it does not
}

// Options are what a process gets from the world around it.
type Options struct {
	Name     string         // of the workload, for answers
	Resolver netip.AddrPort // the DNS server that calls ask
	Zone     string         // path of the zone file; only for dns ports
	In       io.Reader      // steering lines
	Out      io.Writer      // reports
}

// Run serves and calls until the context ends, the steering input ends, or
// the spec's life is over.
func Run(ctx context.Context, spec Spec, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if spec.Live > 0 {
		ctx, cancel = context.WithTimeout(ctx, spec.Live)
		defer cancel()
	}
	servers, err := listen(ctx, spec.Serve, o)
	if err != nil {
		return err
	}
	defer servers.close()
	out := &reporter{out: o.Out}
	out.write(Report{Ready: true})

	begin, tell := make(chan struct{}), make(chan struct{})
	go func() { // ends with the input, which the parent holds open
		steer(o.In, begin, tell)
		cancel()
	}()
	var calls sync.WaitGroup
	defer calls.Wait()
	for _, c := range spec.Calls {
		start := begin
		if c.When == WhenTold {
			start = tell
		}
		caller := newCaller(c, o.Resolver, out)
		calls.Go(func() {
			select {
			case <-start:
				caller.run(ctx)
			case <-ctx.Done():
			}
		})
	}
	select {
	case err := <-servers.failed:
		cancel()
		return err
	case <-ctx.Done():
		return nil
	}
}

// steer reads lines until the input ends; each of the two is obeyed once.
func steer(in io.Reader, begin, tell chan struct{}) {
	wanted := map[string]chan struct{}{Begin: begin, Tell: tell}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if c, ok := wanted[lines.Text()]; ok {
			close(c)
			delete(wanted, lines.Text())
		}
	}
}

// reporter writes one JSON line a report, whole, from any goroutine.
type reporter struct {
	mu  sync.Mutex
	out io.Writer
}

func (r *reporter) write(report Report) {
	line, err := json.Marshal(report)
	if err != nil { // a Report is three plain fields
		panic(fmt.Sprintf("encoding report: %v", err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// A parent that is gone cannot be told; the input's end follows at once.
	_, _ = r.out.Write(append(line, '\n'))
}

// callTimeout bounds one request, name look-up included.
const callTimeout = 2 * time.Second
