// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/agent/probe"
	"github.com/netcinch/netcinch/bpf"
)

// programs are what follows processes and sockets in the kernel. Each is done
// without where the kernel does not have it.
type programs struct {
	maps      bpf.OwnerMaps
	links     []link.Link
	processes *link.Iter // nil: processes are not listed
	sockets   *link.Iter // nil: sockets are not listed
	missing   []probe.Missing
	// initialPIDs says that the ids of /proc are the kernel's.
	initialPIDs bool
}

// steps are the programs and the features that they are, in the order in which
// they must start: what changes is followed before what is there is listed.
var steps = []step{
	{bpf.OwnerProgOnExec, feature.ProcessStarts},
	{bpf.OwnerProgOnFork, feature.ProcessForks},
	{bpf.OwnerProgOnState, feature.Listeners},
	{bpf.OwnerProgEachProcess, feature.ProcessList},
	{bpf.OwnerProgEachSocket, feature.SocketList},
}

type step struct {
	program string
	feature feature.Feature
}

// openPrograms loads all that this kernel takes. It fails only where not even
// the maps can be made.
func openPrograms(running *ebpf.Map, firstNumber uint32) (*programs, error) {
	spec, err := bpf.LoadOwner()
	if err != nil {
		return nil, fmt.Errorf("reading the programs that follow processes: %w", err)
	}
	spec.Maps[bpf.OwnerMapRunning].MaxEntries = running.MaxEntries()
	replace := map[string]*ebpf.Map{bpf.OwnerMapRunning: running}
	p := &programs{initialPIDs: seesInitialPIDs()}
	maps := spec.Copy()
	maps.Programs = nil
	if err := maps.LoadAndAssign(&p.maps, &ebpf.CollectionOptions{MapReplacements: replace}); err != nil {
		return nil, fmt.Errorf("creating the maps of processes: %w", err)
	}
	if err := p.maps.Numbers.Put(uint32(0), firstNumber); err != nil {
		return nil, errors.Join(fmt.Errorf("setting the first number: %w", err), p.Close())
	}
	replace[bpf.OwnerMapExecutables] = p.maps.Executables
	replace[bpf.OwnerMapNumbers] = p.maps.Numbers
	replace[bpf.OwnerMapChanges] = p.maps.Changes
	replace[bpf.OwnerMapWorkplaces] = p.maps.Workplaces
	for _, f := range steps {
		if err := p.start(spec, f.program, replace); err != nil {
			p.missing = append(p.missing, f.feature.Without(err))
		}
	}
	return p, nil
}

func (p *programs) start(spec *ebpf.CollectionSpec, name string, replace map[string]*ebpf.Map) error {
	one := spec.Copy()
	one.Programs = map[string]*ebpf.ProgramSpec{name: one.Programs[name]}
	loaded, err := ebpf.NewCollectionWithOptions(one, ebpf.CollectionOptions{MapReplacements: replace})
	if err != nil {
		return fmt.Errorf("loading %s: %w", name, err)
	}
	defer loaded.Close() // a link holds its program
	program := loaded.Programs[name]
	switch name {
	case bpf.OwnerProgEachProcess:
		p.processes, err = link.AttachIter(link.IterOptions{Program: program})
	case bpf.OwnerProgEachSocket:
		p.sockets, err = link.AttachIter(link.IterOptions{Program: program})
	default:
		var l link.Link
		if l, err = link.AttachTracing(link.TracingOptions{Program: program}); err == nil {
			p.links = append(p.links, l)
		}
	}
	if err != nil {
		return fmt.Errorf("attaching %s: %w", name, err)
	}
	return nil
}

// Close detaches everything.
func (p *programs) Close() error {
	var errs []error
	for _, l := range p.links {
		errs = append(errs, l.Close())
	}
	if p.processes != nil {
		errs = append(errs, p.processes.Close())
	}
	if p.sockets != nil {
		errs = append(errs, p.sockets.Close())
	}
	return errors.Join(append(errs, p.maps.Close())...)
}
