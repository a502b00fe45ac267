// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"net/netip"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
)

// Another flow recorder's object file, and which of its programs for TC or TCX
// sees what a pod sends. It is measured as its object comes, with the features
// that are on in it.
const (
	peerObject  = "NETCINCH_PEER_OBJECT"
	peerProgram = "NETCINCH_PEER_PROGRAM"
	peerEntries = 1 << 17 // of hash maps that are larger: as many as ours holds
)

// loadPeer loads one program of another's object, without pinning anything.
func loadPeer(tb testing.TB) *ebpf.Program {
	tb.Helper()
	needBPF(tb)
	path, name := os.Getenv(peerObject), os.Getenv(peerProgram)
	if path == "" || name == "" {
		tb.Skipf("needs %s and %s: the object file and the program to compare with", peerObject, peerProgram)
	}
	_ = rlimit.RemoveMemlock() // told by the load
	spec, err := ebpf.LoadCollectionSpec(path)
	if err != nil {
		tb.Fatal(err)
	}
	program := spec.Programs[name]
	if program == nil {
		tb.Fatalf("%s has no program %s", path, name)
	}
	spec.Programs = map[string]*ebpf.ProgramSpec{name: program}
	for _, m := range spec.Maps {
		m.Pinning = ebpf.PinNone
		if m.Type != ebpf.RingBuf && m.MaxEntries > peerEntries {
			m.MaxEntries = peerEntries
		}
	}
	c, err := ebpf.NewCollection(spec)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c.Programs[name]
}

// BenchmarkPeer measures another's program beside ours on the same packets, in
// turn with the empty program: established flows, and such as begin.
func BenchmarkPeer(b *testing.B) {
	peer := loadPeer(b)
	pod4, far4 := netip.MustParseAddrPort("10.0.0.2:43210"), netip.MustParseAddrPort("10.0.1.2:8080")
	pod6, far6 := netip.MustParseAddrPort("[fd00::2]:43210"), netip.MustParseAddrPort("[fd00:1::2]:8080")
	payload := make([]byte, 64)
	for _, bench := range []struct {
		name   string
		packet packet
	}{
		{"TCP/IPv4", packet{from: pod4, to: far4, protocol: tcp, flags: ack, payload: payload}},
		{"UDP/IPv4", packet{from: pod4, to: far4, protocol: udp, payload: payload}},
		{"TCP/IPv6", packet{from: pod6, to: far6, protocol: tcp, flags: ack, payload: payload}},
		{"UDP/IPv6", packet{from: pod6, to: far6, protocol: udp, payload: payload}},
	} {
		b.Run("established/"+bench.name, func(b *testing.B) {
			l := loadWith(b, options{1, 1 << 16, 1 << 20, 1, 1})
			frame := bench.packet.ethernet()
			var empty, ours, theirs []float64
			for b.Loop() {
				empty, ours, theirs = empty[:0], ours[:0], theirs[:0]
				for range rounds {
					empty = append(empty, once(b, l.FlowEmpty, frame))
					ours = append(ours, once(b, l.FlowEgress, frame))
					theirs = append(theirs, once(b, peer, frame))
				}
			}
			compare(b, median(empty), median(ours), median(theirs))
		})
	}
	b.Run("beginning/TCP/IPv4", func(b *testing.B) {
		const flows = 4000
		offset := 0 // the peer's map is not emptied in between
		var empty, ours, theirs []float64
		for b.Loop() {
			empty, ours, theirs = empty[:0], ours[:0], theirs[:0]
			l := load(b, 1<<17, 1)
			for i := range flows {
				frame := family4.numbered(tcp, offset+i).ethernet()
				empty = append(empty, single(b, l.FlowEmpty, frame))
				ours = append(ours, single(b, l.FlowEgress, frame))
				theirs = append(theirs, single(b, peer, frame))
			}
			offset += flows
		}
		compare(b, median(empty), median(ours), median(theirs))
	})
}

func single(b *testing.B, p *ebpf.Program, frame []byte) float64 {
	b.Helper()
	_, d, err := p.Benchmark(frame, 1, nil)
	if err != nil {
		b.Fatal(err)
	}
	return float64(d)
}

func compare(b *testing.B, empty, ours, theirs float64) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(empty, "ns/empty")
	b.ReportMetric(ours-empty, "ns/ours-net")
	b.ReportMetric(theirs-empty, "ns/theirs-net")
	b.ReportMetric((theirs-empty)/max(ours-empty, 1), "times-ours")
}
