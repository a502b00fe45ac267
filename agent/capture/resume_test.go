// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/probe"
	"github.com/netcinch/netcinch/bpf"
)

// pinDir gives a directory in a BPF file system that is gone with the test.
func pinDir(t *testing.T) string {
	t.Helper()
	needRoot(t)
	root := t.TempDir()
	if err := unix.Mount("bpf", root, "bpf", 0, ""); err != nil {
		t.Skipf("needs CAP_SYS_ADMIN to mount a BPF file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, 0); err != nil {
			t.Errorf("something still uses the pins: %v", err)
		}
	})
	return filepath.Join(root, "netcinch")
}

// open makes a collector that the test closes.
func open(t *testing.T, change func(*Options)) *Collector {
	t.Helper()
	o := DefaultOptions()
	o.Now = time.Now
	change(&o)
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) pair(t *testing.T) (client *pod, to netip.AddrPort) {
	t.Helper()
	client, server := w.addPod(), w.addPod()
	to = netip.AddrPortFrom(server.v4, 8080)
	server.echo(to)
	return client, to
}

func mustClose(t *testing.T, c *Collector) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestResume has one collector follow another at each moment at which one may
// be killed: what was made safe is not told again, all else is.
func TestResume(t *testing.T) {
	dir := pinDir(t)
	w := newWorld(t)
	client, to := w.pair(t)
	pinned := func(before *State) func(*Options) {
		return func(o *Options) { o.Probe.PinDir, o.Resume = dir, before }
	}
	conn := client.dial("tcp", to)

	c := open(t, pinned(nil))
	slot := attach(t, c, client)
	ping(t, conn, 100)
	first := flush(t, c).one(t, slot, 6, to.Addr())
	safe := c.State()
	c.Commit()
	ping(t, conn, 1000)
	second := flush(t, c).one(t, slot, 6, to.Addr())
	if second.Tx.Bytes < 1000 || second.Tx.Bytes > 1400 || second.Connections != 0 {
		t.Fatalf("told after the commit: %+v", second)
	}
	mustClose(t, c) // without a commit: as if it was killed
	ping(t, conn, 5000)

	c = open(t, pinned(&safe))
	if r := c.Resumed(); !r.Maps || r.Uncertain {
		t.Errorf("resumed as %+v: want the maps, for certain", r)
	}
	if again := attach(t, c, client); again != slot {
		t.Errorf("slot %d has become %d", slot, again)
	}
	third := flush(t, c).one(t, slot, 6, to.Addr())
	if third.Tx.Bytes < 6000 || third.Tx.Packets < second.Tx.Packets+1 {
		t.Errorf("told again: %+v: want what was told without a commit, and what passed since", third)
	}
	safe = c.State()
	c.Commit()
	mustClose(t, c)

	c = open(t, pinned(&safe))
	attach(t, c, client)
	if f := flush(t, c); len(f) != 0 {
		t.Errorf("told twice: %+v", f)
	}
	if first.Connections+third.Connections != 0 {
		t.Errorf("%d connections, of one that was open before", first.Connections+third.Connections)
	}
	if err := c.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
}

// TestResumeWithoutState takes over maps without what belongs to them: nothing
// is told twice, and it says that something may be lost.
func TestResumeWithoutState(t *testing.T) {
	dir := pinDir(t)
	w := newWorld(t)
	client, to := w.pair(t)
	pinned := func(o *Options) { o.Probe.PinDir = dir }
	c := open(t, pinned)
	slot := attach(t, c, client)
	conn := client.dial("tcp", to)
	ping(t, conn, 100)
	flush(t, c)
	mustClose(t, c)

	c = open(t, pinned) // nothing was ever safe: all is told again
	if r := c.Resumed(); !r.Maps || r.Uncertain {
		t.Errorf("resumed as %+v: want certain", r)
	}
	attach(t, c, client)
	if r := flush(t, c).one(t, slot, 6, to.Addr()); r.Connections != 1 {
		t.Errorf("told %+v", r)
	}
	c.Commit()
	flush(t, c)
	mustClose(t, c)

	c = open(t, pinned)
	if r := c.Resumed(); !r.Maps || !r.Uncertain {
		t.Errorf("resumed as %+v: want uncertain", r)
	}
	attach(t, c, client)
	ping(t, conn, 1000)
	if r := flush(t, c).one(t, slot, 6, to.Addr()); r.Tx.Bytes < 1000 || r.Tx.Bytes > 1400 {
		t.Errorf("told %+v: want only what came since", r)
	}
	c.Commit()
	if err := c.Remove(); err != nil {
		t.Fatal(err)
	}
}

