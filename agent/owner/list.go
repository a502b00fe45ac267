// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/bpf"
)

// seenLength is that of struct socket_seen.
const seenLength = 56

// States of a TCP socket.
const (
	stateClosed    = 7
	stateListening = 10
)

func nativeUint32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }

// placeOf reads struct listener.
func placeOf(b []byte) place {
	return place{
		netns: binary.NativeEndian.Uint64(b), address: [16]byte(b[8:24]), port: binary.BigEndian.Uint16(b[24:]),
		protocol: b[26], family: b[27],
	}
}

// bytesOf gives an address the way that sockets have it.
func bytesOf(a netip.Addr) (b [16]byte) {
	if a.Is4() {
		four := a.As4()
		copy(b[:], four[:])
		return b
	}
	return a.As16()
}

func connectionOf(netns uint64, r *capture.Record) connection {
	return connection{
		netns: netns, local: bytesOf(r.Local), remote: bytesOf(r.Remote),
		localPort: r.LocalPort, remotePort: r.RemotePort, protocol: r.Protocol,
	}
}

// list reads all sockets of the watched namespaces from the kernel. Listeners
// that are not among them any more are closed.
func (s *sockets) list(now time.Time) error {
	s.fresh = true
	s.due = now.Add(listEvery)
	if s.programs.sockets == nil && !s.programs.initialPIDs {
		return nil // neither list is to be had: the ids of /proc are of another PID namespace
	}
	s.stale.Store(false)
	found := make(map[place]holders)
	s.connections, s.ended = s.ended, s.connections
	clear(s.connections)
	if err := s.read(found); err != nil {
		s.stale.Store(true)
		return fmt.Errorf("listing sockets: %w", err)
	}
	s.lists++
	for at, l := range s.listeners {
		if _, open := found[at]; !open && l.closed.IsZero() {
			l.closed = now
			s.listeners[at] = l
		}
	}
	for at, held := range found {
		s.add(at, listener{owner: held.best(s.listeners[at].owner, s.program)})
	}
	return nil
}

// read takes in every socket that is held, from the kernel's list or else from
// /proc.
func (s *sockets) read(found map[place]holders) error {
	known := s.known()
	if s.programs.sockets == nil {
		return procSockets(known, func(seen bpf.OwnerSocketSeen) {
			var b [seenLength]byte
			if _, err := binary.Encode(b[:], binary.NativeEndian, &seen); err == nil { // its size is the struct's
				s.take(b[:], known, found)
			}
		})
	}
	r, err := s.programs.sockets.Open()
	if err != nil {
		return err
	}
	return errors.Join(s.takeAll(r, known, found), r.Close())
}

// takeAll reads one struct socket_seen after the other.
func (s *sockets) takeAll(r io.Reader, known map[uint64]struct{}, found map[place]holders) error {
	buffered := bufio.NewReaderSize(r, 64<<10)
	var b [seenLength]byte
	for {
		_, err := io.ReadFull(buffered, b[:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.take(b[:], known, found)
	}
}

// take reads struct socket_seen.
func (s *sockets) take(b []byte, known map[uint64]struct{}, found map[place]holders) {
	at := placeOf(b)
	if _, watched := known[at.netns]; !watched || !hasSockets(at.protocol) {
		return
	}
	owner, state := nativeUint32(b[52:]), binary.NativeEndian.Uint16(b[50:])
	remotePort := binary.BigEndian.Uint16(b[48:])
	switch {
	case remotePort == 0 && (state == stateListening || state == stateClosed && isDatagram(at.protocol)):
		found[at] = append(found[at], owner)
	case remotePort != 0 && len(s.connections) < maxSockets:
		s.connections[connection{
			netns: at.netns, local: at.address, remote: [16]byte(b[32:48]),
			localPort: at.port, remotePort: remotePort, protocol: at.protocol,
		}] = owner
	case remotePort != 0:
		s.full++
	}
}

// isDatagram: such a socket takes from anybody while it is connected to nobody.
func isDatagram(protocol uint8) bool { return protocol == 17 || protocol == 136 }

// holders are the programs that hold one listener, by process id.
type holders []uint32

// best gives the one that a listener belongs to: who is known to have opened
// it, else the first that holds it; an init only where nobody else does.
func (h holders) best(opener uint32, program func(uint32) Program) uint32 {
	best := h[0]
	for _, owner := range h {
		if owner == opener {
			best = owner
		}
	}
	if len(h) == 1 || !isInit(program(best)) {
		return best
	}
	for _, owner := range h {
		if !isInit(program(owner)) {
			return owner
		}
	}
	return best
}
