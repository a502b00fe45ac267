// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// BenchmarkProbe asks the same questions of the engine and of both judges, on
// random clusters of Kubernetes policies: ns and allocations per probe.
func BenchmarkProbe(b *testing.B) {
	type world struct {
		snapshot *cluster.Snapshot
		engine   *policy.Engine
		one      *cyclonus
		two      *upstream
		probes   []policytest.Probe
		asked    []policy.Connection
	}
	var worlds []world
	for seed := range uint64(50) {
		d, s := policytest.KubernetesOnly(seed)
		w := world{snapshot: s, engine: compile(b, s), one: newCyclonus(s), two: newUpstream(b, s), probes: d.Probes(s)}
		for i := range w.probes {
			w.asked = append(w.asked, question(&w.probes[i]))
		}
		if len(w.probes) > 0 {
			worlds = append(worlds, w)
		}
	}
	for _, c := range []struct {
		name string
		ask  func(w *world, at int)
	}{
		{"netcinch", func(w *world, at int) { w.engine.Allowed(w.asked[at]) }},
		{"cyclonus", func(w *world, at int) { w.one.judge(&w.probes[at]) }},
		{"kube-network-policies", func(w *world, at int) { w.two.judge(&w.probes[at]) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			i, before := 0, cpuNanoseconds(b)
			for b.Loop() {
				w := &worlds[i%len(worlds)]
				c.ask(w, i/len(worlds)%len(w.probes))
				i++
			}
			b.ReportMetric(float64(cpuNanoseconds(b)-before)/float64(i), "cpu-ns/op")
		})
	}
}

// cpuNanoseconds is the processor time that the process has used, which a busy
// machine does not stretch.
func cpuNanoseconds(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
