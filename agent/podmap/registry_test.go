// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"net/netip"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// world is a registry with a clock that moves by hand.
type world struct {
	*Registry
	now time.Time
}

func newWorld() *world {
	w := &world{now: noon}
	w.Registry = NewRegistry(func() time.Time { return w.now })
	return w
}

func (w *world) after(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) attach(id capture.Slot, addresses ...string) {
	w.Attach(id, false)
	for _, a := range addresses {
		w.Address(id, netip.MustParseAddr(a))
	}
}

func (w *world) report(pods ...Pod) { w.SetPods(pods) }

func (w *world) name(id capture.Slot) string {
	p, ok := w.Identify(id)
	if !ok {
		return ""
	}
	return p.Name
}

func pod(name string, addresses ...string) Pod {
	p := Pod{Namespace: "shop", Name: name, UID: "uid-" + name}
	for _, a := range addresses {
		p.Addresses = append(p.Addresses, netip.MustParseAddr(a))
	}
	return p
}

func (p Pod) over(ended time.Time) Pod { p.Over, p.Ended = true, ended; return p }

func wantName(t *testing.T, w *world, id capture.Slot, want string) {
	t.Helper()
	if got := w.name(id); got != want {
		t.Errorf("slot %d is pod %q, want %q", id, got, want)
	}
}

func TestPodIsKnownByItsAddress(t *testing.T) {
	for name, c := range map[string]struct{ slot, pod []string }{
		"IPv4":                       {[]string{"10.1.0.5"}, []string{"10.1.0.5"}},
		"IPv6":                       {[]string{"fd00::5"}, []string{"fd00::5"}},
		"dual stack, both":           {[]string{"10.1.0.5", "fd00::5"}, []string{"10.1.0.5", "fd00::5"}},
		"dual stack, only IPv6 seen": {[]string{"fd00::5"}, []string{"10.1.0.5", "fd00::5"}},
		"dual stack, IPv6 later":     {[]string{"10.1.0.5"}, []string{"fd00::9", "10.1.0.5"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.attach(1, c.slot...)
			wantName(t, w, 1, "")
			w.after(time.Second)
			w.report(pod("other", "10.1.0.6", "fd00::6"), pod("cart", c.pod...))
			wantName(t, w, 1, "cart")
		})
	}
}

func TestLinkLocalAddressesNameNobody(t *testing.T) {
	for _, a := range []string{"fe80::1", "169.254.0.1", "127.0.0.1", "::1"} {
		w := newWorld()
		w.attach(1, a)
		w.report(pod("cart", a))
		wantName(t, w, 1, "")
	}
}

// Pod a ends, pod b gets its address at once, and the source is slow to say
// either: what slot 1 counted stays a's, what slot 2 counted becomes b's.
func TestReusedAddressNeverMovesAnEdge(t *testing.T) {
	for _, address := range []string{"10.1.0.5", "fd00::5"} {
		w := newWorld()
		w.attach(1, address)
		w.after(time.Second)
		w.report(pod("a", address))
		wantName(t, w, 1, "a")
		w.after(time.Minute)
		w.Detach(1)
		w.after(100 * time.Millisecond)
		w.attach(2, address)
		wantName(t, w, 2, "") // the source still says that a has the address
		w.after(time.Second)
		w.report(pod("a", address), pod("b", address))
		wantName(t, w, 1, "a")
		wantName(t, w, 2, "b")
		w.report(pod("b", address))
		wantName(t, w, 1, "a")
	}
}

// The interface came and went before the source said whose it was.
func TestShortPodIsKnownAfterItsEnd(t *testing.T) {
	w := newWorld()
	w.attach(1, "10.1.0.5")
	w.after(300 * time.Millisecond)
	w.Detach(1)
	w.after(time.Second)
	p := pod("job", "10.1.0.5").over(noon.Truncate(time.Second))
	p.Started = noon
	w.report(p)
	wantName(t, w, 1, "job")
}

