// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"testing"

	"github.com/cilium/ebpf"
)

// TestLicenses: each object says under which licence its programs are, which
// the kernel asks for before it lets them call what is open to the GPL only.
func TestLicenses(t *testing.T) {
	for name, load := range map[string]func() (*ebpf.CollectionSpec, error){"Connect": LoadConnect, "Drops": LoadDrops, "Flow": LoadFlow, "Owner": LoadOwner} {
		spec, err := load()
		if err != nil {
			t.Fatal(err)
		}
		for program, p := range spec.Programs {
			if p.License != "Dual BSD/GPL" {
				t.Errorf("%s, program %s: licence %q", name, program, p.License)
			}
		}
		if len(spec.Programs) == 0 {
			t.Errorf("%s has no programs", name)
		}
	}
}
