// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"fmt"

	"github.com/netcinch/netcinch/bpf"
)

// Losses reads what was lost since the collector was made and, where it goes
// on after another one, since that one last made its state safe.
func (c *Collector) Losses() (Losses, error) {
	l, err := c.kernelLosses()
	if err != nil {
		return Losses{}, err
	}
	c.loss.Lock()
	c.kernel = l
	c.loss.Unlock()
	l.MapFull -= c.base.MapFull
	l.LostPackets -= c.base.LostPackets
	l.LostBytes -= c.base.LostBytes
	l.Unparsed -= c.base.Unparsed
	l.DNSLost -= c.base.DNSLost
	c.reader.mu.Lock()
	l.LostPackets += c.reader.lost.Packets
	l.LostBytes += c.reader.lost.Bytes
	c.reader.mu.Unlock()
	l.DNSLost += c.reader.dnsLost.Load()
	l.DNSUnparsed = c.reader.dnsUnparsed.Load()
	return l, nil
}

// told reads what the ring buffer took.
func (c *Collector) told() (t Told, err error) {
	perCPU, err := c.lossCounts()
	for _, cpu := range perCPU {
		t.Packets += cpu.ToldPackets
		t.Bytes += cpu.ToldBytes
		t.DNS += cpu.ToldDns
	}
	return t, err
}

func (c *Collector) lossCounts() (perCPU []bpf.FlowLosses, err error) {
	if err := c.set.LossCounts.Lookup(uint32(0), &perCPU); err != nil {
		return nil, fmt.Errorf("reading the loss counters: %w", err)
	}
	return perCPU, nil
}

// kernelLosses reads what the program counts.
func (c *Collector) kernelLosses() (l Losses, err error) {
	perCPU, err := c.lossCounts()
	for _, cpu := range perCPU {
		l.MapFull += cpu.MapFull
		l.LostPackets += cpu.LostPackets
		l.LostBytes += cpu.LostBytes
		l.Unparsed += cpu.Unparsed
		l.DNSLost += cpu.DnsLost
	}
	return l, err
}
