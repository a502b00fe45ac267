// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"strings"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// query resolves a connection's ends and what is known of its port.
func (e *Engine) query(c *Connection) query {
	q := query{protocol: c.Protocol}
	fromFamily, toFamily := e.top.peerFamily(&c.From), e.top.peerFamily(&c.To)
	if fromFamily == familyAny && toFamily == familyAny {
		fromFamily = e.top.commonFamily(&c.From, &c.To)
		toFamily = fromFamily
	}
	q.from = e.top.resolve(&c.From, toFamily)
	q.to = e.top.resolve(&c.To, fromFamily)
	if q.family = e.top.familyOf(&q.from); q.family == familyAny {
		q.family = e.top.familyOf(&q.to)
	}
	q.first, q.last = points(c)
	q.exact = q.first == q.last && (c.Port != 0 || !c.Protocol.HasPorts())
	q.always = e.top.alwaysAllowed(&q.from, &q.to)
	return q
}

// points gives the places on the line that a connection may have.
func points(c *Connection) (first, last uint32) {
	switch {
	case c.Protocol.HasPorts():
		p := l4.Point(c.Protocol, c.Port)
		return p, p
	case c.Protocol != flow.ICMP && c.Protocol != flow.ICMPv6:
		p := l4.Point(c.Protocol, 0)
		return p, p
	case c.ICMPType < 0 || c.ICMPType > 255:
		return l4.Point(c.Protocol, 0), l4.Point(c.Protocol, 0xFFFF)
	case c.ICMPCode < 0 || c.ICMPCode > 255:
		return l4.Point(c.Protocol, uint16(c.ICMPType)<<8), l4.Point(c.Protocol, uint16(c.ICMPType)<<8|0xFF)
	default:
		p := l4.Point(c.Protocol, uint16(c.ICMPType)<<8|uint16(c.ICMPCode))
		return p, p
	}
}

// pod finds a pod of the topology, also where the pointer is to a copy.
func (t *topology) pod(p *cluster.Pod) (int32, bool) {
	if i, ok := t.byPod[p]; ok {
		return i, true
	}
	i, ok := t.byName[podName{p.Namespace, p.Name}]
	return i, ok
}

// peerFamily is the family that a peer's own address gives.
func (t *topology) peerFamily(p *Peer) family { return familyOf(p.Addr) }

// commonFamily is the first family that two pods without given addresses share.
func (t *topology) commonFamily(a, b *Peer) family {
	for _, x := range t.endsOf(a.Pod) {
		for _, y := range t.endsOf(b.Pod) {
			if x.family == y.family {
				return x.family
			}
		}
	}
	return familyAny
}

// endsOf gives all ends of a pod of its own; none for a hostNetwork pod.
func (t *topology) endsOf(p *cluster.Pod) []end {
	if p == nil {
		return nil
	}
	i, ok := t.pod(p)
	if !ok {
		return nil
	}
	first := t.firstEnd[i]
	return t.ends[first : first+t.endCount[i]]
}

// resolve finds the end of a peer. A pod that is asked for with an address
// that it does not own is taken by its end of the same family, else its first.
func (t *topology) resolve(p *Peer, wanted family) endpoint {
	if !p.Addr.IsValid() && p.Pod == nil {
		return endpoint{end: -1, name: normalName(p.DNS)}
	}
	addr := plain(p.Addr)
	if p.Pod == nil {
		if n, ok := t.byAddr[addr]; ok {
			return endpoint{end: n, addr: addr}
		}
		return endpoint{end: -1, addr: addr, name: normalName(p.DNS)}
	}
	i, ok := t.pod(p.Pod)
	if !ok {
		return endpoint{end: -1, addr: addr}
	}
	if addr.IsValid() {
		wanted = familyOf(addr)
	}
	first, count := t.firstEnd[i], t.endCount[i]
	if count == 0 { // hostNetwork: its node
		return endpoint{end: t.sameNode(first, wanted), addr: addr}
	}
	best := first
	for n := first; n < first+count; n++ {
		own := &t.ends[n]
		if own.family != wanted {
			continue
		}
		if own.addr == addr || !addr.IsValid() {
			best = n
			break
		}
		if t.ends[best].family != wanted {
			best = n
		}
	}
	return endpoint{end: best, addr: t.ends[best].addr}
}

// plain is an address without zone, IPv4 as such: as the topology keeps them.
func plain(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	return a.Unmap().WithZone("")
}

// sameNode finds the node's end of the family wanted.
func (t *topology) sameNode(n int32, wanted family) int32 {
	if wanted == familyAny || t.ends[n].family == wanted || t.ends[n].node < 0 {
		return n
	}
	for _, other := range t.endsOfNode[t.ends[n].node] {
		if t.ends[other].family == wanted {
			return other
		}
	}
	return n
}

func (t *topology) familyOf(x *endpoint) family {
	if x.end >= 0 && t.ends[x.end].family != familyAny {
		return t.ends[x.end].family
	}
	return familyOf(x.addr)
}

// alwaysAllowed: a pod's traffic to itself, and a node's to the pods on it
// (the kubelet's probes), which no policy can cut.
func (t *topology) alwaysAllowed(from, to *endpoint) bool {
	if from.end < 0 || to.end < 0 {
		return false
	}
	return t.always(from.end, to.end)
}

func (t *topology) always(from, to int32) bool {
	a, b := &t.ends[from], &t.ends[to]
	if a.isNode() {
		return from == to || (a.node >= 0 && a.node == b.node)
	}
	return a.pod == b.pod
}

func normalName(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