func TestPodThatIsNotTheOwner(t *testing.T) {
	for name, story := range map[string]func(w *world){
		"ended before the slot": func(w *world) {
			w.attach(1, "10.1.0.5")
			w.report(pod("a", "10.1.0.5").over(noon.Add(-2 * time.Second)))
		},
		"gone before the slot": func(w *world) {
			w.report(pod("a", "10.1.0.5"))
			w.report()
			w.after(time.Second)
			w.attach(1, "10.1.0.5")
			w.after(time.Minute)
		},
		"seen as ended before the slot, without a time": func(w *world) {
			w.report(pod("a", "10.1.0.5").over(time.Time{}))
			w.after(2 * time.Second)
			w.attach(1, "10.1.0.5")
			w.after(time.Minute)
		},
		"began after the slot was gone": func(w *world) {
			w.attach(1, "10.1.0.5")
			w.after(time.Second)
			w.Detach(1)
			w.after(10 * time.Second)
			p := pod("a", "10.1.0.5")
			p.Started = w.now
			w.report(p)
		},
		"on the host's network": func(w *world) {
			w.attach(1, "10.1.0.5")
			p := pod("a", "10.1.0.5")
			p.HostNetwork = true
			w.report(p)
		},
		"another address": func(w *world) {
			w.attach(1, "10.1.0.5", "fd00::5")
			w.report(pod("a", "10.1.0.50", "fd00::50"))
		},
		"has a slot that is watched": func(w *world) {
			w.attach(2, "10.1.0.5")
			w.report(pod("a", "10.1.0.5"))
			w.Identify(2)
			w.attach(1, "10.1.0.5")
			w.after(time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			story(w)
			wantName(t, w, 1, "")
		})
	}
}

// A claim that is older than the interface is doubted for a while: a better
// one may come.
func TestOldClaimIsDoubted(t *testing.T) {
	start := func() *world {
		w := newWorld()
		w.report(pod("a", "10.1.0.5"))
		w.after(time.Minute)
		w.attach(1, "10.1.0.5")
		wantName(t, w, 1, "")
		return w
	}
	t.Run("and believed where none comes", func(t *testing.T) {
		w := start()
		w.after(DefaultDoubt)
		wantName(t, w, 1, "a")
	})
	t.Run("and dropped for a better one", func(t *testing.T) {
		w := start()
		w.after(time.Second)
		w.report(pod("a", "10.1.0.5"), pod("b", "10.1.0.5"))
		w.after(time.Minute)
		wantName(t, w, 1, "b")
	})
	t.Run("but not where the agent has just started", func(t *testing.T) {
		w := newWorld()
		w.report(pod("a", "10.1.0.5"))
		w.after(time.Minute)
		w.Attach(1, true)
		w.Address(1, netip.MustParseAddr("10.1.0.5"))
		wantName(t, w, 1, "a")
	})
}

// The pod's sandbox was made again: same pod, same address, another interface.
func TestSecondSandboxOfAPodThatLivesOn(t *testing.T) {
	w := newWorld()
	w.attach(1, "10.1.0.5")
	w.report(pod("a", "10.1.0.5"))
	w.after(time.Minute)
	w.Detach(1)
	w.attach(2, "10.1.0.5")
	wantName(t, w, 2, "")
	w.after(DefaultDoubt)
	w.report(pod("a", "10.1.0.5"))
	wantName(t, w, 2, "a")
	wantName(t, w, 1, "a")
}

// Of several pods with the address, the last that started before the interface
// was there; where that does not tell, none.
func TestLikeliestOfSeveralPods(t *testing.T) {
	started := func(name string, after time.Duration) Pod {
		p := pod(name, "10.1.0.5")
		p.Started = noon.Add(after)
		return p
	}
	for name, c := range map[string]struct {
		pods []Pod
		want string
	}{
		"the last before":                {[]Pod{started("a", -2*time.Second), started("b", -time.Second)}, "b"},
		"one before, one after":          {[]Pod{started("a", -time.Second), started("b", time.Second)}, "a"},
		"all after, by a coarse clock":   {[]Pod{started("a", time.Second), started("b", 2*time.Second)}, "a"},
		"equally likely":                 {[]Pod{started("a", 0), started("b", 0)}, ""},
		"equal, and one has ended":       {[]Pod{started("a", 0).over(noon), started("b", 0)}, "b"},
		"equal, and a likelier third":    {[]Pod{started("a", -time.Second), started("b", -time.Second), started("c", 0)}, "c"},
		"the likelier has a slot of old": {[]Pod{started("bound", 0), started("a", -time.Second)}, "a"},
	} {
		for range 10 { // maps have no order
			w := newWorld()
			if c.pods[0].Name == "bound" {
				w.attach(2, "10.1.0.5")
				w.report(c.pods[0])
				w.Detach(2)
			}
			w.attach(1, "10.1.0.5")
			w.report(c.pods...)
			if got := w.name(1); got != c.want {
				t.Errorf("%s: slot 1 is %q, want %q", name, got, c.want)
			}
		}
	}
}

