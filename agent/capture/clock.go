// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/probe"
)

// clock turns the kernel's ticks (the low 32 bits of its jiffies) into wall
// time. Jiffies follow the monotonic clock tick by tick, so the two are set
// beside each other once. Ages are told up to 24 days at 1,000 ticks a second.
type clock struct {
	now      func() time.Time
	mono     func() time.Duration
	tick     time.Duration
	ticks0   uint32
	elapsed0 time.Duration
}

func newClock(set *probe.Set, now func() time.Time) (clock, error) {
	var resolution unix.Timespec
	// The coarse clocks' resolution is the kernel's tick.
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &resolution); err != nil {
		return clock{}, fmt.Errorf("reading the kernel's tick: %w", err)
	}
	ticks, err := set.Clock()
	if err != nil {
		return clock{}, err
	}
	return clock{
		now: now, mono: monotonic, tick: time.Duration(resolution.Nano()),
		ticks0: ticks, elapsed0: monotonic(),
	}, nil
}

// monotonic cannot fail: the clock exists on every Linux.
func monotonic() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano())
}

// moment is one instant on both clocks.
type moment struct {
	wall  time.Time
	ticks uint32
	tick  time.Duration
}

func (c clock) read() moment {
	return moment{
		wall:  c.now(),
		ticks: c.ticks0 + uint32((c.mono()-c.elapsed0)/c.tick),
		tick:  c.tick,
	}
}

// age is how long before the moment a tick was; 0 for one that is just ahead,
// as a packet's may be that came in while the map was read.
func (m moment) age(ticks uint32) time.Duration {
	return time.Duration(max(0, int64(int32(m.ticks-ticks)))) * m.tick
}

func (m moment) at(ticks uint32) time.Time { return m.wall.Add(-m.age(ticks)) }
