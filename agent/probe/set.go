// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
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
	// Dialling has a flow take over what its socket dialled from the map of
	// that name, which programs at connect fill.
	Dialling bool
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

// Set is the loaded maps, the shared programs, and what is needed to attach
// more. Attach is safe for use by several goroutines.
type Set struct {
	bpf.FlowMaps
	spec      *ebpf.CollectionSpec
	cache     *btf.Cache
	conntrack bool
	owners    bool // who begins a flow is asked for
	dialling  bool
	flush     *ebpf.Program // nil where flows are not counted by CPU
	missing   []Missing
}

// Open makes the maps and loads the shared programs, so that a node on which
// they cannot run says so at once. The error names what is missing.
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

	s := &Set{spec: spec, cache: btf.NewCache(), dialling: o.Dialling}
	s.findOwners()
	whyNoCache := mayCache() // nil where counting by CPU may be tried
	maps := spec.Copy()
	maps.Programs = nil
	if err := maps.LoadAndAssign(&s.FlowMaps, &ebpf.CollectionOptions{Cache: s.cache}); err != nil {
		return nil, explain("creating the flow maps", err)
	}
	if err := s.loadShared(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if whyNoCache != nil {
		s.missing = append(s.missing, Missing{
			Feature: "counting by CPU", Lost: "nothing; a packet costs some 20 ns more", Err: whyNoCache,
		})
		return s, nil //nolint:nilerr // what is missing is told in the set, and does not stop it
	}
	if err := s.loadFlush(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// loadFlush has flows counted by CPU from the next attachment on.
func (s *Set) loadFlush() error {
	var p struct {
		Flush *ebpf.Program `ebpf:"flow_flush"`
	}
	if err := s.load(&p, variables{}); err != nil {
		return explain("loading the flow program", err)
	}
	s.flush = p.Flush
	return nil
}

// findOwners has flows carry who began them, where the kernel lets a program
// on packets ask for the current task.
func (s *Set) findOwners() {
	err := features.HaveProgramHelper(ebpf.SchedCLS, asm.FnGetCurrentPidTgid)
	if s.owners = err == nil; !s.owners {
		s.missing = append(s.missing, Missing{
			Feature: "current process at a packet", Lost: "which program of a pod opened a connection",
			Err: fmt.Errorf("asking for the helper (Linux 6.10): %w", err),
		})
	}
}

// loadShared puts the shared programs in place, with conntrack or else without.
func (s *Set) loadShared() error {
	s.conntrack = true
	withErr := s.loadSharedOnce()
	if withErr == nil {
		return nil
	}
	s.conntrack = false
	if err := s.loadSharedOnce(); err != nil {
		return explain("loading the flow program", err)
	}
	s.missing = append(s.missing, Missing{
		Feature: "conntrack look-ups",
		Lost:    "the backend behind a virtual address, source rewriting, and who began flows that were open before the agent",
		Err:     withErr,
	})
	return nil
}

func (s *Set) loadSharedOnce() error {
	var p struct {
		Ingress *ebpf.Program `ebpf:"shared_ingress"`
		Egress  *ebpf.Program `ebpf:"shared_egress"`
	}
	if err := s.load(&p, variables{}); err != nil {
		return err
	}
	// The array holds the programs from here on.
	defer func() { _, _ = p.Ingress.Close(), p.Egress.Close() }()
	// By enum direction of bpf/sighting.h.
	for direction, program := range []*ebpf.Program{p.Ingress, p.Egress} {
		if err := s.Shared.Put(uint32(direction), program); err != nil {
			return fmt.Errorf("putting a shared program in place: %w", err)
		}
	}
	return nil
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
func (s *Set) Close() error { return errors.Join(s.flush.Close(), s.FlowMaps.Close()) }

// variables are the constants of one attachment's programs.
type variables struct {
	slot           uint32
	conntrackNetNS int32 // -1 for the interface's own namespace
}

// load loads the programs that the fields of into name, on the shared maps.
func (s *Set) load(into any, v variables) error {
	spec := s.spec.Copy()
	for name, value := range map[string]any{
		bpf.FlowVarSlot:           v.slot,
		bpf.FlowVarConntrackNetns: v.conntrackNetNS,
		bpf.FlowVarConntrack:      flag(s.conntrack),
		bpf.FlowVarCached:         flag(s.flush != nil),
		bpf.FlowVarOwners:         flag(s.owners),
		bpf.FlowVarDialling:       flag(s.dialling),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("setting %s in the flow program: %w", name, err)
		}
	}
	return spec.LoadAndAssign(into, &ebpf.CollectionOptions{
		Cache: s.cache,
		MapReplacements: map[string]*ebpf.Map{
			bpf.FlowMapCache4:     s.Cache4,
			bpf.FlowMapCache6:     s.Cache6,
			bpf.FlowMapCalls:      s.Calls,
			bpf.FlowMapDialled:    s.Dialled,
			bpf.FlowMapEvents:     s.Events,
			bpf.FlowMapFlows4:     s.Flows4,
			bpf.FlowMapFlows6:     s.Flows6,
			bpf.FlowMapFragments4: s.Fragments4,
			bpf.FlowMapFragments6: s.Fragments6,
			bpf.FlowMapLossCounts: s.LossCounts,
			bpf.FlowMapRunning:    s.Running,
			bpf.FlowMapScratch:    s.Scratch,
			bpf.FlowMapShared:     s.Shared,
		},
	})
}

func flag(on bool) uint8 {
	if on {
		return 1
	}
	return 0
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
