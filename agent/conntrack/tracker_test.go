// SPDX-License-Identifier: Apache-2.0

//go:build linux

package conntrack

import (
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/podmap/nodetest"
)

const (
	client4, server4, virtual4 = "10.78.0.2", "10.78.0.3", "10.96.0.10"
	client6, server6, virtual6 = "fd78::2", "fd78::3", "fd96::10"
)

// nft loads rules into the node's namespace. The first one that needs it
// switches connection tracking on.
func nft(t *testing.T, n *nodetest.Node, text string) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft")
	}
	err := n.Do(func() error {
		c := exec.Command("nft", "-f", "-")
		c.Stdin = strings.NewReader(text)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Logf("nft: %s", out)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}()
	}
}

func ping(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
}

// TestEventsInPlaceOfLookUps has the program do without conntrack: from events
// and a list come who began 100 connections that were open before, all of them
// with ports that tell the wrong way, and the addresses behind a Service.
func TestEventsInPlaceOfLookUps(t *testing.T) {
	n := nodetest.New(t)
	client, server := n.AddPod("client", client4, client6), n.AddPod("server", server4, server6)
	nft(t, n, `
table ip nat {
  chain pre {
    type nat hook prerouting priority -100;
    ip daddr `+virtual4+` tcp dport 80 dnat to `+server4+`:65535
  }
  chain post {
    type nat hook postrouting priority 100;
    ip daddr `+server4+` tcp dport 65534 snat to 10.78.9.9
  }
}
table ip6 nat {
  chain pre {
    type nat hook prerouting priority -100;
    ip6 daddr `+virtual6+` tcp dport 80 dnat to [`+server6+`]:65535
  }
}`)
	for _, address := range []string{server4 + ":65535", "[" + server6 + "]:65535", server4 + ":65534"} {
		l := server.Listen(address)
		defer func() { _ = l.Close() }()
		go echo(l)
	}
	dial := func(address string) net.Conn {
		t.Helper()
		c, err := client.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		ping(t, c)
		return c
	}
	open := make([]net.Conn, 0, 100)
	for i := range 100 {
		open = append(open, dial([]string{virtual4 + ":80", "[" + virtual6 + "]:80", server4 + ":65535", server4 + ":65534"}[i%4]))
	}

	tracker, err := Open(Options{Netns: n.Path, Max: DefaultMax, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tracker.Close() }()
	o := capture.DefaultOptions()
	o.Now, o.Probe.NoConntrack = time.Now, true
	c, err := capture.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	slots := make(map[capture.Slot]bool) // the client's
	for _, p := range []*nodetest.Pod{client, server} {
		slot, failed := c.Attach(p.Path(), "eth0")
		if failed != nil {
			t.Fatal(failed)
		}
		slots[slot] = p == client
	}
	for _, c := range open {
		ping(t, c)
	}
	dial(virtual4 + ":80") // its conntrack entry comes as an event
	for deadline := time.Now().Add(10 * time.Second); tracker.Known() < 202 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	right, guessed := 0, 0
	err = c.Flush(t.Context(), func(r *capture.Record) {
		if r.Protocol != 6 {
			return
		}
		if r.Guessed {
			guessed++
		}
		tracker.Resolve(r)
		atClient := slots[r.Slot]
		if (r.Initiator == capture.InitiatorLocal) != atClient || r.Guessed {
			t.Errorf("who began %+v", r)
			return
		}
		right++
		wantAddresses(t, *r, atClient)
	})
	if err != nil {
		t.Fatal(err)
	}
	if right != 202 || guessed != 200 {
		t.Errorf("%d ends of 101 connections told right, %d would have been guessed: want 202 and 200", right, guessed)
	}
	if got := tracker.Counts(); got != (Counts{}) {
		t.Errorf("counts %+v", got)
	}
}

func wantAddresses(t *testing.T, r capture.Record, atClient bool) {
	t.Helper()
	port := r.LocalPort
	if atClient {
		port = r.RemotePort
	}
	client := netip.MustParseAddr(client4)
	switch {
	case port == 65534:
		if !r.SourceRewritten || !atClient && r.Source.Addr() != client {
			t.Errorf("rewritten source: %+v", r)
		}
	case atClient && port == 80:
		if r.Backend.Port() != 65535 || r.Dialled.Port() != 80 || r.Dialled.Addr() != r.Remote {
			t.Errorf("service at the client: %+v", r)
		}
	case atClient:
		if r.Backend.IsValid() || r.Dialled.IsValid() {
			t.Errorf("no service: %+v", r)
		}
	case r.Dialled.IsValid() && r.Dialled.Port() != 80:
		t.Errorf("service at the server: %+v", r)
	}
}

// TestBounds keeps to the bound, counts what has no room, and forgets what
// ended.
func TestBounds(t *testing.T) {
	now := time.Unix(1000, 0)
	tr := &Tracker{options: Options{Max: 4, Clock: func() time.Time { return now }}, known: make(map[ends]*entry)}
	make1 := func(port uint16) connection {
		a, b := netip.MustParseAddrPort("10.0.0.2:1"), netip.AddrPortFrom(netip.MustParseAddr("10.0.0.3"), port)
		return connection{tuple{a, b, 6}, tuple{b, a, 6}}
	}
	for port := range uint16(3) {
		tr.add(make1(port + 1))
	}
	if len(tr.known) != 4 || tr.counts.Full != 2 {
		t.Errorf("%d known, %+v: want 4 and 2 without room", len(tr.known), tr.counts)
	}
	tr.end(make1(1))
	now = now.Add(2 * linger)
	tr.add(make1(3))
	if len(tr.known) != 4 || tr.counts.Full != 2 {
		t.Errorf("%d known, %+v: want the ended one to make room", len(tr.known), tr.counts)
	}
}

// FuzzMessage reads anything without a panic, and only whole connections.
func FuzzMessage(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0})
	f.Add([]byte{2, 0, 0, 0, 0x34, 0, 1, 0x80, 0x14, 0, 1, 0x80, 8, 0, 1, 0, 10, 0, 0, 1, 8, 0, 2, 0, 10, 0, 0, 2, 0x1c, 0, 2, 0x80, 5, 0, 1, 0, 6, 0, 0, 0, 6, 0, 2, 0, 0, 80, 0, 0, 6, 0, 3, 0, 0, 81, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		c, ok := parseMessage(body)
		if ok && (!c.original.source.IsValid() || !c.reply.target.IsValid() || c.original.protocol == 0) {
			t.Errorf("taken for whole: %+v", c)
		}
	})
}
