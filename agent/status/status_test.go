// SPDX-License-Identifier: Apache-2.0

//go:build linux

package status

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/agent/privilege"
)

func sample() Report {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return Report{
		Schema: Schema, Agent: true, At: at, Started: at.Add(-90 * time.Second), Version: "v1", Node: "n1", Cluster: "shop", Kernel: "6.12.0",
		AttachMode: "pod-tcx", Programs: []Program{{"flow_egress", "SchedCLS", 2}},
		Interfaces: []Interface{
			{Namespace: "shop", Pod: "cart", Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.5"), netip.MustParseAddr("fd00::5")}, Mode: "pod-tcx", Slot: 1, Since: at.Add(-time.Minute)},
			{Addresses: []netip.Addr{}, Mode: "clsact", Slot: 2, Since: at},
			{Node: "eth0", Addresses: []netip.Addr{}, Mode: "pod-tcx", Slot: 3, Since: at},
		},
		Pods:         Pods{Synced: true, Known: 2, Watched: 1, HostNetwork: 3},
		Features:     Features([]feature.Missing{feature.TCX.Without(errors.New("told")), {Feature: "of another\x1b[31m", Lost: "something"}}),
		Capabilities: Capabilities(1<<unix.CAP_BPF | 1<<unix.CAP_NET_ADMIN),
		Rates:        Rates{Over: 45, Connections: 1.5, Bytes: 1000},
		Losses:       []Loss{{"map_full", "packets", 7, "packets without room"}},
		Delivery:     &Delivery{Server: "https://r:8443", Problem: "no route", Sent: 4, Waiting: 2, SpoolBytes: 512},
	}
}

func TestFeatures(t *testing.T) {
	states := sample().Features
	if len(states) != len(feature.All)+1 {
		t.Fatalf("%d features, want each of the list and one more", len(states))
	}
	for _, s := range states {
		switch {
		case s.Name == feature.TCX.Name && (s.Found || s.Reason != "told" || s.Lost != feature.TCX.Lost || s.Kernel != "6.6"):
			t.Errorf("TCX is missing, got %+v", s)
		case strings.HasPrefix(s.Name, "of another") && (s.Found || s.Lost != "something"):
			t.Errorf("got %+v", s)
		case s.Name == feature.Conntrack.Name && (!s.Found || s.Lost != ""):
			t.Errorf("conntrack is there, got %+v", s)
		}
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	if err := WriteTable(&out, sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"netcinch-agent v1 on node n1, cluster shop, for 1m30s\n", "kernel: Linux 6.12.0\n", "attach mode: pod-tcx\n",
		"recommender: https://r:8443, no route; 4 batches sent, 2 waiting (512 bytes)\n",
		"WATCHED: 3 interfaces; 1 of 2 pods, 3 more share the node's network\n",
		"shop/cart         10.1.0.5,fd00::5  pod-tcx   1m0s\n", "(not known)                         clsact    0s\n",
		"(the node: eth0)                    pod-tcx   0s\n",
		"flow_egress  SchedCLS  2\n", "TCX                          no     nothing while", "BTF                          yes",
		"CAP_PERFMON        no    programs that read packets and the kernel's structures; lost: everything",
		"RATES, per second over the last 45 s\n", "map_full  7      packets  packets without room\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, out.String())
		}
	}
	if strings.ContainsRune(out.String(), 0x1b) {
		t.Error("a control character reaches the terminal")
	}
}

func TestTableOfAProbe(t *testing.T) {
	var out strings.Builder
	r := sample()
	r.Agent, r.Problem, r.Delivery = false, "no BTF", nil
	if err := WriteTable(&out, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"no agent answers on this machine; this is what one would find here\n", "problem: no BTF\n", "KERNEL FEATURES"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, out.String())
		}
	}
	for _, not := range []string{"WATCHED", "LOSSES", "RATES"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("a probe knows of no %s", not)
		}
	}
}

// serve answers for a node with the sample.
func serve(t *testing.T, dir, node string) {
	t.Helper()
	l, err := Listen(dir, node)
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(func() Report { r := sample(); r.Node = node; return r })
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-done); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func TestAskingOverTheSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if _, err := Find(dir, ""); !errors.Is(err, ErrNoAgent) {
		t.Errorf("got %v, want that no agent answers", err)
	}
	serve(t, dir, "n1")
	path, err := Find(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Fetch(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("the report changed on its way:\n%s", diff)
	}
	for _, p := range []string{dir, path} {
		if info, failed := os.Stat(p); failed != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v, %v", p, info, failed)
		}
	}
	if _, err = Listen(dir, "n1"); err == nil || !strings.Contains(err.Error(), "answers at "+path+" already") {
		t.Errorf("a second agent of the node: got %v", err)
	}
	serve(t, dir, "n2")
	if _, err = Find(dir, ""); err == nil || !strings.Contains(err.Error(), "give --node, one of n1, n2") {
		t.Errorf("two agents: got %v", err)
	}
	if path, err = Find(dir, "n2"); err != nil {
		t.Fatal(err)
	}
	if got, err = Fetch(t.Context(), path); err != nil || got.Node != "n2" {
		t.Errorf("got node %q, %v", got.Node, err)
	}
	if _, err = Fetch(t.Context(), Path(dir, "n3")); !errors.Is(err, ErrNoAgent) {
		t.Errorf("got %v, want that no agent answers", err)
	}
}

func TestSocketOfAnAgentThatIsGone(t *testing.T) {
	dir := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: Path(dir, "n1")})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := Find(dir, ""); !errors.Is(err, ErrNoAgent) {
		t.Errorf("got %v, want that no agent answers", err)
	}
	serve(t, dir, "n1")
}

func TestPathFitsASocket(t *testing.T) {
	long := strings.Repeat("a", 250)
	for _, node := range []string{"n", "n/../x", long, long + "b"} {
		if p := Path(DefaultDir, node); len(p) > 107 || filepath.Dir(p) != DefaultDir {
			t.Errorf("node %s has its socket at %s", node, p)
		}
	}
	if Path("", long) == Path("", long+"b") {
		t.Error("two nodes have one socket")
	}
}

func TestOthersAreNotAnswered(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_SETUID to ask as another user")
	}
	dir := t.TempDir()
	serve(t, dir, "n1")
	for _, path := range []string{filepath.Dir(dir), dir, Path(dir, "n1")} { // as if somebody had opened them
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	answer := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			answer <- errno
			return
		}
		c, err := (&net.Dialer{}).DialContext(context.Background(), "unix", Path(dir, "n1"))
		if err != nil {
			answer <- fmt.Errorf("connecting: %w", err)
			return
		}
		defer c.Close()
		_, _ = c.Write([]byte("GET /status HTTP/1.0\r\n\r\n")) // may be closed already
		n, err := c.Read(make([]byte, 1))
		if n > 0 {
			answer <- errors.New("another user is answered")
			return
		}
		answer <- nil
		_ = err // closed in either way
	}()
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

func TestCapabilities(t *testing.T) {
	for _, c := range Capabilities(1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN) {
		lost := c.Name == "CAP_SYS_PTRACE" || c.Name == "CAP_NET_BROADCAST"
		if (c.Lost != "") != lost || c.For == "" {
			t.Errorf("got %+v", c)
		}
	}
	if n := len(Capabilities(0)); n != len(privilege.All) {
		t.Errorf("%d capabilities, want all", n)
	}
}
