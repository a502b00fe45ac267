// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// State is what a collector needs to know of the one before it, to go on with
// what that one has pinned. It belongs to what the last Drain gave: make both
// safe in one step, then Commit.
type State struct {
	Instance   uint64 // of the pinned maps; another one means that they were made anew
	Generation uint32
	Kernel     Losses // by the program's counters, as of the last call of Losses
	Settled    Told   // of what the ring buffer took: what was given, or counted as lost
}

// Told counts what the ring buffer has taken since the pinned maps were made.
type Told struct {
	Packets uint64 // of flows that found no room in the flow map
	Bytes   uint64
	DNS     uint64 // DNS answers, or parts of them
}

// Resumed is how a collector began.
type Resumed struct {
	Maps bool // pinned maps were taken over
	// Uncertain: the maps were taken over without the state that belongs to
	// them, so that what was told last before the end may be lost.
	Uncertain bool
}

// resume takes over what is pinned.
func (c *Collector) resume() error {
	control, err := c.set.Control()
	if err != nil {
		return err
	}
	if !c.set.Pinned() {
		c.generation, c.committed = 1, 1 // nothing outlives the process: what is told is safe
		return nil
	}
	before := c.options.Resume
	if control.Instance == 0 {
		c.instance, err = newInstance()
		return errors.Join(err, c.set.SetControl(c.instance, 0, 0))
	}
	c.resumed.Maps = true
	c.instance = control.Instance
	if before == nil && control.Committed == 0 {
		before = &State{} // the one before was killed before it made anything safe
	} else if before == nil || before.Instance != control.Instance {
		c.resumed.Uncertain = true
		c.generation, c.committed = control.Generation, control.Generation
		if c.base, err = c.kernelLosses(); err == nil {
			c.origin, err = c.told()
		}
		return err
	}
	c.generation, c.committed = before.Generation, before.Generation
	c.base, c.kernel, c.origin = before.Kernel, before.Kernel, before.Settled
	return errors.Join(c.table4.rollBack(c.committed), c.table6.rollBack(c.committed))
}

func newInstance() (uint64, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("making a number for the maps: %w", err)
	}
	return max(binary.NativeEndian.Uint64(b[:]), 1), nil
}

// begin gives the next pass a generation, unless the last one's is not safe
// yet: then both are made so together.
func (c *Collector) begin() error {
	if c.instance == 0 || c.generation > c.committed {
		return nil
	}
	c.generation++
	return c.set.SetControl(c.instance, c.generation, c.committed)
}

// State gives what the next collector needs, as of the last Drain.
func (c *Collector) State() State {
	c.drain.Lock()
	defer c.drain.Unlock()
	c.loss.Lock()
	defer c.loss.Unlock()
	return State{Instance: c.instance, Generation: c.generation, Kernel: c.kernel, Settled: c.settled}
}

// recoverRounds bounds how often the ring buffer is emptied again because
// packets overflow while it is.
const recoverRounds = 100

// recoverRing takes what the ring buffer holds from before, and counts as lost
// what a process before this one took from it and did not make safe.
func (c *Collector) recoverRing() error {
	if c.resumed.Maps && !c.resumed.Uncertain {
		lost, err := c.takenBefore()
		if err != nil {
			return err
		}
		c.reader.lost.Packets += lost.Packets
		c.reader.lost.Bytes += lost.Bytes
		c.reader.dnsLost.Add(lost.DNS)
		c.origin.Packets += lost.Packets
		c.origin.Bytes += lost.Bytes
		c.origin.DNS += lost.DNS
	}
	c.settled = c.origin
	return nil
}

func (c *Collector) takenBefore() (Told, error) {
	for round := 0; ; round++ {
		before, err := c.told()
		if err != nil {
			return Told{}, err
		}
		if err = c.reader.empty(); err != nil {
			return Told{}, err
		}
		after, err := c.told()
		if err != nil {
			return Told{}, err
		}
		if before == after || round == recoverRounds {
			ours := c.reader.tookAll()
			less := func(told, settled, ours uint64) uint64 { return told - min(told, settled+ours) }
			return Told{
				Packets: less(after.Packets, c.origin.Packets, ours.Packets), Bytes: less(after.Bytes, c.origin.Bytes, ours.Bytes),
				DNS: less(after.DNS, c.origin.DNS, ours.DNS),
			}, nil
		}
	}
}

// Commit says that what the last Drain gave is safe, together with its State:
// it is never given again, and flows that are over may leave the map.
func (c *Collector) Commit() {
	c.drain.Lock()
	defer c.drain.Unlock()
	c.committed = c.generation
}

// Pinned says whether what is counted outlives the collector.
func (c *Collector) Pinned() bool { return c.set.Pinned() }

// Resumed says how the collector began.
func (c *Collector) Resumed() Resumed { return c.resumed }

// ForgetOthers has done with what a collector before this one watched and this
// one does not: its counts come with the next Drain. Call it when all that is
// to be watched is attached. Interfaces is how many were not watched for a
// moment because the mode has changed, or were left by a version of the agent
// that counted in another layout, whose last counts are lost.
func (c *Collector) ForgetOthers() (gone []Slot, interfaces int, err error) {
	slots, interfaces, err := c.set.ForgetOthers()
	for _, slot := range slots {
		gone = append(gone, Slot(slot))
	}
	if c.resumed.Maps {
		c.retire()
	}
	return gone, interfaces, err
}
