// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go4.org/netipx"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/podmap/nodetest"
)

// hang is when a test gives up on something that will not come.
const hang = 30 * time.Second

// attacher remembers instead of loading programs.
type attacher struct {
	mu     sync.Mutex
	next   capture.Slot
	refuse int // tries to refuse
	calls  chan string
}

func (a *attacher) Attach(path, ifname string) (capture.Slot, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuse > 0 {
		a.refuse--
		return 0, errors.New("no room")
	}
	var found string
	ns, err := openNetns(path)
	if err != nil {
		return 0, err
	}
	defer ns.Close()
	// The link must be there, in that namespace.
	err = inNamespace(ns, func() error {
		l, missing := netlink.LinkByName(ifname)
		if missing == nil {
			found = l.Attrs().Name
		}
		return missing
	})
	if err != nil {
		return 0, err
	}
	where, err := os.Readlink(path)
	if err != nil {
		return 0, err
	}
	pod, _, _ := strings.Cut(filepath.Base(where), ":") // net:[inode] where it has no file
	a.next++
	a.calls <- fmt.Sprintf("attach %d %s %s", a.next, pod, found)
	return a.next, nil
}

func (a *attacher) AttachHost(path, ifname string) (capture.Slot, error) {
	return a.Attach(path, ifname)
}

func (a *attacher) Detach(s capture.Slot) error {
	a.calls <- fmt.Sprintf("detach %d", s)
	return nil
}

// watched is a watcher at work on a node of namespaces.
type watched struct {
	*nodetest.Node
	*attacher
	registry *Registry
	watcher  *Watcher
	log      lockedBuffer
	t        *testing.T
}

func watch(t *testing.T, before func(*nodetest.Node), change func(*WatcherOptions)) *watched {
	t.Helper()
	return watchAs(t, before, change, func(*Watcher) {})
}

