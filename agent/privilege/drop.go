// SPDX-License-Identifier: Apache-2.0

//go:build linux

package privilege

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lastCapability is the highest number that the bounding set is asked for;
// kernels answer with an error for those that they do not know.
const lastCapability = 63

// ErrThreads says that the program was built with cgo, which keeps Go from
// changing all threads at once. Nothing was dropped.
var ErrThreads = errors.New("built with cgo: privileges stay as they are")

// Drop gives up every capability but those to keep, for all threads and for
// good: from the effective, permitted, inheritable and ambient sets, and from
// the bounding set where CAP_SETPCAP is held. No program that is run later
// gets any.
func Drop(keep Set) error {
	if err := prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return fmt.Errorf("giving up new privileges: %w", err)
	}
	if err := prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return fmt.Errorf("giving up ambient capabilities: %w", err)
	}
	held, err := Held()
	if err != nil {
		return err
	}
	if held.Has(unix.CAP_SETPCAP) {
		for n := range lastCapability + 1 {
			known, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0)
			if err != nil {
				break // one that this kernel does not know
			}
			if known == 0 || keep.Has(n) {
				continue
			}
			if err := prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0); err != nil {
				return fmt.Errorf("dropping capability %d from the bounding set: %w", n, err)
			}
		}
	}
	return set(keep & held)
}

// set makes these the effective and permitted capabilities of all threads.
func set(s Set) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3} // pid 0: each thread itself
	low, high := uint32(s), uint32(s>>32)
	data := [2]unix.CapUserData{{Effective: low, Permitted: low}, {Effective: high, Permitted: high}}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return fmt.Errorf("dropping capabilities: %w", errno)
	}
	return nil
}

// prctl sets something of every thread.
func prctl(option, value, third uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, option, value, third, 0, 0, 0)
	if errno == unix.ENOTSUP {
		return ErrThreads
	}
	if errno != 0 {
		return errno
	}
	return nil
}
