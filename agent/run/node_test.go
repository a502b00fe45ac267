// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go4.org/netipx"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/agent/podmap"
	"github.com/netcinch/netcinch/agent/podmap/nodetest"
	"github.com/netcinch/netcinch/agent/status"
	"github.com/netcinch/netcinch/recommender/wire"
)

// An actor is this test binary: it exchanges a few bytes and ends.
const actorVariable = "NETCINCH_TEST_ACTOR"

func TestMain(m *testing.M) {
	network, address, ok := strings.Cut(os.Getenv(actorVariable), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if err := exchange(network, address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func exchange(network, address string) error {
	c, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err = c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err = c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 5))
	return err
}

const (
	hostPodUID  = "11111111-2222-3333-4444-555555555555"
	appUID      = "22222222-2222-3333-4444-555555555555"
	nodeAddress = "192.0.2.1"
)

// wholeNode is a node with an uplink to one machine outside, a pod behind the
// node's address, and an observer.
type wholeNode struct {
	t            *testing.T
	node         *nodetest.Node
	pod, outside *nodetest.Pod
	windows      chan export.Window
	source       pods
	known        []podmap.Pod
	observer     *Observer
	stop         func()
}

func (n *wholeNode) Put(w export.Window) {
	w.Edges = append([]wire.Edge(nil), w.Edges...)
	n.windows <- w
}

// pods is a source that reports what it is given.
type pods chan []podmap.Pod

func (p pods) Watch(ctx context.Context, update func([]podmap.Pod)) error {
	for {
		select {
		case now := <-p:
			update(now)
		case <-ctx.Done():
			return nil
		}
	}
}

func newWholeNode(t *testing.T) *wholeNode {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN")
	}
	n := &wholeNode{t: t, node: nodetest.New(t), windows: make(chan export.Window, 64), source: make(pods, 4)}
	n.outside = n.node.AddPod("outside", "192.0.2.9")
	n.pod = n.node.AddPod("app", "10.64.0.2")
	if err := n.node.Do(func() error { return uplink(n.outside.HostLink) }); err != nil {
		t.Fatal(err)
	}
	o := ObserverOptions{
		Window: time.Second, Netns: n.node.Path, NetnsDirs: []string{n.node.PodsDir}, Capture: capture.DefaultOptions(),
		Clock: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Pods: n.source,
	}
	n.known = []podmap.Pod{
		{
			Namespace: "shop", Name: "app", UID: appUID, Addresses: n.pod.Addresses, Started: time.Now().Add(-time.Minute),
			Containers: map[string]string{container: "main"}, Probes: []uint16{8080},
		},
		{Namespace: "kube-system", Name: "exporter", UID: hostPodUID, HostNetwork: true, Addresses: []netip.Addr{netip.MustParseAddr(nodeAddress)}, Containers: map[string]string{container: "metrics"}},
	}
	n.source <- n.known
	observer, err := NewObserver(o, n)
	if err != nil {
		t.Fatal(err)
	}
	n.observer = observer
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- observer.Run(ctx) }()
	n.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("observing: %v", err)
		}
		close(n.windows)
	}
	<-n.windows // the first one: everything is attached
	return n
}

// uplink makes an interface the node's way out, with the node's address.
func uplink(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(nodeAddress + "/32")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(l, a); err != nil {
		return err
	}
	// The node talks by its own address, not by the gateway's of the link.
	own, outside := netip.MustParseAddr(nodeAddress).AsSlice(), netip.MustParseAddr("192.0.2.9")
	host := netipx.AddrIPNet(outside)
	if err := netlink.RouteReplace(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: host, Scope: netlink.SCOPE_LINK, Src: own}); err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: outside.AsSlice(), Src: own, Flags: int(netlink.FLAG_ONLINK)})
}

// edges gives all that was seen, after the observer's end.
func (n *wholeNode) edges() []wire.Edge {
	n.stop()
	var all []wire.Edge
	for w := range n.windows {
		all = append(all, w.Edges...)
	}
	return all
}

// place is where a process is started.
type place interface{ Do(work func() error) error }

// run has a process exchange a few bytes, in a control group where one is
// given.
func (n *wholeNode) run(where place, group, address string) {
	n.t.Helper()
	own, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	c := exec.CommandContext(n.t.Context(), own)
	c.Env = append(os.Environ(), actorVariable+"=tcp "+address)
	if group != "" {
		dir, err := os.Open(group)
		if err != nil {
			n.t.Fatal(err)
		}
		defer func() { _ = dir.Close() }()
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	}
	var out []byte
	if err := where.Do(func() (err error) { out, err = c.CombinedOutput(); return err }); err != nil {
		n.t.Fatalf("connecting to %s: %v: %s", address, err, out)
	}
}

