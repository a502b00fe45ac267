// SPDX-License-Identifier: Apache-2.0

//go:build linux

package status

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// maxDescriptors bounds how many of the process's files are looked at.
const maxDescriptors = 1 << 16

// Programs gives the programs that this process holds, by name: those whose
// file is open, and those of its links where the kernel lets it look them up
// (CAP_SYS_ADMIN); others of a link's kind are told by that.
func Programs() ([]Program, error) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil, fmt.Errorf("listing the agent's programs: %w", err)
	}
	names, err := dir.Readdirnames(maxDescriptors)
	if err = errors.Join(err, dir.Close()); err != nil {
		return nil, fmt.Errorf("listing the agent's programs: %w", err)
	}
	found := inventory{}
	for _, name := range names {
		target, err := os.Readlink("/proc/self/fd/" + name)
		if err != nil {
			continue // the directory's own, closed by now
		}
		fd, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		switch {
		case target == "anon_inode:bpf-prog":
			found.program(fd)
		case strings.HasPrefix(target, "anon_inode:bpf_link") || strings.HasPrefix(target, "anon_inode:[bpf_link") || target == "anon_inode:bpf-link":
			found.link(fd)
		}
	}
	return found.sorted(), nil
}

// inventory is what was found: how often each is attached.
type inventory map[Program]int

// program counts a program that is held, attached or not.
func (i inventory) program(fd int) {
	p, err := ebpf.NewProgramFromFD(duplicate(fd))
	if err != nil {
		return // closed meanwhile
	}
	defer func() { _ = p.Close() }() // of a duplicate
	info, err := p.Info()
	if err != nil {
		return
	}
	i[Program{Name: info.Name, Type: info.Type.String()}] += 0
}

// link counts an attachment of a program.
func (i inventory) link(fd int) {
	l, err := link.NewFromFD(duplicate(fd))
	if err != nil {
		return // closed meanwhile
	}
	defer func() { _ = l.Close() }() // of a duplicate
	info, err := l.Info()
	if err != nil {
		return
	}
	named := Program{Type: fmt.Sprint(info.Type)}
	if p, err := ebpf.NewProgramFromID(info.Program); err == nil {
		if of, err := p.Info(); err == nil {
			named = Program{Name: of.Name, Type: of.Type.String()}
		}
		_ = p.Close() // only looked at
	}
	i[named]++
}

func duplicate(fd int) int {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return n
}

func (i inventory) sorted() []Program {
	all := make([]Program, 0, len(i))
	for p, n := range i {
		p.Attached = n
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Program) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	return all
}
