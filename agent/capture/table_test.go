// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/bpf"
)

// crafted is an entry of a flow map, as the program would have written it.
type crafted struct {
	local, remote string // address:port
	protocol      uint8
	slot          Slot // 0 stands for 1
	tx, rx        Count
	first, last   time.Duration // ago
	state, opened uint32
}

func (e crafted) bytes(m moment) (key, value []byte) {
	local, remote := netip.MustParseAddrPort(e.local), netip.MustParseAddrPort(e.remote)
	key = append(local.Addr().AsSlice(), remote.Addr().AsSlice()...)
	key = binary.BigEndian.AppendUint16(key, local.Port())
	key = binary.BigEndian.AppendUint16(key, remote.Port())
	key = binary.NativeEndian.AppendUint32(key, uint32(max(e.slot, 1))<<8|uint32(e.protocol))
	for _, c := range []Count{e.tx, e.rx} {
		value = binary.NativeEndian.AppendUint64(value, c.Packets<<bpf.CountShift+c.Bytes)
	}
	for _, ago := range []time.Duration{e.first, e.last} {
		value = binary.NativeEndian.AppendUint32(value, m.ticks-uint32(ago/m.tick))
	}
	value = binary.NativeEndian.AppendUint32(value, e.state)
	value = binary.NativeEndian.AppendUint32(value, e.opened)
	return key, append(value, make([]byte, len(key))...) // struct nat4 is as long as key4, nat6 as key6
}

// entryOf is what a map holds for a key: nothing was told of it yet.
func entryOf(value []byte) []byte {
	marks := make([]byte, 2*markSize)
	return slices.Concat(value[:32], marks, value[32:])
}

// What the maps hold: struct flow4 and flow6 of bpf/flow.h, marks and all.
type (
	entry4 [96]byte
	entry6 [120]byte
)

func (e crafted) reading() reading {
	key, value := e.bytes(moment{tick: time.Millisecond})
	return reading{key, value}
}

// enter puts an entry into the kernel's map.
func (e crafted) enter(tb testing.TB, c *Collector) {
	tb.Helper()
	key, value := e.bytes(c.clock.read())
	var err error
	if len(key) == len(key4{}) {
		err = c.set.Flows4.Put(key4(key), entry4(entryOf(value)))
	} else {
		err = c.set.Flows6.Put(key6(key), entry6(entryOf(value)))
	}
	if err != nil {
		tb.Fatal(err)
	}
}

const (
	lateFlags = flagFIN<<8 | flagFIN
	begunTCP  = startedLocal | sent | received | flagSYN | flagSYN<<8
)

func TestEntriesLeaveWhenOver(t *testing.T) {
	ends := [][2]string{{"10.0.0.2:40000", "10.0.0.3:80"}, {"[fd00::2]:40000", "[fd00::3]:80"}}
	c := watch(t, func(o *Options) { o.Probe.MaxFlows = 8 })
	for _, test := range []struct {
		name      string
		protocol  uint8
		state     uint32
		idle      time.Duration
		crowd     int // other entries of a map with room for 8
		wantsGone bool
	}{
		{"TCP closed just now", 6, begunTCP | lateFlags, 2 * time.Second, 0, false},
		{"TCP closed", 6, begunTCP | lateFlags, 10 * time.Second, 0, true},
		{"TCP reset", 6, begunTCP | flagRST<<8, 10 * time.Second, 0, true},
		{"TCP open", 6, begunTCP, 10 * time.Minute, 0, false},
		{"TCP open for very long", 6, begunTCP, 2 * time.Hour, 0, true},
		{"TCP half closed", 6, begunTCP | flagFIN, 10 * time.Second, 0, false},
		{"TCP without an answer", 6, startedLocal | sent | flagSYN, 2 * time.Minute, 0, true},
		{"UDP", 17, firstLocal | sent, 30 * time.Second, 0, false},
		{"UDP idle", 17, firstLocal | sent, 2 * time.Minute, 0, true},
		{"UDP in a crowd", 17, firstLocal | sent, 30 * time.Second, 7, true},
		{"TCP open in a crowd", 6, begunTCP, 30 * time.Second, 7, true},
		{"TCP busy in a crowd", 6, begunTCP, time.Second, 7, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, end := range ends {
				forget(t, c)
				others := crafted{local: end[0], remote: end[1], protocol: 132, state: begunTCP}
				for i := range test.crowd {
					others.slot = Slot(10 + i)
					others.enter(t, c)
				}
				e := crafted{
					local: end[0], remote: end[1], protocol: test.protocol, state: test.state,
					tx: Count{3, 300}, first: test.idle, last: test.idle, opened: 1,
				}
				e.enter(t, c)
				f := make(flows)
				for range 2 { // the first pass learns how full the map is
					if err := c.Flush(t.Context(), f.add); err != nil {
						t.Fatal(err)
					}
				}
				if got := f.one(t, 1, test.protocol, netip.MustParseAddrPort(end[1]).Addr()); got.Tx != e.tx || got.Connections != 1 {
					t.Errorf("%+v: want %+v sent on 1 connection", got, e.tx)
				}
				again := flush(t, c)
				if len(again) != 0 {
					t.Errorf("reported twice: %+v", again)
				}
				left := int(c.table4.live + c.table6.live)
				if gone := left == test.crowd; gone != test.wantsGone {
					t.Errorf("%s: %d entries left beside %d others: want it gone: %v", end[0], left, test.crowd, test.wantsGone)
				}
			}
		})
	}
}

