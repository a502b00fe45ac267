// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
)

// Hook is the flow program on both directions of one interface.
type Hook struct {
	ingress, egress link.Link
}

// Attach hooks the interface of that name in a network namespace, first in its
// TCX chain. netns is a path such as /run/netns/NAME, /proc/PID/ns/net or
// /proc/self/fd/N; empty for the caller's own. The slot marks all that is
// counted there and must fit into 24 bits.
func (s *Set) Attach(netns, ifname string, slot uint32) (*Hook, error) {
	if slot == 0 || slot >= 1<<24 {
		return nil, fmt.Errorf("slot %d: want 1 to %d", slot, 1<<24-1)
	}
	var hook *Hook
	err := inNetNS(netns, func() error {
		device, err := netlink.LinkByName(ifname)
		if err != nil {
			return fmt.Errorf("finding interface %s: %w", ifname, err)
		}
		attrs := device.Attrs()
		if attrs.EncapType != "ether" && attrs.EncapType != "loopback" { // both have Ethernet headers
			return fmt.Errorf("interface %s: link type %s is not Ethernet", ifname, attrs.EncapType)
		}
		hook, err = s.attach(attrs.Index, variables{slot: slot, conntrackNetNS: int32(attrs.NetNsID)})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("attaching to %s in %s: %w", ifname, namespaceName(netns), err)
	}
	return hook, nil
}

func (s *Set) attach(index int, v variables) (*Hook, error) {
	var p struct {
		Ingress *ebpf.Program `ebpf:"flow_ingress"`
		Egress  *ebpf.Program `ebpf:"flow_egress"`
	}
	if err := s.load(&p, v); err != nil {
		return nil, explain("loading the flow program", err)
	}
	// The links hold the programs from here on.
	defer func() { _, _ = p.Ingress.Close(), p.Egress.Close() }()
	ingress, err := attachTCX(index, p.Ingress, ebpf.AttachTCXIngress)
	if err != nil {
		return nil, err
	}
	egress, err := attachTCX(index, p.Egress, ebpf.AttachTCXEgress)
	if err != nil {
		return nil, errors.Join(err, ingress.Close())
	}
	return &Hook{ingress: ingress, egress: egress}, nil
}

func attachTCX(index int, program *ebpf.Program, where ebpf.AttachType) (link.Link, error) {
	l, err := link.AttachTCX(link.TCXOptions{
		Interface: index, Program: program, Attach: where, Anchor: link.Head(),
	})
	if err != nil {
		return nil, explainTCX(err)
	}
	return l, nil
}

// Close detaches. When it returns, the program counts no further packet there.
func (h *Hook) Close() error { return errors.Join(h.ingress.Close(), h.egress.Close()) }