func TestSamePodNameIsAnotherPod(t *testing.T) {
	w := newWorld()
	w.attach(1, "10.1.0.5")
	w.report(pod("db-0", "10.1.0.5"))
	w.Detach(1)
	w.after(time.Second)
	w.attach(2, "10.1.0.6")
	again := pod("db-0", "10.1.0.6")
	again.UID = "uid-2"
	w.report(again)
	if p, _ := w.Identify(2); p.UID != "uid-2" {
		t.Errorf("slot 2 is %+v, want the second db-0", p)
	}
	if p, _ := w.Identify(1); p.UID != "uid-db-0" {
		t.Errorf("slot 1 is %+v, want the first db-0", p)
	}
}

// A pod that ended may be reported without the addresses that it had.
func TestAddressesOfAnEndedPodAreKept(t *testing.T) {
	w := newWorld()
	w.report(pod("job", "10.1.0.5"))
	w.attach(1) // the kernel's word of its address is late
	w.report(pod("job").over(noon.Add(time.Second)))
	w.Address(1, netip.MustParseAddr("10.1.0.5"))
	wantName(t, w, 1, "job")
}

func TestState(t *testing.T) {
	w := newWorld()
	if w.State().Synced {
		t.Error("synced before the source reported")
	}
	w.attach(1, "10.1.0.5")
	w.attach(2, "172.17.0.2") // a container that is no pod
	host := pod("proxy", "192.168.0.1")
	host.HostNetwork = true
	w.report(pod("a", "10.1.0.5"), pod("b", "10.1.0.6"), pod("pending"), pod("done", "10.1.0.7").over(noon), host)
	want := State{PodsKnown: 2, PodsWatched: 1, HostNetwork: 1, Slots: 2, Unbound: 1, Synced: true}
	if got := w.State(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestOwner(t *testing.T) {
	w := newWorld()
	a := netip.MustParseAddr("10.1.0.5")
	w.attach(1, "10.1.0.5")
	w.report(pod("a", "10.1.0.5"))
	w.Detach(1)
	if p, ok := w.Owner(a); !ok || p.Name != "a" {
		t.Errorf("got %+v, want the one that had it last", p)
	}
	w.after(time.Second)
	w.attach(2, "10.1.0.5")
	w.report(pod("b", "10.1.0.5"))
	if p, ok := w.Owner(a); !ok || p.Name != "b" {
		t.Errorf("got %+v, want the one that has it", p)
	}
	if p, ok := w.Owner(netip.MustParseAddr("fd00::1")); ok {
		t.Errorf("got %+v for an address that nobody has", p)
	}
}

func TestSweepForgetsOnlyWhatIsGoneForLong(t *testing.T) {
	w := newWorld()
	w.attach(1, "10.1.0.5")
	w.attach(2, "10.1.0.6")
	w.report(pod("a", "10.1.0.5"), pod("b", "10.1.0.6"))
	w.Detach(1)
	w.report(pod("b", "10.1.0.6"))
	w.after(DefaultRetain)
	if gone := w.Sweep(); len(gone) != 0 {
		t.Errorf("forgot %v within the time", gone)
	}
	wantName(t, w, 1, "a")
	w.after(time.Second)
	if gone := w.Sweep(); len(gone) != 1 || gone[0] != 1 {
		t.Errorf("forgot %v, want slot 1", gone)
	}
	wantName(t, w, 1, "")
	wantName(t, w, 2, "b")
	if n := len(w.pods); n != 1 {
		t.Errorf("%d pods remembered, want 1", n)
	}
}
