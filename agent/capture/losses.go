// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"fmt"

	"github.com/netcinch/netcinch/bpf"
)

// Losses reads what was lost since the collector was made.
func (c *Collector) Losses() (Losses, error) {
	var perCPU []bpf.FlowLosses
	if err := c.set.LossCounts.Lookup(uint32(0), &perCPU); err != nil {
		return Losses{}, fmt.Errorf("reading the loss counters: %w", err)
	}
	var l Losses
	for _, cpu := range perCPU {
		l.MapFull += cpu.MapFull
		l.LostPackets += cpu.LostPackets
		l.LostBytes += cpu.LostBytes
		l.Unparsed += cpu.Unparsed
		l.DNSLost += cpu.DnsLost
	}
	c.reader.mu.Lock()
	l.LostPackets += c.reader.lost.Packets
	l.LostBytes += c.reader.lost.Bytes
	c.reader.mu.Unlock()
	l.DNSLost += c.reader.dnsLost.Load()
	l.DNSUnparsed = c.reader.dnsUnparsed.Load()
	return l, nil
}
