// SPDX-License-Identifier: Apache-2.0

//go:build linux

package dial_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/dial"
	"github.com/netcinch/netcinch/agent/podmap/nodetest"
)

// The client is this test binary: it exchanges a few bytes and ends.
const clientVariable = "NETCINCH_TEST_DIAL"

func TestMain(m *testing.M) {
	network, address, ok := strings.Cut(os.Getenv(clientVariable), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if err := exchange(network, address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func exchange(network, address string) error {
	if network == "sendto" {
		return sendTo(address)
	}
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

// sendTo sends a datagram without connecting.
func sendTo(address string) error {
	to := netip.MustParseAddrPort(address)
	local := "0.0.0.0:0"
	if to.Addr().Is6() {
		local = "[::]:0"
	}
	c, err := net.ListenPacket("udp", local)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = c.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(to))
	return err
}

// groups makes two control groups, one in the other, of the test's own.
func groups(t *testing.T) (outer, inner string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN")
	}
	root := t.TempDir()
	if err := syscall.Mount("none", root, "cgroup2", 0, ""); err != nil {
		t.Skipf("needs the unified control group hierarchy: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(root, syscall.MNT_DETACH) })
	outer = filepath.Join(root, fmt.Sprintf("netcinch-test-%d", os.Getpid()))
	inner = filepath.Join(outer, "pods")
	for _, dir := range []string{outer, inner} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
	}
	return outer, inner
}

// balance sends what is dialled at the virtual address and port 80 to the
// backend's, as a load balancer at the socket layer does.
func balance(t *testing.T, group string, where ebpf.AttachType, virtual, backend netip.AddrPort) {
	t.Helper()
	// struct bpf_sock_addr: user_ip4 at 4, user_ip6 at 8, user_port at 24.
	offset, words := int16(4), 1
	if virtual.Addr().Is6() {
		offset, words = 8, 4
	}
	load := func(a netip.Addr, i int) int32 { return int32(binary.NativeEndian.Uint32(a.AsSlice()[4*i:])) }
	port := func(p uint16) int32 { return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, p))) }
	var code asm.Instructions
	for i := range words {
		code = append(code, asm.LoadMem(asm.R2, asm.R1, offset+int16(4*i), asm.Word),
			asm.Instruction{OpCode: asm.OpCode(asm.Jump32Class).SetJumpOp(asm.JNE).SetSource(asm.ImmSource), Dst: asm.R2, Constant: int64(load(virtual.Addr(), i)), Offset: -1}.WithReference("out"))
	}
	for i := range words {
		code = append(code, asm.Mov.Imm32(asm.R2, load(backend.Addr(), i)), asm.StoreMem(asm.R1, offset+int16(4*i), asm.R2, asm.Word))
	}
	code = append(code, asm.Mov.Imm32(asm.R2, port(backend.Port())), asm.StoreMem(asm.R1, 24, asm.R2, asm.Word),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("out"), asm.Return())
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.CGroupSockAddr, AttachType: where, Instructions: code, License: "Dual BSD/GPL"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	l, err := link.AttachCgroup(link.CgroupOptions{Path: group, Attach: where, Program: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

// runIn has a client in a pod and in a control group.
func runIn(t *testing.T, p *nodetest.Pod, group, network, address string) {
	t.Helper()
	dir, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), own)
	c.Env = append(os.Environ(), clientVariable+"="+network+" "+address)
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err = p.Do(c.Run); err != nil {
		t.Fatalf("%s to %s: %v: %s", network, address, err, out.String())
	}
}

func TestDialled(t *testing.T) {
	for _, family := range []struct {
		name, client, server, virtual string
		connect, send                 ebpf.AttachType
	}{
		{"IPv4", "10.63.0.1", "10.63.0.2", "10.96.0.10:80", ebpf.AttachCGroupInet4Connect, ebpf.AttachCGroupUDP4Sendmsg},
		{"IPv6", "fd63::1", "fd63::2", "[fd96::10]:80", ebpf.AttachCGroupInet6Connect, ebpf.AttachCGroupUDP6Sendmsg},
	} {
		t.Run(family.name, func(t *testing.T) {
			outer, inner := groups(t)
			virtual, backend := netip.MustParseAddrPort(family.virtual), netip.AddrPortFrom(netip.MustParseAddr(family.server), 8080)
			node := nodetest.New(t)
			client, server := node.AddPod("client", family.client), node.AddPod("server", family.server)
			balance(t, outer, family.connect, virtual, backend)
			balance(t, outer, family.send, virtual, backend)
			serve(server, backend.String())
			o := capture.DefaultOptions()
			o.Now, o.Probe.Dialling = time.Now, true
			collector, err := capture.New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = collector.Close() }()
			w, err := dial.Open(inner, collector.Dialled())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if failed := w.Close(); failed != nil {
					t.Error(failed)
				}
			}()
			slot, err := collector.Attach(client.Path(), "eth0")
			if err != nil {
				t.Fatal(err)
			}
			for _, network := range []string{"tcp", "udp", "sendto"} {
				for _, to := range []netip.AddrPort{virtual, backend} {
					runIn(t, client, inner, network, to.String())
					expect(t, collector, slot, backend, to)
				}
			}
		})
	}
}

// expect wants one record, with the backend, and what was dialled where that
// is another address.
func expect(t *testing.T, c *capture.Collector, slot capture.Slot, backend, dialled netip.AddrPort) {
	t.Helper()
	var found []capture.Record
	if err := c.Flush(context.Background(), func(r *capture.Record) {
		if r.Slot == slot && r.RemotePort == backend.Port() && r.Connections > 0 {
			found = append(found, *r)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 {
		t.Fatalf("dialling %v gives %d records: %+v", dialled, len(found), found)
	}
	r := found[0]
	if dialled == backend {
		if r.Dialled.IsValid() || r.Backend.IsValid() {
			t.Errorf("dialled %v, backend %v of a connection that nobody sent elsewhere", r.Dialled, r.Backend)
		}
		return
	}
	if r.Dialled != dialled || r.Backend != backend || netip.AddrPortFrom(r.Remote, r.RemotePort) != backend || r.Initiator != capture.InitiatorLocal {
		t.Errorf("protocol %d: dialled %v, backend %v, remote %v:%d: want %v, %v", r.Protocol, r.Dialled, r.Backend, r.Remote, r.RemotePort, dialled, backend)
	}
}

// serve answers over TCP and UDP until the test ends.
func serve(p *nodetest.Pod, address string) {
	l, c := p.Listen(address), p.ListenPacket(address)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.CopyN(conn, conn, 5)
			_ = conn.Close()
		}
	}()
	go func() {
		b := make([]byte, 64)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(b[:n], from)
		}
	}()
}

func TestOpenNamesTheCause(t *testing.T) {
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "none"): "no such file",
		t.TempDir():                        "not in the unified hierarchy",
	} {
		if _, err := dial.Open(path, nil); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--pods-cgroup") {
			t.Errorf("opening %s: %v: want %q and the flag", path, err, want)
		}
	}
}
