// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/bpf"
)

// Options say how large the maps are and where they live. The zero value is
// refused: start from DefaultOptions.
type Options struct {
	// MaxFlows bounds the flow map of each address family. The kernel sets
	// aside 160 bytes for an IPv4 flow and 208 for an IPv6 one. Maps that are
	// pinned already keep their size.
	MaxFlows uint32
	// RingBytes is the size of the ring buffer for overflowing packets and DNS
	// answers: a power of two, and at least a page.
	RingBytes uint32
	// Dialling has a flow take over what its socket dialled from the map of
	// that name, which programs at connect fill.
	Dialling bool
	// Mode is how interfaces are attached to.
	Mode Mode
	// PinDir is where maps and links are pinned, so that they go on counting
	// while no agent runs; empty for nowhere. It must be in a BPF file system.
	PinDir string
	// PinIfPossible does without pins where the directory is not in a BPF file
	// system.
	PinIfPossible bool
	// NetnsDirs are where network namespaces may be found by name, to take
	// filters away again.
	NetnsDirs []string
	// NoConntrack does without look-ups in conntrack, as if the kernel had no
	// function for it.
	NoConntrack bool
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
// more. Its methods are safe for use by several goroutines.
type Set struct {
	bpf.FlowMaps
	Drains

	options   Options
	mode      Mode
	spec      *ebpf.CollectionSpec
	conntrack bool
	owners    bool          // who begins a flow is asked for
	flush     *ebpf.Program // nil where flows are not counted by CPU
	missing   []Missing
	adopted   bool // the maps were there

	mu      sync.Mutex // of all below, but for the pool's own
	pins    *pins      // nil: nothing is pinned
	links   map[uint32]*[2]link.Link
	next    uint32
	dropped int // interfaces that were attached in another mode
	pool    *pool
	closed  bool
}

// Open makes the maps, or takes over the pinned ones, and loads the shared
// programs, so that a node on which they cannot run says so at once. The error
// names what is missing.
func Open(o Options) (*Set, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	spec, err := bpf.LoadFlow()
	if err != nil {
		return nil, fmt.Errorf("reading the flow program: %w", err)
	}
	// Kernels before 5.11 charge maps to this limit; later ones ignore it, so a
	// refusal is left for the map's creation to report.
	_ = rlimit.RemoveMemlock()

	s := &Set{spec: spec, options: o}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Set) open() (err error) {
	s.pool = newPool(s.loadPair, s.takeSlot)
	if s.options.PinDir != "" {
		s.pins, err = openPins(s.options.PinDir)
		switch {
		case errors.Is(err, ErrNoFileSystem) && s.options.PinIfPossible:
			s.missing = append(s.missing, feature.Pins.Without(err))
		case err != nil:
			return err
		}
	}
	cache := btf.NewCache() // of the kernel's types, for as long as is needed
	s.findOwners()
	if err = s.openMaps(cache); err != nil {
		return err
	}
	whyNoCache := mayCache() // nil where counting by CPU may be tried
	if err = s.loadShared(cache); err != nil {
		return err
	}
	if err = s.openDrains(); err != nil {
		return err
	}
	if whyNoCache != nil {
		s.missing = append(s.missing, feature.PerCPU.Without(whyNoCache))
	} else if err = s.loadFlush(); err != nil {
		return err
	}
	if s.mode, err = s.choose(s.options.Mode); err != nil {
		return err
	}
	if err = s.disown(cache); err != nil {
		return err
	}
	return s.adopt()
}

// Maps that serve one process only, and are not pinned.
var ownMaps = []string{bpf.FlowMapScratch, bpf.FlowMapTurns, bpf.FlowMapTellings, bpf.FlowMapWatched}

func (s *Set) openMaps(cache *btf.Cache) error {
	sizes := map[string]uint32{
		bpf.FlowMapFlows4: s.options.MaxFlows, bpf.FlowMapFlows6: s.options.MaxFlows, bpf.FlowMapEvents: s.options.RingBytes,
	}
	o := ebpf.CollectionOptions{Cache: cache}
	if s.pins != nil {
		o.Maps.PinPath = s.pins.mapsDir()
		for name := range sizes {
			pinned, err := s.pins.sizeOf(name)
			if err != nil {
				return err
			}
			if pinned != 0 {
				s.adopted = true
				sizes[name] = pinned
			}
		}
	}
	for name, size := range sizes {
		s.spec.Maps[name].MaxEntries = size
	}
	maps := s.spec.Copy()
	maps.Programs = nil
	for name, m := range maps.Maps {
		if s.pins != nil && !slices.Contains(ownMaps, name) && !strings.HasPrefix(name, ".") {
			m.Pinning = ebpf.PinByName
		}
	}
	if err := maps.LoadAndAssign(&s.FlowMaps, &o); err != nil {
		return explain("creating the flow maps", err)
	}
	return nil
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
		s.missing = append(s.missing, feature.CurrentProcess.Without(fmt.Errorf("asking for the helper: %w", err)))
	}
}

