// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/netcinch/netcinch/bpf"
)

// seenBytes is one socket as the kernel writes it.
func seenBytes(tb testing.TB, s bpf.OwnerSocketSeen) []byte {
	tb.Helper()
	b, err := binary.Append(nil, binary.NativeEndian, &s)
	if err != nil || len(b) != seenLength {
		tb.Fatalf("%d bytes, %v", len(b), err)
	}
	return b
}

func inNamespace(netns uint64, protocol uint8, state, remotePort uint16, owner uint32) bpf.OwnerSocketSeen {
	s := bpf.OwnerSocketSeen{RemotePort: remotePort, State: state, Owner: owner}
	s.Local.Netns, s.Local.Protocol, s.Local.Family, s.Local.Port = netns, protocol, family4, 0x901f
	return s
}

// FuzzTakeAll: whatever the kernel's list is, only sockets of the watched
// namespaces are taken in, and one that is cut short is told.
func FuzzTakeAll(f *testing.F) {
	listens := seenBytes(f, inNamespace(7, 6, stateListening, 0, 1))
	connected := seenBytes(f, inNamespace(7, 6, 1, 0xbb01, 2))
	other := seenBytes(f, inNamespace(8, 6, stateListening, 0, 3))
	f.Add(bytes.Join([][]byte{listens, connected, other, listens}, nil))
	f.Add(listens[:seenLength-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, list []byte) {
		s := newSockets(nil, nil, nil)
		found := make(map[place]holders)
		err := s.takeAll(bytes.NewReader(list), map[uint64]struct{}{7: {}}, found)
		if whole := len(list)%seenLength == 0; whole != (err == nil) || !whole && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", len(list), err)
		}
		taken := len(s.connections)
		for at, held := range found {
			taken += len(held)
			if at.netns != 7 || !hasSockets(at.protocol) {
				t.Errorf("took in %+v", at)
			}
		}
		for c := range s.connections {
			if c.netns != 7 || !hasSockets(c.protocol) || c.remotePort == 0 {
				t.Errorf("took in %+v", c)
			}
		}
		if taken > len(list)/seenLength {
			t.Errorf("%d sockets of %d", taken, len(list)/seenLength)
		}
	})
}

func TestTakeAll(t *testing.T) {
	s := newSockets(nil, nil, nil)
	found := make(map[place]holders)
	list := bytes.Join([][]byte{
		seenBytes(t, inNamespace(7, 6, stateListening, 0, 1)), seenBytes(t, inNamespace(7, 6, 1, 0xbb01, 2)),
		seenBytes(t, inNamespace(8, 6, stateListening, 0, 3)), seenBytes(t, inNamespace(7, 17, stateClosed, 0, 4)),
	}, nil)
	if err := s.takeAll(bytes.NewReader(list), map[uint64]struct{}{7: {}}, found); err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || len(s.connections) != 1 {
		t.Errorf("%d places, %d connections: want 2 and 1", len(found), len(s.connections))
	}
}
