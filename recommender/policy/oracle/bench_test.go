// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"testing"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// BenchmarkProbe asks the same questions, in the same order, of the engine and of
// both judges, on random clusters of Kubernetes policies: ns and allocations per
// probe. Each has its policies compiled and its form of the questions made
// before the clock starts. "none" is the loop without an answer.
func BenchmarkProbe(b *testing.B) {
	type world struct {
		engine *policy.Engine
		one    *cyclonus
		two    *upstream
		asked  []policy.Connection
		first  [][]*matcher.Traffic
		second []packet
	}
	var worlds []world
	for seed := range uint64(50) {
		d, s := policytest.KubernetesOnly(seed)
		w := world{engine: compile(b, s), one: newCyclonus(s), two: newUpstream(b, s)}
		for _, p := range d.Probes(s) {
			w.asked = append(w.asked, question(&p))
			w.first = append(w.first, w.one.traffic(&p))
			w.second = append(w.second, w.two.packet(&p))
			w.engine.Allowed(question(&p)) // makes what is made when first asked
		}
		if len(w.asked) > 0 {
			worlds = append(worlds, w)
		}
	}
	for _, c := range []struct {
		name string
		ask  func(w *world, at int) (egress, ingress bool)
	}{
		{"none", func(w *world, at int) (bool, bool) { return readOnly(w.asked[at]) }},
		{"netcinch", func(w *world, at int) (bool, bool) { return w.engine.Allowed(w.asked[at]) }},
		{"cyclonus", func(w *world, at int) (bool, bool) { return w.one.allowed(w.first[at]) }},
		{"kube-network-policies", func(w *world, at int) (bool, bool) { return w.two.allowed(&w.second[at]) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			in, at, asked, allowed := 0, 0, 0, 0
			before := cpuNanoseconds(b)
			for b.Loop() {
				if egress, ingress := c.ask(&worlds[in], at); egress && ingress {
					allowed++
				}
				asked++
				if at++; at == len(worlds[in].asked) {
					in, at = (in+1)%len(worlds), 0
				}
			}
			b.ReportMetric(float64(cpuNanoseconds(b)-before)/float64(asked), "cpu-ns/op")
			b.ReportMetric(float64(allowed)/float64(asked), "allowed/op")
		})
	}
}

// readOnly takes a question as Allowed does and gives an answer that is none: what
// the loop itself costs.
//
//go:noinline
func readOnly(c policy.Connection) (egress, ingress bool) {
	return c.From.Pod != c.To.Pod, c.Port != 0 && c.From.Addr != c.To.Addr
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
