// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/agent/status"
)

// loss is one cause for which something is not recorded.
type loss struct {
	cause, unit, what string
	count             func(s *Status, c *export.Counts) uint64
}

// losses are all causes, in the order of the way from the kernel to the
// recommender. Metrics and status tell each of them, always.
var losses = []loss{
	{"detached", "interfaces", "interfaces that could not be watched", func(s *Status, _ *export.Counts) uint64 { return s.AttachFailures }},
	{"unparsed", "packets", "packets whose headers could not be read", func(s *Status, _ *export.Counts) uint64 { return s.Capture.Unparsed }},
	{"map_full", "packets", "packets that found no room in the flow map, and none in the ring buffer", func(s *Status, _ *export.Counts) uint64 { return s.Capture.LostPackets }},
	{"dns_ring_full", "answers", "DNS answers that found no room in the ring buffer", func(s *Status, _ *export.Counts) uint64 { return s.Capture.DNSLost }},
	{"dns_unparsed", "answers", "DNS answers that could not be read", func(s *Status, _ *export.Counts) uint64 { return s.Capture.DNSUnparsed }},
	{"names_full", "names", "DNS names that found no room in the agent's memory", func(s *Status, _ *export.Counts) uint64 { return s.Aggregate.NamesFull }},
	{"conntrack_full", "connections", "tracked connections that found no room in the agent's memory", func(s *Status, _ *export.Counts) uint64 { return s.Conntrack.Full }},
	{"restart", "interfaces", "interfaces of which a restart lost something, or missed a moment", func(s *Status, _ *export.Counts) uint64 { return s.LostBefore }},
	{"sockets_full", "sockets", "sockets that found no room in the table of listeners and connections", func(s *Status, _ *export.Counts) uint64 { return s.Owners.SocketsFull }},
	{"drops_full", "packets", "packets that the kernel dropped and whose tuple and reason found no room", func(s *Status, _ *export.Counts) uint64 { return s.Drops.Lost }},
	{"unattributed", "edges", "edges whose local end never became a known pod", func(s *Status, _ *export.Counts) uint64 { return s.Aggregate.Unattributed }},
	{"invalid_edge", "edges", "edges that no batch may carry", func(_ *Status, c *export.Counts) uint64 { return c.InvalidEdges }},
	{"spool_overflow", "batches", "batches thrown away because the spool was full", func(_ *Status, c *export.Counts) uint64 { return c.SpoolOverflow }},
	{"spool_damaged", "batches", "batches that could not be read back from the spool", func(_ *Status, c *export.Counts) uint64 { return c.SpoolDamaged }},
	{"refused", "batches", "batches that the recommender refused for good", refusedBatches},
}

func refusedBatches(_ *Status, c *export.Counts) (sum uint64) {
	for _, n := range c.Refused {
		sum += n
	}
	return sum
}

func lossReport(s *Status, c *export.Counts) []status.Loss {
	all := make([]status.Loss, 0, len(losses))
	for _, l := range losses {
		all = append(all, status.Loss{Cause: l.cause, Unit: l.unit, Count: l.count(s, c), What: l.what})
	}
	return all
}

// reportable sorts what the observer has lost so far by the causes that batches
// know. The exporter adds its own.
func reportable(s Status) export.Losses {
	return export.Losses{
		MapFull:      s.Capture.LostPackets,
		RingFull:     s.Capture.DNSLost + s.Capture.DNSUnparsed + s.Aggregate.NamesFull + s.Conntrack.Full + s.Owners.SocketsFull + s.Drops.Lost,
		Unattributed: s.Aggregate.Unattributed,
		Unparsed:     s.Capture.Unparsed,
		Detached:     s.AttachFailures + s.LostBefore,
	}
}
