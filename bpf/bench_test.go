// SPDX-License-Identifier: Apache-2.0

//go:build linux

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
		cached  uint8 // 0: by the flow map alone
	}{
		{"TCP/IPv4/egress", packet{from: pod4, to: far4, protocol: tcp, flags: ack, payload: payload}, false, 1},
		{"TCP/IPv4/ingress", packet{from: far4, to: pod4, protocol: tcp, flags: ack, payload: payload}, true, 1},
		{"UDP/IPv4/egress", packet{from: pod4, to: far4, protocol: udp, payload: payload}, false, 1},
		{"UDP/IPv4/ingress", packet{from: far4, to: pod4, protocol: udp, payload: payload}, true, 1},
		{"TCP/IPv6/egress", packet{from: pod6, to: far6, protocol: tcp, flags: ack, payload: payload}, false, 1},
		{"TCP/IPv6/ingress", packet{from: far6, to: pod6, protocol: tcp, flags: ack, payload: payload}, true, 1},
		{"TCP/IPv4/egress/map", packet{from: pod4, to: far4, protocol: tcp, flags: ack, payload: payload}, false, 0},
		{"TCP/IPv6/egress/map", packet{from: pod6, to: far6, protocol: tcp, flags: ack, payload: payload}, false, 0},
	} {
		b.Run(bench.name, func(b *testing.B) {
			l := loadWith(b, options{1, 1 << 16, 1 << 20, 1, bench.cached})
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

// BenchmarkCreate has each packet begin a flow: median of single runs.
func BenchmarkCreate(b *testing.B) {
	const flows = 4000
	for _, e := range []struct {
		name string
		ends ends
	}{{"IPv4", family4}, {"IPv6", family6}} {
		b.Run(e.name, func(b *testing.B) {
			var gross, empty []float64
			for b.Loop() {
				gross, empty = gross[:0], empty[:0]
				l := load(b, 1<<17, 1)
				for i := range flows {
					frame := e.ends.numbered(tcp, i).ethernet()
					for _, measure := range []struct {
						program *ebpf.Program
						into    *[]float64
					}{{l.FlowEmpty, &empty}, {l.FlowEgress, &gross}} {
						_, d, err := measure.program.Benchmark(frame, 1, nil)
						if err != nil {
							b.Fatal(err)
						}
						*measure.into = append(*measure.into, float64(d))
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(gross)-median(empty), "ns/flow-net")
		})
	}
}

// numbered is a packet of the n-th of many tuples, known by its ports.
func (e ends) numbered(protocol uint8, n int) packet {
	p := e.to(protocol, syn, 10)
	p.from = netip.AddrPortFrom(p.from.Addr(), uint16(1024+n%50_000))
	p.to = netip.AddrPortFrom(p.to.Addr(), uint16(80+n/50_000))
	return p
}

// BenchmarkTuples sends 40,000 known tuples, half TCP, half UDP, twice each,
// and counts how many the map has afterwards with the very bytes sent.
func BenchmarkTuples(b *testing.B) {
	const tuples = 40_000
	for _, e := range []struct {
		name string
		ends ends
	}{{"IPv4", family4}, {"IPv6", family6}} {
		b.Run(e.name, func(b *testing.B) {
			exact := 0
			for b.Loop() {
				l := load(b, 1<<16, 0)
				for i := range tuples {
					protocol := []uint8{tcp, udp}[i%2]
					frame := e.ends.numbered(protocol, i).ethernet()
					l.run(b, l.FlowEgress, frame)
					l.run(b, l.FlowEgress, frame)
				}
				exact = 0
				for _, got := range l.entries(b) {
					transport := map[uint8]uint64{tcp: 20, udp: 8}[got.protocol]
					if got.tx == (count{2, 2 * (e.ends.header + transport + 10)}) {
						exact++
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(exact), "tuples-exact-of-40000")
		})
	}
}
