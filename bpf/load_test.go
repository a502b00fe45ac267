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
func needBPF(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")
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

// load loads it with a slot and map size, counting by CPU; asks conntrack where
// told to.
func load(t testing.TB, slot, maxFlows uint32, conntrack uint8) *loaded {
	t.Helper()
	return loadWith(t, options{slot, maxFlows, 1 << 20, conntrack, 1})
}

func loadWith(t testing.TB, o options) *loaded {
	t.Helper()
	needBPF(t)
	pin(t)
	spec, err := LoadFlow()
	if err != nil {
		t.Fatal(err)
	}
	spec.Maps[FlowMapFlows4].MaxEntries = o.maxFlows
	spec.Maps[FlowMapFlows6].MaxEntries = o.maxFlows
	spec.Maps[FlowMapEvents].MaxEntries = o.ringBytes
	for variable, value := range map[*ebpf.VariableSpec]any{
		spec.Variables[FlowVarSlot]:      o.slot,
		spec.Variables[FlowVarConntrack]: o.conntrack,
		spec.Variables[FlowVarCached]:    o.cached,
	} {
		if err := variable.Set(value); err != nil {
			t.Fatal(err)
		}
	}
	l := new(loaded)
	err = spec.LoadAndAssign(l, nil)
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		t.Fatalf("%+v", verifier)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.FlowPrograms.Close()
		_ = l.FlowMaps.Close()
	})
	for direction, program := range []*ebpf.Program{l.SharedIngress, l.SharedEgress} {
		if err := l.Shared.Put(uint32(direction), program); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// pin keeps the test on one CPU, as packets of one queue are, so that flushing
// there settles all. The thread ends with the test's goroutine.
func pin(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	for cpu := range 1024 {
		if allowed.IsSet(cpu) && one.Count() == 0 {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
}

// flush has what was counted by CPU settled in the flow maps.
func (l *loaded) flush(t testing.TB) {
	t.Helper()
	l.run(t, l.FlowFlush, make([]byte, 64))
}

// run has the program see a packet in one direction.
func (l *loaded) run(t testing.TB, p *ebpf.Program, frame []byte) {
	t.Helper()
	verdict, err := p.Run(&ebpf.RunOptions{Data: frame})
	if err != nil {
		t.Fatal(err)
	}
	if int32(verdict) != -1 {
		t.Fatalf("verdict %d: want TCX_NEXT", int32(verdict))
	}
}
