// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/probe"
	"github.com/netcinch/netcinch/bpf"
)

func wantError(t *testing.T, o Options, want string) {
	t.Helper()
	c, err := New(o)
	if err == nil {
		_ = c.Close()
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v: want %q", err, want)
	}
}

// TestModes counts one connection in each mode, at both ends: the same in all,
// from the pod's point of view also where the host's side is watched.
func TestModes(t *testing.T) {
	for _, mode := range []probe.Mode{probe.Auto, probe.PodTCX, probe.HostTCX, probe.Clsact} {
		t.Run(mode.String(), func(t *testing.T) {
			forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
				w := newWorld(t)
				client, server := w.addPod(), w.addPod()
				to := netip.AddrPortFrom(addr(server), 8080)
				server.echo(to)
				c := watch(t, func(o *Options) { o.Probe.Mode = mode })
				at := func(p *pod, n int) Slot {
					if c.Mode() != probe.HostTCX {
						return attach(t, c, p)
					}
					slot, err := c.AttachHost(w.node.path, fmt.Sprintf("veth%d", n))
					if err != nil {
						t.Fatal(err)
					}
					return slot
				}
				cs, ss := at(client, 1), at(server, 2)
				want := map[probe.Mode]probe.Mode{probe.Auto: probe.PodTCX}
				if m, known := want[mode]; known {
					mode = m
				}
				if got := c.Modes(); c.Mode() != mode || got[cs] != mode || got[ss] != mode {
					t.Errorf("modes %v, %v: want %v", c.Mode(), got, mode)
				}
				exchange(t, client.dial("tcp", to), 1000)
				f := flush(t, c)
				here, there := f.one(t, cs, 6, addr(server)), f.one(t, ss, 6, addr(client))
				if here.Initiator != InitiatorLocal || there.Initiator != InitiatorRemote || here.Guessed || there.Guessed {
					t.Errorf("initiators %+v and %+v", here, there)
				}
				if here.Tx != there.Rx || here.Rx != there.Tx || here.Tx.Bytes < 1000 || here.Connections != 1 || there.Connections != 1 {
					t.Errorf("client %+v, server %+v", here, there)
				}
				if here.Local != addr(client) || here.RemotePort != 8080 || there.LocalPort != 8080 {
					t.Errorf("ends of %+v and %+v", here, there)
				}
				for _, slot := range []Slot{cs, ss} {
					if err := c.Detach(slot); err != nil {
						t.Fatal(err)
					}
				}
				client.nothingIsLeft(t)
			})
		})
	}
}

// nothingIsLeft looks for filters and their qdisc.
func (p *pod) nothingIsLeft(t *testing.T) {
	t.Helper()
	p.do(func() error {
		device, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		qdiscs, err := netlink.QdiscList(device)
		if err != nil {
			return err
		}
		for _, q := range qdiscs {
			if q.Type() == "clsact" {
				t.Errorf("left behind: %v", q)
			}
		}
		return nil
	})
}

// TestClsactBesideOthers leaves the filter of somebody else, and the qdisc.
func TestClsactBesideOthers(t *testing.T) {
	w := newWorld(t)
	client, to := w.pair(t)
	spec, err := bpf.LoadFlow()
	if err != nil {
		t.Fatal(err)
	}
	p, err := ebpf.NewProgram(spec.Programs[bpf.FlowProgFlowEmpty])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	client.do(func() error {
		device, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := netlink.QdiscAdd(&netlink.GenericQdisc{
			QdiscAttrs: netlink.QdiscAttrs{LinkIndex: device.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT},
			QdiscType:  "clsact",
		}); err != nil {
			return err
		}
		return netlink.FilterAdd(&netlink.BpfFilter{
			FilterAttrs: netlink.FilterAttrs{
				LinkIndex: device.Attrs().Index, Parent: netlink.HANDLE_MIN_EGRESS, Priority: 7, Handle: 1, Protocol: unix.ETH_P_ALL,
			},
			Fd: p.FD(), Name: "other", DirectAction: true,
		})
	})
	c := watch(t, func(o *Options) { o.Probe.Mode = probe.Clsact })
	slot := attach(t, c, client)
	exchange(t, client.dial("tcp", to), 10)
	if r := flush(t, c).one(t, slot, 6, to.Addr()); r.Connections != 1 {
		t.Errorf("%+v", r)
	}
	if err := c.Detach(slot); err != nil {
		t.Fatal(err)
	}
	client.do(func() error {
		device, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		left, err := netlink.FilterList(device, netlink.HANDLE_MIN_EGRESS)
		if err != nil || len(left) != 1 || left[0].Attrs().Priority != 7 {
			t.Errorf("filters left: %v (%v): want the other's alone", left, err)
		}
		return nil
	})
}
