// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/netcinch/netcinch/agent/probe"
)

// Options say how the collector works. The zero value is refused: start from
// DefaultOptions.
type Options struct {
	Probe probe.Options

	// Patience is how long a flow that nothing has answered yet is held back,
	// so that its first record can tell whether it was.
	Patience time.Duration
	// ClosedIdle, DatagramIdle and StreamIdle are how long no packet must have
	// been seen before a flow leaves the kernel's map: a closed connection, a
	// flow without connections, an open connection. A flow that goes on later
	// is entered anew.
	ClosedIdle   time.Duration
	DatagramIdle time.Duration
	StreamIdle   time.Duration
	// PressedIdle stands for DatagramIdle and StreamIdle while a map is more
	// than three quarters full.
	PressedIdle time.Duration

	// MaxOverflow bounds the flows that are kept in user space, between two
	// drains, for packets that found no room in the kernel's map.
	MaxOverflow int
	// DNSBuffer bounds the answers waiting in the DNS channel.
	DNSBuffer int

	// Resume is the state of the collector before, where one is known.
	Resume *State

	// Now is the wall clock; nil is refused.
	Now func() time.Time
}

// DefaultOptions give what suits a node of 30 to 250 pods; Now is left to be
// set.
func DefaultOptions() Options {
	return Options{
		Probe:        probe.DefaultOptions(),
		Patience:     3 * time.Second,
		ClosedIdle:   5 * time.Second,
		DatagramIdle: time.Minute,
		StreamIdle:   time.Hour,
		PressedIdle:  10 * time.Second,
		MaxOverflow:  1 << 16,
		DNSBuffer:    1024,
	}
}

func (o Options) validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"ClosedIdle", o.ClosedIdle},
		{"DatagramIdle", o.DatagramIdle},
		{"StreamIdle", o.StreamIdle},
		{"PressedIdle", o.PressedIdle},
	} {
		if d.value < time.Second {
			return fmt.Errorf("capture option %s is %s: want at least 1s", d.name, d.value)
		}
	}
	switch {
	case o.Now == nil:
		return errors.New("capture option Now is nil: give a clock")
	case o.Patience < 0:
		return fmt.Errorf("capture option Patience is %s: want 0 or more", o.Patience)
	case o.MaxOverflow < 1 || o.DNSBuffer < 1:
		return errors.New("capture options MaxOverflow and DNSBuffer: want 1 or more")
	}
	return nil
}

// ErrClosed is returned by a collector that was closed.
var ErrClosed = errors.New("the collector is closed")

// ErrUnknownSlot is returned for a slot that is not attached.
var ErrUnknownSlot = errors.New("no such attachment")

// Collector watches interfaces and gives what passed there. Its methods are
// safe for use by several goroutines; only one Drain runs at a time.
type Collector struct {
	options Options
	set     *probe.Set
	clock   clock
	reader  *reader
	resumed Resumed
	base    Losses // of the kernel's counters: what was reported before this process
	origin  Told   // what others than this process settled

	mu       sync.Mutex // hooks, retiring, closed
	hooks    map[Slot]*probe.Hook
	retiring uint64 // counts detachments whose entries may be left; 0 for none
	closed   bool

	drain          sync.Mutex // all below
	table4, table6 *table
	instance       uint64
	generation     uint32 // of the last drain
	committed      uint32 // the last one that is safe
	settled        Told   // as of the last drain

	loss   sync.Mutex // all below
	kernel Losses     // as read last
}

// New loads the flow program, and goes on where a collector before it ended
// that has pinned what it counted. Its error says in one line what is missing
// on this node and what to do.
func New(o Options) (*Collector, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	set, err := probe.Open(o.Probe)
	if err != nil {
		return nil, err
	}
	c := &Collector{
		options: o,
		set:     set,
		hooks:   make(map[Slot]*probe.Hook),
		table4:  newTable(set.IPv4, len(key4{}), len(flow4{})),
		table6:  newTable(set.IPv6, len(key6{}), len(flow6{})),
	}
	if c.clock, err = newClock(set, o.Now); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	if err = c.resume(); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	if c.reader, err = newReader(set.Events, o, c.clock); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	err = c.recoverRing()
	go c.reader.run()
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Attach watches an interface of a network namespace, given by a path such as
// /run/netns/NAME, /proc/PID/ns/net or /proc/self/fd/N; empty for the process's
// own. Every packet after it returns is counted. An interface that a process
// before this one watched keeps its slot.
func (c *Collector) Attach(netns, ifname string) (Slot, error) {
	return c.attach(c.set.Attach, netns, ifname)
}

// AttachHost watches the host's side of a pair in place of the pod's.
func (c *Collector) AttachHost(netns, ifname string) (Slot, error) {
	return c.attach(c.set.AttachHost, netns, ifname)
}

func (c *Collector) attach(with func(netns, ifname string) (*probe.Hook, error), netns, ifname string) (Slot, error) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return 0, ErrClosed
	}
	hook, err := with(netns, ifname)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, errors.Join(ErrClosed, hook.Release())
	}
	c.hooks[Slot(hook.Slot)] = hook
	return Slot(hook.Slot), nil
}

