// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// index is what the quick way looks ends up in.
type index struct {
	top       *topology
	pods      []cluster.Pod
	spots     []spot // by end
	homes     []home // by index in Snapshot.Pods
	addresses *addressBook
}

// home is a pod's ends; none for a hostNetwork pod.
type home struct{ first, count int32 }

// spot is what the quick way needs of an end, side by side.
type spot struct {
	group     [2]int32 // by Direction
	pod, node int32    // as in end
	family    family
}

// quick answers the connections that nearly all are: between pods of the
// snapshot and plain addresses, to a port, at ends whose tables are made and
// know the answer. Where ok is false the long way gives the answer.
func (e *Engine) quick(c *Connection) (egress, ingress, ok bool) {
	x := e.index.Load()
	if x == nil || c.Port == 0 || !c.Protocol.HasPorts() {
		return false, false, false
	}
	from, ok := x.end(&c.From, &c.To)
	if !ok {
		return false, false, false
	}
	to, ok := x.end(&c.To, &c.From)
	if !ok || (from >= 0 && to >= 0 && !x.meet(c, from, to)) {
		return false, false, false
	}
	if from >= 0 && to >= 0 && x.always(from, to) {
		return true, true, true
	}
	point := l4.Point(c.Protocol, c.Port)
	egress, ingress = true, true
	if from >= 0 {
		t := e.tables[Egress][x.spots[from].group[Egress]].Load()
		if egress, ok = t.quick(point, to, &c.To.Addr); !ok {
			return false, false, false
		}
	}
	if to >= 0 {
		t := e.tables[Ingress][x.spots[to].group[Ingress]].Load()
		ingress, ok = t.quick(point, from, &c.From.Addr)
	}
	return egress, ingress, ok
}

// quick says whether a peer is allowed, where the table knows.
func (t *table) quick(point uint32, remote int32, addr *netip.Addr) (allowed, ok bool) {
	if t == nil {
		return false, false
	}
	c := t.at(point)
	switch {
	case remote >= 0:
		return c.whole || c.ends.Has(int(remote)), !c.walk
	case c.whole:
		return true, true
	default:
		return c.outside != nil && c.outside.Contains(*addr), !c.walk
	}
}

// end finds the end of a peer that talks to the other; -1 stands for an outside
// address.
func (x *index) end(p, other *Peer) (end int32, ok bool) {
	if p.Pod == nil {
		if p.DNS != "" || !p.Addr.IsValid() || p.Addr.Is4In6() || p.Addr.Zone() != "" {
			return 0, false
		}
		return x.addresses.find(p.Addr), true
	}
	i, ok := x.pod(p.Pod)
	if !ok {
		return 0, false
	}
	h := x.homes[i]
	if h.count == 1 {
		return h.first, true
	}
	return x.endOf(p, other, h)
}

// pod gives a pod's index in the snapshot: by where it lies in memory, as most
// questions name the snapshot's own pods, which is checked; else by look-up. No
// pointer is made of a number.
func (x *index) pod(p *cluster.Pod) (int32, bool) {
	offset := uintptr(unsafe.Pointer(p)) - uintptr(unsafe.Pointer(unsafe.SliceData(x.pods)))
	if i := offset / unsafe.Sizeof(cluster.Pod{}); i < uintptr(len(x.pods)) && &x.pods[i] == p {
		return int32(i), true
	}
	i, ok := x.top.byPod[p]
	return i, ok
}

// endOf finds the end among a pod's several: the one with the address given,
// else the first of the other's family, else the first.
func (x *index) endOf(p, other *Peer, h home) (end int32, ok bool) {
	if h.count > 1 && !p.Addr.IsValid() && !other.Addr.IsValid() {
		return h.first, true
	}
	wanted := familyOf(other.Addr)
	for n := h.first; n < h.first+h.count; n++ {
		if own := &x.top.ends[n]; own.addr == p.Addr || (!p.Addr.IsValid() && own.family == wanted) {
			return n, true
		}
	}
	return 0, false // a node's, or an address that is not the pod's
}

// meet says whether two ends are those that the long way takes: where neither
// address was given, both pods' first, if these are of one family.
func (x *index) meet(c *Connection, from, to int32) bool {
	if c.From.Addr.IsValid() || c.To.Addr.IsValid() {
		return true
	}
	f := x.spots[from].family
	return f != familyAny && f == x.spots[to].family
}

// always is topology.always.
func (x *index) always(from, to int32) bool {
	a, b := &x.spots[from], &x.spots[to]
	if a.pod >= 0 {
		return a.pod == b.pod
	}
	return from == to || (a.node >= 0 && a.node == b.node)
}

func (e *Engine) makeIndex() *index {
	x := &index{
		top: e.top, pods: e.top.snapshot.Pods, addresses: newAddressBook(e.top.byAddr),
		spots: make([]spot, len(e.top.ends)), homes: make([]home, len(e.top.firstEnd)),
	}
	for i := range x.homes {
		x.homes[i] = home{e.top.firstEnd[i], e.top.endCount[i]}
	}
	for n := range x.spots {
		own := &e.top.ends[n]
		x.spots[n] = spot{[2]int32{e.group[Egress][n], e.group[Ingress][n]}, own.pod, own.node, own.family}
	}
	return x
}

// addressBook finds ends by address. It is a table with open addressing, since such
// a find is most of what an answer costs where one end is an address.
type addressBook struct {
	slots []placed
	mask  uint64
}

type placed struct {
	high, low uint64
	end       int32 // and 1; 0 where the slot is free
}

func newAddressBook(byAddr map[netip.Addr]int32) *addressBook {
	size := 4
	for size < 2*len(byAddr) {
		size *= 2
	}
	p := &addressBook{slots: make([]placed, size), mask: uint64(size - 1)}
	for addr, end := range byAddr {
		high, low := words(addr)
		i := hash(high, low) & p.mask
		for p.slots[i].end != 0 {
			i = (i + 1) & p.mask
		}
		p.slots[i] = placed{high, low, end + 1}
	}
	return p
}

// find gives the end with the address, -1 where there is none.
func (p *addressBook) find(addr netip.Addr) int32 {
	high, low := words(addr)
	for i := hash(high, low) & p.mask; ; i = (i + 1) & p.mask {
		switch s := &p.slots[i]; {
		case s.end == 0:
			return -1
		case s.high == high && s.low == low:
			return s.end - 1
		}
	}
}

// words gives an address's 128 bits; IPv4 is as mapped into IPv6, which no
// address of the topology is written as.
func words(addr netip.Addr) (high, low uint64) {
	if addr.Is4() {
		b := addr.As4()
		return 0, 0xFFFF_0000_0000 | uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := addr.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

func hash(high, low uint64) uint64 {
	h := (high ^ low*0x9E37_79B9_7F4A_7C15) * 0xBF58_476D_1CE4_E5B9
	return h ^ h>>32
}
