// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"errors"

	"github.com/cilium/ebpf"
)

// SeesInitialPIDs is as in the package.
func SeesInitialPIDs() bool { return seesInitialPIDs() }

// WithoutPrograms makes a kernel of this one that lets nothing be followed or
// listed.
func (t *Tracker) WithoutPrograms() {
	p := t.programs
	for _, l := range p.links {
		_ = l.Close()
	}
	_, _ = p.processes.Close(), p.sockets.Close()
	p.links, p.processes, p.sockets = nil, nil, nil
	var process, number uint32
	var gone []uint32
	for entries := p.maps.Running.Iterate(); entries.Next(&process, &number); {
		gone = append(gone, process)
	}
	for _, process := range gone {
		if err := p.maps.Running.Delete(&process); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			panic(err)
		}
	}
	clear(t.executables.young)
	clear(t.executables.old)
	t.sockets.stale.Store(true)
}
