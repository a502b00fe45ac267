// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

var (
	t0     = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	header = Header{Cluster: "prod", Node: "n1", Epoch: "e1", Sequence: 1, Start: t0, End: t0.Add(30 * time.Second)}
)

func edge4() Edge {
	return Edge{
		EdgeKey: EdgeKey{
			Pod: PodKey{"shop", "cart-1", "u1"}, Local: netip.MustParseAddr("10.0.0.1"), Remote: netip.MustParseAddr("10.0.0.2"),
			Dialled: netip.MustParseAddrPort("10.96.0.10:80"), Protocol: 6, Port: 8080,
			Flags: EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT, DNS: "catalogue.shop.svc", Process: "/bin/cart", Container: "main",
		},
		Counts: Counts{3, 100, 200, 4, 5},
	}
}

func edge6() Edge {
	return Edge{
		EdgeKey: EdgeKey{
			Local: netip.MustParseAddr("fd00::1"), Remote: netip.MustParseAddr("fd00::2"), Protocol: 58,
			Flags:   EdgeFlag_EDGE_FLAG_GUESSED | EdgeFlag_EDGE_FLAG_SOURCE_REWRITTEN,
			Outcome: Dropped, Reason: "NETFILTER_DROP", Marks: EdgeMark_EDGE_MARK_PROBE,
		},
		Counts: Counts{0, 64, 0, 1, 0},
	}
}

func sample(tb testing.TB, edges ...Edge) *Batch {
	tb.Helper()
	b := NewBuilder(header)
	for _, e := range edges {
		if err := b.Add(e); err != nil {
			tb.Fatal(err)
		}
	}
	b.SetLosses(&Losses{MapFull: 7})
	b.SetCoverage(&Coverage{PodsKnown: 3, PodsWatched: 2, AttachMode: "tcx-pod", Missing: []string{"conntrack"}})
	return b.Batch()
}

var netipEqual = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

func TestEncodedBatchReadsBackAsItWas(t *testing.T) {
	want := []Edge{edge4(), edge6(), edge4()}
	want[2].Process = "/bin/other"
	body, err := Encode(sample(t, want...))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var got []Edge
	for i, e := range b.All() {
		if i != len(got) {
			t.Fatalf("place %d, want %d", i, len(got))
		}
		got = append(got, e)
	}
	if d := cmp.Diff(want, got, netipEqual); d != "" {
		t.Errorf("edges (-want +got):\n%s", d)
	}
	if d := cmp.Diff(header, b.Header()); d != "" {
		t.Errorf("header (-want +got):\n%s", d)
	}
	if len(b.Pods) != 2 || b.Losses.MapFull != 7 || b.Coverage.PodsWatched != 2 {
		t.Errorf("pods %v, losses %v, coverage %v", b.Pods, b.Losses, b.Coverage)
	}
	if e := got[1]; e.LocalIsClient() || !e.Guessed() || !e.SourceRewritten() {
		t.Errorf("flags of %+v", e)
	}
}

func TestBuilderMakesFreeTextFit(t *testing.T) {
	e := edge4()
	e.Process = "/bin/\xff" + strings.Repeat("é", MaxString)
	e.DNS = "API.Example.COM."
	e.Local = netip.MustParseAddr("::ffff:10.0.0.1")
	for _, got := range sample(t, e).All() {
		if got.DNS != "api.example.com" || got.Local != netip.MustParseAddr("10.0.0.1") {
			t.Errorf("dns %q local %v", got.DNS, got.Local)
		}
		if len(got.Process) > MaxString || len(got.Process) < MaxString-2 || !strings.HasPrefix(got.Process, "/bin/\uFFFD") {
			t.Errorf("process of %d bytes: %.20q", len(got.Process), got.Process)
		}
	}
}

