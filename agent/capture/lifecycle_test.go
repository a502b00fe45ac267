// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestManyShortLived has 200 connections of a few milliseconds each, between
// them 200 pods' worth of first and last packets: none is missed.
func TestManyShortLived(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		const connections = 200
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		c := watch(t, nil)
		cs, ss := attach(t, c, client), attach(t, c, server)
		server.echo(netip.AddrPortFrom(addr(server), 8080))
		f := make(flows)
		for i := range connections {
			exchange(t, client.dial("tcp", netip.AddrPortFrom(addr(server), 8080)), 10)
			if i%50 == 0 { // drains in between change nothing
				if err := c.Drain(t.Context(), f.add); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Flush(t.Context(), f.add); err != nil {
			t.Fatal(err)
		}
		begun, seen := make(map[Slot]uint64), make(map[Slot]int)
		for k, r := range f {
			if r.Outcome != Established || r.Guessed || (r.Initiator == InitiatorLocal) != (k.slot == cs) {
				t.Errorf("%+v", r)
			}
			begun[k.slot] += r.Connections
			seen[k.slot]++
		}
		for _, slot := range []Slot{cs, ss} {
			if begun[slot] != connections || seen[slot] != connections {
				t.Errorf("slot %d: %d connections on %d flows: want %d", slot, begun[slot], seen[slot], connections)
			}
		}
	})
}

// TestFullMap sends to more flows than the map holds: what is sent is what is
// recorded plus what is counted as lost.
func TestFullMap(t *testing.T) {
	forBoth(t, func(t *testing.T, addr func(*pod) netip.Addr) {
		const room, sent = 32, 320
		w := newWorld(t)
		client, server := w.addPod(), w.addPod()
		w.blackhole(addr(server)) // so that nothing comes back
		c := watch(t, func(o *Options) { o.Probe.MaxFlows, o.MaxOverflow = room, 100 })
		cs := attach(t, c, client)
		client.do(func() error {
			conn, err := net.ListenPacket("udp", netip.AddrPortFrom(addr(client), 0).String())
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			for i := range sent {
				to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr(server), uint16(1000+i)))
				if _, err := conn.WriteTo([]byte("hello"), to); err != nil {
					return err
				}
			}
			return nil
		})
		f := make(flows)
		var losses Losses
		recorded := func() (packets uint64) {
			for k, r := range f {
				if k.slot != cs || r.Protocol != 17 {
					t.Fatalf("%+v", r)
				}
				packets += r.Tx.Packets
			}
			return packets
		}
		// The ring buffer's reader may have some to go: wait for the sum.
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
			if err := c.Flush(t.Context(), f.add); err != nil {
				t.Fatal(err)
			}
			var err error
			if losses, err = c.Losses(); err != nil {
				t.Fatal(err)
			}
			if recorded()+losses.LostPackets >= sent {
				break
			}
		}
		if got := recorded(); got+losses.LostPackets != sent || got < room || losses.MapFull != sent-room {
			t.Errorf("%d recorded and losses %+v: want %d in all, of which %d found no room", got, losses, sent, sent-room)
		}
		if perPacket := ipHeader(addr(client)) + 8 + 5; losses.LostBytes != losses.LostPackets*perPacket {
			t.Errorf("losses %+v: want %d bytes a packet", losses, perPacket)
		}
	})
}

func TestDetach(t *testing.T) {
	w := newWorld(t)
	client, server := w.addPod(), w.addPod()
	c := watch(t, nil)
	cs, ss := attach(t, c, client), attach(t, c, server)
	server.echo(netip.AddrPortFrom(server.v4, 8080))
	conn := client.dial("tcp", netip.AddrPortFrom(server.v4, 8080))
	ping(t, conn, 10)
	if err := c.Detach(cs); err != nil {
		t.Fatal(err)
	}
	ping(t, conn, 10)
	f := make(flows)
	if err := c.Drain(t.Context(), f.add); err != nil {
		t.Fatal(err)
	}
	at, to := f.one(t, cs, 6, server.v4), f.one(t, ss, 6, client.v4)
	if at.Tx.Bytes+20 > to.Rx.Bytes || at.Connections != 1 {
		t.Errorf("detached %+v, attached %+v: want only the latter to have the second exchange", at, to)
	}
	if err := c.Detach(cs); !errors.Is(err, ErrUnknownSlot) {
		t.Errorf("detaching twice: %v", err)
	}
	ping(t, conn, 10)
	f = flush(t, c)
	for k, r := range f {
		if k.slot == cs {
			t.Errorf("reported after it was gone: %+v", r)
		}
	}
	if again := attach(t, c, client); again == cs || again == ss {
		t.Errorf("slot %d is given a second time", again)
	}
}

// TestGonePod has a pod vanish with its interface: what it did is still told.
func TestGonePod(t *testing.T) {
	w := newWorld(t)
	client, server := w.addPod(), w.addPod()
	c := watch(t, nil)
	cs := attach(t, c, client)
	server.echo(netip.AddrPortFrom(server.v4, 8080))
	exchange(t, client.dial("tcp", netip.AddrPortFrom(server.v4, 8080)), 10)
	client.do(func() error { return remove("eth0") })
	if err := c.Detach(cs); err != nil {
		t.Fatal(err)
	}
	if at := flush(t, c).one(t, cs, 6, server.v4); at.Connections != 1 || at.Outcome != Established {
		t.Errorf("%+v", at)
	}
	if err := c.Drain(t.Context(), func(*Record) {}); err != nil || c.table4.live != 0 {
		t.Errorf("%d entries in the kernel after the pod was gone (%v): want none",
			c.table4.live, err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	w := newWorld(t)
	client := w.addPod()
	handles := func() int {
		t.Helper()
		runtime.GC()
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	open := func() {
		o := DefaultOptions()
		o.Now = time.Now
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		attach(t, c, client)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("closing twice: %v", err)
		}
		if _, ok := <-c.DNS(); ok {
			t.Error("the DNS channel is open after Close")
		}
		if err := c.Drain(context.Background(), func(*Record) {}); !errors.Is(err, ErrClosed) {
			t.Errorf("draining a closed collector: %v", err)
		}
		if _, err := c.Attach(client.path, "eth0"); !errors.Is(err, ErrClosed) {
			t.Errorf("attaching to a closed collector: %v", err)
		}
	}
	open() // what libraries keep for the life of the process
	before, goroutines := handles(), runtime.NumGoroutine()
	for range 3 {
		open()
	}
	if after := handles(); after != before {
		t.Errorf("%d open files before, %d after", before, after)
	}
	if after := runtime.NumGoroutine(); after > goroutines {
		t.Errorf("%d goroutines before, %d after", goroutines, after)
	}
}
