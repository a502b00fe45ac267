// SPDX-License-Identifier: Apache-2.0

//go:build linux

package dial

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/bpf"
)

// Watch has what the processes of a control group dial written into the map,
// until it is closed.
type Watch struct{ links []link.Link }

// Open attaches to the control group of that path, of the unified hierarchy;
// dialled is the flow program's map.
func Open(group string, dialled *ebpf.Map) (*Watch, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(group, &stat); err != nil {
		return nil, fmt.Errorf("opening the pods' control group (--pods-cgroup): %w", &os.PathError{Op: "statfs", Path: group, Err: err})
	}
	if stat.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil, fmt.Errorf("opening the pods' control group (--pods-cgroup): %s is not in the unified hierarchy (cgroup2)", group)
	}
	spec, err := bpf.LoadConnect()
	if err != nil {
		return nil, fmt.Errorf("reading the programs that follow what is dialled: %w", err)
	}
	spec.Maps[bpf.ConnectMapDialled].MaxEntries = dialled.MaxEntries()
	var programs bpf.ConnectPrograms
	err = spec.LoadAndAssign(&programs, &ebpf.CollectionOptions{
		MapReplacements: map[string]*ebpf.Map{bpf.ConnectMapDialled: dialled},
	})
	if err != nil {
		return nil, fmt.Errorf("loading the programs that follow what is dialled: %w", err)
	}
	w := &Watch{}
	for _, p := range []struct {
		program *ebpf.Program
		where   ebpf.AttachType
	}{
		{programs.OnConnect4, ebpf.AttachCGroupInet4Connect},
		{programs.OnConnect6, ebpf.AttachCGroupInet6Connect},
		{programs.OnSend4, ebpf.AttachCGroupUDP4Sendmsg},
		{programs.OnSend6, ebpf.AttachCGroupUDP6Sendmsg},
	} {
		l, err := link.AttachCgroup(link.CgroupOptions{Path: group, Attach: p.where, Program: p.program})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("attaching to the pods' control group %s: %w", group, err), w.Close(), programs.Close())
		}
		w.links = append(w.links, l)
	}
	return w, programs.Close() // the links hold them
}

// Close stops writing down.
func (w *Watch) Close() error {
	var errs []error
	for _, l := range w.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
