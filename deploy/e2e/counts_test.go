// SPDX-License-Identifier: Apache-2.0

//go:build linux

package e2e

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/podmap/nodetest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// The two pods of each test, with an address of each family.
const (
	client4, client6 = "10.77.0.5", "fd77::5"
	server4, server6 = "10.77.0.9", "fd77::9"
)

func (s *setup) addPair() (client, server *nodetest.Pod) {
	s.t.Helper()
	return s.addPod("client", client4, client6), s.addPod("server", server4, server6)
}

func (s *setup) family(address string) (e edge, serverAddress netip.Addr) {
	serverAddress = netip.MustParseAddr(address)
	from := client4
	if serverAddress.Is6() {
		from = client6
	}
	return edge{client: end{"client", from}, server: end{"server", address}, protocol: flow.TCP}, serverAddress
}

// wantTCP checks an edge of n requests at both ends, byte for byte.
func wantTCP(tb testing.TB, got map[edge]counted, e edge, address netip.Addr, n uint64) {
	tb.Helper()
	c, ok := got[e]
	if !ok {
		tb.Errorf("edge %+v is missing", e)
		return
	}
	delete(got, e)
	for where, c := range map[string]flow.Counters{"client's end": c.byClient, "server's end": c.byServer} {
		sent, received := payload(c, address)
		if c.Connections != n || sent != n*requestSize || received != n*response {
			tb.Errorf("%+v at the %s: %d connections, %d bytes sent, %d received; want %d, %d, %d", e, where,
				c.Connections, sent, received, n, n*requestSize, n*response)
		}
	}
	if c.byClient != c.byServer {
		tb.Errorf("%+v: counted %+v at the client's end, %+v at the server's", e, c.byClient, c.byServer)
	}
}

// wantExactly checks an edge's counts at both ends.
func wantExactly(tb testing.TB, got map[edge]counted, e edge, want flow.Counters) {
	tb.Helper()
	if c := got[e]; c.byClient != want || c.byServer != want {
		tb.Errorf("%+v: counted %+v at the client's end, %+v at the server's; want %+v", e, c.byClient, c.byServer, want)
	}
	delete(got, e)
}

func wantNothingElse(tb testing.TB, got map[edge]counted, lost store.Losses) {
	tb.Helper()
	for e, c := range got {
		tb.Errorf("an edge that was not made: %+v %+v", e, c)
	}
	if !lost.IsZero() {
		tb.Errorf("losses %+v, want none", lost)
	}
}

