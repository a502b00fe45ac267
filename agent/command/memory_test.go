// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"fmt"
	"os"
	"testing"
)

func TestFileMapping(t *testing.T) {
	for line, want := range map[string]struct {
		start, length uintptr
		ok            bool
	}{
		"00400000-00500000 r-xp 00000000 fe:00 123    /bin/agent\n": {0x400000, 0x100000, true},
		"00500000-00501000 r--p 00100000 fe:00 123    /bin/agent\n": {0x500000, 0x1000, true},
		"00501000-00502000 rw-p 00101000 fe:00 123    /bin/agent\n": {}, // written to: its pages are its own
		"00400000-00500000 r-xp 00000000 fe:00 124    /bin/other\n": {},
		"c000000000-c000400000 rw-p 00000000 00:00 0 \n":            {},
		"00500000-00400000 r-xp 00000000 fe:00 123    /bin/agent\n": {},
		"x-y r-xp 00000000 fe:00 123    /bin/agent\n":               {},
		"\n": {},
	} {
		start, length, ok := fileMapping(line, "/bin/agent")
		if start != want.start || length != want.length || ok != want.ok {
			t.Errorf("%q: %x, %x, %v: want %+v", line, start, length, ok, want)
		}
	}
}

// TestForgetStart: the program goes on after it, and calls what it called before.
func TestForgetStart(t *testing.T) {
	before := pages(t)
	forgetStart()
	if after := pages(t); after >= before {
		t.Errorf("%d pages of files before, %d after", before, after)
	}
}

// pages are those of files that are resident.
func pages(t *testing.T) (shared int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(text), &size, &resident, &shared); err != nil {
		t.Fatal(err)
	}
	return shared
}
