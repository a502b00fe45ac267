// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
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
