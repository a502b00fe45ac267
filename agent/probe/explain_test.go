// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/agent/privilege"
)

func TestExplain(t *testing.T) {
	const all = ^privilege.Set(0)
	without := func(caps ...int) privilege.Set {
		v := all
		for _, c := range caps {
			v &^= 1 << c
		}
		return v
	}
	for _, test := range []struct {
		name   string
		system system
		err    error
		want   string
	}{
		{
			"no CAP_BPF",
			system{without(unix.CAP_BPF, unix.CAP_SYS_ADMIN), true, "6.18.1"},
			unix.EPERM,
			"missing CAP_BPF: run the agent as root",
		},
		{
			"CAP_SYS_ADMIN stands for it",
			system{without(unix.CAP_BPF), true, "6.18.1"},
			unix.EPERM,
			"seccomp",
		},
		{
			"nothing",
			system{0, true, "6.18.1"},
			fmt.Errorf("load program: %w", unix.EPERM),
			"missing CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON: ",
		},
		{"nothing comes before no BTF", system{0, false, "6.18.1"}, unix.EPERM, "missing CAP_BPF"},
		{
			"no BTF",
			system{all, false, "6.1.0"},
			errors.New("no BTF found"),
			"missing BTF: kernel 6.1.0 has no /sys/kernel/btf/vmlinux",
		},
		{"too old", system{all, true, "5.10.0"}, unix.EINVAL, "missing Linux 5.14 or newer: kernel 5.10.0 is too old"},
		{
			"a verifier's word",
			system{all, true, "6.18.1"},
			fmt.Errorf("load program: %w", &ebpf.VerifierError{Cause: unix.EACCES, Log: []string{"0: (85) call", "R2 type=mem expected=fp", "processed 2 insns"}}),
			"missing a verifier that takes the program: kernel 6.18.1 says \"R2 type=mem expected=fp\": tell",
		},
		{"not known", system{all, true, "6.18.1"}, unix.ENOMEM, "doing it: cannot allocate memory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.system.explain("doing it", test.err)
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q: want one line with %q", err, test.want)
			}
			if test.name != "not known" && strings.Contains(err.Error(), test.err.Error()) {
				t.Errorf("%q says what a library says of it", err)
			}
			if !errors.Is(err, test.err) {
				t.Errorf("%q does not wrap what the kernel said", err)
			}
		})
	}
}

func TestOlderThan(t *testing.T) {
	for release, want := range map[string]bool{
		"6.5.13-1-amd64": true, "5.15.0": true, "6.6.0": false, "6.18.44-x": false, "7.0": false, "odd": false,
	} {
		if got := olderThan(release, 6, 6); got != want {
			t.Errorf("olderThan(%q, 6, 6) = %v", release, got)
		}
	}
}

// withoutCapabilities runs work on a thread of its own that has lost some.
func withoutCapabilities(t *testing.T, work func() error, caps ...int) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&header, &data[0]); err != nil {
			done <- err
			return
		}
		for _, c := range caps {
			data[c/32].Effective &^= 1 << (c % 32)
		}
		if err := unix.Capset(&header, &data[0]); err != nil {
			done <- err
			return
		}
		done <- work()
	}()
	return <-done
}

func needRoot(tb testing.TB) {
	tb.Helper()
	if unix.Geteuid() != 0 {
		tb.Skip("needs root: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN")
	}
}

func open() error {
	s, err := Open(DefaultOptions())
	if err != nil {
		return err
	}
	for _, m := range s.Missing() {
		err = errors.Join(err, fmt.Errorf("%s: %w", m.Feature, m.Err))
	}
	return errors.Join(err, s.Close())
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	needRoot(t)
	for _, test := range []struct {
		name    string
		without []int
		want    string // "" for success
	}{
		{"with all", nil, ""},
		{"with the least", []int{unix.CAP_SYS_ADMIN}, "other network namespaces: "},
		{"without CAP_BPF", []int{unix.CAP_SYS_ADMIN, unix.CAP_BPF}, "missing CAP_BPF: run"},
		{"without CAP_PERFMON", []int{unix.CAP_SYS_ADMIN, unix.CAP_PERFMON}, "missing CAP_PERFMON: run"},
		{"without CAP_NET_ADMIN", []int{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN}, "missing CAP_NET_ADMIN: run"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := withoutCapabilities(t, open, test.without...)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %q: want success", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v: want %q", err, test.want)
			}
		})
	}
}

// TestWithoutConntrack loads what a kernel without the look-up gets.
func TestWithoutConntrack(t *testing.T) {
	needRoot(t)
	o := DefaultOptions()
	o.NoConntrack = true
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if m := s.Missing(); len(m) != 1 || m[0].Feature != feature.Conntrack.Name {
		t.Errorf("missing %+v: want conntrack alone", m)
	}
	err = withoutCapabilities(t, func() error { // on a thread and in a namespace of its own
		if failed := unix.Unshare(unix.CLONE_NEWNET); failed != nil {
			return failed
		}
		hook, failed := s.Attach("", "lo")
		if failed != nil {
			return failed
		}
		return hook.Close()
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAttachNamesWhatIsWrong(t *testing.T) {
	needRoot(t)
	s, err := Open(DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, test := range []struct {
		name, netns, ifname string
		without             []int
		want                string
	}{
		{"no namespace", "/run/netns/none-of-this-name", "eth0", nil, "attaching to eth0 in /run/netns/none-of-this-name: opening the network namespace"},
		{"no interface", "", "none", nil, "attaching to none in the agent's own network namespace: finding interface none"},
		{"may not enter", "/proc/self/ns/net", "lo", []int{unix.CAP_SYS_ADMIN}, "missing CAP_SYS_ADMIN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := withoutCapabilities(t, func() error {
				if len(test.without) > 0 {
					_, err := enter(test.netns)
					return err
				}
				_, err := s.Attach(test.netns, test.ifname)
				return err
			}, test.without...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v: want %q", err, test.want)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{}, "flow map's size is 0"},
		{Options{MaxFlows: 1, RingBytes: 5000}, "ring buffer's size is 5000"},
		{Options{MaxFlows: 1, RingBytes: 2048}, "ring buffer's size is 2048"},
	} {
		if _, err := Open(test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v: want %q", test.options, err, test.want)
		}
	}
}
