// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"bufio"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/deploy/demo/plan"
	"github.com/netcinch/netcinch/deploy/demo/workload"
	"github.com/netcinch/netcinch/deploy/demo/world/worldtest"
)

// TestMain lets the test binary be the program that pods run.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == workload.Argument {
		os.Exit(workload.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func shop(t *testing.T) *plan.Plan {
	t.Helper()
	p, err := plan.Make("../manifests")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// open claims the machine and makes the world; close gives both back.
func open(t *testing.T, p *plan.Plan) (w *World, close func()) {
	t.Helper()
	claim, err := Take(DefaultLock)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w, err = New(p, Options{State: claim.State, Executable: self, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	close = sync.OnceFunc(func() {
		if failed := errors.Join(w.Close(), claim.Release()); failed != nil {
			t.Error(failed)
		}
	})
	t.Cleanup(close)
	if err != nil {
		t.Fatal(err)
	}
	return w, close
}

// build makes a world that the test's end takes down.
func build(t *testing.T, p *plan.Plan) *World {
	t.Helper()
	worldtest.Alone(t)
	w, _ := open(t, p)
	return w
}

// eventually polls, bounded, until the condition holds.
func eventually(t *testing.T, w *World, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case err := <-w.Failed():
			t.Fatalf("%s: %v", what, err)
		case <-deadline.C:
			t.Fatalf("%s: not within a minute; calls: %+v", what, w.Calls())
		case <-tick.C:
		}
	}
}

// wanted counts the calls of the manifests by what becomes of them.
func wanted(p *plan.Plan) (fine, denied, told int) {
	count := func(container string, spec workload.Spec) {
		for _, c := range spec.Calls {
			switch {
			case p.DeniedCall(container, c):
				denied++
			case c.When == workload.WhenTold:
				told++
			default:
				fine++
			}
		}
	}
	for _, pod := range p.Pods {
		count(pod.Container, pod.Spec)
	}
	for _, o := range p.Outside {
		count(o.Name, o.Spec)
	}
	return fine, denied, told
}

func TestShopLives(t *testing.T) {
	p := shop(t)
	w := build(t, p)
	if err := errors.Join(w.Sandboxes(), w.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	fine, denied, told := wanted(p)
	if fine < 15 || denied != 1 || told != 2 {
		t.Fatalf("manifests want %d calls, %d denied, %d held back; want at least 15, 1, 2", fine, denied, told)
	}
	count := func(container string, ok bool) (n int) {
		for _, c := range w.Calls() {
			if c.OK == ok && (container == "" || c.Container == container) {
				n++
			}
		}
		return n
	}
	// The job's call is one more, under the name of its pod.
	eventually(t, w, "every call works", func() bool { return count("", true) >= fine+1 })
	eventually(t, w, "one call is cut", func() bool { return count("scraper", false) == denied })
	eventually(t, w, "a job's pod has come and gone", func() bool { return w.JobRuns() > 0 })
	for _, c := range w.Calls() {
		if !c.OK && !strings.Contains(c.Call, "9187") {
			t.Errorf("%s: %s fails: %s", c.Process, c.Call, c.Error)
		}
	}
	if n := count("frontend", true); n != 6 {
		t.Errorf("frontend makes %d calls before it is told, want 6", n)
	}
	w.Tell()
	eventually(t, w, "the held back call works", func() bool { return count("frontend", true) == 6+told })
}

// TestPodObjects reads what a kubelet would have reported.
func TestPodObjects(t *testing.T) {
	p := shop(t)
	w := build(t, p)
	if err := errors.Join(w.Sandboxes(), w.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	eventually(t, w, "a job's pod has come and gone", func() bool { return w.JobRuns() > 0 })
	files, err := filepath.Glob(filepath.Join(w.options.State, PodsFolder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	phases := map[corev1.PodPhase]int{}
	owners := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var pod corev1.Pod
		if err := yaml.UnmarshalStrict(data, &pod); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		phases[pod.Status.Phase]++
		owners[pod.OwnerReferences[0].Kind]++
		if pod.Spec.NodeName != "demo-node" || pod.Status.HostIP == "" || len(pod.Status.PodIPs) != 2 {
			t.Errorf("%s: node %q, host %q, addresses %v", file, pod.Spec.NodeName, pod.Status.HostIP, pod.Status.PodIPs)
		}
	}
	if phases[corev1.PodRunning] != len(p.Pods) || phases[corev1.PodSucceeded] != 1 {
		t.Errorf("phases %v, want %d running and 1 succeeded", phases, len(p.Pods))
	}
	want := map[string]int{"ReplicaSet": 11, "StatefulSet": 1, "DaemonSet": 1, "Job": 1}
	if !maps.Equal(owners, want) {
		t.Errorf("owners %v, want %v", owners, want)
	}
}

// TestPodLinks shows that the node sees a pod's link before the
// pod's process runs: the promise that an agent needs.
func TestPodLinks(t *testing.T) {
	p := shop(t)
	w := build(t, p)
	pod := p.Pods[0]
	home, err := w.buildPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	link, err := w.node.handle.LinkByName(pod.Link)
	if err != nil {
		t.Fatalf("the node does not have %s: %v", pod.Link, err)
	}
	peer, err := home.handle.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := home.handle.AddrList(peer, unix.AF_UNSPEC)
	if err != nil {
		t.Fatal(err)
	}
	var got []netip.Addr
	for _, a := range addrs {
		if addr, ok := netip.AddrFromSlice(a.IP); ok && !addr.Unmap().IsLinkLocalUnicast() {
			got = append(got, addr.Unmap())
		}
	}
	slices.SortFunc(got, netip.Addr.Compare)
	if !slices.Equal(got, pod.IPs) || link.Attrs().Flags&net.FlagUp == 0 {
		t.Errorf("pod has %v on %v, want %v, up", got, link.Attrs().Flags, pod.IPs)
	}
}

func TestNothingIsLeft(t *testing.T) {
	machine := worldtest.Alone(t)
	w, close := open(t, shop(t))
	if err := errors.Join(w.Sandboxes(), w.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n := len(worldtest.Processes(t, statePrefix)); n < 10 {
		t.Fatalf("%d processes, want at least 10: nothing to leave behind", n)
	}
	close()
	if left := machine.Left(t); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// victim is set for the process that TestAfterKill kills.
const victim = "NETCINCH_DEMO_VICTIM"

// TestAfterKill kills a demo's parent with SIGKILL and shows that the next
// claim leaves a clean machine.
func TestAfterKill(t *testing.T) {
	if os.Getenv(victim) != "" {
		w, _ := open(t, shop(t))
		if err := errors.Join(w.Sandboxes(), w.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stdout.WriteString("ready\n"); err != nil {
			t.Fatal(err)
		}
		select {} // until killed
	}
	machine := worldtest.Alone(t)
	child := exec.Command(os.Args[0], "-test.run=^TestAfterKill$")
	child.Env = append(os.Environ(), victim+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, eof := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the other demo said %q: %v", line, eof)
	}
	if _, err = Take(DefaultLock); !errors.Is(err, ErrBusy) {
		t.Errorf("a second demo beside the first: %v, want %v", err, ErrBusy)
	}
	if err = child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	if machine.Left(t) == "" {
		t.Fatal("the killed run left nothing, so this test shows nothing")
	}
	claim, err := Take(DefaultLock)
	if err != nil {
		t.Fatal(err)
	}
	if !claim.Cleaned {
		t.Error("the claim does not say that it cleaned up")
	}
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
	// The kernel ends the orphans; there is nothing to wait on but their end.
	for deadline := time.Now().Add(10 * time.Second); machine.Left(t) != "" && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if left := machine.Left(t); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}
