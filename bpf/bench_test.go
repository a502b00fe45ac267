// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// These run the program by BPF_PROG_TEST_RUN and report the median of several
// rounds, net of an empty program measured in turn with it: ns/packet-net.

const (
	rounds  = 9
	repeats = 1_000_000
)

func median(d []float64) float64 {
	slices.Sort(d)
	return d[len(d)/2]
}

func once(b *testing.B, p *ebpf.Program, frame []byte) float64 {
	b.Helper()
	_, d, err := p.Benchmark(frame, repeats, nil)
	if err != nil {
		b.Fatal(err)
	}
	return float64(d) / float64(time.Nanosecond)
}

func BenchmarkEstablished(b *testing.B) {
	pod4, far4 := netip.MustParseAddrPort("10.0.0.2:43210"), netip.MustParseAddrPort("10.0.1.2:8080")
	pod6, far6 := netip.MustParseAddrPort("[fd00::2]:43210"), netip.MustParseAddrPort("[fd00:1::2]:8080")
	payload := make([]byte, 64)
	for _, bench := range []struct {
		name    string
		packet  packet
		ingress bool
	}{
		{"TCP/IPv4/egress", packet{from: pod4, to: far4, protocol: tcp, flags: ack, payload: payload}, false},
		{"TCP/IPv4/ingress", packet{from: far4, to: pod4, protocol: tcp, flags: ack, payload: payload}, true},
		{"UDP/IPv4/egress", packet{from: pod4, to: far4, protocol: udp, payload: payload}, false},
		{"UDP/IPv4/ingress", packet{from: far4, to: pod4, protocol: udp, payload: payload}, true},
		{"TCP/IPv6/egress", packet{from: pod6, to: far6, protocol: tcp, flags: ack, payload: payload}, false},
		{"TCP/IPv6/ingress", packet{from: far6, to: pod6, protocol: tcp, flags: ack, payload: payload}, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			l := load(b, 1, 1<<16, 1)
			program := l.FlowEgress
			if bench.ingress {
				program = l.FlowIngress
			}
			frame := bench.packet.ethernet()
			var gross, empty []float64
			for b.Loop() {
				gross, empty = gross[:0], empty[:0]
				for range rounds {
					empty = append(empty, once(b, l.FlowEmpty, frame))
					gross = append(gross, once(b, program, frame))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(gross), "ns/packet-gross")
			b.ReportMetric(median(gross)-median(empty), "ns/packet-net")
		})
	}
}
