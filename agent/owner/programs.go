// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

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
}

// feature is one program and what is lost without it.
type feature struct {
	program    string
	name, lost string
}

// In the order in which they must start: what changes is followed before what
// is there is listed.
var features = []feature{
	{bpf.OwnerProgOnExec, "process starts", "the program of a process that ends before it is looked at"},
	{bpf.OwnerProgOnFork, "process forks", "the program of a forked process that ends before it is looked at"},
	{bpf.OwnerProgOnState, "listening sockets", "the program that listens, until it is listed, and a listener that lives shorter than that"},
	{bpf.OwnerProgEachProcess, "list of processes", "the programs of processes that ran before the agent"},
	{bpf.OwnerProgEachSocket, "list of sockets", "who listened, and who began connections, before the agent"},
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
	p := &programs{}
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
	for _, f := range features {
		if err := p.start(spec, f, replace); err != nil {
			p.missing = append(p.missing, probe.Missing{Feature: f.name, Lost: f.lost, Err: err})
		}
	}
	return p, nil
}

func (p *programs) start(spec *ebpf.CollectionSpec, f feature, replace map[string]*ebpf.Map) error {
	one := spec.Copy()
	one.Programs = map[string]*ebpf.ProgramSpec{f.program: one.Programs[f.program]}
	loaded, err := ebpf.NewCollectionWithOptions(one, ebpf.CollectionOptions{MapReplacements: replace})
	if err != nil {
		return fmt.Errorf("loading %s: %w", f.program, err)
	}
	defer loaded.Close() // a link holds its program
	program := loaded.Programs[f.program]
	switch f.program {
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
		return fmt.Errorf("attaching %s: %w", f.program, err)
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