// TestFlowsLeaveWhenTheyAreSafe has a flow end: it stays in the map until what
// was told of it is committed.
func TestFlowsLeaveWhenTheyAreSafe(t *testing.T) {
	dir := pinDir(t)
	c := open(t, func(o *Options) { o.Probe.PinDir = dir })
	e := crafted{
		local: "10.0.0.2:40000", remote: "10.0.0.3:80", protocol: 6, state: begunTCP | lateFlags, opened: 1,
		tx: Count{3, 300}, first: time.Minute, last: time.Minute,
	}
	e.enter(t, c)
	if got := flush(t, c).one(t, 1, 6, netip.MustParseAddr("10.0.0.3")); got.Tx != e.tx {
		t.Errorf("told %+v", got)
	}
	for range 2 {
		if f := flush(t, c); len(f) != 0 || c.table4.live != 1 {
			t.Errorf("%d entries before the commit, told %+v", c.table4.live, f)
		}
	}
	c.Commit()
	if f := flush(t, c); len(f) != 0 || c.table4.live != 0 {
		t.Errorf("%d entries after the commit, told %+v", c.table4.live, f)
	}
	if err := c.Remove(); err != nil {
		t.Fatal(err)
	}
}

// TestKilledWithPacketsInMemory kills collectors at each moment while nothing
// finds room in the flow map: what was in their memory is counted as lost, to
// the packet and byte, what was in the ring buffer is told, and nothing twice.
func TestKilledWithPacketsInMemory(t *testing.T) {
	dir := pinDir(t)
	w := newWorld(t)
	client, server := w.addPod(), w.addPod()
	to := netip.AddrPortFrom(server.v4, 5000)
	server.datagrams(to, func([]byte) []byte { return nil })
	var before *State
	next := func() *Collector {
		return open(t, func(o *Options) { o.Probe.PinDir, o.Resume, o.Probe.MaxFlows = dir, before, 1 })
	}
	const payload = 5
	var sent, recorded, lost, lostBytes uint64
	send := func(n int) {
		for range n {
			conn := client.dial("udp", to)
			if _, err := conn.Write(make([]byte, payload)); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			sent++
		}
	}
	read := func(c *Collector) {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for range 10_000 { // the ring is read by another goroutine
			told, err := c.told()
			if err != nil {
				t.Fatal(err)
			}
			if ours := c.reader.tookAll(); c.origin.Packets+ours.Packets >= told.Packets {
				return
			}
			<-tick.C
		}
		t.Fatal("the ring buffer is not read")
	}
	drain := func(c *Collector) {
		for _, r := range flush(t, c) {
			if r.Protocol == 17 {
				recorded += r.Tx.Packets
			}
		}
	}
	losses := func(c *Collector) Losses {
		l, err := c.Losses()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	safe := func(c *Collector) {
		l := losses(c) // is reported with what is committed
		lost, lostBytes = lost+l.LostPackets, lostBytes+l.LostBytes
		state := c.State()
		before = &state
		c.Commit()
	}

	c := next()
	attach(t, c, client)
	send(20)
	read(c)
	drain(c)
	safe(c)
	send(30) // in the memory of the one that is killed
	read(c)
	mustClose(t, c)
	send(10) // in the ring

	c = next()
	if l := losses(c); l.LostPackets != 30 || l.LostBytes != 30*(28+payload) {
		t.Errorf("lost %+v, want 30 packets", l)
	}
	mustClose(t, c) // killed again before it told anybody: the ten are lost, too

	c = next()
	attach(t, c, client)
	if l := losses(c); l.LostPackets != 40 {
		t.Errorf("lost %+v, want 40 packets", l)
	}
	send(5)
	read(c)
	drain(c)
	safe(c)
	mustClose(t, c)

	c = next()
	attach(t, c, client)
	drain(c)
	if l := losses(c); l.LostPackets != 0 {
		t.Errorf("lost again: %+v", l)
	}
	safe(c)
	if sent != recorded+lost || recorded != 25 || lostBytes != 40*(28+payload) {
		t.Errorf("%d sent, %d recorded, %d lost (%d bytes)", sent, recorded, lost, lostBytes)
	}
	if err := c.Remove(); err != nil {
		t.Fatal(err)
	}
}

// TestGoneWhileNobodyLooked has a pod go between two collectors: what it did is
// told at its old slot, and the entries leave.
func TestGoneWhileNobodyLooked(t *testing.T) {
	dir := pinDir(t)
	w := newWorld(t)
	client, to := w.pair(t)
	c := open(t, func(o *Options) { o.Probe.PinDir = dir })
	slot := attach(t, c, client)
	flush(t, c)
	safe := c.State()
	c.Commit()
	mustClose(t, c)
	exchange(t, client.dial("tcp", to), 10)
	client.do(func() error { return remove("eth0") })

	c = open(t, func(o *Options) { o.Probe.PinDir, o.Resume = dir, &safe })
	gone, interfaces, err := c.ForgetOthers()
	if err != nil || len(gone) != 1 || gone[0] != slot || interfaces != 0 {
		t.Errorf("gone %v, %d interfaces of others (%v): want slot %d", gone, interfaces, err, slot)
	}
	if r := flush(t, c).one(t, slot, 6, to.Addr()); r.Connections != 1 {
		t.Errorf("told %+v", r)
	}
	c.Commit()
	flush(t, c)
	if c.table4.live != 0 {
		t.Errorf("%d entries left", c.table4.live)
	}
	if err := c.Remove(); err != nil {
		t.Fatal(err)
	}
}

// TestUpgrade replaces the program by another one under traffic, back and
// forth, with and without a collector in between: every datagram is counted
// once.
func TestUpgrade(t *testing.T) {
	for _, mode := range []probe.Mode{probe.PodTCX, probe.Clsact} {
		t.Run(mode.String(), func(t *testing.T) {
			dir := pinDir(t)
			w := newWorld(t)
			client, server := w.addPod(), w.addPod()
			to := netip.AddrPortFrom(server.v4, 5000)
			server.datagrams(to, func([]byte) []byte { return nil })
			conn := client.dial("udp", to)
			_ = conn.SetDeadline(time.Time{}) // it lasts as long as the machine takes for six starts
			quit, sent := make(chan struct{}), make(chan uint64)
			var before *State
			next := func(without bool) *Collector {
				return open(t, func(o *Options) {
					o.Probe.PinDir, o.Resume, o.Probe.Mode, o.Probe.NoConntrack = dir, before, mode, without
				})
			}
			c := next(false)
			slot := attach(t, c, client)
			go func() {
				var n uint64
				tick := time.NewTicker(50 * time.Microsecond)
				defer tick.Stop()
				for failed := false; ; {
					select {
					case <-quit:
						sent <- n
						return
					case <-tick.C:
					}
					if failed {
						continue
					}
					if _, err := conn.Write([]byte("x")); err != nil {
						t.Errorf("sending: %v", err)
						failed = true
						continue
					}
					n++
				}
			}()
			var recorded uint64
			add := func(r *Record) {
				if r.Protocol == 17 {
					recorded += r.Tx.Packets
				}
			}
			for round := range 6 {
				if err := c.Drain(t.Context(), add); err != nil {
					t.Fatal(err)
				}
				state := c.State()
				before = &state
				c.Commit()
				mustClose(t, c)
				c = next(round%2 == 0)
				if again := attach(t, c, client); again != slot {
					t.Errorf("slot %d has become %d", slot, again)
				}
			}
			close(quit)
			want := <-sent
			if err := c.Flush(t.Context(), add); err != nil {
				t.Fatal(err)
			}
			if recorded != want || want < 100 {
				t.Errorf("%d datagrams recorded of %d", recorded, want)
			}
			if err := c.Remove(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestOtherMode has the next collector attach in another way: nothing is
// counted twice, and it says that a moment was missed.
func TestOtherMode(t *testing.T) {
	dir := pinDir(t)
	w := newWorld(t)
	client, to := w.pair(t)
	var before *State
	var seen uint64
	for i, mode := range []probe.Mode{probe.PodTCX, probe.Clsact, probe.HostTCX, probe.PodTCX} {
		c := open(t, func(o *Options) {
			o.Probe.PinDir, o.Resume, o.Probe.Mode = dir, before, mode
			o.Probe.NetnsDirs = []string{"/proc/self/fd"} // the test's namespaces have no names
		})
		if mode == probe.HostTCX {
			if _, err := c.AttachHost(w.node.path, "veth1"); err != nil {
				t.Fatal(err)
			}
		} else {
			attach(t, c, client)
		}
		_, missed, err := c.ForgetOthers()
		if err != nil || (missed == 1) != (i > 0) {
			t.Errorf("%v: %d interfaces missed a moment (%v)", mode, missed, err)
		}
		exchange(t, client.dial("tcp", to), 10)
		for _, r := range flush(t, c) {
			if r.Protocol == 6 {
				seen += r.Connections
			}
		}
		if want := uint64(i + 1); seen != want {
			t.Errorf("%v: %d connections in all: want %d", mode, seen, want)
		}
		state := c.State()
		before = &state
		c.Commit()
		if i < 3 {
			mustClose(t, c)
		} else if err := c.Remove(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOtherLayout finds what an agent has pinned whose maps had another layout:
// it is taken away, each of its interfaces is said to have lost something, and
// nothing is counted twice.
func TestOtherLayout(t *testing.T) {
	for _, mode := range []probe.Mode{probe.PodTCX, probe.Clsact} {
		t.Run(mode.String(), func(t *testing.T) {
			dir := pinDir(t)
			w := newWorld(t)
			client, to := w.pair(t)
			other := w.addPod()
			with := func(before *State) func(*Options) {
				return func(o *Options) {
					o.Probe.PinDir, o.Probe.Mode, o.Resume = dir, mode, before
					o.Probe.NetnsDirs = []string{"/proc/self/fd"} // the test's namespaces have no names
				}
			}
			c := open(t, with(nil))
			attach(t, c, client)
			attach(t, c, other)
			exchange(t, client.dial("tcp", to), 10)
			flush(t, c)
			state := c.State()
			c.Commit()
			mustClose(t, c)
			old := filepath.Join(dir, "v0")
			if err := os.Rename(filepath.Join(dir, "v"+strconv.Itoa(bpf.ABI)), old); err != nil {
				t.Fatal(err)
			}

			c = open(t, with(&state))
			if r := c.Resumed(); r.Maps || r.Uncertain {
				t.Errorf("resumed as %+v: want new maps", r)
			}
			slot := attach(t, c, client) // the other one is not watched any more
			gone, missed, err := c.ForgetOthers()
			if err != nil || len(gone) != 0 || missed != 2 {
				t.Errorf("gone %v, %d interfaces lost something (%v): want 2", gone, missed, err)
			}
			if _, err := os.Stat(old); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", old, err)
			}
			exchange(t, client.dial("tcp", to), 10)
			if r := flush(t, c).one(t, slot, 6, to.Addr()); r.Connections != 1 {
				t.Errorf("told %+v", r)
			}
			if n := filters(t, other); n != 0 {
				t.Errorf("%d filters are left at the interface that is not watched any more", n)
			}
			if err := c.Remove(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// filters counts those of both directions at a pod's interface.
func filters(t *testing.T, p *pod) (n int) {
	t.Helper()
	p.do(func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
			found, err := netlink.FilterList(l, parent)
			if err != nil {
				return err
			}
			n += len(found)
		}
		return nil
	})
	return n
}

// TestPinsAreForOneAgent refuses a second one, and what is no BPF file system.
func TestPinsAreForOneAgent(t *testing.T) {
	dir := pinDir(t)
	c := open(t, func(o *Options) { o.Probe.PinDir = dir })
	o := DefaultOptions()
	o.Now, o.Probe.PinDir = time.Now, dir
	wantError(t, o, "in use by another agent: give each its own --pin-dir")
	if _, err := probe.CleanUp(dir, nil); err == nil {
		t.Error("cleaned up under a running agent")
	}
	if err := c.Remove(); err != nil {
		t.Fatal(err)
	}
	o.Probe.PinDir = t.TempDir()
	wantError(t, o, "not in a BPF file system: mount one")
	o.Probe.PinIfPossible = true
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if c.Pinned() || len(c.Missing()) == 0 {
		t.Errorf("pinned: %v, missing %+v", c.Pinned(), c.Missing())
	}
	mustClose(t, c)
}
