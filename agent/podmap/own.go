// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
)

// loopback carries what the node's own processes send to the node's addresses.
const loopback = "lo"

// NodeLinks gives the interfaces by which the node's own processes talk: those
// that a default route goes out by, and the loopback. Pods' interfaces are not
// among them.
func (w *Watcher) NodeLinks() ([]string, error) {
	ways, err := w.node.uplinks()
	if err != nil {
		return nil, err
	}
	links, err := w.node.handle.LinkList()
	if err != nil {
		return nil, fmt.Errorf("listing the node's interfaces: %w", err)
	}
	var names []string
	for _, l := range links {
		if _, way := ways[l.Attrs().Index]; way || l.Attrs().Name == loopback {
			names = append(names, l.Attrs().Name)
		}
	}
	return names, nil
}

// NodeAddresses gives the node's own addresses, in order: those that mean
// something to all others, and those of one link alone, by which a node may talk
// to its pods.
func (w *Watcher) NodeAddresses() ([]netip.Addr, error) {
	all, err := w.node.handle.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("listing the node's addresses: %w", err)
	}
	var addresses []netip.Addr
	for _, a := range all {
		if own, ok := netip.AddrFromSlice(a.IP); ok && !own.IsLoopback() && !own.Unmap().IsLoopback() {
			addresses = append(addresses, own.Unmap())
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(addresses), nil
}
