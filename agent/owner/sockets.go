// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
)

const (
	maxSockets = 65536           // listeners, and connections of before, in memory
	keepClosed = 2 * time.Minute // flows of a listener that was closed are still read
	listEvery  = 5 * time.Minute // whatever the events say
	keepMisses = time.Minute     // an unknown port is not looked for again
	maxMisses  = 4096
)

// Families of a listener, as in bpf/owner.h.
const (
	family4    = 4
	family6    = 6
	familyBoth = 46
)

// place is where something listens. The address is all zero for every address
// of the family, and has IPv4 in its first four bytes.
type place struct {
	netns    uint64
	address  [16]byte
	port     uint16
	protocol uint8
	family   uint8
}

type listener struct {
	owner  uint32
	closed time.Time // zero while it listens
}

// connection is one that was open when the sockets were listed. Addresses as
// in place.
type connection struct {
	netns                 uint64
	local, remote         [16]byte
	localPort, remotePort uint16
	protocol              uint8
}

// sockets is who listens in the watched namespaces, and who held the
// connections that were open before they were watched.
type sockets struct {
	programs    *programs
	known       func() map[uint64]struct{}
	program     func(uint32) Program
	listeners   map[place]listener
	connections map[connection]uint32
	ended       map[connection]uint32 // of the list before
	misses      map[place]time.Time
	stale       atomic.Bool // list again
	fresh       bool        // listed since the last refresh
	lists       int
	due         time.Time
	full        uint64
}

func newSockets(p *programs, known func() map[uint64]struct{}, program func(uint32) Program) *sockets {
	return &sockets{
		programs: p, known: known, program: program,
		listeners: make(map[place]listener), connections: make(map[connection]uint32), ended: make(map[connection]uint32), misses: make(map[place]time.Time),
	}
}

// listed says that all sockets of the watched namespaces are known.
func (s *sockets) listed() bool { return s.lists > 0 && !s.stale.Load() }

func hasSockets(protocol uint8) bool {
	switch protocol {
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_SCTP, unix.IPPROTO_UDPLITE:
		return true
	}
	return false
}

// refresh takes in the changes, and lists all sockets where they do not tell.
func (s *sockets) refresh(now time.Time) error {
	s.fresh = false
	closed, err := s.takeChanges(now)
	if err != nil {
		return err
	}
	for k, l := range s.listeners {
		if !l.closed.IsZero() && now.Sub(l.closed) > keepClosed {
			delete(s.listeners, k)
		}
	}
	for k, at := range s.misses {
		if now.Sub(at) > keepMisses {
			delete(s.misses, k)
		}
	}
	// Of several sockets on one port one may have been closed: look which are left.
	if closed || s.stale.Load() || now.After(s.due) {
		return s.list(now)
	}
	return nil
}

// takeChanges empties the kernel's map of changes.
func (s *sockets) takeChanges(now time.Time) (closed bool, err error) {
	changes, known := s.programs.maps.Changes, s.known()
	var k, next [32]byte
	var v [8]byte
	err = changes.NextKey(nil, &next)
	for err == nil {
		k = next
		err = changes.NextKey(&k, &next)
		if gone := changes.LookupAndDelete(&k, &v); gone != nil {
			continue // made room for another
		}
		at := placeOf(k[:])
		if _, watched := known[at.netns]; !watched {
			continue
		}
		owner, open := nativeUint32(v[:]), nativeUint32(v[4:]) != 0
		delete(s.misses, at)
		if open {
			s.add(at, listener{owner: owner})
			continue
		}
		closed = true
		l, held := s.listeners[at]
		if owner != 0 {
			l, held = listener{owner: owner}, true
		}
		if held && l.closed.IsZero() {
			l.closed = now
			s.add(at, l)
		}
	}
	if !errors.Is(err, ebpf.ErrKeyNotExist) {
		return closed, fmt.Errorf("reading the changes of listening sockets: %w", err)
	}
	return closed, nil
}

func (s *sockets) add(at place, l listener) {
	if _, known := s.listeners[at]; !known && len(s.listeners) >= maxSockets {
		s.full++
		return
	}
	s.listeners[at] = l
}

// listener finds who takes what comes to the record's local end. Where nobody
// is known and look is set, all sockets are listed, once in a drain.
func (s *sockets) listener(netns uint64, r *capture.Record, now time.Time, look bool) (listener, bool) {
	at := place{netns: netns, address: bytesOf(r.Local), port: r.LocalPort, protocol: r.Protocol, family: family6}
	if r.Local.Is4() {
		at.family = family4
	}
	if l, ok := s.lookup(at); ok {
		return l, true
	}
	if !look || s.fresh {
		return listener{}, false
	}
	if _, missed := s.misses[at]; missed || s.list(now) != nil {
		return listener{}, false // a failure is told by the next refresh
	}
	l, ok := s.lookup(at)
	if !ok && len(s.misses) < maxMisses {
		s.misses[at] = now
	}
	return l, ok
}

func (s *sockets) lookup(at place) (listener, bool) {
	if l, ok := s.listeners[at]; ok {
		return l, true
	}
	at.address = [16]byte{}
	if l, ok := s.listeners[at]; ok {
		return l, true
	}
	at.family = familyBoth
	l, ok := s.listeners[at]
	return l, ok
}

func (s *sockets) connected(c connection) (uint32, bool) {
	if len(s.connections)+len(s.ended) == 0 {
		return 0, false
	}
	if owner, ok := s.connections[c]; ok {
		return owner, true
	}
	owner, ok := s.ended[c]
	return owner, ok
}

// isInit says whether a program is one that opens sockets for others and keeps
// them open beside them.
func isInit(p Program) bool {
	return strings.HasSuffix(p.Path(), "/systemd") || strings.HasSuffix(p.Path(), "/init")
}
