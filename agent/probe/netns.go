// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func namespaceName(path string) string {
	if path == "" {
		return "the agent's own network namespace"
	}
	return path
}

// inNetNS runs work in a network namespace. A thread that cannot get back to
// its own is never used again: its goroutine ends locked to it.
func inNetNS(path string, work func() error) error {
	if path == "" {
		return work()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		back, err := enter(path)
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		err = work()
		if back() == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// enter moves the locked thread into a namespace and gives the way back.
func enter(path string) (back func() error, err error) {
	own, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("opening the agent's own network namespace: %w", err)
	}
	target, err := netns.GetFromPath(path)
	if err != nil {
		_ = own.Close()
		return nil, fmt.Errorf("opening the network namespace: %w", err)
	}
	defer func() { _ = target.Close() }()
	if err := netns.Set(target); err != nil {
		_ = own.Close()
		return nil, explainEnter(err)
	}
	return func() error {
		defer func() { _ = own.Close() }()
		return netns.Set(own)
	}, nil
}

// cookie gives the number of the network namespace that the thread is in. The
// kernel never gives it to another one until it is booted again.
func cookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("opening a socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was sent
	c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("asking for the network namespace's cookie (Linux 5.14): %w", err)
	}
	return c, nil
}

// eachNetNS gives the paths of the network namespaces that are known by name
// in the directories or by a process, each once, until visit is satisfied.
func eachNetNS(dirs []string, visit func(path string) (done bool)) error {
	seen := make(map[uint64]struct{})
	look := func(path string) (done bool) {
		var in unix.Statfs_t
		var stat unix.Stat_t
		if unix.Statfs(path, &in) != nil || in.Type != unix.NSFS_MAGIC || unix.Stat(path, &stat) != nil {
			return false // no namespace is mounted there, or the process has ended
		}
		if _, again := seen[stat.Ino]; again {
			return false
		}
		seen[stat.Ino] = struct{}{}
		return visit(path)
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking for network namespaces: %w", err)
		}
		for _, entry := range entries {
			if look(filepath.Join(dir, entry.Name())) {
				return nil
			}
		}
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("looking for network namespaces: %w", err)
	}
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err == nil && look(filepath.Join("/proc", entry.Name(), "ns/net")) {
			return nil
		}
	}
	return nil
}
