// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// index is what the quick way looks ends up in. It is the topology's alone, so
// that engines over the same topology share it.
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
	end       int32
	pod, node int32 // as in end
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
	from, known := x.end(&c.From, &c.To)
	to, ok := x.end(&c.To, &c.From)
	if !known || !ok {
		return false, false, false
	}
	point := l4.Point(c.Protocol, c.Port)
	switch {
	case from < 0 && to < 0:
		return true, true, true
	case to < 0:
		egress, ok = e.table(Egress, e.group[Egress][from]).quick(point, to, &c.To.Addr)
		return egress, true, ok
	case from < 0:
		ingress, ok = e.table(Ingress, e.group[Ingress][to]).quick(point, from, &c.From.Addr)
		return true, ingress, ok
	}
	a, b := &x.spots[from], &x.spots[to]
	switch {
	case !c.From.Addr.IsValid() && !c.To.Addr.IsValid() && (a.family != b.family || a.family == familyAny):
		return false, false, false // the long way finds a family that both have
	case a.always(b):
		return true, true, true
	}
	egress, known = e.table(Egress, e.group[Egress][from]).quick(point, to, nil)
	ingress, ok = e.table(Ingress, e.group[Ingress][to]).quick(point, from, nil)
	return egress, ingress, known && ok
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
		if p.DNS != "" {
			return 0, false
		}
		return x.addresses.find(&p.Addr)
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

// always is topology.always.
func (s *spot) always(o *spot) bool {
	if s.pod >= 0 {
		return s.pod == o.pod
	}
	return s.end == o.end || (s.node >= 0 && s.node == o.node)
}

func (t *topology) makeIndex() *index {
	x := &index{
		top: t, pods: t.snapshot.Pods, addresses: newAddressBook(t.byAddr),
		spots: make([]spot, len(t.ends)), homes: make([]home, len(t.firstEnd)),
	}
	for i := range x.homes {
		x.homes[i] = home{t.firstEnd[i], t.endCount[i]}
	}
	for n := range x.spots {
		own := &t.ends[n]
		x.spots[n] = spot{int32(n), own.pod, own.node, own.family}
	}
	return x
}

// addressBook finds ends by address. It is a table with open addressing, since such
// a find is most of what an answer costs where one end is an address.
type addressBook struct {
	slots []placed
	shift int // of a hash, to the number of a slot
}

type placed struct {
	high, low uint64
	end       int32 // and 1; 0 where the slot is free
}

func newAddressBook(byAddr map[netip.Addr]int32) *addressBook {
	bits := 2
	for 1<<bits < 2*len(byAddr) {
		bits++
	}
	p := &addressBook{slots: make([]placed, 1<<bits), shift: 64 - bits}
	for addr, end := range byAddr {
		high, low, _ := words(&addr) // those of a topology are plain
		i := p.first(high, low)
		for p.slots[i].end != 0 {
			i = (i + 1) % uint64(len(p.slots))
		}
		p.slots[i] = placed{high, low, end + 1}
	}
	return p
}

// find gives the end with the address, -1 where there is none; not ok where the
// address is not plain.
func (p *addressBook) find(addr *netip.Addr) (end int32, ok bool) {
	high, low, ok := words(addr)
	for i := p.first(high, low); ; i++ {
		s := &p.slots[i&uint64(len(p.slots)-1)]
		if s.end == 0 {
			return -1, ok
		}
		if s.low == low && s.high == high {
			return s.end - 1, ok
		}
	}
}

// words gives the 128 bits of a plain address: IPv4, or IPv6 with neither zone
// nor an IPv4 address mapped into it, of which IPv4 takes the place.
func words(addr *netip.Addr) (high, low uint64, ok bool) {
	if addr.Is4() {
		b := addr.As4()
		return 0, 0xFFFF_0000_0000 | uint64(binary.BigEndian.Uint32(b[:])), true
	}
	b := addr.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), addr.Is6() && !addr.Is4In6() && addr.Zone() == ""
}

func (p *addressBook) first(high, low uint64) uint64 {
	return (low ^ high<<7 ^ high>>9) * 0x9E37_79B9_7F4A_7C15 >> p.shift
}
