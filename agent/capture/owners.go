// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"

	"github.com/netcinch/netcinch/bpf"
)

// Running gives the map in which the flow program looks up what a process
// runs: process id in the initial PID namespace to the number of an executable.
// It lives as long as the collector.
func (c *Collector) Running() *ebpf.Map { return c.set.Running }

// Dialled gives the map in which the flow program looks up what a socket
// dialled, by its cookie: struct dialled of bpf/flow.h. It lives as long as the
// collector, and is read only with [probe.Options].Dialling.
func (c *Collector) Dialled() *ebpf.Map { return c.set.Dialled }

// AttachNode watches an interface of the node itself. Only flows whose local
// end is one of the node's own addresses are counted there: see SetOwn.
func (c *Collector) AttachNode(netns, ifname string) (Slot, error) {
	return c.attach(c.set.AttachNode, netns, ifname)
}

// SetOwn says which addresses are the node's own.
func (c *Collector) SetOwn(addresses []netip.Addr) error {
	own := make(map[bpf.FlowOwnAddress]bool, len(addresses))
	for _, a := range addresses {
		own[ownAddress(a)] = true
	}
	var k bpf.FlowOwnAddress
	var on uint8
	var gone []bpf.FlowOwnAddress
	for entries := c.set.Own.Iterate(); entries.Next(&k, &on); {
		if !own[k] {
			gone = append(gone, k)
		}
	}
	var errs []error
	for _, k := range gone {
		if err := c.set.Own.Delete(&k); !errors.Is(err, ebpf.ErrKeyNotExist) {
			errs = append(errs, err)
		}
	}
	for k := range own {
		errs = append(errs, c.set.Own.Put(&k, uint8(1)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("writing down the node's addresses: %w", err)
	}
	return nil
}

// ownAddress is struct own_address of bpf/own.h.
func ownAddress(a netip.Addr) (k bpf.FlowOwnAddress) {
	a = a.Unmap()
	if a.Is6() {
		k.Is6 = 1
	}
	b := a.AsSlice()
	for i := range len(b) / 4 {
		k.Words[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return k
}
