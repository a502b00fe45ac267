// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name, gone with its thread and
// its last handle: a test that is killed leaves nothing behind.
type namespace struct {
	t      testing.TB
	handle netns.NsHandle
	path   string // for as long as the test runs
	jobs   chan func()
}

// needRoot skips where namespaces and eBPF are not to be had.
func needRoot(tb testing.TB) {
	tb.Helper()
	if unix.Geteuid() != 0 {
		tb.Skip("needs root: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN")
	}
}

func newNamespace(tb testing.TB) *namespace {
	tb.Helper()
	ns := &namespace{t: tb, jobs: make(chan func())}
	ready := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			ns.handle, err = netns.Get()
		}
		ready <- err
		for job := range ns.jobs {
			job()
		}
	}()
	if err := <-ready; err != nil {
		tb.Fatalf("making a network namespace: %v", err)
	}
	ns.path = fmt.Sprintf("/proc/self/fd/%d", ns.handle)
	tb.Cleanup(func() {
		close(ns.jobs)
		_ = ns.handle.Close()
	})
	ns.do(func() error {
		// Addresses are usable at once: there is nobody to clash with.
		if err := sysctl("ipv6/conf/default/accept_dad", "0"); err != nil {
			return err
		}
		return up("lo")
	})
	return ns
}

// do runs work on the namespace's thread and fails the test on its error.
func (ns *namespace) do(work func() error) {
	ns.t.Helper()
	done := make(chan error, 1)
	ns.jobs <- func() { done <- work() }
	if err := <-done; err != nil {
		ns.t.Fatal(err)
	}
}

func up(name string) error {
	device, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding %s: %w", name, err)
	}
	return netlink.LinkSetUp(device)
}

// world is a node and its pods: each pod has an eth0 whose other end is in the
// node's namespace, which routes between them.
type world struct {
	t    testing.TB
	node *namespace
	pods int
}

// pod is one end. Its addresses are 10.77.N.2 and fd77:N::2.
type pod struct {
	*namespace
	v4, v6 netip.Addr
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	needRoot(tb)
	w := &world{t: tb, node: newNamespace(tb)}
	w.node.do(func() error {
		for _, name := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
			if err := sysctl(name, "1"); err != nil {
				return err
			}
		}
		return nil
	})
	return w
}

func sysctl(name, value string) error {
	fd, err := unix.Open("/proc/sys/net/"+name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening sysctl %s: %w", name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if _, err := unix.Write(fd, []byte(value)); err != nil {
		return fmt.Errorf("setting sysctl %s: %w", name, err)
	}
	return nil
}

func (w *world) addPod() *pod {
	w.t.Helper()
	w.pods++
	n := w.pods
	p := &pod{
		namespace: newNamespace(w.t),
		v4:        netip.AddrFrom4([4]byte{10, 77, byte(n), 2}),
		v6:        netip.MustParseAddr(fmt.Sprintf("fd77:%x::2", n)),
	}
	host := fmt.Sprintf("veth%d", n)
	w.node.do(func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: host}, PeerName: "eth0",
			PeerNamespace: netlink.NsFd(p.handle),
		})
	})
	w.node.do(func() error {
		return configure(host, []string{fmt.Sprintf("10.77.%d.1/24", n), fmt.Sprintf("fd77:%x::1/64", n)}, nil)
	})
	p.do(func() error {
		return configure("eth0",
			[]string{p.v4.String() + "/24", p.v6.String() + "/64"},
			[]string{fmt.Sprintf("10.77.%d.1", n), fmt.Sprintf("fd77:%x::1", n)})
	})
	return p
}

// configure gives an interface addresses and default routes.
func configure(name string, addresses, gateways []string) error {
	device, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding %s: %w", name, err)
	}
	for _, a := range addresses {
		parsed, err := netlink.ParseAddr(a)
		if err != nil {
			return fmt.Errorf("parsing %s: %w", a, err)
		}
		parsed.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(device, parsed); err != nil {
			return fmt.Errorf("adding %s to %s: %w", a, name, err)
		}
	}
	if err := netlink.LinkSetUp(device); err != nil {
		return fmt.Errorf("setting %s up: %w", name, err)
	}
	for _, g := range gateways {
		route := &netlink.Route{LinkIndex: device.Attrs().Index, Gw: netip.MustParseAddr(g).AsSlice()}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("adding the route by %s: %w", g, err)
		}
	}
	return nil
}

// blackhole has the node drop what goes to an address, without a word.
func (w *world) blackhole(a netip.Addr) {
	w.t.Helper()
	w.node.do(func() error {
		return netlink.RouteAdd(&netlink.Route{
			Type: unix.RTN_BLACKHOLE,
			Dst:  &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())},
		})
	})
}

func remove(name string) error {
	device, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding %s: %w", name, err)
	}
	return netlink.LinkDel(device)
}
