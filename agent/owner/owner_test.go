// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner_test

import (
	"context"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/agent/podmap/nodetest"
)

// stage is a node with two pods, watched.
type stage struct {
	t              testing.TB
	collector      *capture.Collector
	tracker        *owner.Tracker
	client, server *nodetest.Pod
	slots          map[*nodetest.Pod]capture.Slot
}

var families = []struct{ name, client, server string }{
	{"IPv4", "10.61.0.1", "10.61.0.2"},
	{"IPv6", "fd61::1", "fd61::2"},
}

// forBoth runs a test with pods of either family.
func forBoth(t *testing.T, test func(s *stage)) {
	t.Helper()
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) { test(newStage(t, f.client, f.server)) })
	}
}

func newStage(tb testing.TB, client, server string) *stage {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN")
	}
	node := nodetest.New(tb)
	return &stage{t: tb, client: node.AddPod("client", client), server: node.AddPod("server", server), slots: make(map[*nodetest.Pod]capture.Slot)}
}

// watch begins to capture and follow. What ran before was there before the agent.
func (s *stage) watch() {
	s.t.Helper()
	o := capture.DefaultOptions()
	o.Now = time.Now
	o.Probe.Dialling = true
	var err error
	if s.collector, err = capture.New(o); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = s.collector.Close() })
	s.tracker, err = owner.Open(owner.Options{Running: s.collector.Running(), FirstNumber: 1 << 20, Clock: time.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := s.tracker.Close(); err != nil {
			s.t.Errorf("closing: %v", err)
		}
	})
	for _, m := range s.tracker.Missing() {
		s.t.Errorf("missing: %s: %v", m.Feature, m.Err)
	}
	for _, p := range []*nodetest.Pod{s.client, s.server} {
		path := p.Path()
		slot, err := s.collector.Attach(path, "eth0")
		if err != nil {
			s.t.Fatal(err)
		}
		s.slots[p] = slot
		cookie, err := owner.Cookie(path)
		if err != nil {
			s.t.Fatal(err)
		}
		s.tracker.Watch(slot, cookie)
	}
}

// records gives what is to be said now.
func (s *stage) records() []capture.Record {
	s.t.Helper()
	if err := s.tracker.Refresh(); err != nil {
		s.t.Fatal(err)
	}
	var all []capture.Record
	if err := s.collector.Flush(context.Background(), func(r *capture.Record) { all = append(all, *r) }); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// expect wants each record of port 8080 to have these programs at its
// two ends, and at least one of each.
func (s *stage) expect(client, server string) {
	s.t.Helper()
	const port = 8080
	seen := map[capture.Slot]int{}
	for _, r := range s.records() {
		want := client
		switch {
		case r.Slot == s.slots[s.client] && r.RemotePort == port:
		case r.Slot == s.slots[s.server] && r.LocalPort == port:
			want = server
		default:
			continue
		}
		seen[r.Slot]++
		if got := s.tracker.Of(&r).Path(); got != want {
			s.t.Errorf("slot %d, %s:%d to %s:%d: the program is %q, want %q", r.Slot, r.Local, r.LocalPort, r.Remote, r.RemotePort, got, want)
		}
	}
	if len(seen) != 2 {
		s.t.Errorf("records of slots %v, want of both pods", seen)
	}
}

func at(p *nodetest.Pod, port string) string {
	a := p.Addresses[0]
	if a.Is6() {
		return "[" + a.String() + "]:" + port
	}
	return a.String() + ":" + port
}

// A client that is gone when the flows are read, and a server that is not.
func TestBothEnds(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			forBoth(t, func(s *stage) {
				curl, nginx := copyOf(s.t, "curl"), copyOf(s.t, "nginx")
				s.watch()
				start(s.t, s.server, nginx, "serve", network, at(s.server, "8080"))
				run(s.t, s.client, curl, "dial", network, at(s.server, "8080"))
				s.expect(curl, nginx)
			})
		})
	}
}

// A server on every address, that was there before the agent.
func TestListenedBefore(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			forBoth(t, func(s *stage) {
				curl, nginx := copyOf(s.t, "curl"), copyOf(s.t, "nginx")
				start(s.t, s.server, nginx, "serve", network, ":8080")
				s.watch()
				run(s.t, s.client, curl, "dial", network, at(s.server, "8080"))
				s.expect(curl, nginx)
			})
		})
	}
}