// forget takes all entries out, as if their interfaces were detached.
func forget(t *testing.T, c *Collector) {
	t.Helper()
	c.retire() // nothing is attached: all entries are of slots that are gone
	flush(t, c)
	flush(t, c)
	if c.table4.live+c.table6.live != 0 {
		t.Fatal("entries are left")
	}
	flush(t, c)
	if c.retiring != 0 {
		t.Error("entries of detached slots are looked for after the last was found")
	}
}

// TestCountsAcrossWraps has the shared word of packets and bytes overflow.
func TestCountsAcrossWraps(t *testing.T) {
	word := func(packets, bytes uint64) uint64 { return packets<<bpf.CountShift + bytes }
	for _, test := range []struct {
		name          string
		before, after uint64
		want          Count
	}{
		{"plain", word(3, 300), word(5, 700), Count{2, 400}},
		{"bytes carry into packets", word(3, 1<<38-100), word(3, 1<<38-100) + word(2, 300), Count{2, 300}},
		{"packets wrap", word(1<<26-1, 5), word(1<<26-1, 5) + word(3, 90), Count{3, 90}},
		{"the most in one go", 7, 7 + word(1<<26-1, 1<<38-1), Count{1<<26 - 1, 1<<38 - 1}},
	} {
		if got := difference(test.after, test.before); got != test.want {
			t.Errorf("%s: got %+v: want %+v", test.name, got, test.want)
		}
	}
}

// TestPatience holds back what may yet be answered, and loses nothing by it.
func TestPatience(t *testing.T) {
	c := watch(t, nil)
	asked := crafted{
		local: "10.0.0.2:40000", remote: "10.0.0.3:80", protocol: 6, state: startedLocal | sent | flagSYN,
		tx: Count{1, 60}, opened: 1,
	}
	drain := func() flows {
		t.Helper()
		f := make(flows)
		if err := c.Drain(t.Context(), f.add); err != nil {
			t.Fatal(err)
		}
		return f
	}
	asked.enter(t, c)
	if f := drain(); len(f) != 0 {
		t.Errorf("reported before the answer: %+v", f)
	}
	answered := asked
	answered.state, answered.rx = begunTCP, Count{1, 60}
	answered.enter(t, c)
	if got := drain().one(t, 1, 6, netip.MustParseAddr("10.0.0.3")); got.Outcome != Established || got.Tx.Packets != 1 || got.Connections != 1 {
		t.Errorf("answered: %+v", got)
	}
	asked.local, asked.first, asked.last = "10.0.0.2:40001", 4*time.Second, 4*time.Second
	asked.enter(t, c)
	if got := drain().one(t, 1, 6, netip.MustParseAddr("10.0.0.3")); got.Outcome != Unanswered || got.Connections != 1 {
		t.Errorf("waited for: %+v", got)
	}
}

// TestDrainAllocatesNothingAFlow compares draining few and many flows that have
// all counted something.
func TestDrainAllocatesNothingAFlow(t *testing.T) {
	c := watch(t, nil)
	allocations := func(n int) float64 {
		keys, values := make([]key4, n), make([]entry4, n)
		for i := range n {
			e := crafted{
				local: "10.0.0.2:40000", remote: "10.0.0.3:80", protocol: 6, slot: Slot(i + 1),
				state: begunTCP, opened: 1,
			}
			key, value := e.bytes(c.clock.read())
			keys[i], values[i] = key4(key), entry4(entryOf(value))
		}
		reported := 0
		return testing.AllocsPerRun(5, func() {
			for i := range values {
				binary.NativeEndian.PutUint64(values[i][:], binary.NativeEndian.Uint64(values[i][:])+1)
			}
			if _, err := c.set.Flows4.BatchUpdate(keys, values, nil); err != nil {
				t.Fatal(err)
			}
			reported = 0
			if err := c.Drain(t.Context(), func(*Record) { reported++ }); err != nil {
				t.Fatal(err)
			}
			if reported != n {
				t.Fatalf("%d records of %d flows", reported, n)
			}
		})
	}
	few, many := allocations(10), allocations(3000)
	if many-few > 10 {
		t.Errorf("%v allocations for 10 flows, %v for 3000", few, many)
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		want   string
		change func(*Options)
	}{
		{"Now is nil", func(o *Options) { o.Now = nil }},
		{"ClosedIdle is 0s", func(o *Options) { o.ClosedIdle = 0 }},
		{"StreamIdle is 1ms", func(o *Options) { o.StreamIdle = time.Millisecond }},
		{"Patience is -1s", func(o *Options) { o.Patience = -time.Second }},
		{"MaxOverflow", func(o *Options) { o.MaxOverflow = 0 }},
		{"flow map's size", func(o *Options) { o.Probe.MaxFlows = 0 }},
	} {
		o := DefaultOptions()
		o.Now = time.Now
		test.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v: want %q", err, test.want)
		}
	}
}