// Mode is how interfaces are attached to.
func (c *Collector) Mode() probe.Mode { return c.set.Mode() }

// Modes gives how each slot is attached to.
func (c *Collector) Modes() map[Slot]probe.Mode {
	c.mu.Lock()
	defer c.mu.Unlock()
	modes := make(map[Slot]probe.Mode, len(c.hooks))
	for slot, hook := range c.hooks {
		modes[slot] = hook.Mode
	}
	return modes
}

// Detach stops watching. What was counted there until now comes with the next
// Drain, and nothing after it.
func (c *Collector) Detach(slot Slot) error {
	c.mu.Lock()
	hook, ok := c.hooks[slot]
	delete(c.hooks, slot)
	c.mu.Unlock()
	if !ok {
		return fmt.Errorf("detaching slot %d: %w", slot, ErrUnknownSlot)
	}
	err := hook.Close()
	c.retire()
	if err != nil {
		return fmt.Errorf("detaching slot %d: %w", slot, err)
	}
	return nil
}

// retire has the entries of detached slots leave with the next passes.
func (c *Collector) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retiring++
}

// Drain gives one record for each flow that counted something since it was
// last reported, and takes flows that are over out of the kernel's map. A
// record is emit's until it returns, to change as well; emit must not call the
// collector. Where
// something is pinned, a flow leaves the map only when what was told of it is
// committed: see Commit. Between two drains at most 67 million packets and 256
// GiB may pass on one flow and direction, or the count wraps: drain at least
// every 20 seconds on a link of 100 Gbit/s.
func (c *Collector) Drain(ctx context.Context, emit func(*Record)) error {
	return c.pass(ctx, emit, false)
}

// Flush is Drain without patience: also what may yet be answered is given. For
// the last drain before the end.
func (c *Collector) Flush(ctx context.Context, emit func(*Record)) error {
	return c.pass(ctx, emit, true)
}

func (c *Collector) pass(ctx context.Context, emit func(*Record), all bool) error {
	c.drain.Lock()
	defer c.drain.Unlock()
	c.mu.Lock()
	closed, retiring := c.closed, c.retiring
	c.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if err := c.begin(); err != nil {
		return err
	}
	if err := c.set.Settle(); err != nil {
		return err
	}
	p := &pass{
		options: &c.options, moment: c.clock.read(), retiring: retiring > 0, all: all, emit: emit,
		committed: c.committed, generation: c.generation,
	}
	dns := c.reader.learnt()
	err := errors.Join(c.table4.pass(ctx, p), c.table6.pass(ctx, p))
	taken := c.reader.overflowed(p)
	c.settled = Told{c.origin.Packets + taken.Packets, c.origin.Bytes + taken.Bytes, c.origin.DNS + dns}
	if err == nil && p.retired == 0 {
		c.mu.Lock()
		if c.retiring == retiring { // nothing was detached meanwhile
			c.retiring = 0
		}
		c.mu.Unlock()
	}
	return errors.Join(err, c.reader.err())
}

// DNS gives the names that local ends asked for. It is closed by Close. What
// is not taken in time is lost and counted.
func (c *Collector) DNS() <-chan DNSAnswer { return c.reader.answers }

// Missing gives the features that are done without on this node.
func (c *Collector) Missing() []probe.Missing { return c.set.Missing() }

// Close lets go of all that the process holds. What is pinned goes on counting,
// for the next collector; without pins everything is detached, and what was not
// drained is gone: Flush first.
func (c *Collector) Close() error { return c.close((*probe.Hook).Release, func() error { return nil }) }

// Remove is Close that leaves nothing behind, also where it was pinned.
func (c *Collector) Remove() error { return c.close((*probe.Hook).Close, c.set.Remove) }

func (c *Collector) close(end func(*probe.Hook) error, last func() error) error {
	c.drain.Lock()
	defer c.drain.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	var errs []error
	for _, hook := range c.hooks {
		errs = append(errs, end(hook))
	}
	clear(c.hooks)
	errs = append(errs, last(), c.reader.Close(), c.set.Close())
	return errors.Join(errs...)
}
