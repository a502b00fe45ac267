// SPDX-License-Identifier: Apache-2.0

//go:build linux

package drops_test

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/drops"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/agent/podmap/nodetest"
)

// stage is a node with two pods, watched.
type stage struct {
	t              *testing.T
	node           *nodetest.Node
	client, server *nodetest.Pod
	collector      *capture.Collector
	tracker        *drops.Tracker
	slots          map[netip.Addr]capture.Slot
}

func forBoth(t *testing.T, test func(s *stage)) {
	t.Helper()
	t.Run("IPv4", func(t *testing.T) { test(newStage(t, "10.62.0.1", "10.62.0.2")) })
	t.Run("IPv6", func(t *testing.T) { test(newStage(t, "fd62::1", "fd62::2")) })
}

func newStage(t *testing.T, client, server string) *stage {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN")
	}
	node := nodetest.New(t)
	s := &stage{t: t, node: node, client: node.AddPod("client", client), server: node.AddPod("server", server), slots: make(map[netip.Addr]capture.Slot)}
	o := capture.DefaultOptions()
	o.Now = time.Now
	var err error
	if s.collector, err = capture.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.collector.Close() })
	cookie, err := owner.Cookie(node.Path)
	if err != nil {
		t.Fatal(err)
	}
	if s.tracker, err = drops.Open(drops.Options{Clock: time.Now, Node: cookie}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.tracker.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	for _, p := range []*nodetest.Pod{s.client, s.server} {
		s.attach(p)
	}
	return s
}