// container is the id of each pod's container.
var container = strings.Repeat("ab", 32)

// podGroup makes the control group of a pod's container, as the kubelet and a
// runtime do.
func podGroup(t *testing.T, uid string) string {
	t.Helper()
	root := t.TempDir()
	if err := unix.Mount("none", root, "cgroup2", 0, ""); err != nil {
		t.Skipf("needs the unified control group hierarchy: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(root, unix.MNT_DETACH) })
	path := root
	for _, name := range []string{fmt.Sprintf("netcinch-test-%d-%s", os.Getpid(), uid[:8]), "pod" + uid, container} {
		path = filepath.Join(path, name)
		dir := path
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
	}
	return path
}

// serve echoes over TCP until the test ends.
func serve(l net.Listener) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.CopyN(c, c, 5)
			_ = c.Close()
		}
	}()
}

// find gives the only edge of a port and local address, from the given end.
func find(t *testing.T, edges []wire.Edge, local string, port uint16, client bool) wire.Edge {
	t.Helper()
	var found []wire.Edge
	for _, e := range edges {
		if e.Local == netip.MustParseAddr(local) && e.Port == port && e.LocalIsClient() == client {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d edges of %s, port %d, client %v: want 1: %+v", len(found), local, port, client, edges)
	}
	return found[0]
}

// none wants no edge of a port at the node's end.
func none(t *testing.T, edges []wire.Edge, port uint16) {
	t.Helper()
	for _, e := range edges {
		if e.Port == port && e.Local == netip.MustParseAddr(nodeAddress) {
			t.Errorf("the node has the edge %+v", e)
		}
	}
}

// The node's own processes, and a pod that shares its network, at the uplink.
func TestNodeProcesses(t *testing.T) {
	group := podGroup(t, hostPodUID)
	n := newWholeNode(t)
	serve(n.outside.Listen("192.0.2.9:443"))
	serve(n.outside.Listen("192.0.2.9:444"))
	serve(n.pod.Listen("10.64.0.2:8080"))
	serve(n.pod.Listen("10.64.0.2:8081"))
	var l net.Listener
	if err := n.node.Do(func() (err error) { l, err = net.Listen("tcp", nodeAddress+":22"); return err }); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	serve(l)
	n.run(n.node, "", "192.0.2.9:443")
	n.run(n.node, group, "192.0.2.9:444")
	n.run(n.outside, "", nodeAddress+":22")
	n.run(n.node, "", "10.64.0.2:8080") // a probe
	n.run(n.node, "", "10.64.0.2:8081")
	n.run(n.outside, "", "10.64.0.2:8080")
	edges := n.edges()

	own, _ := os.Executable()
	if e := find(t, edges, nodeAddress, 443, true); e.Pod != (wire.PodKey{}) || e.Process != own || e.Connections != 1 {
		t.Errorf("a process of the node: %+v", e)
	}
	if e := find(t, edges, nodeAddress, 444, true); e.Pod != (wire.PodKey{Namespace: "kube-system", Name: "exporter", UID: hostPodUID}) || e.Process != own || e.Container != "metrics" {
		t.Errorf("a pod that shares the node's network: %+v", e)
	}
	if e := find(t, edges, nodeAddress, 22, false); e.Pod != (wire.PodKey{}) || e.Process != own || e.Remote != netip.MustParseAddr("192.0.2.9") {
		t.Errorf("a server of the node: %+v", e)
	}
	probes := 0
	for _, e := range edges {
		switch fromNode := e.Remote != netip.MustParseAddr("192.0.2.9"); {
		case e.LocalIsClient() || e.Local != netip.MustParseAddr("10.64.0.2"):
			continue
		case e.Pod.Name != "app" || e.Process != own || e.Container != "":
			t.Errorf("what came to the pod: %+v", e)
		case e.Probe() != (e.Port == 8080 && fromNode):
			t.Errorf("a probe: %v: %+v", e.Probe(), e)
		case e.Probe():
			probes++
		}
	}
	if probes != 1 {
		t.Errorf("%d probes, want 1", probes)
	}
	none(t, edges, 8080)
}

// The container that a program runs in, by the name that the pod has for it;
// before the pod tells its name, by its id.
func TestContainers(t *testing.T) {
	group := podGroup(t, appUID)
	n := newWholeNode(t)
	serve(n.outside.Listen("192.0.2.9:443"))
	serve(n.outside.Listen("192.0.2.9:444"))
	n.run(n.pod, group, "192.0.2.9:443")
	second := filepath.Join(filepath.Dir(group), strings.Repeat("cd", 32))
	if err := os.Mkdir(second, 0o700); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Remove(second) }()
	n.run(n.pod, second, "192.0.2.9:444")
	edges := n.edges()
	for port, want := range map[uint16]string{443: "main", 444: filepath.Base(second)} {
		if e := find(t, edges, "10.64.0.2", port, true); e.Container != want || e.Pod.UID != appUID {
			t.Errorf("port %d: pod %+v, container %q, want %q", port, e.Pod, e.Container, want)
		}
	}
}

