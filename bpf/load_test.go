// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// needBPF skips where programs cannot be loaded.
func needBPF(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root: CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")
	}
}

// loaded is the flow program of one attachment, without an interface.
type loaded struct {
	FlowPrograms
	FlowMaps
}

// options are what a program is loaded with.
type options struct {
	slot, maxFlows, ringBytes uint32
	conntrack, cached         uint8
}

// load loads it with the tests' slot and a map size, counting by CPU; asks conntrack where
// told to.
func load(tb testing.TB, maxFlows uint32, conntrack uint8) *loaded {
	tb.Helper()
	return loadWith(tb, options{testSlot, maxFlows, 1 << 20, conntrack, 1})
}

func loadWith(tb testing.TB, o options) *loaded {
	tb.Helper()
	needBPF(tb)
	pin(tb)
	spec, err := LoadFlow()
	if err != nil {
		tb.Fatal(err)
	}
	spec.Maps[FlowMapFlows4].MaxEntries = o.maxFlows
	spec.Maps[FlowMapFlows6].MaxEntries = o.maxFlows
	spec.Maps[FlowMapEvents].MaxEntries = o.ringBytes
	for variable, value := range map[*ebpf.VariableSpec]any{
		spec.Variables[FlowVarSlot]:      o.slot,
		spec.Variables[FlowVarConntrack]: o.conntrack,
		spec.Variables[FlowVarCached]:    o.cached,
	} {
		if err = variable.Set(value); err != nil {
			tb.Fatal(err)
		}
	}
	l := new(loaded)
	err = spec.LoadAndAssign(l, nil)
	if verifier, ok := errors.AsType[*ebpf.VerifierError](err); ok {
		tb.Fatalf("%+v", verifier)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = l.FlowPrograms.Close()
		_ = l.FlowMaps.Close()
	})
	for direction, program := range []*ebpf.Program{l.SharedIngress, l.SharedEgress} {
		if err := l.Shared.Put(uint32(direction), program); err != nil {
			tb.Fatal(err)
		}
	}
	return l
}

// pin keeps the test on one CPU, as packets of one queue are, so that flushing
// there settles all. The thread ends with the test's goroutine.
func pin(tb testing.TB) {
	tb.Helper()
	runtime.LockOSThread()
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		tb.Fatal(err)
	}
	for cpu := range 1024 {
		if allowed.IsSet(cpu) && one.Count() == 0 {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		tb.Fatal(err)
	}
}

// flush has what was counted by CPU settled in the flow maps.
func (l *loaded) flush(tb testing.TB) {
	tb.Helper()
	l.run(tb, l.FlowFlush, make([]byte, 64))
}

// run has the program see a packet in one direction.
func (l *loaded) run(tb testing.TB, p *ebpf.Program, frame []byte) {
	tb.Helper()
	verdict, err := p.Run(&ebpf.RunOptions{Data: frame})
	if err != nil {
		tb.Fatal(err)
	}
	if int32(verdict) != -1 {
		tb.Fatalf("verdict %d: want TCX_NEXT", int32(verdict))
	}
}
