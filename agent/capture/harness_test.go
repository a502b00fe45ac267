// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// watch makes a collector that lives as long as the test.
func watch(tb testing.TB, change func(*Options)) *Collector {
	tb.Helper()
	needRoot(tb)
	o := DefaultOptions()
	o.Now = time.Now
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Errorf("closing: %v", err)
		}
	})
	return c
}

func attach(tb testing.TB, c *Collector, p *pod) Slot {
	tb.Helper()
	slot, err := c.Attach(p.path, "eth0")
	if err != nil {
		tb.Fatal(err)
	}
	return slot
}

// flowKey is what tells a flow from others in a test.
type flowKey struct {
	slot          Slot
	local, remote netip.AddrPort
	protocol      uint8
}

// flows folds records to flows: counts are summed, the rest is the latest's.
type flows map[flowKey]Record

func (f flows) add(told *Record) {
	r := *told
	k := flowKey{
		r.Slot, netip.AddrPortFrom(r.Local, r.LocalPort), netip.AddrPortFrom(r.Remote, r.RemotePort), r.Protocol,
	}
	before := f[k]
	r.Tx.Packets += before.Tx.Packets
	r.Tx.Bytes += before.Tx.Bytes
	r.Rx.Packets += before.Rx.Packets
	r.Rx.Bytes += before.Rx.Bytes
	r.Connections += before.Connections
	f[k] = r
}

// flush drains all that is there.
func flush(tb testing.TB, c *Collector) flows {
	tb.Helper()
	f := make(flows)
	if err := c.Flush(context.Background(), f.add); err != nil {
		tb.Fatal(err)
	}
	return f
}

// one gives the only flow of a slot and protocol with that remote end.
func (f flows) one(tb testing.TB, slot Slot, protocol uint8, remote netip.Addr) Record {
	tb.Helper()
	var found []Record
	for k, r := range f {
		if k.slot == slot && k.protocol == protocol && k.remote.Addr() == remote {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		tb.Fatalf("%d flows of slot %d, protocol %d with %s: want 1; all: %+v", len(found), slot, protocol, remote, f)
	}
	return found[0]
}

// forBoth runs a test with the IPv4 and the IPv6 address of pods.
func forBoth(t *testing.T, test func(t *testing.T, addr func(*pod) netip.Addr)) {
	t.Run("IPv4", func(t *testing.T) { test(t, func(p *pod) netip.Addr { return p.v4 }) })
	t.Run("IPv6", func(t *testing.T) { test(t, func(p *pod) netip.Addr { return p.v6 }) })
}

// echo has a pod accept connections and send back what comes, until the test
// ends.
func (p *pod) echo(addr netip.AddrPort) {
	p.t.Helper()
	var l net.Listener
	p.do(func() (err error) {
		l, err = net.Listen("tcp", addr.String())
		return err
	})
	p.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
}

// dial opens a connection from a pod.
func (p *pod) dial(network string, to netip.AddrPort) net.Conn {
	p.t.Helper()
	var conn net.Conn
	p.do(func() (err error) {
		conn, err = net.Dial(network, to.String())
		return err
	})
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	p.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// exchange sends bytes to an echoing end, waits for them and for its goodbye.
func exchange(tb testing.TB, conn net.Conn, bytes int) {
	tb.Helper()
	ping(tb, conn, bytes)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		tb.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		tb.Fatalf("waiting for the end of the connection: %v", err)
	}
	_ = conn.Close()
}

func ping(tb testing.TB, conn net.Conn, bytes int) {
	tb.Helper()
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Write(make([]byte, bytes))
		failed <- err
	}()
	if _, err := io.ReadFull(conn, make([]byte, bytes)); err != nil {
		tb.Fatal(err)
	}
	if err := <-failed; err != nil {
		tb.Fatal(err)
	}
}

// packetListener has a pod take datagrams and, where it replies, send them back.
func (p *pod) datagrams(addr netip.AddrPort, reply func([]byte) []byte) {
	p.t.Helper()
	var conn net.PacketConn
	p.do(func() (err error) {
		conn, err = net.ListenPacket("udp", addr.String())
		return err
	})
	p.t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := reply(buffer[:n]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
}
