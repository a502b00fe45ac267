// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package worldtest is what tests of the demo share: the machine for
// themselves, the capabilities that they need, and a listing of all that a
// demo could leave behind.
package worldtest

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// folder is this source file's own, which each checkout has.
func folder(t *testing.T) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("no caller information in this build")
	}
	return filepath.Dir(file)
}

// Machine is the machine as a test found it.
type Machine struct{ before []string }

// Alone waits until no other test runs a demo, and keeps others waiting until
// the test ends. It skips where network namespaces cannot be made.
func Alone(t *testing.T) Machine {
	t.Helper()
	needNamespaces(t)
	lock, err := os.Open(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() }) // which unlocks it
	return Machine{before: listing(t)}
}

func needNamespaces(t *testing.T) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	for name, bit := range map[string]uint{"CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN} {
		if data[0].Effective&(1<<bit) == 0 {
			t.Skipf("needs %s to make network namespaces", name)
		}
	}
}

// Left names what was not there when the test began: namespaces and their
// mounts, links, files, processes. It is empty when all is taken down.
func (m Machine) Left(t *testing.T) string {
	t.Helper()
	left := slices.DeleteFunc(listing(t), func(name string) bool { return slices.Contains(m.before, name) })
	return strings.Join(left, "\n")
}

// listing names everything of a demo's that is on the machine.
func listing(t *testing.T) []string {
	t.Helper()
	patterns := []string{
		"/run/netns/ncd*", "/run/netcinch-demo*", "/sys/class/net/ncd*",
		filepath.Join(os.TempDir(), "netcinch-demo-*"), "/sys/fs/bpf/netcinch*",
	}
	var found []string
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, names...)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, "/ncd-") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return append(found, Processes(t, filepath.Join(os.TempDir(), "netcinch-demo-"))...)
}

// Processes lists the processes whose executable's path has the text in it.
func Processes(t *testing.T, text string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range links {
		exe, err := os.Readlink(link)
		if err == nil && strings.Contains(exe, text) { // an error: it has ended
			found = append(found, link+" "+exe)
		}
	}
	slices.Sort(found)
	return found
}
