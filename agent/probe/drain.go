// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/bpf"
)

// Drain has the flow map of one address family read by a program, in turns:
// what it tells lies in memory that it shares with us while it is needed.
type Drain struct {
	program *ebpf.Program
	turns   *ebpf.Map
	told    *ebpf.Map
	flows   *ebpf.Map
	memory  []byte // of told; nil while it is not mapped
	// Size is the room that each struct drained4 or drained6 has, Room how many
	// of them one turn has room for, and MaxFlows how many the flow map has.
	Size, Room int
	MaxFlows   uint32
}

// Drains gives the drains of both families, which take turns with each other.
type Drains struct {
	IPv4, IPv6 *Drain
}

func (s *Set) openDrains() error {
	var p struct {
		IPv4 *ebpf.Program `ebpf:"flow_drain4"`
		IPv6 *ebpf.Program `ebpf:"flow_drain6"`
	}
	if err := s.load(&p, variables{}); err != nil {
		return explain("loading the program that reads the flows (Linux 5.14)", err)
	}
	s.IPv4 = newDrain(p.IPv4, s.Turns, s.Tellings, s.Flows4)
	s.IPv6 = newDrain(p.IPv6, s.Turns, s.Tellings, s.Flows6)
	return nil
}

func newDrain(program *ebpf.Program, turns, told, flows *ebpf.Map) *Drain {
	return &Drain{
		program: program, turns: turns, told: told, flows: flows, Size: int(told.ValueSize()), Room: int(told.MaxEntries()), MaxFlows: flows.MaxEntries(),
	}
}

func (d *Drain) close() error {
	if d == nil {
		return nil
	}
	return errors.Join(d.Rest(), d.program.Close())
}

// Rest lets go of the shared memory until the next turn: it would count as the
// process's own all the time.
func (d *Drain) Rest() error {
	if d.memory == nil {
		return nil
	}
	err := unix.Munmap(d.memory)
	d.memory = nil
	if err != nil {
		return fmt.Errorf("letting go of what was told of flows: %w", err)
	}
	return nil
}

// Empty says that there are no flows. To find none takes a tenth of the time
// that the program takes to look at as many empty buckets.
func (d *Drain) Empty() bool {
	var first [64]byte // larger than any key
	return errors.Is(d.flows.NextKey(nil, first[:d.flows.KeySize()]), ebpf.ErrKeyNotExist)
}

// Turn runs the program once, and gives what it told: t.Told times struct
// drained4 or drained6, valid until the next turn or Rest.
func (d *Drain) Turn(t *bpf.FlowTurn) ([]byte, error) {
	t.Told, t.Left, t.Live, t.Retired, t.Removed = 0, 0, 0, 0, 0
	if err := d.turns.Put(uint32(0), t); err != nil {
		return nil, fmt.Errorf("reading the flows: %w", err)
	}
	result, err := d.program.Run(&ebpf.RunOptions{})
	if err != nil || result != 0 {
		return nil, fmt.Errorf("reading the flows: %w", errors.Join(err, failure(result)))
	}
	if err = d.turns.Lookup(uint32(0), t); err != nil {
		return nil, fmt.Errorf("reading the flows: %w", err)
	}
	if t.Told > 0 && d.memory == nil {
		d.memory, err = unix.Mmap(d.told.FD(), 0, d.Size*d.Room, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return nil, fmt.Errorf("mapping what is told of flows: %w", err)
		}
	}
	return d.memory[:int(t.Told)*d.Size], nil
}

func failure(result uint32) error {
	if result == 0 {
		return nil
	}
	return fmt.Errorf("the program ended with %d", int32(result))
}
