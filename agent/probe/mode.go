// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/bpf"
)

// Mode is how interfaces are attached to.
type Mode uint32

// The modes. Auto stands for the first of the others that works here.
const (
	Auto    Mode = iota
	PodTCX       // by TCX, at the pod's side of its pair: sees everything, whatever the CNI does on the host's side
	HostTCX      // by TCX, at the host's side: needs no other namespace, misses what a CNI redirects past it
	Clsact       // by a clsact filter, at the pod's side: for kernels before 6.6
)

var modeNames = [...]string{Auto: "auto", PodTCX: "pod-tcx", HostTCX: "host-tcx", Clsact: "clsact"}

func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode %d", uint32(m))
}

// ParseMode reads a mode's name.
func ParseMode(name string) (Mode, error) {
	for m, n := range modeNames {
		if n == name {
			return Mode(m), nil
		}
	}
	return 0, fmt.Errorf("attach mode %q: want auto, pod-tcx, host-tcx or clsact", name)
}

// choose tries what was asked for, or one after the other.
func (s *Set) choose(want Mode) (Mode, error) {
	entering := mayEnter()
	tcx := s.try(attachOnceTCX)
	switch {
	case tcx != nil && (want == PodTCX || want == HostTCX):
		return want, explainTCX(tcx)
	case want == HostTCX || want == PodTCX && entering == nil:
		return want, nil
	case want == Auto && tcx == nil && entering == nil:
		return PodTCX, nil
	case want == Auto && tcx == nil:
		s.missing = append(s.missing, feature.OtherNamespaces.Without(entering))
		return HostTCX, nil
	case entering != nil:
		return want, explainEnter(entering)
	}
	if err := s.try(attachOnceClsact); err != nil {
		return Clsact, errors.Join(explainTCX(tcx), explain("attaching by a clsact filter", err))
	}
	if want == Auto {
		s.missing = append(s.missing, feature.TCX.Without(tcx))
	}
	return Clsact, nil
}

// mayEnter says whether network namespaces can be entered, by entering our own.
func mayEnter() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := netns.Get()
	if err != nil {
		return fmt.Errorf("opening the agent's own network namespace: %w", err)
	}
	defer func() { _ = own.Close() }() // only a handle
	return netns.Set(own)
}

// try attaches a program that does nothing to the loopback interface: of a
// namespace made for it, or else of our own.
func (s *Set) try(attach func(index int, p *ebpf.Program) error) error {
	program, err := ebpf.NewProgram(s.spec.Programs[bpf.FlowProgFlowEmpty].Copy())
	if err != nil {
		return explain("loading the empty program", err)
	}
	defer func() { _ = program.Close() }() // attached nowhere
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Unshare(unix.CLONE_NEWNET) != nil {
			runtime.UnlockOSThread() // else the thread, and with it the namespace, ends with the goroutine
		}
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = attach(lo.Attrs().Index, program)
		}
		done <- err
	}()
	return <-done
}

func attachOnceTCX(index int, p *ebpf.Program) error {
	l, err := link.AttachTCX(link.TCXOptions{Interface: index, Program: p, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return err
	}
	return l.Close()
}

func attachOnceClsact(index int, p *ebpf.Program) error {
	f := filterOf(index, Ingress, p)
	if err := attachFilter(f); err != nil {
		return err
	}
	return detachFilter(f)
}
