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
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"
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
	capabilities uint64 // effective, of this thread
	hasBTF       bool
	release      string
	lacksRing    bool
}

// The capabilities that the agent needs, by number. CAP_SYS_ADMIN stands for
// CAP_BPF and CAP_PERFMON too.
var capabilities = []struct {
	number int
	name   string
}{
	{unix.CAP_BPF, "CAP_BPF"},
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	{unix.CAP_PERFMON, "CAP_PERFMON"},
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
	if v, ok := errors.AsType[*ebpf.VerifierError](err); ok && len(v.Log) > 0 {
		return "a verifier that takes the program", "kernel " + s.release + " says " + strconv.Quote(lastWords(v.Log)) + ": tell the project this line, or use a newer kernel"
	}
	if refused {
		return "permission although the capabilities are there",
			"look at the container's seccomp and AppArmor profiles and at kernel lockdown"
	}
	if s.lacksRing {
		return "BPF ring buffers", "kernel " + s.release + " is too old: the agent needs Linux 6.6 or newer"
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

// lacking names the capabilities that are not there.
func (s system) lacking() []string {
	has := func(n int) bool { return s.capabilities&(1<<n) != 0 }
	var names []string
	for _, c := range capabilities {
		covered := c.number != unix.CAP_NET_ADMIN && has(unix.CAP_SYS_ADMIN)
		if !has(c.number) && !covered {
			names = append(names, c.name)
		}
	}
	return names
}

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
				Advice: "kernel " + release + " is too old: the agent needs Linux 6.6 or newer", Err: err,
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
	s.capabilities = effective()
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	s.hasBTF = err == nil
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		s.release = unix.ByteSliceToString(name.Release[:])
	}
	s.lacksRing = errors.Is(features.HaveMapType(ebpf.RingBuf), ebpf.ErrNotSupported)
	return s
}

// effective reads the thread's capabilities; all of them where /proc does not
// tell, so that none is said to be missing.
func effective() uint64 {
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return ^uint64(0)
	}
	for line := range strings.Lines(string(status)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			if v, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64); err == nil {
				return v
			}
		}
	}
	return ^uint64(0)
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
