// SPDX-License-Identifier: Apache-2.0

//go:build linux

package aggregate

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/recommender/wire"
)

var (
	noon     = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	window   = Window{noon, noon.Add(30 * time.Second)}
	cart     = wire.PodKey{Namespace: "shop", Name: "cart-1", UID: "u1"}
	isClient = wire.EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT
	guessed  = wire.EdgeFlag_EDGE_FLAG_GUESSED
	snat     = wire.EdgeFlag_EDGE_FLAG_SOURCE_REWRITTEN
)

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
func ip(s string) netip.Addr     { return netip.MustParseAddr(s) }

// record is a flow of slot 1 between two addresses with ports.
func record(p uint8, local, remote string, change func(*capture.Record)) capture.Record {
	l, r := ap(local), ap(remote)
	rec := capture.Record{
		Slot: 1, Local: l.Addr(), LocalPort: l.Port(), Remote: r.Addr(), RemotePort: r.Port(), Protocol: p,
		Initiator: capture.InitiatorLocal, Connections: 1,
		Tx: capture.Count{Packets: 3, Bytes: 300}, Rx: capture.Count{Packets: 2, Bytes: 2000},
	}
	if change != nil {
		change(&rec)
	}
	return rec
}

// world is an aggregator with a clock that stands still and what it emitted.
type world struct {
	*Aggregator
	now   time.Time
	pods  map[capture.Slot]wire.PodKey
	parts []Part
}

func newWorld(tb testing.TB, change func(*Options)) *world {
	tb.Helper()
	w := &world{now: noon, pods: map[capture.Slot]wire.PodKey{1: cart}}
	o := DefaultOptions()
	o.Clock = func() time.Time { return w.now }
	o.Identify = func(s capture.Slot, _ owner.Program) (wire.PodKey, bool) { p, ok := w.pods[s]; return p, ok }
	o.Emit = func(p Part) {
		p.Edges = slices.Clone(p.Edges)
		w.parts = append(w.parts, p)
	}
	if change != nil {
		change(&o)
	}
	a, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	w.Aggregator = a
	a.Begin(window)
	return w
}

func (w *world) add(records ...capture.Record) {
	for i := range records {
		w.Add(&records[i])
	}
}

func (w *world) edges() []wire.Edge {
	var all []wire.Edge
	for _, p := range w.parts {
		all = append(all, p.Edges...)
	}
	return all
}

func sortEdges() cmp.Option {
	text := func(e wire.Edge) string {
		return e.Remote.String() + e.DNS + string(rune(e.Port)) + string(rune(e.Outcome)) + string(rune(e.Flags))
	}
	return cmpopts.SortSlices(func(a, b wire.Edge) bool { return strings.Compare(text(a), text(b)) < 0 })
}

func sameEdges(t *testing.T, got, want []wire.Edge) {
	t.Helper()
	if diff := cmp.Diff(want, got, sortEdges(), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("edges differ (-want +got):\n%s", diff)
	}
}

