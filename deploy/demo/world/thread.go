// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// thread is the one OS thread that enters other network namespaces. Processes
// are started from it, so it must live as long as they do: the kernel kills
// them when the thread that started them ends (PR_SET_PDEATHSIG).
type thread struct {
	jobs chan func()
}

// newThread starts the thread. It ends with stop.
func newThread() *thread {
	t := &thread{jobs: make(chan func())}
	go func() {
		// Never unlocked: a thread that may be left in another namespace must
		// not serve other goroutines; it ends with this one.
		runtime.LockOSThread()
		for job := range t.jobs {
			job()
		}
	}()
	return t
}

func (t *thread) stop() { close(t.jobs) }

// in runs f on the thread, inside the namespace.
func (t *thread) in(ns netns.NsHandle, f func() error) error {
	return t.do(func() error {
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("entering network namespace: %w", err)
		}
		return f()
	})
}

// create makes a named namespace.
func (t *thread) create(name string) (ns netns.NsHandle, err error) {
	err = t.do(func() error {
		ns, err = netns.NewNamed(name)
		if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("creating network namespace %s: %w (needs CAP_SYS_ADMIN)", name, err)
		}
		if err != nil {
			return fmt.Errorf("creating network namespace %s: %w", name, err)
		}
		return nil
	})
	return ns, err
}

// do runs f and comes back to the namespace that the thread was in before.
func (t *thread) do(f func() error) error {
	done := make(chan error)
	t.jobs <- func() {
		home, err := netns.Get()
		if err != nil {
			done <- fmt.Errorf("looking up the own network namespace: %w", err)
			return
		}
		defer home.Close()
		err = f()
		if back := netns.Set(home); back != nil && err == nil {
			err = fmt.Errorf("coming back from a network namespace: %w", back)
		}
		done <- err
	}
	return <-done
}
