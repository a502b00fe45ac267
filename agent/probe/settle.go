// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// errNoCache says why flows are not counted by CPU.
var errNoCache = errors.New("flows are counted in the shared map only")

// mayCache says whether flows can be counted by CPU: only where user space can
// have the counts settled on every CPU, with softirqs off while that runs.
func mayCache() error {
	release := read().release
	if olderThan(release, 6, 11) {
		return fmt.Errorf("%w: kernel %s runs test programs with softirqs on; 6.11 and newer do not", errNoCache, release)
	}
	if _, err := os.Stat("/sys/kernel/realtime"); err == nil {
		return fmt.Errorf("%w: on a realtime kernel packets interrupt each other", errNoCache)
	}
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return fmt.Errorf("%w: reading the CPUs that the agent may run on: %w", errNoCache, err)
	}
	cpus, err := onlineCPUs()
	if err != nil {
		return fmt.Errorf("%w: %w", errNoCache, err)
	}
	for _, cpu := range cpus {
		if !allowed.IsSet(cpu) {
			return fmt.Errorf("%w: the agent may not run on CPU %d", errNoCache, cpu)
		}
	}
	return nil
}

func onlineCPUs() ([]int, error) {
	list, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, fmt.Errorf("reading the list of CPUs: %w", err)
	}
	return parseCPUs(strings.TrimSpace(string(list)))
}

// parseCPUs reads the kernel's list form: "0-3,5".
func parseCPUs(list string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, err := strconv.ParseUint(low, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("reading the list of CPUs %q: %w", list, err)
		}
		last, err := strconv.ParseUint(high, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("reading the list of CPUs %q: %w", list, err)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, int(cpu))
		}
	}
	return cpus, nil
}

// Settle brings what was counted by CPU into the flow maps. It runs a program
// on each CPU in turn and takes some 20 µs for each.
func (s *Set) Settle() error {
	if s.flush == nil {
		return nil
	}
	cpus, err := onlineCPUs()
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		var own unix.CPUSet
		if err := unix.SchedGetaffinity(0, &own); err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("reading the thread's CPUs: %w", err)
			return
		}
		err := settleOn(cpus, s.flush)
		if unix.SchedSetaffinity(0, &own) == nil {
			runtime.UnlockOSThread() // else the thread ends with its goroutine
		}
		done <- err
	}()
	return <-done
}

func settleOn(cpus []int, flush *ebpf.Program) error {
	frame := make([]byte, 64)
	for _, cpu := range cpus {
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("settling the counts of CPU %d: %w", cpu, err)
		}
		if _, err := flush.Run(&ebpf.RunOptions{Data: frame}); err != nil {
			return fmt.Errorf("settling the counts of CPU %d: %w", cpu, err)
		}
	}
	return nil
}
