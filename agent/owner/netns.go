// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Cookie gives the cookie of a network namespace, by a path such as
// /proc/self/fd/N; empty for the process's own. The cookie is never given again as long as the kernel runs.
func Cookie(path string) (uint64, error) {
	if path == "" {
		return ownCookie()
	}
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return 0, fmt.Errorf("opening the network namespace: %w", err)
	}
	defer func() { _ = ns.Close() }() // only a handle
	type answer struct {
		cookie uint64
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		runtime.LockOSThread()
		own, err := netns.Get()
		if err != nil {
			runtime.UnlockOSThread()
			done <- answer{0, fmt.Errorf("opening the agent's own network namespace: %w", err)}
			return
		}
		defer func() { _ = own.Close() }() // only a handle
		var a answer
		if a.err = netns.Set(ns); a.err == nil {
			a.cookie, a.err = ownCookie()
		}
		if netns.Set(own) == nil {
			runtime.UnlockOSThread() // else the thread ends with its goroutine
		}
		done <- a
	}()
	a := <-done
	return a.cookie, a.err
}

// ownCookie asks a socket of the calling thread's namespace.
func ownCookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("opening a socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("asking for the namespace's cookie (Linux 5.14): %w", err)
	}
	return cookie, nil
}