func watchAs(t *testing.T, before func(*nodetest.Node), change func(*WatcherOptions), prepare func(*Watcher)) *watched {
	t.Helper()
	w := &watched{Node: nodetest.New(t), attacher: &attacher{calls: make(chan string, 1000)}, t: t}
	if before != nil {
		before(w.Node)
	}
	w.registry = NewRegistry(time.Now)
	o := WatcherOptions{
		NodeNetns: w.Path, NetnsDirs: []string{w.PodsDir}, Attacher: w.attacher, Registry: w.registry,
		Clock: time.Now, Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	if change != nil {
		change(&o)
	}
	var err error
	if w.watcher, err = NewWatcher(o); err != nil {
		t.Fatal(err)
	}
	prepare(w.watcher)
	if err := w.watcher.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, w.watcher.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// want waits for the next call of the watcher.
func (w *watched) want(call string) {
	w.t.Helper()
	select {
	case got := <-w.calls:
		if got != call {
			w.t.Fatalf("the watcher did %q, want %q", got, call)
		}
	case <-time.After(hang):
		w.t.Fatalf("the watcher did nothing, want %q (log: %s)", call, &w.log)
	}
}

// wantNothing checks that nothing was done until a marker pod was attached.
func (w *watched) wantNothing(marker string) {
	w.t.Helper()
	w.AddBarePod("marker")
	w.want(marker)
}

// wantPod waits until a slot is known as the pod with the addresses.
func (w *watched) wantPod(slot capture.Slot, p Pod) {
	w.t.Helper()
	for end := time.Now().Add(hang); ; {
		w.registry.SetPods([]Pod{p})
		if got, ok := w.registry.Identify(slot); ok {
			if got.Name != p.Name {
				w.t.Fatalf("slot %d is %q, want %q", slot, got.Name, p.Name)
			}
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("slot %d did not become pod %s", slot, p.Name)
		}
		time.Sleep(time.Millisecond) // polling a state that has no event
	}
}

func TestWhatIsThereAtTheStartIsAttached(t *testing.T) {
	w := watch(t, func(n *nodetest.Node) { n.AddPod("cart", "10.77.0.5", "fd77::5") }, nil)
	w.want("attach 1 cart eth0")
	w.wantPod(1, pod("cart", "10.77.0.5"))
}

func TestNewPodIsAttachedAndKnown(t *testing.T) {
	for name, add := range map[string]func(n *nodetest.Node, name string, addresses ...string) *nodetest.Pod{
		"made in its namespace": (*nodetest.Node).AddPod,
		"moved there":           (*nodetest.Node).AddMovedPod,
	} {
		for _, address := range []string{"10.77.0.5", "fd77::5"} {
			t.Run(name+" "+address, func(t *testing.T) {
				w := watch(t, nil, nil)
				p := add(w.Node, "cart", address)
				if got := <-w.calls; !strings.HasPrefix(got, "attach 1 ") {
					t.Fatalf("the watcher did %q", got)
				}
				w.wantPod(1, pod("cart", address))
				p.Remove()
				w.want("detach 1")
			})
		}
	}
}

// Without CAP_NET_BROADCAST the kernel tells nothing of other namespaces:
// addresses are polled.
func TestAddressesArePolledWhereNoEventTells(t *testing.T) {
	for _, address := range []string{"10.77.0.5", "fd77::5"} {
		w := watchAs(t, nil, nil, func(w *Watcher) {
			w.socket.allIDs = false
			raw, err := w.socket.file.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			err = raw.Control(func(fd uintptr) {
				if off := unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 0); off != nil {
					t.Error(off)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		if !w.watcher.PollsAddresses() {
			t.Error("the watcher does not say that it polls")
		}
		p := w.AddBarePod("cart")
		w.want("attach 1 cart eth0")
		p.AddAddress(address)
		w.wantPod(1, pod("cart", address))
		p.Remove()
		w.want("detach 1")
	}
}

// Joining a bridge, going down and up, a new address: none of these is another
// interface.
func TestChangesOfALinkAreNotAnotherLink(t *testing.T) {
	w := watch(t, nil, nil)
	p := w.AddPod("cart", "10.77.0.5")
	w.want("attach 1 cart eth0")
	err := w.Do(func() error {
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
		if err := netlink.LinkAdd(bridge); err != nil {
			return err
		}
		l, err := netlink.LinkByName(p.HostLink)
		if err != nil {
			return err
		}
		return errors.Join(netlink.LinkSetMaster(l, bridge), netlink.LinkSetDown(l), netlink.LinkSetUp(l),
			netlink.LinkSetNoMaster(l), netlink.LinkSetMTU(l, 1400), netlink.LinkSetAlias(l, "cart"))
	})
	if err != nil {
		t.Fatal(err)
	}
	p.AddAddress("fd77::5")
	w.wantNothing("attach 2 marker eth0")
	w.wantPod(1, pod("cart", "fd77::5"))
}

// One pod ends and another takes its address at once: two slots, two pods.
func TestAddressReuseOnRealInterfaces(t *testing.T) {
	w := watch(t, nil, nil)
	a := w.AddPod("a", "10.77.0.5")
	w.want("attach 1 a eth0")
	w.wantPod(1, pod("a", "10.77.0.5"))
	a.Remove()
	w.want("detach 1")
	w.AddPod("b", "10.77.0.5")
	w.want("attach 2 b eth0")
	w.wantPod(2, pod("b", "10.77.0.5"))
	if p, _ := w.registry.Identify(1); p.Name != "a" {
		t.Errorf("slot 1 became %q", p.Name)
	}
}

// The kernel gives an ended namespace's id to the next one, before it tells
// that the interface of the first is gone: what it then says of that id is not
// the first one's.
func TestIDOfANamespaceThatEndedIsNotItsOwn(t *testing.T) {
	w := &Watcher{WatcherOptions: WatcherOptions{Registry: NewRegistry(time.Now)}, links: map[int]*link{}}
	w.links[10] = &link{index: 10, nsid: 7, peer: 2, slot: 1, attached: true}
	w.links[11] = &link{index: 11, nsid: 8, peer: 2, slot: 2, attached: true}
	w.Registry.Attach(1, false)
	w.Registry.Attach(2, false)
	for i, address := range []string{"10.77.0.5", "fd77::5"} {
		a := netip.MustParseAddr(address)
		w.handle(event{kind: namespaceGone, nsid: 7})
		for _, nsid := range []int{7, 8} {
			w.handle(event{kind: addressSeen, nsid: nsid, index: 2, address: a})
		}
		if slot, ok := w.Registry.Slot(a); !ok || slot != 2 {
			t.Errorf("%d: %s is watched at slot %d (%v), want it at slot 2 alone", i, a, slot, ok)
		}
		if _, taken := w.Registry.slots[1].addresses[a]; taken {
			t.Errorf("%s came to the interface whose namespace has ended", a)
		}
	}
}

// The kernel tells when an id ends: seen of a real pod.
func TestEndOfANamespaceIsHeard(t *testing.T) {
	n := nodetest.New(t)
	ns, err := openNetns(n.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	s, err := openSocket(ns)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan event, 256)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.pump(ctx, events) }()
	defer func() {
		cancel()
		if err := errors.Join(s.file.SetReadDeadline(time.Unix(1, 0)), <-ended, s.close()); err != nil {
			t.Error(err)
		}
	}()
	p := n.AddPod("cart", "10.77.0.5", "fd77::5")
	nsid := -1
	for end, gone := time.After(hang), false; !gone; {
		select {
		case e := <-events:
			if e.kind == linkSeen && e.nsid < 0 && e.pair.name == p.HostLink && nsid < 0 {
				nsid = e.pair.nsid
				p.Remove()
			}
			gone = e.kind == namespaceGone && nsid >= 0 && e.nsid == nsid
		case <-end:
			t.Fatalf("the end of namespace %d was not heard", nsid)
		}
	}
}

// A link's other side says whose it is: under an id that was given again there
// is another pod's.
func TestOtherSideIsTheLinksOwn(t *testing.T) {
	n := nodetest.New(t)
	n.AddPod("cart", "10.77.0.5")
	ns, err := openNetns(n.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	asked, err := openNode(ns, []string{n.PodsDir})
	if err != nil {
		t.Fatal(err)
	}
	defer asked.close()
	links, err := asked.handle.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, x := range links {
		p := pairOf(x)
		if !p.veth {
			continue
		}
		found = true
		l := &link{index: x.Attrs().Index, nsid: p.nsid, peer: p.peer}
		if name, err := asked.linkName(l); err != nil || name != "eth0" {
			t.Errorf("the other side of %s: %q, %v, want eth0", p.name, name, err)
		}
		l.index++
		if name, err := asked.linkName(l); err == nil {
			t.Errorf("%q was taken for the other side of another link", name)
		}
	}
	if !found {
		t.Error("no link of a pod on the node")
	}
}

func TestNamespaceWithoutAFileIsFoundByItsProcess(t *testing.T) {
	w := watch(t, nil, nil)
	c := exec.Command("sleep", "60")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Process.Kill()
		c.Wait()
	}()
	err := w.Do(func() error {
		pair := netlink.NewVeth(netlink.LinkAttrs{Name: "veth9"})
		pair.PeerName, pair.PeerNamespace = "net1", netlink.NsPid(c.Process.Pid)
		return netlink.LinkAdd(pair)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.want("attach 1 net net1")
}

func TestWhatIsNoPodIsLeftAlone(t *testing.T) {
	w := watch(t, nil, func(o *WatcherOptions) { o.Ignore = []string{"veth[12]"} })
	w.AddBarePod("ignored")
	w.AddBarePod("ignored-too")
	err := w.Do(func() error { // both sides on the node
		pair := netlink.NewVeth(netlink.LinkAttrs{Name: "here"})
		pair.PeerName = "there"
		return errors.Join(netlink.LinkAdd(pair), netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}))
	})
	if err != nil {
		t.Fatal(err)
	}
	w.wantNothing("attach 1 marker eth0")
}

// A node that is a container has a veth for its own way out: no pod's, and its
// other side is in a namespace that the agent cannot see.
func TestWayOutOfTheNodeIsLeftAlone(t *testing.T) {
	w := watch(t, func(n *nodetest.Node) {
		n.AddPod("outside4", "192.0.2.1")
		n.AddPod("outside6", "2001:db8::1")
		err := n.Do(func() error {
			one, err := netlink.LinkByName("veth1")
			if err != nil {
				return err
			}
			two, err := netlink.LinkByName("veth2")
			if err != nil {
				return err
			}
			return errors.Join(
				netlink.RouteAdd(&netlink.Route{LinkIndex: one.Attrs().Index, Dst: netipx.PrefixIPNet(netip.MustParsePrefix("0.0.0.0/0"))}),
				netlink.RouteAdd(&netlink.Route{LinkIndex: two.Attrs().Index, Dst: netipx.PrefixIPNet(netip.MustParsePrefix("::/0"))}),
			)
		})
		if err != nil {
			t.Fatal(err)
		}
	}, nil)
	w.wantNothing("attach 1 marker eth0")
}

func TestFailedAttachIsTriedAgainAndCounted(t *testing.T) {
	w := watch(t, nil, nil)
	w.mu.Lock()
	w.refuse = failedAfter + 1
	w.mu.Unlock()
	p := w.AddBarePod("cart")
	w.want("attach 1 cart eth0")
	if n := w.watcher.Failures(); n != 1 {
		t.Errorf("%d failures counted, want 1", n)
	}
	if n := strings.Count(w.log.String(), "cannot be watched"); n != 1 || !strings.Contains(w.log.String(), p.HostLink) {
		t.Errorf("told %d times, want once with the link's name: %s", n, &w.log)
	}
}

func TestBadNamespaceIsNamed(t *testing.T) {
	for want, path := range map[string]string{"no such file or directory": "/nowhere", "is not a network namespace": "/etc/hosts"} {
		_, err := NewWatcher(WatcherOptions{NodeNetns: path})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--netns") {
			t.Errorf("got %v for %s, want %q and the flag", err, path, want)
		}
	}
	if _, err := NewWatcher(WatcherOptions{Ignore: []string{"[a"}}); err == nil || !strings.Contains(err.Error(), "--ignore-link") {
		t.Errorf("got %v, want the pattern to be refused", err)
	}
}
