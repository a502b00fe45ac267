// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What our filters are known by beside those of others: a filter of the same
// handle and priority is replaced in one step.
const (
	filterName     = "netcinch"
	filterHandle   = 0x6e63
	filterPriority = 1
)

func filterOf(index int, d Direction, p *ebpf.Program) *netlink.BpfFilter {
	parent := uint32(netlink.HANDLE_MIN_INGRESS)
	if d == Egress {
		parent = netlink.HANDLE_MIN_EGRESS
	}
	f := &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: index, Parent: parent, Handle: filterHandle,
			Protocol: unix.ETH_P_ALL, Priority: filterPriority,
		},
		Name: filterName, DirectAction: true,
	}
	if p != nil {
		f.Fd = p.FD()
	}
	return f
}

// attachFilter adds the filter, or takes the place of one of ours. In the
// namespace that the thread is in.
func attachFilter(f *netlink.BpfFilter) error {
	qdisc := &netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: f.LinkIndex, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT},
		QdiscType:  "clsact",
	}
	if err := netlink.QdiscAdd(qdisc); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("adding the clsact qdisc: %w", err)
	}
	if err := netlink.FilterReplace(f); err != nil {
		return fmt.Errorf("adding the filter: %w", err)
	}
	return nil
}

// detachFilter takes our filter away, and the qdisc with the last filter of
// it. What is gone already is fine.
func detachFilter(f *netlink.BpfFilter) error {
	device, err := netlink.LinkByIndex(f.LinkIndex)
	if err != nil {
		if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
			return nil
		}
		return fmt.Errorf("finding interface %d: %w", f.LinkIndex, err)
	}
	if !isOurs(device, f) {
		return nil
	}
	if err = netlink.FilterDel(f); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the filter: %w", err)
	}
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		if left, failed := netlink.FilterList(device, parent); failed != nil || len(left) > 0 {
			return failed
		}
	}
	qdiscs, err := netlink.QdiscList(device)
	if err != nil {
		return fmt.Errorf("listing qdiscs: %w", err)
	}
	for _, q := range qdiscs {
		if q.Type() == "clsact" {
			return netlink.QdiscDel(q)
		}
	}
	return nil
}

// isOurs says whether the interface has the filter, under our name.
func isOurs(device netlink.Link, f *netlink.BpfFilter) bool {
	filters, err := netlink.FilterList(device, f.Parent)
	if err != nil {
		return false // no qdisc that could have any
	}
	for _, found := range filters {
		b, ok := found.(*netlink.BpfFilter)
		if ok && b.Attrs().Handle == f.Handle && b.Attrs().Priority == f.Priority && b.Name == filterName {
			return true
		}
	}
	return false
}
