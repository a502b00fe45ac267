// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package nodetest makes a node with pods out of network namespaces, for tests:
// one namespace is the node, one each a pod, joined by veth pairs and routed
// as a CNI plugin does it. Nothing outside of these namespaces is touched, and
// all of it is gone when the test ends.
package nodetest

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Node is a node under test.
type Node struct {
	Path    string // of its network namespace
	PodsDir string // where the pods' network namespaces are: what --netns-dir is for

	t     testing.TB
	ns    netns.NsHandle
	links int // made so far: gives each host side its name
}

// The pods' way out, on the node's side of each pair.
var (
	gateway4 = netip.MustParseAddr("169.254.1.1")
	gateway6 = netip.MustParseAddr("fe80::1")
)

// New makes a node without pods. The test is skipped, and says why, where
// namespaces cannot be made.
func New(tb testing.TB) *Node {
	tb.Helper()
	n := &Node{t: tb, PodsDir: filepath.Join(tb.TempDir(), "netns")}
	if err := os.Mkdir(n.PodsDir, 0o700); err != nil {
		tb.Fatal(err)
	}
	n.Path = filepath.Join(tb.TempDir(), "node")
	n.ns = newNamespace(tb, n.Path)
	n.must(n.Do(func() error {
		for _, f := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
			if err := writeSysctl(f, "1"); err != nil {
				return err
			}
		}
		return nil
	}))
	return n
}

// writeSysctl sets a value of the calling thread's network namespace.
func writeSysctl(name, value string) error {
	return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0)
}

func (n *Node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// newNamespace makes a network namespace and keeps it under a path.
func newNamespace(tb testing.TB, path string) netns.NsHandle {
	tb.Helper()
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
		made <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return unix.Mount(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), path, "", unix.MS_BIND, "")
		}()
	}()
	if err := <-made; err != nil {
		if os.Geteuid() != 0 {
			tb.Skip("needs root (CAP_SYS_ADMIN) to make network namespaces")
		}
		tb.Fatalf("making a network namespace: %v", err)
	}
	ns, err := netns.GetFromPath(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = ns.Close()
		unmount(path)
	})
	if err := in(ns, upLoopback); err != nil {
		tb.Fatal(err)
	}
	return ns
}

func upLoopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

func unmount(path string) {
	_ = unix.Unmount(path, unix.MNT_DETACH) // may be gone already
	_ = os.Remove(path)
}

// Do runs f on a thread in the node's namespace.
func (n *Node) Do(f func() error) error { return in(n.ns, f) }

// in runs f on a thread of its own in a namespace.
func in(ns netns.NsHandle, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
		if err := netns.Set(ns); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}
