// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forgetStart gives back what only the start needed: the kernel's types, which
// were read to load the programs, and the pages of the program's file that the
// start alone ran through. Those that are needed again come from the page cache.
func forgetStart() {
	debug.FreeOSMemory()
	own, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return // then they stay
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		if start, length, ok := fileMapping(line, own); ok {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, start, length, unix.MADV_DONTNEED) // advice
		}
	}
}

// fileMapping reads a line of /proc/PID/maps that is a part of the file and
// cannot be written: its pages are what the file has.
func fileMapping(line, file string) (start, length uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || fields[5] != file || len(fields[1]) != 4 || fields[1][0] != 'r' || fields[1][1] != '-' {
		return 0, 0, false
	}
	from, to, found := strings.Cut(fields[0], "-")
	first, err := strconv.ParseUint(from, 16, 64)
	last, failed := strconv.ParseUint(to, 16, 64)
	if !found || err != nil || failed != nil || last <= first {
		return 0, 0, false
	}
	return uintptr(first), uintptr(last - first), true
}
