// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pending counts the flows that have their place in a CPU's cache.
func (l *loaded) pending(t *testing.T) (flows int, packets uint64) {
	t.Helper()
	var c4 []FlowPlaces4
	var c6 []FlowPlaces6
	if err := l.Cache4.Lookup(uint32(0), &c4); err != nil {
		t.Fatal(err)
	}
	if err := l.Cache6.Lookup(uint32(0), &c6); err != nil {
		t.Fatal(err)
	}
	add := func(slotProtocol uint32, tx, rx uint64) {
		if slotProtocol != 0 {
			flows, packets = flows+1, packets+unpack(tx).packets+unpack(rx).packets
		}
	}
	for cpu := range c4 {
		for i := range c4[cpu].Place {
			p4, p6 := &c4[cpu].Place[i], &c6[cpu].Place[i]
			add(p4.Key.SlotProtocol, p4.Tx, p4.Rx)
			add(p6.Key.SlotProtocol, p6.Tx, p6.Rx)
		}
	}
	return flows, packets
}

// TestCache counts an established flow by CPU, and settles it to the last byte.
func TestCache(t *testing.T) {
	forBoth(t, func(t *testing.T, e ends) {
		l := load(t, 64, 0)
		l.run(t, l.FlowEgress, e.to(tcp, syn, 0).ethernet())
		l.run(t, l.FlowIngress, e.back(tcp, syn|ack, 0).ethernet())
		for range 10 {
			l.run(t, l.FlowEgress, e.to(tcp, ack, 100).ethernet())
			l.run(t, l.FlowIngress, e.back(tcp, ack, 10).ethernet())
		}
		// One packet each way has to set a bit of the flow's state.
		if flows, packets := l.pending(t); flows != 1 || packets < 17 {
			t.Errorf("%d flows with %d packets in the cache: want 1 with nearly all of 20", flows, packets)
		}
		h := e.header + 20
		want := []entry{{
			e.pod.String(), e.far.String(), tcp,
			count{11, 11*h + 1000},
			count{11, 11*h + 100},
			startedLocal | sent | received, 1, syn | ack, syn | ack,
		}}
		for range 2 { // a second flush adds nothing
			if diff := cmp.Diff(want, l.entries(t), cmp.AllowUnexported(entry{}, count{})); diff != "" {
				t.Error(diff)
			}
		}
		if flows, _ := l.pending(t); flows != 0 {
			t.Errorf("%d flows in the cache after a flush", flows)
		}
	})
}

// TestCacheOfAFlowThatLeft deletes a flow from the map while it has counts in
// the cache: they come back as a flow.
func TestCacheOfAFlowThatLeft(t *testing.T) {
	forBoth(t, func(t *testing.T, e ends) {
		l := load(t, 64, 0)
		for range 5 {
			l.run(t, l.FlowEgress, e.to(udp, 0, 10).ethernet())
		}
		var k4 FlowKey4
		var k6 FlowKey6
		if l.Flows4.NextKey(nil, &k4) == nil {
			if err := l.Flows4.Delete(k4); err != nil {
				t.Fatal(err)
			}
		} else if err := l.Flows6.NextKey(nil, &k6); err != nil {
			t.Fatal(err)
		} else if err := l.Flows6.Delete(k6); err != nil {
			t.Fatal(err)
		}
		_, packets := l.pending(t)
		got := l.entries(t)
		if packets == 0 || len(got) != 1 || got[0].tx != (count{packets, packets * (e.header + 18)}) ||
			got[0].opened != 0 || got[0].local != e.pod.String() {
			t.Errorf("got %+v: want the %d packets that were in the cache", got, packets)
		}
	})
}

// TestCacheCrowded has many flows compete for the places: every packet counts.
func TestCacheCrowded(t *testing.T) {
	forBoth(t, func(t *testing.T, e ends) {
		const flows, turns = 1500, 4
		l := load(t, 2048, 0)
		for range turns {
			for i := range flows {
				p := e.numbered(udp, i)
				l.run(t, l.FlowEgress, p.ethernet())
			}
		}
		got := l.entries(t)
		if len(got) != flows {
			t.Fatalf("%d flows: want %d", len(got), flows)
		}
		for _, f := range got {
			if f.tx != (count{turns, turns * (e.header + 18)}) || f.opened != 1 {
				t.Fatalf("%+v: want %d packets", f, turns)
			}
		}
	})
}

// TestCacheTellsAddressesApart has a flow in the cache, and then one that
// differs from it in a single bit of one address.
func TestCacheTellsAddressesApart(t *testing.T) {
	forBoth(t, func(t *testing.T, e ends) {
		flipped := func(a netip.AddrPort, at int) netip.AddrPort {
			b := a.Addr().AsSlice()
			b[at] ^= 1
			other, _ := netip.AddrFromSlice(b)
			return netip.AddrPortFrom(other, a.Port())
		}
		for at := range len(e.pod.Addr().AsSlice()) {
			for _, other := range []ends{{flipped(e.pod, at), e.far, e.header, e.icmp}, {e.pod, flipped(e.far, at), e.header, e.icmp}} {
				l := load(t, 64, 0)
				for _, f := range []ends{e, other} {
					for range 4 {
						l.run(t, l.FlowEgress, f.to(udp, 0, 10).ethernet())
						l.run(t, l.FlowIngress, f.back(udp, 0, 20).ethernet())
					}
				}
				got := l.entries(t)
				if len(got) != 2 {
					t.Fatalf("%d flows: want %v and %v apart", len(got), e, other)
				}
				for _, f := range got {
					if f.tx != (count{4, 4 * (e.header + 18)}) || f.rx != (count{4, 4 * (e.header + 28)}) {
						t.Errorf("%+v: want 4 packets each way", f)
					}
				}
			}
		}
	})
}

// TestCacheLeavesPaddingOut: what Ethernet adds to a short packet is none of
// its bytes.
func TestCacheLeavesPaddingOut(t *testing.T) {
	forBoth(t, func(t *testing.T, e ends) {
		l := load(t, 64, 0)
		padding := make([]byte, 6)
		for range 5 {
			l.run(t, l.FlowEgress, append(e.to(udp, 0, 1).ethernet(), padding...))
			l.run(t, l.FlowIngress, append(e.back(udp, 0, 2).ethernet(), padding...))
		}
		if _, packets := l.pending(t); packets == 0 {
			t.Error("no packet was counted in the cache")
		}
		got := l.entries(t)
		if len(got) != 1 || got[0].tx != (count{5, 5 * (e.header + 9)}) || got[0].rx != (count{5, 5 * (e.header + 10)}) {
			t.Errorf("got %+v: want 5 packets each way, without padding", got)
		}
	})
}
