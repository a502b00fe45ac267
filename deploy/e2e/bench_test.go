// SPDX-License-Identifier: Apache-2.0

//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/podmap/nodetest"
)

// ticksPerSecond is the unit of /proc/PID/stat's times: USER_HZ, 100 on every
// architecture that Linux runs on today.
const ticksPerSecond = 100

// BenchmarkAgent measures the agent's own program as a node has it: 30 pods
// watched, one connection between each and the next. It reports the resident
// memory, the part of it that is the agent's alone, and the share of a core
// that it takes when nothing happens.
func BenchmarkAgent(b *testing.B) {
	const pods = 30
	program := filepath.Join(b.TempDir(), "netcinch-agent")
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "../../agent").CombinedOutput(); err != nil {
		b.Fatalf("building the agent: %v\n%s", err, out)
	}
	s := newSetup(b)
	recommender := s.startRecommender()
	s.await("the recommender makes its CA", func() bool { return exists(s.path("data/ca.pem")) })
	var watched []*nodetest.Pod
	for i := range pods {
		p := s.addPod(fmt.Sprintf("pod%d", i), fmt.Sprintf("10.77.1.%d", i+1), fmt.Sprintf("fd77::1:%d", i+1))
		serve(p)
		watched = append(watched, p)
	}
	agent := startProgram(b, program, "agent", s.agentArguments("--window", "30s")...) // the default
	s.awaitAgent(pods)
	for i, p := range watched {
		next := watched[(i+1)%pods]
		if err := request(p, netip.AddrPortFrom(next.Addresses[0], 8080)); err != nil {
			b.Fatal(err)
		}
	}

	const rest = time.Minute // two windows: what is measured is the passing of time itself
	before := cpuSeconds(b, agent.cmd.Process.Pid)
	time.Sleep(rest)
	after := cpuSeconds(b, agent.cmd.Process.Pid)
	b.ReportMetric(100*(after-before)/rest.Seconds(), "idle-%core")
	b.ReportMetric(memoryMiB(b, agent.cmd.Process.Pid, "VmRSS"), "RSS-MiB")
	b.ReportMetric(memoryMiB(b, agent.cmd.Process.Pid, "RssAnon"), "anonymous-MiB")
	const flows = 64_000
	before = cpuSeconds(b, agent.cmd.Process.Pid)
	manyFlows(b, watched[0], watched[1], flows/2)
	read := func() bool {
		n, err := strconv.ParseFloat(s.metric("netcinch_agent_flow_records_total"), 64)
		return err == nil && n >= flows
	}
	// Seldom: to answer takes the agent longer than to read a thousand flows.
	for range 120 {
		if time.Sleep(500 * time.Millisecond); read() {
			break
		}
	}
	if !read() {
		b.Fatal("the agent has not read the flows")
	}
	after = cpuSeconds(b, agent.cmd.Process.Pid)
	b.ReportMetric(1e6*(after-before)/flows, "µs-cpu/new-flow")
	b.ReportMetric(memoryMiB(b, agent.cmd.Process.Pid, "VmRSS"), "RSS-MiB-64k")
	b.ReportMetric(memoryMiB(b, agent.cmd.Process.Pid, "RssAnon"), "anonymous-MiB-64k")
	b.ReportMetric(0, "ns/op") // means nothing here
	agent.stop()
	recommender.stop()
}

// manyFlows sends a datagram from each of n ports of one pod to one port of
// another, which answers: n flows at each end.
func manyFlows(b *testing.B, from, to *nodetest.Pod, n int) {
	b.Helper()
	address := netip.AddrPortFrom(to.Addresses[0], 9000)
	l := to.ListenPacket(address.String())
	defer func() { _ = l.Close() }()
	go func() {
		buffer := make([]byte, 100)
		for {
			got, peer, err := l.ReadFrom(buffer)
			if err != nil {
				return // closed
			}
			_, _ = l.WriteTo(buffer[:got], peer) // the sender waits for it
		}
	}()
	err := from.Do(func() error {
		buffer := make([]byte, 100)
		for i := range n {
			local := net.UDPAddrFromAddrPort(netip.AddrPortFrom(from.Addresses[0], uint16(20_000+i)))
			c, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(address))
			if err != nil {
				return err
			}
			_, err = c.Write(buffer[:10])
			if err == nil {
				_, err = c.Read(buffer)
			}
			if err = errors.Join(err, c.Close()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func memoryMiB(b *testing.B, pid int, field string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatalf("no %s in the status of process %d", field, pid)
	return 0
}

// cpuSeconds is what a process has used, in user and in kernel mode.
func cpuSeconds(b *testing.B, pid int) float64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	// Behind the name in parentheses, the third field is the first; utime and stime are 14 and 15.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks float64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return ticks / ticksPerSecond
}
