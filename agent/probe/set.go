// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/netcinch/netcinch/bpf"
)

// Options say how large the maps are. The zero value is refused: start from
// DefaultOptions.
type Options struct {
	// MaxFlows bounds the flow map of each address family. The kernel sets
	// aside 112 bytes for an IPv4 flow and 160 for an IPv6 one.
	MaxFlows uint32
	// RingBytes is the size of the ring buffer for overflowing packets and DNS
	// answers: a power of two, and at least a page.
	RingBytes uint32
}

// DefaultOptions hold 131,072 flows of each family and a ring of 4 MiB.
func DefaultOptions() Options {
	return Options{MaxFlows: 1 << 17, RingBytes: 4 << 20}
}

func (o Options) validate() error {
	if o.MaxFlows == 0 {
		return errors.New("the flow map's size is 0: give the number of flows that it is to hold")
	}
	if o.RingBytes < 4096 || o.RingBytes&(o.RingBytes-1) != 0 {
		return fmt.Errorf("the ring buffer's size is %d: give a power of two of at least 4096 bytes", o.RingBytes)
	}
	return nil
}

// Set is the loaded maps and what is needed to attach more programs to them.
// Attach is safe for use by several goroutines.
type Set struct {
	bpf.FlowMaps
	spec      *ebpf.CollectionSpec
	cache     *btf.Cache
	conntrack bool
	missing   []Missing
}

// Open makes the maps and tries the program once, so that a node on which it
// cannot run says so at once. The error names what is missing.
func Open(o Options) (*Set, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	spec, err := bpf.LoadFlow()
	if err != nil {
		return nil, fmt.Errorf("reading the flow program: %w", err)
	}
	spec.Maps[bpf.FlowMapFlows4].MaxEntries = o.MaxFlows
	spec.Maps[bpf.FlowMapFlows6].MaxEntries = o.MaxFlows
	spec.Maps[bpf.FlowMapEvents].MaxEntries = o.RingBytes
	// Kernels before 5.11 charge maps to this limit; later ones ignore it, so a
	// refusal is left for the map's creation to report.
	_ = rlimit.RemoveMemlock()

	s := &Set{spec: spec, cache: btf.NewCache()}
	maps := spec.Copy()
	maps.Programs = nil
	if err := maps.LoadAndAssign(&s.FlowMaps, &ebpf.CollectionOptions{Cache: s.cache}); err != nil {
		return nil, explain("creating the flow maps", err)
	}
	if err := s.try(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// try loads the programs without attaching them, first with conntrack, then
// without.
func (s *Set) try() error {
	s.conntrack = true
	withErr := s.tryOnce()
	if withErr == nil {
		return nil
	}
	s.conntrack = false
	if err := s.tryOnce(); err != nil {
		return explain("loading the flow program", err)
	}
	s.missing = append(s.missing, Missing{
		Feature: "conntrack look-ups",
		Lost:    "the backend behind a virtual address, source rewriting, and who began flows that were open before the agent",
		Err:     withErr,
	})
	return nil
}

func (s *Set) tryOnce() error {
	programs, err := s.load(variables{slot: 1, conntrackNetNS: currentNetNS})
	if err != nil {
		return err
	}
	return programs.Close()
}

// Missing is a feature that this kernel or these privileges do not give and
// that is done without.
type Missing struct {
	Feature string // what is missing
	Lost    string // what cannot be known for want of it
	Err     error  // what the kernel said
}

// Missing gives what is done without.
func (s *Set) Missing() []Missing { return s.missing }

// Close lets go of the maps. Hooks go on counting until they are closed.
func (s *Set) Close() error { return s.FlowMaps.Close() }

// currentNetNS as a namespace id means the namespace of the packet's device.
const currentNetNS = -1

type variables struct {
	slot           uint32
	conntrackNetNS int32
}

// programs are the two directions of one attachment.
type programs struct {
	Ingress *ebpf.Program `ebpf:"flow_ingress"`
	Egress  *ebpf.Program `ebpf:"flow_egress"`
}

func (p *programs) Close() error { return errors.Join(p.Ingress.Close(), p.Egress.Close()) }

// load gives the programs of one attachment, on the shared maps.
func (s *Set) load(v variables) (*programs, error) {
	spec := s.spec.Copy()
	delete(spec.Programs, bpf.FlowProgFlowClock)
	delete(spec.Programs, bpf.FlowProgFlowEmpty)
	var ask uint8
	if s.conntrack {
		ask = 1
	}
	for name, value := range map[string]any{
		bpf.FlowVarSlot: v.slot, bpf.FlowVarConntrackNetns: v.conntrackNetNS, bpf.FlowVarConntrack: ask,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("setting %s in the flow program: %w", name, err)
		}
	}
	var p programs
	return &p, spec.LoadAndAssign(&p, &ebpf.CollectionOptions{
		Cache: s.cache,
		MapReplacements: map[string]*ebpf.Map{
			bpf.FlowMapFlows4:     s.Flows4,
			bpf.FlowMapFlows6:     s.Flows6,
			bpf.FlowMapEvents:     s.Events,
			bpf.FlowMapLossCounts: s.LossCounts,
			bpf.FlowMapScratch:    s.Scratch,
		},
	})
}

// Clock reads the kernel's tick counter, the low 32 bits of its jiffies.
func (s *Set) Clock() (uint32, error) {
	spec := s.spec.Copy()
	program, err := ebpf.NewProgram(spec.Programs[bpf.FlowProgFlowClock])
	if err != nil {
		return 0, explain("loading the clock program", err)
	}
	defer func() { _ = program.Close() }()
	ticks, err := program.Run(&ebpf.RunOptions{Data: make([]byte, 64)})
	if err != nil {
		return 0, explain("running the clock program", err)
	}
	return ticks, nil
}
