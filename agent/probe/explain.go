// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/privilege"
)

// Error is a failure whose cause is known: what is missing and what to do.
type Error struct {
	Doing   string // what failed, as a gerund
	Missing string // the capability or the kernel feature
	Advice  string // what to do
	Err     error  // what the kernel said, in the words of a library; see Unwrap
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: missing %s: %s", e.Doing, e.Missing, e.Advice)
}

func (e *Error) Unwrap() error { return e.Err }

// system is what a cause is looked for in, after something failed.
type system struct {
	capabilities privilege.Set // effective, of this thread
	hasBTF       bool
	release      string
}

// explain says why something failed, where that can be told.
func explain(doing string, err error) error {
	return read().explain(doing, err)
}

func (s system) explain(doing string, err error) error {
	missing, advice := s.cause(err)
	if missing == "" {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return &Error{Doing: doing, Missing: missing, Advice: advice, Err: err}
}

func (s system) cause(err error) (missing, advice string) {
	refused := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
	if lacking := s.lacking(); refused && len(lacking) > 0 {
		return strings.Join(lacking, ", "),
			"run the agent as root, or give its container these capabilities"
	}
	if !s.hasBTF {
		return "BTF",
			"kernel " + s.release + " has no /sys/kernel/btf/vmlinux: use one built with CONFIG_DEBUG_INFO_BTF=y, as the distributions' are"
	}
	if olderThan(s.release, oldestMajor, oldestMinor) {
		return fmt.Sprintf("Linux %d.%d or newer", oldestMajor, oldestMinor), "kernel " + s.release + " is too old: docs/kernels.md says what takes which kernel"
	}
	if v, ok := errors.AsType[*ebpf.VerifierError](err); ok && len(v.Log) > 0 {
		return "a verifier that takes the program", "kernel " + s.release + " says " + strconv.Quote(lastWords(v.Log)) + ": tell the project this line, or use a newer kernel"
	}
	if refused {
		return "permission although the capabilities are there",
			"look at the container's seccomp and AppArmor profiles and at kernel lockdown"
	}
	return "", ""
}

// lastWords is the line in which the verifier says what it does not take: the
// last one but for its statistics.
func lastWords(log []string) string {
	last := log[0]
	for _, line := range log {
		if line != "" && !strings.HasPrefix(line, "processed ") && !strings.HasPrefix(line, "verification time") {
			last = line
		}
	}
	return last
}

// lacking names the required capabilities that are not there.
func (s system) lacking() []string {
	var names []string
	for _, c := range privilege.Lacking(s.capabilities) {
		if c.Required {
			names = append(names, c.Name)
		}
	}
	return names
}

// The oldest kernel that has all that cannot be done without: see the required
// ones in package feature.
const (
	oldestMajor = 5
	oldestMinor = 14
)

// explainTCX says why an attachment failed: a kernel without TCX does not know
// the attach type.
func explainTCX(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EINVAL) {
		release := read().release
		if olderThan(release, 6, 6) {
			return &Error{
				Doing: "attaching by TCX", Missing: "TCX",
				Advice: "kernel " + release + " is too old for it (6.6): give --attach-mode auto or clsact", Err: err,
			}
		}
	}
	return explain("attaching by TCX", err)
}

// explainEnter says why a network namespace could not be entered.
func explainEnter(err error) error {
	if errors.Is(err, unix.EPERM) {
		return &Error{
			Doing: "entering the network namespace", Missing: "CAP_SYS_ADMIN",
			Advice: "run the agent as root, or give its container this capability", Err: err,
		}
	}
	return fmt.Errorf("entering the network namespace: %w", err)
}

func read() system {
	var s system
	held, err := privilege.Held()
	if err != nil {
		held = ^privilege.Set(0) // so that none is said to be missing
	}
	s.capabilities = held
	_, err = os.Stat("/sys/kernel/btf/vmlinux")
	s.hasBTF = err == nil
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		s.release = unix.ByteSliceToString(name.Release[:])
	}
	return s
}

// olderThan compares a kernel release such as 6.1.0-18-amd64; one that cannot
// be read is not older.
func olderThan(release string, major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(release, "%d.%d", &a, &b); err != nil {
		return false
	}
	return a < major || a == major && b < minor
}
