// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"errors"
	"fmt"
	"io"
	"unique"

	"github.com/cilium/ebpf"

	"github.com/netcinch/netcinch/bpf"
)

// Program is an executable in its container. It is one word and comparable;
// the zero value is an unknown one.
type Program struct {
	handle unique.Handle[names]
}

type names struct {
	path      string
	container string
	pod       string
}

// NewProgram makes a program of its names.
func NewProgram(path, container, podUID string) Program {
	return Program{unique.Make(names{path, container, podUID})}
}

// Path is that of the executable, as its container sees it; it begins with "…"
// where its beginning was too long to be read. Empty for an unknown program.
func (p Program) Path() string { return p.names().path }

// Container is the container's id, 64 hexadecimal digits; empty for none.
func (p Program) Container() string { return p.names().container }

// PodUID is the pod's, as its control group tells it; empty for none.
func (p Program) PodUID() string { return p.names().pod }

func (p Program) names() names {
	if p == (Program{}) {
		return names{}
	}
	return p.handle.Value()
}

// byProcess marks an owner that is told by its process (OWNER_PROCESS of
// bpf/flow.h).
const byProcess = 1 << 31

// generation is how many programs are kept before those that were not asked
// for again are dropped.
const generation = 4096

// executables gives programs by their number. It keeps two generations of
// answers, and asks the kernel for the rest.
type executables struct {
	programs *programs
	young    map[uint32]Program
	old      map[uint32]Program
	relisted bool // since begin
	value    bpf.OwnerExecutable
}

func newExecutables(p *programs) executables {
	return executables{programs: p, young: make(map[uint32]Program), old: make(map[uint32]Program)}
}

// begin allows processes to be listed again, once, and has those asked for
// again that were told by a process.
func (e *executables) begin() {
	e.relisted = false
	for owner := range e.young {
		if owner&byProcess != 0 {
			delete(e.young, owner)
		}
	}
}

// list has the kernel describe all processes that it has no description of.
func (e *executables) list() error {
	if e.programs.processes == nil {
		return nil
	}
	r, err := e.programs.processes.Open()
	if err != nil {
		return fmt.Errorf("listing processes: %w", err)
	}
	_, err = io.Copy(io.Discard, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("listing processes: %w", err)
	}
	return nil
}

func (e *executables) program(owner uint32) Program {
	if p, ok := e.young[owner]; ok {
		return p
	}
	p, ok := e.old[owner]
	if !ok {
		p = e.ask(owner)
	}
	if len(e.young) >= generation {
		e.old, e.young = e.young, make(map[uint32]Program, generation)
	}
	e.young[owner] = p
	return p
}

// ask asks the kernel, and once more after it has looked at what runs.
func (e *executables) ask(owner uint32) Program {
	if p, ok := e.lookup(owner); ok {
		return p
	}
	if e.programs.processes == nil && e.programs.initialPIDs && owner&byProcess != 0 {
		p, _ := procProgram(owner &^ byProcess)
		return p
	}
	if e.relisted {
		return Program{}
	}
	e.relisted = true
	if e.list() != nil {
		return Program{} // told once, when it was first tried
	}
	p, _ := e.lookup(owner)
	return p
}

func (e *executables) lookup(owner uint32) (Program, bool) {
	number := owner
	if owner&byProcess != 0 {
		process := owner &^ byProcess
		if e.programs.maps.Running.Lookup(&process, &number) != nil {
			return Program{}, false
		}
	}
	err := e.programs.maps.Executables.Lookup(&number, &e.value)
	if err != nil || e.value.Length == 0 {
		return Program{}, err != nil && !errors.Is(err, ebpf.ErrKeyNotExist)
	}
	return programOf(&e.value), true
}

func programOf(v *bpf.OwnerExecutable) Program {
	path := text(v.Path[:min(int(v.Length), len(v.Path))])
	if v.Cut != 0 {
		path = "…" + path
	}
	var container, pod string
	for i := range v.Groups {
		group := text(v.Groups[i][:])
		if container == "" {
			container = containerOf(group)
		}
		if pod == "" {
			pod = podOf(group)
		}
	}
	return NewProgram(path, container, pod)
}

// text reads a C string.
func text(c []int8) string {
	b := make([]byte, 0, len(c))
	for _, x := range c {
		if x == 0 {
			break
		}
		b = append(b, byte(x))
	}
	return string(b)
}