// errHostSide says why nobody is asked there.
var errHostSide = errors.New("at the host's side of a pair the current task may be any")

// disown has nobody asked at the host's side, where a packet may be handled in
// anybody's time.
func (s *Set) disown(cache *btf.Cache) error {
	if s.mode != HostTCX || !s.owners {
		return nil
	}
	s.owners = false
	s.missing = append(s.missing, feature.CurrentProcess.Without(errHostSide))
	if err := s.loadSharedOnce(cache); err != nil {
		return explain("loading the flow program", err)
	}
	return nil
}

// loadShared puts the shared programs in place, with conntrack or else without.
func (s *Set) loadShared(cache *btf.Cache) error {
	withErr := errors.New("not asked for")
	if !s.options.NoConntrack {
		s.conntrack = true
		if withErr = s.loadSharedOnce(cache); withErr == nil {
			return nil
		}
		s.conntrack = false
	}
	if err := s.loadSharedOnce(cache); err != nil {
		return explain("loading the flow program", err)
	}
	s.missing = append(s.missing, feature.Conntrack.Without(withErr))
	return nil
}

func (s *Set) loadSharedOnce(cache *btf.Cache) error {
	var p struct {
		Ingress *ebpf.Program `ebpf:"shared_ingress"`
		Egress  *ebpf.Program `ebpf:"shared_egress"`
	}
	if err := s.loadWith(&p, variables{}, cache); err != nil {
		return err
	}
	// The array holds the programs from here on.
	defer func() { _, _ = p.Ingress.Close(), p.Egress.Close() }()
	for direction, program := range map[Direction]*ebpf.Program{Ingress: p.Ingress, Egress: p.Egress} {
		if err := s.Shared.Put(uint32(direction), program); err != nil {
			return fmt.Errorf("putting a shared program in place: %w", err)
		}
	}
	return nil
}

// Missing is a feature that is done without.
type Missing = feature.Missing

// Missing gives what is done without.
func (s *Set) Missing() []Missing { return s.missing }

// Pinned says whether maps and links outlive the process.
func (s *Set) Pinned() bool { return s.pins != nil }

// Mode is how interfaces are attached to; never Auto.
func (s *Set) Mode() Mode { return s.mode }

// MayEnter says whether other network namespaces can be entered.
func (s *Set) MayEnter() bool { return s.mode != HostTCX }

// Close lets go of what the process holds. Hooks go on counting until they are
// closed, pinned ones also after that.
func (s *Set) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	err := errors.Join(s.pool.close(), s.IPv4.close(), s.IPv6.close(), s.flush.Close(), s.FlowMaps.Close())
	for _, pair := range s.links {
		err = errors.Join(err, release(pair))
	}
	if s.pins != nil {
		err = errors.Join(err, s.pins.close())
	}
	return err
}

// variables are the constants of one attachment's programs.
type variables struct {
	slot           uint32
	conntrackNetNS int32 // -1 for the interface's own namespace
}

func (s *Set) loadPair(v variables) (*pair, error) {
	p := &pair{v: v}
	if err := s.load(p, v); err != nil {
		return nil, explain("loading the flow program", err)
	}
	return p, nil
}

// load loads the programs that the fields of into name, on the shared maps.
func (s *Set) load(into any, v variables) error { return s.loadWith(into, v, nil) }

func (s *Set) loadWith(into any, v variables, cache *btf.Cache) error {
	spec := s.spec.Copy()
	for name, value := range map[string]any{
		bpf.FlowVarSlot:           v.slot,
		bpf.FlowVarConntrackNetns: v.conntrackNetNS,
		bpf.FlowVarConntrack:      flag(s.conntrack),
		bpf.FlowVarCached:         flag(s.flush != nil),
		bpf.FlowVarOwners:         flag(s.owners),
		bpf.FlowVarDialling:       flag(s.options.Dialling),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("setting %s in the flow program: %w", name, err)
		}
	}
	return spec.LoadAndAssign(into, &ebpf.CollectionOptions{Cache: cache, MapReplacements: s.maps()})
}

// maps gives the maps by name.
func (s *Set) maps() map[string]*ebpf.Map {
	found := make(map[string]*ebpf.Map)
	v := reflect.ValueOf(s.FlowMaps)
	for i := range v.NumField() {
		if m, ok := reflect.TypeAssert[*ebpf.Map](v.Field(i)); ok {
			found[v.Type().Field(i).Tag.Get("ebpf")] = m
		}
	}
	return found
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