// Both ends on one node, over its loopback.
func TestNodeToItself(t *testing.T) {
	n := newWholeNode(t)
	var l net.Listener
	if err := n.node.Do(func() (err error) { l, err = net.Listen("tcp", nodeAddress+":9100"); return err }); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	serve(l)
	n.run(n.node, "", nodeAddress+":9100")
	report := n.observer.report()
	edges := n.edges()
	for _, name := range []string{"lo", n.outside.HostLink} { // told by status, too
		if !slices.ContainsFunc(report.Interfaces, func(i status.Interface) bool { return i.Node == name && i.Mode == "pod-tcx" && !i.Since.IsZero() }) {
			t.Errorf("%s is not among what is watched: %+v", name, report.Interfaces)
		}
	}
	client, server := find(t, edges, nodeAddress, 9100, true), find(t, edges, nodeAddress, 9100, false)
	if client.Connections != 1 || server.Connections != 1 || client.PacketsSent != server.PacketsSent {
		t.Errorf("client's end %+v, server's %+v", client, server)
	}
}

// What a pod sends behind the node's address is the pod's alone.
func TestNodeDoesNotCountPods(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs the nft command")
	}
	n := newWholeNode(t)
	serve(n.outside.Listen("192.0.2.9:443"))
	masquerade := exec.Command("nft", "add table ip n; add chain ip n p { type nat hook postrouting priority 100; }; add rule ip n p ip saddr 10.64.0.2 masquerade")
	if err := n.node.Do(masquerade.Run); err != nil {
		t.Fatal(err)
	}
	n.run(n.pod, "", "192.0.2.9:443")
	edges := n.edges()
	if e := find(t, edges, "10.64.0.2", 443, true); e.Connections != 1 || e.Pod.Name != "app" {
		t.Errorf("the pod's edge: %+v", e)
	}
	none(t, edges, 443)
}

// Two pods have one address within a second, and the API server tells of both
// only when they are gone.
func TestAddressReuseWithinASecond(t *testing.T) {
	uids := []string{"aaaaaaaa-0000-0000-0000-000000000001", "bbbbbbbb-0000-0000-0000-000000000002"}
	n := newWholeNode(t)
	known := n.known
	for i, uid := range uids {
		group := podGroup(t, uid)
		port := fmt.Sprint(7001 + i)
		serve(n.outside.Listen("192.0.2.9:" + port))
		p := n.node.AddPod("job"+port, "10.64.0.7")
		n.awaitSlot(p.Addresses[0])
		n.run(p, group, "192.0.2.9:"+port)
		p.Remove()
		n.awaitGone(p.Addresses[0])
		known = append(known, podmap.Pod{Namespace: "shop", Name: "job" + port, UID: uid, Addresses: p.Addresses, Started: time.Now().Truncate(time.Second), Over: true})
	}
	n.source <- known
	n.awaitPod(uids[1])
	edges := n.edges()
	for i, uid := range uids {
		if e := find(t, edges, "10.64.0.7", uint16(7001+i), true); e.Pod.UID != uid {
			t.Errorf("port %d is of the pod %+v, want %s", e.Port, e.Pod, uid)
		}
	}
}

// await asks until it is so.
func (n *wholeNode) await(what string, is func() bool) {
	n.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(20 * time.Second); !is(); {
		select {
		case <-tick.C:
		case <-limit:
			n.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (n *wholeNode) awaitSlot(a netip.Addr) {
	n.t.Helper()
	n.await("the interface of "+a.String(), func() bool { _, ok := n.observer.registry.Slot(a); return ok })
}

func (n *wholeNode) awaitGone(a netip.Addr) {
	n.t.Helper()
	n.await("the end of "+a.String(), func() bool { _, ok := n.observer.registry.Slot(a); return !ok })
}

func (n *wholeNode) awaitPod(uid string) {
	n.t.Helper()
	n.await("the pod "+uid, func() bool { _, ok := n.observer.registry.ByUID(uid); return ok })
}