// TestBuilderAndValidateAgree holds the two judges against each other: what
// the builder takes is valid, what it refuses leaves the batch as it was.
func TestBuilderAndValidateAgree(t *testing.T) {
	for name, spoil := range map[string]func(*Edge){
		"no local":          func(e *Edge) { e.Local = netip.Addr{} },
		"no remote":         func(e *Edge) { e.Remote = netip.Addr{} },
		"families":          func(e *Edge) { e.Remote = netip.MustParseAddr("fd00::1") },
		"port without":      func(e *Edge) { e.Protocol = 1 },
		"dialled port only": func(e *Edge) { e.Dialled = netip.AddrPortFrom(netip.Addr{}, 1) },
		"flags":             func(e *Edge) { e.Flags = 8 },
		"outcome":           func(e *Edge) { e.Outcome = 4 },
		"pod name":          func(e *Edge) { e.Pod.Name = "" },
		"pod namespace":     func(e *Edge) { e.Pod.Namespace = strings.Repeat("x", MaxName+1) },
		"connections":       func(e *Edge) { e.Connections = MaxCount + 1 },
		"bytes per packet":  func(e *Edge) { e.BytesSent = 1 << 40 },
		"bytes no packets":  func(e *Edge) { e.PacketsReceived = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder(header)
			if err := b.Add(edge4()); err != nil {
				t.Fatal(err)
			}
			before := proto.Clone(b.Batch())
			e := edge4()
			spoil(&e)
			if err := b.Add(e); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrImplausible) {
				t.Errorf("adding: %v, want a refusal", err)
			}
			if !proto.Equal(before, b.Batch()) {
				t.Error("a refused edge changed the batch")
			}
			if err := Validate(b.Batch()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBuilderIsFullAtTheLimit(t *testing.T) {
	b := NewBuilder(header)
	for !b.Full() {
		if err := b.Add(edge4()); err != nil {
			t.Fatal(err)
		}
	}
	if b.Len() != MaxEdges {
		t.Errorf("full at %d edges, want %d", b.Len(), MaxEdges)
	}
	if err := b.Add(edge4()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("adding one more: %v, want ErrTooLarge", err)
	}
	if _, err := Encode(b.Batch()); err != nil {
		t.Errorf("a full batch does not encode: %v", err)
	}
}

func TestValidateNamesColumnAndIndex(t *testing.T) {
	long := strings.Repeat("x", MaxString+1)
	for _, c := range []struct {
		name  string
		spoil func(*Batch)
		kind  error
		want  string
	}{
		{"version", func(b *Batch) { b.Version = 2 }, ErrVersion, "version: is 2, this recommender speaks 1"},
		{"cluster", func(b *Batch) { b.Cluster = "" }, ErrMalformed, "cluster: is empty"},
		{"node", func(b *Batch) { b.Node = long }, ErrMalformed, "node: has 4097 bytes, at most 253"},
		{"epoch", func(b *Batch) { b.Epoch = "\xff" }, ErrMalformed, "epoch: is not UTF-8"},
		{"sequence", func(b *Batch) { b.Sequence = 0 }, ErrMalformed, "sequence: is 0"},
		{"start", func(b *Batch) { b.StartUnixNano = 5 }, ErrMalformed, "start_unix_nano: is 1970-01-01T00:00:00Z"},
		{"end", func(b *Batch) { b.EndUnixNano = b.StartUnixNano }, ErrMalformed, "end_unix_nano: is not after the start"},
		{"long window", func(b *Batch) { b.EndUnixNano += int64(MaxWindow) }, ErrMalformed, "end_unix_nano: makes a window of 1h0m30s"},
		{"no strings", func(b *Batch) { b.Strings = nil }, ErrMalformed, "strings: is empty"},
		{"string 0", func(b *Batch) { b.Strings[0] = "x" }, ErrMalformed, "strings[0]: is not empty"},
		{"string long", func(b *Batch) { b.Strings[2] = long }, ErrMalformed, "strings[2]: has 4097 bytes"},
		{"address 0", func(b *Batch) { b.Addresses[0] = []byte{1} }, ErrMalformed, "addresses[0]: is not empty"},
		{"address", func(b *Batch) { b.Addresses[3] = []byte{1, 2, 3} }, ErrMalformed, "addresses[3]: has 3 bytes, want 4 or 16"},
		{"pod 0", func(b *Batch) { b.Pods[0].Name = 1 }, ErrMalformed, "pods[0]: is not empty"},
		{"pod string", func(b *Batch) { b.Pods[1].Uid = 99 }, ErrMalformed, "pods.uid[1]: string 99 of 8"},
		{"pod name", func(b *Batch) { b.Pods[1].Name = 0 }, ErrMalformed, "pods.name[1]: is empty"},
		{"no edges message", func(b *Batch) { b.Edges.Port = nil }, ErrMalformed, "edges.pod: has 2 entries, edges.port has 0"},
		{"column length", func(b *Batch) { b.Edges.BytesSent = b.Edges.BytesSent[:1] }, ErrMalformed, "edges.bytes_sent: has 1 entries, edges.port has 2"},
		{"too many", func(b *Batch) { b.Edges.Port = make([]uint32, MaxEdges+1) }, ErrTooLarge, "edges.port: has 50001 entries"},
		{"pod index", func(b *Batch) { b.Edges.Pod[1] = 2 }, ErrMalformed, "edges.pod[1]: pod 2 of 2"},
		{"remote index", func(b *Batch) { b.Edges.Remote[1] = 1 << 31 }, ErrMalformed, "edges.remote[1]: address 2147483648 of 6"},
		{"no local", func(b *Batch) { b.Edges.Local[0] = 0 }, ErrMalformed, "edges.local[0]: address 0 (none)"},
		{"dialled port", func(b *Batch) { b.Edges.DialledPort[1] = 65536 }, ErrMalformed, "edges.dialled_port[1]: is 65536"},
		{"dialled port alone", func(b *Batch) { b.Edges.DialledPort[1] = 80 }, ErrMalformed, "edges.dialled_port[1]: is 80 without an address"},
		{"protocol", func(b *Batch) { b.Edges.Protocol[0] = 256 }, ErrMalformed, "edges.protocol[0]: is 256, want 0 to 255"},
		{"icmp port", func(b *Batch) { b.Edges.Port[1] = 1 }, ErrMalformed, "edges.port[1]: is 1, protocol ICMPv6 has no ports"},
		{"flags", func(b *Batch) { b.Edges.Flags[0] = 8 }, ErrMalformed, "edges.flags[0]: is 8"},
		{"outcome", func(b *Batch) { b.Edges.Outcome[0] = 4 }, ErrMalformed, "edges.outcome[0]: is 4"},
		{"dns", func(b *Batch) { b.Strings[6] = strings.Repeat("x", 254); b.Edges.Dns[0] = 6 }, ErrMalformed, "edges.dns[0]: has 254 bytes"},
		{"count", func(b *Batch) { b.Edges.PacketsSent[1] = 1 << 60 }, ErrImplausible, "edges.packets_sent[1]: is 1152921504606846976"},
		{"bytes", func(b *Batch) { b.Edges.BytesReceived[0] = 1 << 40 }, ErrImplausible, "edges.bytes_received[0]: is 1099511627776 in 5 packets"},
		{"families", func(b *Batch) { b.Edges.Remote[0] = b.Edges.Remote[1] }, ErrMalformed, "edges.remote[0]: is an address of 16 bytes"},
		{"losses", func(b *Batch) { b.Losses.Unparsed = 1 << 51 }, ErrImplausible, "losses.unparsed: is"},
		{"coverage", func(b *Batch) { b.Coverage.PodsKnown = MaxPods + 1 }, ErrImplausible, "coverage: 4097 pods known"},
		{"missing", func(b *Batch) { b.Coverage.Missing[0] = long }, ErrMalformed, "coverage.missing[0]: has 4097 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := sample(t, edge4(), edge6())
			if err := Validate(b); err != nil {
				t.Fatalf("the sample is not valid: %v", err)
			}
			c.spoil(b)
			err := Validate(b)
			if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v\nwant %v: %s", err, c.kind, c.want)
			}
		})
	}
}

func TestValidateTakesABatchWithoutEdges(t *testing.T) {
	b := sample(t)
	b.Edges, b.Losses, b.Coverage = nil, nil, nil
	if err := Validate(b); err != nil {
		t.Error(err)
	}
	for range b.All() {
		t.Error("an edge out of nothing")
	}
}

func TestDecodeRefuses(t *testing.T) {
	body, err := Encode(sample(t, edge4()))
	if err != nil {
		t.Fatal(err)
	}
	many := func(field protowire.Number, n int) []byte {
		var raw []byte
		for range n {
			raw = protowire.AppendBytes(protowire.AppendTag(raw, field, protowire.BytesType), nil)
		}
		return raw
	}
	column := protowire.AppendBytes(protowire.AppendTag(nil, 13, protowire.BytesType), make([]byte, 10*MaxEdges+1))
	flipped := bytes.Clone(body)
	flipped[len(flipped)-1] ^= 1 // the frame's checksum
	for _, c := range []struct {
		name string
		body []byte
		kind error
		want string
	}{
		{"nothing", nil, ErrMalformed, "version: is missing"},
		{"not zstd", []byte("hello, world"), ErrMalformed, "zstd"},
		{"cut", body[:len(body)-3], ErrMalformed, "cut or damaged"},
		{"damaged", flipped, ErrMalformed, "cut or damaged"},
		{"not protobuf", pack(t, []byte("hello, world")), ErrMalformed, "is cut in field 13"},
		{"bomb", pack(t, make([]byte, 4*MaxDecoded)), ErrTooLarge, "decompressed"},
		{"long", make([]byte, MaxEncoded+1), ErrTooLarge, "compressed"},
		{"strings", pack(t, many(8, MaxStrings+1)), ErrTooLarge, "strings: has more than 150000 entries"},
		{"two edges messages", pack(t, many(11, 2)), ErrTooLarge, "edges: has more than 1 entries"},
		{"long column", pack(t, protowire.AppendBytes(protowire.AppendTag(nil, 11, protowire.BytesType), column)), ErrTooLarge, "edges: field 13"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(bytes.NewReader(c.body))
			if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v\nwant %v: …%s…", err, c.kind, c.want)
			}
		})
	}
}