func TestCountsAreExact(t *testing.T) {
	s := newSetup(t)
	recommender := s.startRecommender()
	s.await("the recommender makes its CA", func() bool { return exists(s.path("data/ca.pem")) })
	client, server := s.addPair()
	agent := s.startAgent()
	s.awaitAgent(2)

	const requests, small, size = 20, 50, 400
	serve(server)
	for range requests {
		for _, address := range []string{server4, server6} {
			if err := request(client, netip.AddrPortFrom(netip.MustParseAddr(address), 8080)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, address := range []string{server4, server6} {
		if err := datagrams(client, server, netip.AddrPortFrom(netip.MustParseAddr(address), 5353), small, size); err != nil {
			t.Fatal(err)
		}
		for range 5 { // nobody listens
			if _, err := client.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr(address), 81).String()); err == nil {
				t.Fatal("a connection to a closed port")
			}
		}
	}
	s.finish(agent, recommender)

	got, lost := s.stored()
	for _, address := range []string{server4, server6} {
		e, a := s.family(address)
		e.port = 8080
		wantTCP(t, got, e, a, requests)
		udp := e
		udp.protocol, udp.port = flow.UDP, 5353
		bytes := small * (size + udpHeader + ipHeader(a))
		wantExactly(t, got, udp, flow.Counters{Connections: 1, BytesSent: bytes, BytesReceived: bytes, PacketsSent: small, PacketsReceived: small})
		refused := e
		refused.port, refused.outcome = 81, flow.Refused
		// A SYN with its 20 bytes of options, and a bare reset.
		syn, reset := ipHeader(a)+tcpHeader+synOptions, ipHeader(a)+20
		wantExactly(t, got, refused, flow.Counters{Connections: 5, BytesSent: 5 * syn, BytesReceived: 5 * reset, PacketsSent: 5, PacketsReceived: 5})
	}
	wantNothingElse(t, got, lost)
}

// traffic makes requests over both families until it is stopped, and knows how
// many there were.
type traffic struct {
	made  [2]atomic.Uint64 // IPv4, IPv6
	quit  chan struct{}
	tasks sync.WaitGroup
}

func startTraffic(tb testing.TB, client *nodetest.Pod) *traffic {
	tb.Helper()
	f := &traffic{quit: make(chan struct{})}
	for i, address := range []string{server4, server6} {
		a := netip.AddrPortFrom(netip.MustParseAddr(address), 8080)
		f.tasks.Go(func() {
			for tick := time.NewTicker(20 * time.Millisecond); ; {
				select {
				case <-f.quit:
					tick.Stop()
					return
				case <-tick.C:
				}
				if err := request(client, a); err != nil {
					tb.Errorf("a request that did not end well: %v", err)
					return
				}
				f.made[i].Add(1)
			}
		})
	}
	return f
}

func (f *traffic) stop() {
	close(f.quit)
	f.tasks.Wait()
}

func (f *traffic) total() uint64 { return f.made[0].Load() + f.made[1].Load() }

// The recommender is killed under traffic, twice to come back at once, then for
// 30 seconds: no edge and no byte is lost or doubled.
func TestRecommenderKilledUnderTraffic(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 40 seconds")
	}
	s := newSetup(t)
	recommender := s.startRecommender()
	s.await("the recommender makes its CA", func() bool { return exists(s.path("data/ca.pem")) })
	client, server := s.addPair()
	agent := s.startAgent()
	s.awaitAgent(2)
	serve(server)
	made := startTraffic(t, client)
	for range 2 {
		s.awaitSent()
		recommender.kill()
		recommender = s.startRecommender()
	}
	s.awaitSent()
	recommender.kill()
	before := made.total()
	<-time.After(30 * time.Second) // what the test is about: that long without a recommender
	if during := made.total() - before; during < 100 {
		t.Errorf("only %d requests while the recommender was away", during)
	}
	if n := s.spooled(); n < 20 {
		t.Errorf("%d batches in the spool after 30 windows without a recommender", n)
	}
	recommender = s.startRecommender()
	s.await("the spool is sent", func() bool { return s.metric("netcinch_agent_spool_batches") == "0" })
	made.stop()
	s.finish(agent, recommender)
	s.wantTraffic(made)
}

// awaitSent waits until the recommender has taken a batch since now.
func (s *setup) awaitSent() {
	s.t.Helper()
	before := s.metric("netcinch_agent_batches_sent_total")
	s.await("a batch is sent", func() bool {
		now := s.metric("netcinch_agent_batches_sent_total")
		return now != "" && now != before
	})
}

func (s *setup) wantTraffic(made *traffic) {
	s.t.Helper()
	if n := s.spooled(); n != 0 {
		s.t.Errorf("%d batches left in the spool", n)
	}
	got, lost := s.stored()
	for i, address := range []string{server4, server6} {
		e, a := s.family(address)
		e.port = 8080
		wantTCP(s.t, got, e, a, made.made[i].Load())
	}
	wantNothingElse(s.t, got, lost)
	s.t.Logf("%d requests, each counted once at both ends", made.total())
}

// The agent ends while nobody takes its batches, and another begins: what the
// first one spooled arrives, once.
func TestAgentRestartKeepsTheSpool(t *testing.T) {
	s := newSetup(t)
	first := s.startRecommender() // for its CA only
	s.await("the recommender makes its CA", func() bool { return exists(s.path("data/ca.pem")) })
	s.await("the recommender listens", func() bool { return listens(s.ingest) })
	first.stop()
	client, server := s.addPair()
	agent := s.startAgent()
	s.awaitAgent(2)
	serve(server)
	made := startTraffic(t, client)
	s.await("batches are spooled", func() bool { return s.spooled() >= 3 })
	made.stop()
	agent.stop()
	before := s.spooled()
	if before < 3 {
		t.Fatalf("%d batches in the spool after the agent's end", before)
	}

	agent = s.startAgent()
	s.awaitAgent(2)
	more := startTraffic(t, client)
	recommender := s.startRecommender()
	s.awaitSent()
	s.await("the spool is sent", func() bool { return s.metric("netcinch_agent_spool_batches") == "0" })
	more.stop()
	s.finish(agent, recommender)
	for i := range made.made {
		made.made[i].Add(more.made[i].Load())
	}
	s.wantTraffic(made)
}
