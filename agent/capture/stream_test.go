// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func framed(messages ...string) []byte {
	var b []byte
	for _, m := range messages {
		b = binary.BigEndian.AppendUint16(b, uint16(len(m)))
		b = append(b, m...)
	}
	return b
}

func TestStreams(t *testing.T) {
	now := time.Unix(1000, 0)
	text := framed("one", "the second message", "three")
	part := func(from, to int) segment { return segment{^uint32(4) + uint32(from), text[from:to]} } // wraps on the way
	all := []string{"one", "the second message", "three"}
	for _, test := range []struct {
		name     string
		segments []segment
		want     []string
		left     int // streams
		lost     int
	}{
		{"whole", []segment{part(0, len(text))}, all, 0, 0},
		{"byte by byte", nil, all, 0, 0},
		{"split in a length", []segment{part(0, 6), part(6, len(text))}, all, 0, 0},
		{"out of order", []segment{part(0, 3), part(10, len(text)), part(3, 10)}, all, 0, 0},
		{"sent twice", []segment{part(0, 8), part(0, 8), part(4, 20), part(20, len(text))}, all, 0, 0},
		{"cut", []segment{part(0, 9)}, all[:1], 1, 0},
		{"a hole that is never filled", func() (s []segment) {
			s = append(s, part(0, 7))
			for i := range maxPending + 1 {
				s = append(s, segment{part(0, 1).sequence + 100 + uint32(i), []byte{0}})
			}
			return s
		}(), all[:1], 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.segments == nil {
				for i := range text {
					test.segments = append(test.segments, part(i, i+1))
				}
			}
			s := make(streams)
			var got []string
			lost := 0
			for _, one := range test.segments {
				lost += s.take(streamKey{slot: 1}, one, now, func(m []byte) { got = append(got, string(m)) })
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) || len(s) != test.left || lost != test.lost {
				t.Errorf("got %q, %d streams left, %d lost: want %q, %d, %d", got, len(s), lost, test.want, test.left, test.lost)
			}
		})
	}
}

// TestStreamsAreBounded begins more messages than are kept: the rest is
// counted, and what waits too long makes room.
func TestStreamsAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	s := make(streams)
	lost := 0
	none := func([]byte) { t.Error("nothing was whole") }
	for i := range maxStreams + 10 {
		lost += s.take(streamKey{slot: Slot(i + 1)}, segment{1, []byte{0, 9, 1}}, now, none)
	}
	if len(s) != maxStreams || lost != 10 {
		t.Errorf("%d streams, %d lost: want %d and 10", len(s), lost, maxStreams)
	}
	now = now.Add(2 * streamTimeout)
	if lost := s.take(streamKey{slot: 9999}, segment{1, []byte{0, 9, 1}}, now, none); lost != maxStreams || len(s) != 1 {
		t.Errorf("%d lost, %d streams after all of them waited too long", lost, len(s))
	}
}

// FuzzStreams cuts a text into segments in any way: what comes out is its
// messages, in order, or less.
func FuzzStreams(f *testing.F) {
	f.Add([]byte{3, 1, 4, 1, 5}, uint32(1))
	f.Add([]byte{255, 0, 7}, ^uint32(0))
	f.Fuzz(func(t *testing.T, cuts []byte, start uint32) {
		text := framed("alpha", "", "a longer message than the others", "omega")
		want := []string{"alpha", "", "a longer message than the others", "omega"}
		s := make(streams)
		at, n := 0, 0
		whole := func(m []byte) {
			if n >= len(want) || !bytes.Equal(m, []byte(want[n])) {
				t.Fatalf("message %d is %q", n, m)
			}
			n++
		}
		for _, cut := range append(cuts, 255) {
			to := min(at+int(cut), len(text))
			if to > at {
				s.take(streamKey{}, segment{start + uint32(at), text[at:to]}, time.Unix(1, 0), whole)
			}
			at = to
		}
		if n != len(want) && at == len(text) {
			t.Errorf("%d messages of %d", n, len(want))
		}
	})
}

// TestDNSOverTCP has a resolver answer in several segments, with a chain of
// names: the address is told under the name that was asked for.
func TestDNSOverTCP(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		c := watch(t, nil)
		cs := attach(t, c, client)
		resolver := netip.AddrPortFrom(addr(server), 53)
		server.echo(resolver)
		message := reply("pay.example.com.", cname("pay.example.com.", 60, "b.example.net."), cname("b.example.net.", 30, "c.example.net."), a("c.example.net.", 90, "192.0.2.9"))
		text := framed(string(message))
		conn := client.dial("tcp", resolver)
		for _, part := range [][]byte{text[:1], text[1:20], text[20:]} { // echoed part by part
			if _, err := conn.Write(part); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, len(part))); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case got := <-c.DNS():
			if got.Slot != cs || got.Name != "pay.example.com" || len(got.Addrs) != 1 || got.TTL != 30*time.Second {
				t.Errorf("got %+v", got)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no answer in the channel")
		}
		if l, err := c.Losses(); err != nil || l != (Losses{}) {
			t.Errorf("losses %+v, %v", l, err)
		}
	})
}