func pack(tb testing.TB, raw []byte) []byte {
	tb.Helper()
	return encoder.EncodeAll(raw, nil)
}

// FuzzDecode wants that no body makes the decoder panic, and that what it
// takes can be read and sent again.
func FuzzDecode(f *testing.F) {
	body, err := Encode(sample(f, edge4(), edge6()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add(pack(f, []byte{8, 1}))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, body []byte) { decodeAndResend(t, body) })
}

// FuzzDecodeProtobuf is the same behind the compression, where a fuzzer gets further.
func FuzzDecodeProtobuf(f *testing.F) {
	for _, b := range []*Batch{sample(f, edge4(), edge6()), sample(f), {Version: 1}} {
		raw, err := proto.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { decodeAndResend(t, pack(t, raw)) })
}

func decodeAndResend(t *testing.T, body []byte) {
	t.Helper()
	b, err := Decode(bytes.NewReader(body))
	if err != nil {
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrImplausible) {
			t.Fatalf("an error of no kind: %v", err)
		}
		return
	}
	again := NewBuilder(b.Header())
	for i, e := range b.All() {
		if err := again.Add(e); err != nil {
			t.Fatalf("edge %d was decoded and is refused by the builder: %v", i, err)
		}
	}
	if again.Len() != b.Len() {
		t.Fatalf("%d edges of %d", again.Len(), b.Len())
	}
	if _, err := Encode(again.Batch()); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkDecodeAndRead(b *testing.B) {
	builder := NewBuilder(header)
	for i := range 600 { // 30 pods × 20 peers
		e := edge4()
		e.Pod = PodKey{"shop", fmt.Sprintf("pod-%d", i/20), fmt.Sprint(i / 20)}
		e.Local = netip.AddrFrom4([4]byte{10, 0, 0, byte(i / 20)})
		e.Remote = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		e.BytesSent, e.BytesReceived = uint64(i*97%3000), uint64(i*89%4000)
		if err := builder.Add(e); err != nil {
			b.Fatal(err)
		}
	}
	body, err := Encode(builder.Batch())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(body))/600, "bytes/edge")
	b.ReportAllocs()
	for b.Loop() {
		batch, err := Decode(bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		for range batch.All() {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/600, "ns/edge")
}

// TestColumnsThatCameLater holds that a batch without them is read as one whose
// edges have none, and that to a reader without them nothing else has changed.
func TestColumnsThatCameLater(t *testing.T) {
	plain := edge4()
	plain.Container = ""
	probed := plain
	probed.Marks = EdgeMark_EDGE_MARK_PROBE
	probed.Container = "main"
	b := sample(t, plain, plain, probed, plain)
	if got, want := b.Edges.Container, []uint32{0, 0, b.Edges.Container[2], 0}; b.Edges.Container[2] == 0 || !slices.Equal(got, want) {
		t.Errorf("containers %v, want the third alone", got)
	}
	if want := []uint32{0, 0, 1, 0}; !slices.Equal(b.Edges.Marks, want) {
		t.Errorf("marks %v, want %v", b.Edges.Marks, want)
	}
	if old := sample(t, plain); len(old.Edges.Container) != 0 || len(old.Edges.Marks) != 0 {
		t.Errorf("columns %v and %v, none of whose edges has a value", old.Edges.Container, old.Edges.Marks)
	}
	b.Edges.Marks[0] = 1 << 7 // of a version to come
	if err := Validate(b); err != nil {
		t.Errorf("a mark that is not known yet: %v", err)
	}
	for i, e := range b.All() {
		if e.Probe() != (i == 2) || (e.Container == "main") != (i == 2) || e.Marks&^edgeMarks != 0 {
			t.Errorf("edge %d: marks %v, container %q", i, e.Marks, e.Container)
		}
	}
	without := proto.CloneOf(b)
	without.Edges.Container, without.Edges.Marks = nil, nil
	if err := Validate(without); err != nil {
		t.Errorf("a batch of a writer that does not know the columns: %v", err)
	}
	for i, e := range without.All() {
		if want := plain; e != want {
			t.Errorf("edge %d is %+v, want %+v", i, e, want)
		}
	}
	b.Edges.Marks = b.Edges.Marks[:3]
	if err := Validate(b); err == nil {
		t.Error("a column of marks that is too short is taken")
	}
	b.Edges.Marks, b.Edges.Container = nil, b.Edges.Container[:3]
	if err := Validate(b); err == nil {
		t.Error("a column of containers that is too short is taken")
	}
}
