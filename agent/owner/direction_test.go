// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/aggregate"
	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/recommender/wire"
)

// Connections that were open before the agent, where neither a SYN nor
// conntrack tells who began them and the ports tell the opposite.
func TestDirectionOfOpenConnections(t *testing.T) {
	const connections = 100
	forBoth(t, func(s *stage) {
		l := s.server.Listen("[::]:45000")
		go echo(l)
		conns := make([]net.Conn, connections)
		for i := range conns {
			conns[i] = s.dialFrom(uint16(20000+i), at(s.server, "45000"))
		}
		s.watch()
		if err := s.tracker.Refresh(); err != nil { // as an agent does when it has begun to watch
			s.t.Fatal(err)
		}
		for _, c := range conns {
			if err := exchange(c); err != nil {
				s.t.Fatal(err)
			}
		}
		_ = l.Close() // before the flows are read
		edges := s.edges(45000)
		var client, server uint64
		for e, slot := range edges {
			switch {
			case slot == s.slots[s.client] && e.LocalIsClient():
				client += e.PacketsSent
			case slot == s.slots[s.server] && !e.LocalIsClient() && !e.Guessed():
				server += e.PacketsSent
			default:
				s.t.Errorf("slot %d has the edge %+v", slot, e.EdgeKey)
			}
		}
		if client < connections || server < connections {
			s.t.Errorf("%d packets in edges of the client, %d of the server: want at least %d", client, server, connections)
		}
	})
}

// dialFrom connects the client from a port of its own.
func (s *stage) dialFrom(port uint16, to string) (c net.Conn) {
	s.t.Helper()
	from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.client.Addresses[0], port))
	err := s.client.Do(func() (err error) {
		c, err = (&net.Dialer{LocalAddr: from, Timeout: 5 * time.Second}).Dial("tcp", to)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// edges folds what was counted to edges of a server's port, with their slots.
func (s *stage) edges(port uint16) map[wire.Edge]capture.Slot {
	s.t.Helper()
	found := make(map[wire.Edge]capture.Slot)
	slotOf := func(e wire.Edge) capture.Slot {
		for p, slot := range s.slots {
			if p.Addresses[0] == e.Local {
				return slot
			}
		}
		return 0
	}
	o := aggregate.DefaultOptions()
	o.Clock = time.Now
	o.Identify = func(capture.Slot, owner.Program) (wire.PodKey, bool) { return wire.PodKey{}, true }
	o.Program, o.Listens = s.tracker.Of, s.tracker.Listens
	o.Emit = func(p aggregate.Part) {
		for _, e := range p.Edges {
			found[e] = slotOf(e)
		}
	}
	a, err := aggregate.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	a.Begin(aggregate.Window{Start: time.Now(), End: time.Now().Add(time.Minute)})
	for _, r := range s.records() {
		if r.LocalPort == port || r.RemotePort == port {
			a.Add(&r)
		}
	}
	a.Finish(time.Now().Add(time.Minute))
	return found
}