func TestOrient(t *testing.T) {
	sent := wire.Counts{Connections: 1, BytesSent: 300, PacketsSent: 3, BytesReceived: 2000, PacketsReceived: 2}
	turned := wire.Counts{Connections: 1, BytesSent: 2000, PacketsSent: 2, BytesReceived: 300, PacketsReceived: 3}
	key := func(p uint8, local, remote string, port uint16, flags wire.EdgeFlag) wire.EdgeKey {
		return wire.EdgeKey{Pod: cart, Local: ip(local), Remote: ip(remote), Protocol: p, Port: port, Flags: flags}
	}
	dialled := func(k wire.EdgeKey, d string) wire.EdgeKey { k.Dialled = ap(d); return k }
	outcome := func(k wire.EdgeKey, o wire.Outcome) wire.EdgeKey { k.Outcome = o; return k }
	from := func(i capture.Initiator) func(*capture.Record) { return func(r *capture.Record) { r.Initiator = i } }
	for name, c := range map[string]struct {
		record capture.Record
		want   wire.Edge
	}{
		"client, IPv4": {
			record(unix.IPPROTO_TCP, "10.1.0.5:40000", "10.1.0.9:5432", nil),
			wire.Edge{EdgeKey: key(unix.IPPROTO_TCP, "10.1.0.5", "10.1.0.9", 5432, isClient), Counts: sent},
		},
		"client, IPv6": {
			record(unix.IPPROTO_UDP, "[fd00::5]:40000", "[fd00::9]:53", nil),
			wire.Edge{EdgeKey: key(unix.IPPROTO_UDP, "fd00::5", "fd00::9", 53, isClient), Counts: sent},
		},
		"server, IPv4": {
			record(unix.IPPROTO_TCP, "10.1.0.5:8080", "10.1.0.9:40000", from(capture.InitiatorRemote)),
			wire.Edge{EdgeKey: key(unix.IPPROTO_TCP, "10.1.0.5", "10.1.0.9", 8080, 0), Counts: turned},
		},
		"server with the higher port, IPv6": {
			record(unix.IPPROTO_TCP, "[fd00::5]:50051", "[fd00::9]:1024", from(capture.InitiatorRemote)),
			wire.Edge{EdgeKey: key(unix.IPPROTO_TCP, "fd00::5", "fd00::9", 50051, 0), Counts: turned},
		},
		"nobody knows: the lower port serves": {
			record(unix.IPPROTO_TCP, "10.1.0.5:8080", "10.1.0.9:40000", from(capture.InitiatorUnknown)),
			wire.Edge{EdgeKey: key(unix.IPPROTO_TCP, "10.1.0.5", "10.1.0.9", 8080, guessed), Counts: turned},
		},
		"nobody knows: the lower port serves there": {
			record(unix.IPPROTO_TCP, "[fd00::5]:40000", "[fd00::9]:8080", from(capture.InitiatorUnknown)),
			wire.Edge{EdgeKey: key(unix.IPPROTO_TCP, "fd00::5", "fd00::9", 8080, isClient|guessed), Counts: sent},
		},
		"capture guessed": {
			record(unix.IPPROTO_UDP, "10.1.0.5:40000", "10.1.0.9:53", func(r *capture.Record) { r.Guessed = true }),
			wire.Edge{EdgeKey: key(unix.IPPROTO_UDP, "10.1.0.5", "10.1.0.9", 53, isClient|guessed), Counts: sent},
		},
		"equal ports: who sent more asked": {
			record(unix.IPPROTO_UDP, "10.1.0.5:123", "10.1.0.9:123", from(capture.InitiatorUnknown)),
			wire.Edge{EdgeKey: key(unix.IPPROTO_UDP, "10.1.0.5", "10.1.0.9", 123, isClient|guessed), Counts: sent},
		},
		"virtual address, other target port, IPv4": {
			record(unix.IPPROTO_TCP, "10.1.0.5:40000", "10.96.0.1:80", func(r *capture.Record) {
				r.Dialled, r.Backend = ap("10.96.0.1:80"), ap("10.1.0.9:8080")
			}),
			wire.Edge{EdgeKey: dialled(key(unix.IPPROTO_TCP, "10.1.0.5", "10.1.0.9", 8080, isClient), "10.96.0.1:80"), Counts: sent},
		},
		"virtual address, only the backend told, IPv6": {
			record(unix.IPPROTO_TCP, "[fd00::5]:40000", "[fd00:96::1]:80", func(r *capture.Record) { r.Backend = ap("[fd00::9]:8080") }),
			wire.Edge{EdgeKey: dialled(key(unix.IPPROTO_TCP, "fd00::5", "fd00::9", 8080, isClient), "[fd00:96::1]:80"), Counts: sent},
		},
		"backend is what is in the packet: nothing was dialled": {
			record(unix.IPPROTO_TCP, "10.1.0.5:40000", "10.1.0.9:8080", func(r *capture.Record) { r.Backend = ap("10.1.0.9:8080") }),
			wire.Edge{EdgeKey: key(unix.IPPROTO_TCP, "10.1.0.5", "10.1.0.9", 8080, isClient), Counts: sent},
		},
		"source rewritten, own address known": {
			record(unix.IPPROTO_TCP, "10.1.0.5:8080", "10.0.0.1:40000", func(r *capture.Record) {
				r.Initiator, r.SourceRewritten, r.Source = capture.InitiatorRemote, true, ap("10.1.0.7:41000")
			}),
			wire.Edge{EdgeKey: key(unix.IPPROTO_TCP, "10.1.0.5", "10.1.0.7", 8080, snat), Counts: turned},
		},
		"ICMP has no ports": {
			record(unix.IPPROTO_ICMP, "10.1.0.5:77", "10.1.0.9:77", nil),
			wire.Edge{EdgeKey: key(unix.IPPROTO_ICMP, "10.1.0.5", "10.1.0.9", 0, isClient), Counts: sent},
		},
		"refused": {
			record(unix.IPPROTO_TCP, "10.1.0.5:40000", "10.1.0.9:81", func(r *capture.Record) { r.Outcome = capture.Refused }),
			wire.Edge{EdgeKey: outcome(key(unix.IPPROTO_TCP, "10.1.0.5", "10.1.0.9", 81, isClient), wire.Refused), Counts: sent},
		},
		"unanswered": {
			record(unix.IPPROTO_TCP, "[fd00::5]:40000", "[fd00::9]:81", func(r *capture.Record) { r.Outcome = capture.Unanswered }),
			wire.Edge{EdgeKey: outcome(key(unix.IPPROTO_TCP, "fd00::5", "fd00::9", 81, isClient), wire.Unanswered), Counts: sent},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.add(c.record)
			w.Close(window.End)
			sameEdges(t, w.edges(), []wire.Edge{c.want})
		})
	}
}

