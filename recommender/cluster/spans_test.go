// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Whatever snapshots say, two pods at one address included, the spans of an
// address are in order and do not overlap, and they are counted right.
func TestSpansAreDisjoint(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 7))
		h := NewHistory(HistoryOptions{MaxSpans: 40, Keep: 5 * time.Minute})
		for step := range 80 {
			now := start.Add(time.Duration(step) * 20 * time.Second)
			s := &Snapshot{Taken: now}
			for n := range r.IntN(6) {
				p := Pod{
					Namespace: "x", Name: fmt.Sprint("p", r.IntN(8)), IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(4))})},
					Workload: flow.Workload{Namespace: "x", Kind: "Pod", Name: fmt.Sprint(n)}, Finished: r.IntN(4) == 0,
				}
				p.UID = p.Name
				if r.IntN(2) == 0 {
					p.Started = now.Add(-time.Duration(r.IntN(100)) * time.Second)
				}
				if p.Finished && r.IntN(2) == 0 {
					p.Ended = now.Add(-time.Duration(r.IntN(50)) * time.Second)
				}
				s.Pods = append(s.Pods, p)
			}
			h.Observe(s)
			count := 0
			for addr, spans := range h.spans {
				count += len(spans)
				for i, sp := range spans {
					if !sp.lasts() && sp.to.Before(sp.from) {
						t.Fatalf("seed %d step %d: %s span %d ends before it begins: %+v", seed, step, addr, i, sp)
					}
					if i > 0 && (spans[i-1].lasts() || spans[i-1].to.After(sp.from)) {
						t.Fatalf("seed %d step %d: %s spans %d and %d overlap: %+v", seed, step, addr, i-1, i, spans)
					}
				}
			}
			if count != h.count || count > 40+6 {
				t.Fatalf("seed %d step %d: %d spans, counted %d", seed, step, count, h.count)
			}
		}
	}
}
