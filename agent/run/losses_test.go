// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"testing"

	"github.com/netcinch/netcinch/agent/export"
)

// ofExporter are the causes that the exporter counts, and adds to the next
// batch by itself: its own tests hold it to that.
var ofExporter = map[string]func(*export.Counts){
	"invalid_edge":   func(c *export.Counts) { c.InvalidEdges++ },
	"spool_overflow": func(c *export.Counts) { c.SpoolOverflow++ },
	"spool_damaged":  func(c *export.Counts) { c.SpoolDamaged++ },
	"refused":        func(c *export.Counts) { c.Refused = map[string]uint64{"implausible": 1} },
}

// TestEachLossIsReported has one thing lost of each cause: what /metrics tells
// is in the batch, too, once.
func TestEachLossIsReported(t *testing.T) {
	lose := map[string]func(*Status){
		"detached":       func(s *Status) { s.AttachFailures++ },
		"unparsed":       func(s *Status) { s.Capture.Unparsed++ },
		"map_full":       func(s *Status) { s.Capture.LostPackets++ },
		"dns_ring_full":  func(s *Status) { s.Capture.DNSLost++ },
		"dns_unparsed":   func(s *Status) { s.Capture.DNSUnparsed++ },
		"names_full":     func(s *Status) { s.Aggregate.NamesFull++ },
		"conntrack_full": func(s *Status) { s.Conntrack.Full++ },
		"restart":        func(s *Status) { s.LostBefore++ },
		"sockets_full":   func(s *Status) { s.Owners.SocketsFull++ },
		"drops_full":     func(s *Status) { s.Drops.Lost++ },
		"unattributed":   func(s *Status) { s.Aggregate.Unattributed++ },
	}
	for _, l := range losses {
		t.Run(l.cause, func(t *testing.T) {
			if one, exporters := ofExporter[l.cause]; exporters {
				var c export.Counts
				one(&c)
				if n := l.count(&Status{}, &c); n != 1 || l.count(&Status{}, &export.Counts{}) != 0 {
					t.Errorf("/metrics tells %d, want 1", n)
				}
				return
			}
			one, known := lose[l.cause]
			if !known {
				t.Fatal("a cause that nothing here loses by")
			}
			var s Status
			one(&s)
			if n := l.count(&s, &export.Counts{}); n != 1 {
				t.Errorf("/metrics tells %d, want 1", n)
			}
			if r := reportable(s); r.MapFull+r.RingFull+r.Unattributed+r.Unparsed+r.Detached != 1 {
				t.Errorf("the batch tells %+v, want 1", r)
			}
		})
	}
}
