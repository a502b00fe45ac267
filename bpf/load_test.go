// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
)

// needBPF skips where programs cannot be loaded.
func needBPF(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux: eBPF")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")
	}
}

// loaded is the flow program of one attachment, without an interface.
type loaded struct {
	FlowPrograms
	FlowMaps
}

// load loads it with a slot and map size; asks conntrack where told to.
func load(t testing.TB, slot, maxFlows uint32, conntrack uint8) *loaded {
	t.Helper()
	return loadSized(t, slot, maxFlows, 1<<20, conntrack)
}

func loadSized(t testing.TB, slot, maxFlows, ringBytes uint32, conntrack uint8) *loaded {
	t.Helper()
	needBPF(t)
	spec, err := LoadFlow()
	if err != nil {
		t.Fatal(err)
	}
	spec.Maps[FlowMapFlows4].MaxEntries = maxFlows
	spec.Maps[FlowMapFlows6].MaxEntries = maxFlows
	spec.Maps[FlowMapEvents].MaxEntries = ringBytes
	for variable, value := range map[*ebpf.VariableSpec]any{
		spec.Variables[FlowVarSlot]: slot, spec.Variables[FlowVarConntrack]: conntrack,
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