// A server that listens on a port and is gone before the flows are read.
func TestShortServer(t *testing.T) {
	s := newStage(t, "10.61.0.1", "10.61.0.2")
	curl, job := copyOf(t, "curl"), copyOf(t, "job")
	s.watch()
	stop := start(t, s.server, job, "serve", "tcp", at(s.server, "8080"))
	run(t, s.client, curl, "dial", "tcp", at(s.server, "8080"))
	stop()
	s.expect(curl, job)
}

// A process becomes another by exec: each flow has the one that opened it.
func TestExec(t *testing.T) {
	s := newStage(t, "10.61.0.1", "10.61.0.2")
	shell, curl, nginx := copyOf(t, "shell"), copyOf(t, "curl"), copyOf(t, "nginx")
	s.watch()
	start(t, s.server, nginx, "serve", "tcp", at(s.server, "8080"))
	run(t, s.client, shell, "exec", curl, "dial", "tcp", at(s.server, "8080"))
	s.expect(curl, nginx)
	run(t, s.client, curl, "exec", shell, "dial", "tcp", at(s.server, "8080"))
	s.expect(shell, nginx)
	run(t, s.client, shell, "fork", curl, "dial", "tcp", at(s.server, "8080"))
	s.expect(curl, nginx)
}

// A process has one program, whichever of its threads connects or execs.
func TestThreads(t *testing.T) {
	s := newStage(t, "10.61.0.1", "10.61.0.2")
	shell, curl, nginx := copyOf(t, "shell"), copyOf(t, "curl"), copyOf(t, "nginx")
	s.watch()
	start(t, s.server, nginx, "thread", "serve", "tcp", at(s.server, "8080"))
	run(t, s.client, curl, "thread", "dial", "tcp", at(s.server, "8080"))
	s.expect(curl, nginx)
	run(t, s.client, shell, "thread", "exec", curl, "thread", "dial", "tcp", at(s.server, "8080"))
	s.expect(curl, nginx)
}

// A server that forks before it accepts: the copy is told by the executable
// that it shares with the one that opened the port, also when that one is gone.
func TestForkingServer(t *testing.T) {
	s := newStage(t, "10.61.0.1", "10.61.0.2")
	curl, daemon := copyOf(t, "curl"), copyOf(t, "daemon")
	s.watch()
	start(t, s.server, daemon, "prefork", "tcp", at(s.server, "8080"))()
	run(t, s.client, curl, "dial", "tcp", at(s.server, "8080"))
	s.expect(curl, daemon)
}

// Workers with a socket each on one port: one ends, the others go on.
func TestReusePort(t *testing.T) {
	s := newStage(t, "10.61.0.1", "10.61.0.2")
	curl, worker := copyOf(t, "curl"), copyOf(t, "worker")
	s.watch()
	first := start(t, s.server, worker, "share", "tcp", at(s.server, "8080"))
	start(t, s.server, worker, "share", "tcp", at(s.server, "8080"))
	run(t, s.client, curl, "dial", "tcp", at(s.server, "8080"))
	s.expect(curl, worker)
	first()
	s.records()
	run(t, s.client, curl, "dial", "tcp", at(s.server, "8080"))
	s.expect(curl, worker)
	r := capture.Record{Slot: s.slots[s.server], Local: s.server.Addresses[0], LocalPort: 8080, Protocol: 6}
	if listens, known := s.tracker.Listens(&r); !listens || !known {
		t.Errorf("with a worker left: listens %v, known %v", listens, known)
	}
}

// A parent listens and a child of another program accepts: the listener is the
// parent's, and a connection that is open when sockets are listed the child's.
func TestAcceptInChild(t *testing.T) {
	s := newStage(t, "10.61.0.1", "10.61.0.2")
	curl, master, child := copyOf(t, "curl"), copyOf(t, "master"), copyOf(t, "child")
	s.watch()
	start(t, s.server, master, "hand", child, "tcp", at(s.server, "8080"))
	run(t, s.client, curl, "dial", "tcp", at(s.server, "8080"))
	s.expect(curl, master)
}