func (s *stage) attach(p *nodetest.Pod) {
	s.t.Helper()
	slot, err := s.collector.Attach(p.Path(), "eth0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.slots[p.Addresses[0]] = slot
	cookie, err := owner.Cookie(p.Path())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.tracker.Watch(slot, cookie); err != nil {
		s.t.Fatal(err)
	}
}

// filter gives the node rules in nft's language, with $S for the server's
// address and ip for its family.
func (s *stage) filter(rules string) {
	s.t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		s.t.Skip("needs the nft command")
	}
	a := s.server.Addresses[0]
	family := "ip"
	if a.Is6() {
		family = "ip6"
	}
	c := exec.Command("nft", "-f", "-")
	c.Stdin = strings.NewReader(strings.NewReplacer("; } }", "\n}\n}", "$S", a.String(), "$C", s.client.Addresses[0].String(), "$F", family).Replace(rules))
	if err := s.node.Do(func() error {
		out, err := c.CombinedOutput()
		if err != nil {
			s.t.Logf("nft: %s", out)
		}
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
}

const dropServer = `table inet t { chain f { type filter hook forward priority 0; $F daddr $S tcp dport 8080 drop; $F daddr $S udp dport 8080 drop; } }`

// records gives what is to be said now, resolved.
func (s *stage) records() []capture.Record {
	s.t.Helper()
	if err := s.tracker.Refresh(); err != nil {
		s.t.Fatal(err)
	}
	var all []capture.Record
	if err := s.collector.Flush(context.Background(), func(r *capture.Record) { all = append(all, *r) }); err != nil {
		s.t.Fatal(err)
	}
	for i := range all {
		s.tracker.Resolve(&all[i])
	}
	return all
}

// one gives the client's only record with a port of a remote end.
func (s *stage) one(protocol uint8, port uint16) capture.Record {
	s.t.Helper()
	var found []capture.Record
	for _, r := range s.records() {
		if r.Slot == s.slots[s.client.Addresses[0]] && r.RemotePort == port && r.Protocol == protocol {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		s.t.Fatalf("%d records of protocol %d with port %d, want 1: %+v", len(found), protocol, port, found)
	}
	return found[0]
}

// wantFiltered wants what a filter drops.
func (s *stage) wantFiltered(r capture.Record) {
	s.t.Helper()
	if want := "NETFILTER_DROP"; r.Outcome != capture.Dropped || r.Reason != want {
		s.t.Errorf("outcome %d, reason %q: want dropped, %q", r.Outcome, r.Reason, want)
	}
}

func at(a netip.Addr, port uint16) string { return netip.AddrPortFrom(a, port).String() }

// tryTCP opens a connection that fails.
func (s *stage) tryTCP(address string) {
	s.t.Helper()
	if s.client.DialFor("tcp", address, 200*time.Millisecond) == nil {
		s.t.Fatalf("connecting to %s succeeded", address)
	}
}

func (s *stage) sendUDP(address string) {
	s.t.Helper()
	c, err := s.client.Dial("udp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("hello")); err != nil {
		s.t.Fatal(err)
	}
}

// A policy on the node, as nftables enforces it.
func TestFiltered(t *testing.T) {
	forBoth(t, func(s *stage) {
		s.server.Listen(at(s.server.Addresses[0], 8080))
		s.filter(dropServer)
		s.tryTCP(at(s.server.Addresses[0], 8080))
		s.wantFiltered(s.one(6, 8080))
		s.sendUDP(at(s.server.Addresses[0], 8080))
		s.wantFiltered(s.one(17, 8080))
		if got := s.tracker.Counts(); got.Packets < 2 || got.Lost != 0 {
			s.t.Errorf("counts %+v: want at least 2 packets, none lost", got)
		}
	})
}

// The same at the server's end, whose interface saw nothing: an attempt.
func TestAttempt(t *testing.T) {
	forBoth(t, func(s *stage) {
		s.filter(dropServer)
		s.tryTCP(at(s.server.Addresses[0], 8080))
		s.sendUDP(at(s.server.Addresses[0], 8080)) // nobody listens: could be an answer
		s.records()
		var found []capture.Record
		s.tracker.Attempts(
			func(a netip.Addr) (capture.Slot, bool) { slot, ok := s.slots[a]; return slot, ok },
			func(*capture.Record) (bool, bool) { return false, true },
			func(r capture.Record) { found = append(found, r) })
		if len(found) != 1 {
			s.t.Fatalf("%d attempts, want 1: %+v", len(found), found)
		}
		r := found[0]
		s.wantFiltered(r)
		if r.Slot != s.slots[s.server.Addresses[0]] || r.Local != s.server.Addresses[0] || r.LocalPort != 8080 ||
			r.Remote != s.client.Addresses[0] || r.Initiator != capture.InitiatorRemote || r.Connections != 1 || r.Rx.Packets == 0 {
			s.t.Errorf("attempt %+v", r)
		}
	})
}

// What a Service's address was rewritten to is named by the drop.
func TestFilteredBackend(t *testing.T) {
	s := newStage(t, "10.62.0.1", "10.62.0.2")
	s.filter(`table ip n { chain p { type nat hook prerouting priority -100; ip daddr 10.96.0.10 tcp dport 80 dnat to $S:8080; } }` + "\n" + dropServer)
	s.tryTCP("10.96.0.10:80")
	r := s.one(6, 80)
	s.wantFiltered(r)
	if want := netip.MustParseAddrPort("10.62.0.2:8080"); r.Backend != want || r.Dialled != netip.MustParseAddrPort("10.96.0.10:80") {
		t.Errorf("dialled %v, backend %v: want backend %v", r.Dialled, r.Backend, want)
	}
}

// The answer is dropped, not the question.
func TestFilteredAnswer(t *testing.T) {
	forBoth(t, func(s *stage) {
		s.server.Listen(at(s.server.Addresses[0], 8080))
		s.filter(`table inet t { chain f { type filter hook forward priority 0; $F saddr $S tcp sport 8080 drop; } }`)
		s.tryTCP(at(s.server.Addresses[0], 8080))
		s.wantFiltered(s.one(6, 8080))
	})
}

// A node without a route there, and one that says so.
func TestNoRoute(t *testing.T) {
	s := newStage(t, "10.62.0.1", "10.62.0.2")
	if err := s.node.Do(func() error { return exec.Command("ip", "route", "add", "blackhole", "192.0.2.0/24").Run() }); err != nil {
		t.Fatal(err)
	}
	s.tryTCP("192.0.2.1:443")
	if r := s.one(6, 443); r.Outcome != capture.Dropped || r.Reason == "" { // kernels differ in the reason
		t.Errorf("a black hole: outcome %d, reason %q", r.Outcome, r.Reason)
	}
	s.tryTCP("198.51.100.1:443") // the node answers with an ICMP error
	if r := s.one(6, 443); r.Outcome != capture.Refused || r.Reason != "" {
		t.Errorf("no route: outcome %d, reason %q: want refused", r.Outcome, r.Reason)
	}
}

// A closed port refuses; that the kernel drops the packet then is no news.
func TestRefused(t *testing.T) {
	forBoth(t, func(s *stage) {
		s.tryTCP(at(s.server.Addresses[0], 8081))
		if r := s.one(6, 8081); r.Outcome != capture.Refused || r.Reason != "" {
			s.t.Errorf("outcome %d, reason %q: want refused", r.Outcome, r.Reason)
		}
	})
}

// A server that answers nothing is not one whose packets were dropped.
func TestUnanswered(t *testing.T) {
	s := newStage(t, "10.62.0.1", "10.62.0.2")
	s.server.ListenPacket(at(s.server.Addresses[0], 8080))
	s.sendUDP(at(s.server.Addresses[0], 8080))
	if r := s.one(17, 8080); r.Outcome != capture.Unanswered || r.Reason != "" {
		t.Errorf("outcome %d, reason %q: want unanswered", r.Outcome, r.Reason)
	}
}

// A scan of many ports behind a filter: each port shows, with the reason.
func TestScan(t *testing.T) {
	const ports = 300
	s := newStage(t, "10.62.0.1", "10.62.0.2")
	s.filter(`table inet t { chain f { type filter hook forward priority 0; ip daddr $S drop; } }`)
	if err := s.client.Do(func() error {
		for port := range ports {
			fd, err := halfOpen(netip.AddrPortFrom(s.server.Addresses[0], uint16(1000+port)))
			if err != nil {
				return err
			}
			defer closeFD(fd)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	dropped := map[uint16]bool{}
	for _, r := range s.records() {
		if r.Slot == s.slots[s.client.Addresses[0]] && r.Outcome == capture.Dropped && r.Connections == 1 {
			dropped[r.RemotePort] = true
		}
	}
	if len(dropped) != ports {
		t.Errorf("%d of %d scanned ports show as dropped", len(dropped), ports)
	}
}

// Another node on the same kernel: what it drops is not this one's.
func TestOtherNode(t *testing.T) {
	s := newStage(t, "10.62.0.1", "10.62.0.2")
	other := nodetest.New(t)
	// The same addresses, as two nodes that are containers may well have.
	client, server := other.AddPod("client", "10.62.0.1"), other.AddPod("server", "10.62.0.2")
	theirs := &stage{t: t, node: other, client: client, server: server}
	theirs.filter(dropServer)
	theirs.tryTCP("10.62.0.2:8080")
	if err := s.tracker.Refresh(); err != nil {
		t.Fatal(err)
	}
	if got := s.tracker.Counts().Packets; got != 0 {
		t.Errorf("%d packets of another node's are counted", got)
	}
}
