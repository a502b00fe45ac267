// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is what the process has used, which other processes on the machine
// change less than they change the time that passed.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkDrain drains 50,000 flows: all idle, and all with something new.
func BenchmarkDrain(b *testing.B) {
	const n = 50_000
	for _, bench := range []struct {
		name string
		busy bool
	}{{"nothing new", false}, {"all new", true}} {
		b.Run(bench.name, func(b *testing.B) {
			c := watch(b, nil)
			keys, values := make([]key4, n), make([]entry4, n)
			for i := range n {
				e := crafted{
					local: "10.0.0.2:40000", remote: "10.0.0.3:80", protocol: 6, slot: Slot(i + 1),
					state: begunTCP, opened: 1,
				}
				key, value := e.bytes(c.clock.read())
				keys[i], values[i] = key4(key), entry4(entryOf(value))
			}
			update := func() {
				for i := range values {
					values[i][0]++
				}
				if _, err := c.set.Flows4.BatchUpdate(keys, values, nil); err != nil {
					b.Fatal(err)
				}
			}
			update()
			records := 0
			flush(b, c)
			var spent time.Duration
			for b.Loop() {
				if bench.busy {
					update()
				}
				start := cpuTime(b)
				if err := c.Drain(b.Context(), func(*Record) { records++ }); err != nil {
					b.Fatal(err)
				}
				spent += cpuTime(b) - start
			}
			if bench.busy != (records > 0) {
				b.Fatalf("%d records", records)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(spent)/float64(b.N)/n, "cpu-ns/flow")
		})
	}
}

// BenchmarkDrainEmpty is a drain on a node on which nothing happens: without any
// flow, and with one.
func BenchmarkDrainEmpty(b *testing.B) {
	for name, flows := range map[string]int{"none": 0, "one": 1} {
		b.Run(name, func(b *testing.B) {
			c := watch(b, nil)
			for range flows {
				e := crafted{local: "10.0.0.2:40000", remote: "10.0.0.3:80", protocol: 6, slot: 1, state: begunTCP, opened: 1}
				e.enter(b, c)
			}
			var spent time.Duration
			for b.Loop() {
				start := cpuTime(b)
				if err := c.Drain(b.Context(), func(*Record) {}); err != nil {
					b.Fatal(err)
				}
				spent += cpuTime(b) - start
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-µs/drain")
		})
	}
}

// BenchmarkEnd drains flows that are over: each leaves the kernel's map.
func BenchmarkEnd(b *testing.B) {
	const n = 10_000
	c := watch(b, nil)
	var spent time.Duration
	for b.Loop() {
		keys, values := make([]key4, n), make([]entry4, n)
		for i := range n {
			e := crafted{
				local: "10.0.0.2:40000", remote: "10.0.0.3:80", protocol: 6, slot: Slot(i + 1),
				state: begunTCP | lateFlags, opened: 1, first: time.Minute, last: time.Minute,
			}
			key, value := e.bytes(c.clock.read())
			keys[i], values[i] = key4(key), entry4(entryOf(value))
		}
		if _, err := c.set.Flows4.BatchUpdate(keys, values, nil); err != nil {
			b.Fatal(err)
		}
		records := 0
		start := cpuTime(b)
		if err := c.Drain(b.Context(), func(*Record) { records++ }); err != nil {
			b.Fatal(err)
		}
		spent += cpuTime(b) - start
		if records != n {
			b.Fatalf("%d records of %d flows", records, n)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(spent)/float64(b.N)/n, "cpu-ns/flow")
}

// BenchmarkAttach attaches to one interface and detaches, over and over.
func BenchmarkAttach(b *testing.B) {
	w := newWorld(b)
	p := w.addPod()
	c := watch(b, nil)
	for b.Loop() {
		if err := c.Detach(attach(b, c, p)); err != nil {
			b.Fatal(err)
		}
	}
}