// An init that keeps its services' sockets open is not their program.
func TestInitHandsOver(t *testing.T) {
	s := newStage(t, "10.61.0.1", "10.61.0.2")
	curl, systemd, service := copyOf(t, "curl"), copyOf(t, "systemd"), copyOf(t, "service")
	start(t, s.server, systemd, "hand", service, "tcp", at(s.server, "8080"))
	s.watch()
	run(t, s.client, curl, "dial", "tcp", at(s.server, "8080"))
	s.expect(curl, service)
}

// Connections that were open before the agent have their programs.
func TestOpenBefore(t *testing.T) {
	forBoth(t, func(s *stage) {
		holder, nginx := copyOf(s.t, "holder"), copyOf(s.t, "nginx")
		start(s.t, s.server, nginx, "serve", "tcp", at(s.server, "8080"))
		stop := start(s.t, s.client, holder, "hold", "tcp", at(s.server, "8080"))
		s.watch()
		if err := s.tracker.Refresh(); err != nil { // as a drain does while it is open
			s.t.Fatal(err)
		}
		stop() // its FIN is what is seen
		s.expect(holder, nginx)
	})
}

// A program that nobody can tell is counted, and not made up.
func TestUnknown(t *testing.T) {
	s := newStage(t, "10.61.0.1", "10.61.0.2")
	s.watch()
	s.records()
	before := s.tracker.Counts().Unknown
	r := capture.Record{
		Slot: s.slots[s.client], Local: s.client.Addresses[0], Remote: netip.MustParseAddr("192.0.2.1"),
		LocalPort: 40000, RemotePort: 443, Protocol: 6, Initiator: capture.InitiatorLocal,
		Owner: capture.Owner(1<<31 | 1<<30), // beyond every process id
	}
	if got := s.tracker.Of(&r); got != (owner.Program{}) {
		t.Errorf("the program of a process that was never there: %q", got.Path())
	}
	if got := s.tracker.Counts().Unknown; got != before+1 {
		t.Errorf("%d unknown, want %d", got, before+1)
	}
}

// Forty processes that live for one connection each.
func TestShortClients(t *testing.T) {
	s := newStage(t, "10.61.0.1", "10.61.0.2")
	curl, nginx := copyOf(t, "curl"), copyOf(t, "nginx")
	s.watch()
	start(t, s.server, nginx, "serve", "tcp", at(s.server, "8080"))
	const clients = 40
	for range clients {
		run(t, s.client, curl, "dial", "tcp", at(s.server, "8080"))
	}
	found := 0
	for _, r := range s.records() {
		if r.Slot == s.slots[s.client] && r.RemotePort == 8080 && s.tracker.Of(&r).Path() == curl {
			found++
		}
	}
	if found != clients {
		t.Errorf("%d of %d clients have their program", found, clients)
	}
}

// Where the kernel lets nothing be listed, /proc tells of what is there.
func TestWithoutLists(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			forBoth(t, func(s *stage) {
				if !owner.SeesInitialPIDs() {
					s.t.Skip("needs the initial PID namespace")
				}
				curl, nginx := copyOf(s.t, "curl"), copyOf(s.t, "nginx")
				start(s.t, s.server, nginx, "serve", network, ":8080")
				s.watch()
				s.tracker.WithoutPrograms()
				start(s.t, s.client, curl, "dialled", network, at(s.server, "8080"))
				s.expect(curl, nginx)
			})
		})
	}
}

// The programs and sockets of most records are known: telling them makes no
// work for the collector of garbage.
func TestOfAllocatesNothing(t *testing.T) {
	s := newStage(t, "10.61.0.1", "10.61.0.2")
	curl, nginx := copyOf(t, "curl"), copyOf(t, "nginx")
	s.watch()
	start(t, s.server, nginx, "serve", "tcp", at(s.server, "8080"))
	run(t, s.client, curl, "dial", "tcp", at(s.server, "8080"))
	records := s.records()
	for i := range records {
		s.tracker.Of(&records[i])
	}
	allocations := testing.AllocsPerRun(100, func() {
		for i := range records {
			s.tracker.Of(&records[i])
			s.tracker.Listens(&records[i])
		}
	})
	if allocations != 0 || len(records) == 0 {
		t.Errorf("%v allocations for %d records", allocations, len(records))
	}
}