func TestEphemeralPortsFoldAway(t *testing.T) {
	w := newWorld(t, nil)
	for port := range uint16(1000) {
		w.add(record(unix.IPPROTO_TCP, "10.1.0.5:40000", "10.1.0.9:80", func(r *capture.Record) { r.LocalPort += port }))
	}
	w.Close(window.End)
	want := wire.Counts{Connections: 1000, BytesSent: 300_000, PacketsSent: 3000, BytesReceived: 2_000_000, PacketsReceived: 2000}
	if e := w.edges(); len(e) != 1 || e[0].Counts != want {
		t.Errorf("got %+v, want one edge with %+v", e, want)
	}
}

func TestEmptyWindowIsStillEmitted(t *testing.T) {
	w := newWorld(t, nil)
	w.Close(window.End)
	if len(w.parts) != 1 || w.parts[0].Window != window || len(w.parts[0].Edges) != 0 {
		t.Errorf("got %+v, want one part without edges", w.parts)
	}
}

func TestEdgesWaitForTheirPodAndKeepTheirWindow(t *testing.T) {
	w := newWorld(t, nil)
	w.add(record(unix.IPPROTO_TCP, "10.1.0.6:40000", "10.1.0.9:80", func(r *capture.Record) { r.Slot = 2 }))
	w.Close(window.End)
	if got := w.edges(); len(got) != 0 {
		t.Fatalf("an edge of an unknown pod went out: %+v", got)
	}
	db := wire.PodKey{Namespace: "shop", Name: "db-0"}
	w.pods[2] = db
	second := Window{window.End, window.End.Add(30 * time.Second)}
	w.Begin(second)
	w.Close(second.End)
	var late []Part
	for _, p := range w.parts {
		if p.Late {
			late = append(late, p)
		}
	}
	if len(late) != 1 || late[0].Window != window || len(late[0].Edges) != 1 || late[0].Edges[0].Pod != db {
		t.Errorf("got %+v, want the edge of %v in its own window", late, db)
	}
	if n := w.Counts().Unattributed; n != 0 {
		t.Errorf("%d unattributed, want 0", n)
	}
}

func TestWhatNeverGetsAPodIsCounted(t *testing.T) {
	unknown := func(remote string) capture.Record {
		return record(unix.IPPROTO_TCP, "10.1.0.6:40000", remote, func(r *capture.Record) { r.Slot = 2 })
	}
	t.Run("after the wait", func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.Wait = time.Minute })
		w.add(unknown("10.1.0.9:80"))
		w.Close(window.End)
		w.now = window.End.Add(time.Minute)
		w.Close(w.now)
		if n := w.Counts().Unattributed; n != 0 {
			t.Errorf("%d given up within the wait", n)
		}
		w.now = w.now.Add(1)
		w.Close(w.now)
		if n := w.Counts().Unattributed; n != 1 {
			t.Errorf("%d unattributed after the wait, want 1", n)
		}
	})
	t.Run("beyond the bound, the oldest first", func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.MaxWaiting = 2 })
		for _, r := range []string{"10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80"} {
			w.add(unknown(r))
			w.Close(window.End)
		}
		if n := w.Counts().Unattributed; n != 1 {
			t.Errorf("%d unattributed, want 1", n)
		}
		w.pods[2] = cart
		w.Close(window.End)
		var left []string
		for _, e := range w.edges() {
			left = append(left, e.Remote.String())
		}
		slices.Sort(left)
		if want := []string{"10.1.0.2", "10.1.0.3"}; !slices.Equal(left, want) {
			t.Errorf("kept %v, want %v", left, want)
		}
	})
	t.Run("at the very end", func(t *testing.T) {
		w := newWorld(t, nil)
		w.add(unknown("10.1.0.9:80"), record(unix.IPPROTO_TCP, "10.1.0.5:40000", "10.1.0.9:80", nil))
		w.Finish(noon.Add(time.Second))
		if n, e := w.Counts().Unattributed, w.edges(); n != 1 || len(e) != 1 {
			t.Errorf("%d unattributed and %d edges, want 1 and 1", n, len(e))
		}
	})
}

// A window with more edges than fit goes out in parts: nothing is lost.
func TestFullTableEmitsEarly(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxEdges = 10 })
	var want wire.Counts
	for i := range 1000 {
		r := record(unix.IPPROTO_TCP, "10.1.0.5:40000", "10.1.0.9:80", func(r *capture.Record) { r.RemotePort = uint16(1 + i*7%333) })
		want = add(want, wire.Counts{Connections: 1, BytesSent: r.Tx.Bytes, PacketsSent: r.Tx.Packets, BytesReceived: r.Rx.Bytes, PacketsReceived: r.Rx.Packets})
		w.add(r)
		if len(w.Aggregator.edges) > 10 {
			t.Fatalf("%d edges in memory, at most 10", len(w.Aggregator.edges))
		}
	}
	w.Close(window.End)
	var got wire.Counts
	for _, e := range w.edges() {
		got = add(got, e.Counts)
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, p := range w.parts {
		if p.Window != window {
			t.Errorf("a part of window %v, want %v", p.Window, window)
		}
	}
}

func TestClockSetBackMakesNoEmptyWindow(t *testing.T) {
	w := newWorld(t, nil)
	w.Close(noon.Add(-time.Hour))
	if p := w.parts[0]; !p.Window.End.After(p.Window.Start) {
		t.Errorf("window %v ends before it begins", p.Window)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	o := DefaultOptions()
	if _, err := New(o); err == nil {
		t.Error("options without a clock were taken")
	}
	o.Clock, o.Emit = time.Now, func(Part) {}
	o.Identify = func(capture.Slot, owner.Program) (wire.PodKey, bool) { return cart, true }
	o.MaxEdges = 0
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "MaxEdges is 0") {
		t.Errorf("got %v, want the option to be named", err)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.Learn(capture.DNSAnswer{Slot: 1, Name: "pay.example.com", Addrs: []netip.Addr{ip("192.0.2.7")}, TTL: time.Hour, At: noon})
	r4 := record(unix.IPPROTO_TCP, "10.1.0.5:40000", "192.0.2.7:443", nil)
	r6 := record(unix.IPPROTO_UDP, "[fd00::5]:40000", "[fd00::9]:53", nil)
	w.add(r4, r6)
	if n := testing.AllocsPerRun(1000, func() {
		r4.LocalPort++
		r6.LocalPort++
		w.Add(&r4)
		w.Add(&r6)
	}); n != 0 {
		t.Errorf("%v allocations for two records of known edges, want 0", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	o := DefaultOptions()
	o.Clock = func() time.Time { return noon }
	o.Identify = func(capture.Slot, owner.Program) (wire.PodKey, bool) { return cart, true }
	o.Emit = func(Part) {}
	a, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	a.Begin(window)
	r := record(unix.IPPROTO_TCP, "10.1.0.5:40000", "10.1.0.9:80", nil)
	b.ReportAllocs()
	for b.Loop() {
		r.LocalPort++
		r.RemotePort = r.LocalPort & 1023
		a.Add(&r)
	}
}
