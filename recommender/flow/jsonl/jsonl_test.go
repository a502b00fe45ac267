// SPDX-License-Identifier: Apache-2.0

package jsonl_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
)

var comparers = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

const good = `{"schema":"netcinch.flow/v1","start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:01:00Z",` +
	`"client":{"namespace":"shop","pod":"cart-1","workload":{"kind":"Deployment","name":"cart"},"ip":"10.0.0.1","node":"n1","process":"/cart"},` +
	`"server":{"ip":"2001:db8::1","dns":"Pay.Example.COM."},"protocol":"TCP","port":5432,"connections":12,"bytesSent":1,` +
	`"bytesReceived":2,"packetsSent":3,"packetsReceived":4,"outcome":"dropped","reason":"NETFILTER_DROP","service":"data/db:5432"}`

func TestRead(t *testing.T) {
	records, unknown, err := jsonl.ReadAll(strings.NewReader("\ufeff"+good+"\r\n\n"+good), "f")
	if err != nil || len(unknown) > 0 || len(records) != 2 {
		t.Fatalf("%d records, unknown %v, error %v", len(records), unknown, err)
	}
	want := flow.Record{
		Window: flow.Window{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 1, 1, 0, 1, 0, 0, time.UTC)},
		Edge: flow.Edge{
			Client: flow.Endpoint{
				Workload: flow.Workload{Namespace: "shop", Kind: "Deployment", Name: "cart"}, Pod: "cart-1",
				IP: netip.MustParseAddr("10.0.0.1"), Node: "n1", Process: "/cart",
			},
			Server:   flow.Endpoint{IP: netip.MustParseAddr("2001:db8::1"), DNS: "pay.example.com"},
			Protocol: flow.TCP, Port: 5432, Outcome: flow.Dropped, Reason: "NETFILTER_DROP", Service: "data/db:5432",
		},
		ByClient: flow.Counters{Connections: 12, BytesSent: 1, BytesReceived: 2, PacketsSent: 3, PacketsReceived: 4},
	}
	if diff := cmp.Diff([]flow.Record{want, want}, records, comparers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each bad line names its field and what to do, and costs no other line.
func TestBadLines(t *testing.T) {
	change := func(old, to string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the line", old)
		}
		return strings.Replace(good, old, to, 1)
	}
	tests := []struct{ line, want string }{
		{`{"a":1`, `flows:2: the line breaks off after 6 bytes (unexpected end of JSON input); the file may be cut short`},
		{`words`, `flows:2: is not JSON at byte 1: invalid character 'w' looking for beginning of value`},
		{`[1]`, `flows:2: want a JSON object {…}, got array`},
		{good + good, `flows:2: is not JSON at byte 468: invalid character '{' after top-level value`},
		{`{}`, `flows:2: schema: is absent; each line needs "netcinch.flow/v1"`},
		{change("flow/v1", "flow/v2"), `flows:2: schema: "netcinch.flow/v2" is not understood; this program reads "netcinch.flow/v1"`},
		{change(`"start":"2026-01-01T00:00:00Z"`, `"start":"yesterday"`), `flows:2: start: "yesterday" is not a time; write it as 2026-01-31T10:00:00Z`},
		{change(`"end":"2026-01-01T00:01:00Z"`, `"end":"2026-01-01T00:00:00Z"`), `flows:2: end: 2026-01-01T00:00:00Z is not after the start, 2026-01-01T00:00:00Z`},
		{change(`"10.0.0.1"`, `"10.0.0.300"`), `flows:2: client.ip: "10.0.0.300" is not an address`},
		{change(`"2001:db8::1"`, `"fe80::1%eth0"`), `flows:2: server.ip: "fe80::1%eth0" is not an address`},
		{change(`"namespace":"shop",`, ``), `flows:2: client.namespace: is absent; a pod or workload needs it`},
		{change(`"server":{"ip"`, `"server":{"namespace":"x","ip"`), `flows:2: server.namespace: is given without pod or workload; add one, or leave it out`},
		{change(`"kind":"Deployment",`, ``), `flows:2: client.workload: needs kind and name`},
		{change(`"server":{"ip":"2001:db8::1","dns":"Pay.Example.COM."},`, ``), `flows:2: server: is absent; give what is known of it: namespace and pod or workload, ip, node or dns`},
		{change(`{"ip":"2001:db8::1","dns":"Pay.Example.COM."}`, `{}`), `flows:2: server: says nothing; give what is known of it: namespace and pod or workload, ip, node or dns`},
		{change(`"TCP"`, `"TPC"`), `flows:2: protocol: "TPC": want TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or a number from 1 to 255`},
		{change(`"port":5432`, `"port":70000`), `flows:2: port: want a whole number from 0 to 65535, got number 70000`},
		{change(`"port":5432`, `"port":0`), `flows:2: port: 0 is no port; want 1 to 65535`},
		{change(`"port":5432,`, ``), `flows:2: port: is absent; TCP needs the server's port, 1 to 65535`},
		{change(`"TCP"`, `"ICMPv6"`), `flows:2: port: ICMPv6 has no ports; leave it out`},
		{change(`"bytesSent":1`, `"bytesSent":-1`), `flows:2: bytesSent: want a whole number, not negative, got number -1`},
		{change(`"bytesSent":1`, `"bytesSent":"1"`), `flows:2: bytesSent: want a whole number, not negative, got string`},
		{change(`"dropped"`, `"lost"`), `flows:2: outcome: "lost": want established, refused, unanswered, dropped`},
		{change(`"data/db:5432"`, `"db"`), `flows:2: service: "db": want namespace/name:port`},
		{change(`"reason"`, `"countedAt":"moon","reason"`), `flows:2: countedAt: "moon": want client or server`},
		{change(`"reason"`, `"countedAt":"server","atServer":{},"reason"`), `flows:2: atServer: is given although the line itself was counted at the server; leave it out`},
		{strings.Repeat(" ", 1<<20) + good, `flows:2: the line is longer than 1048576 bytes; a flow file has one record a line`},
	}
	for _, tt := range tests {
		r := jsonl.NewReader(strings.NewReader(good+"\n"+tt.line+"\n"+good), "flows")
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		_, err := r.Next()
		var le *jsonl.LineError
		if !errors.As(err, &le) || err.Error() != tt.want {
			t.Errorf("error %v\n want %s", err, tt.want)
		}
		if _, err := r.Next(); err != nil || r.Line() != 3 {
			t.Errorf("%s: the line behind it: %v at %d", tt.want, err, r.Line())
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v", tt.want, err)
		}
	}
}

// Fields that are not known are counted by name, and nothing else is lost.
func TestUnknownFields(t *testing.T) {
	other := strings.Replace(strings.Replace(good, `"client":{`, `"color":1,"client":{"shape":{"a":1},`, 1), `"workload":{`, `"workload":{"age":2,`, 1)
	records, unknown, err := jsonl.ReadAll(strings.NewReader(good+"\n"+other+"\n"+other), "f")
	if err != nil {
		t.Fatal(err)
	}
	want := []jsonl.UnknownField{{Name: "client.shape", Lines: 2}, {Name: "client.workload.age", Lines: 2}, {Name: "color", Lines: 2}}
	if diff := cmp.Diff(want, unknown); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(records[0], records[2], comparers); diff != "" {
		t.Errorf("the record differs (-want +got):\n%s", diff)
	}
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintln(&many, strings.Replace(good, `"client"`, fmt.Sprintf(`"x%d":1,"client"`, i), 1))
	}
	_, unknown, err = jsonl.ReadAll(strings.NewReader(many.String()), "f")
	if last := unknown[len(unknown)-1]; err != nil || len(unknown) != 101 || last.Name != "…" || last.Lines != 200 {
		t.Errorf("%d unknown fields, last %+v, error %v", len(unknown), last, err)
	}
}

// A reader whose source fails says so; it does not end quietly.
func TestReadError(t *testing.T) {
	boom := errors.New("boom")
	_, _, err := jsonl.ReadAll(io.MultiReader(strings.NewReader(good+"\n"), failing{boom}), "f")
	if !errors.Is(err, boom) || !strings.HasPrefix(err.Error(), "reading f: ") {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// random gives any record that the format can hold.
func random(r *rand.Rand) flow.Record {
	word := func(n int) string {
		letters := []rune("aé<&>\"\\\u2028z0./:\t")
		out := make([]rune, r.IntN(n))
		for i := range out {
			out[i] = letters[r.IntN(len(letters))]
		}
		return string(out)
	}
	end := func() flow.Endpoint {
		var e flow.Endpoint
		switch r.IntN(3) {
		case 0:
			e.Workload = flow.Workload{Namespace: "n" + word(5), Kind: "k" + word(5), Name: "w" + word(5)}
			e.Pod, e.Node, e.Process, e.Container = word(4), word(4), word(9), word(5)
		case 1:
			e.Node = "n" + word(4)
		}
		if r.IntN(2) == 0 || e.Kind() == flow.KindOutside {
			var b [16]byte
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			if r.IntN(2) == 0 {
				e.IP = netip.AddrFrom16(b)
			} else {
				e.IP = netip.AddrFrom4([4]byte(b[:4]))
			}
			e.DNS = []string{"", "a.example", "xn--e"}[r.IntN(3)]
			e.Elsewhere = []string{"", "prod/shop/cart"}[r.IntN(2)]
		}
		return e
	}
	count := func() flow.Counters {
		if r.IntN(2) == 0 {
			return flow.Counters{}
		}
		return flow.Counters{Connections: r.Uint64(), BytesSent: r.Uint64(), BytesReceived: 1, PacketsSent: r.Uint64(), PacketsReceived: r.Uint64()}
	}
	start := time.Unix(r.Int64N(4e9), r.Int64N(1e9)).UTC()
	rec := flow.Record{
		Window: flow.Window{Start: start, End: start.Add(1 + time.Duration(r.Int64N(1e12)))},
		Edge: flow.Edge{
			Client: end(), Server: end(), Protocol: flow.Protocol(1 + r.IntN(255)), Outcome: flow.Outcome(r.IntN(4)),
			Reason: word(9), Guessed: r.IntN(2) == 0, Probe: r.IntN(2) == 0,
		},
		ByClient: count(), ByServer: count(),
	}
	if rec.Edge.Protocol.HasPorts() {
		rec.Edge.Port = uint16(1 + r.IntN(65535))
	}
	if r.IntN(2) == 0 {
		rec.Edge.Service = "a/b:80"
	}
	return rec
}

// Property: what is written is read back the same, in the same order.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var want []flow.Record
	var file bytes.Buffer
	w := jsonl.NewWriter(&file)
	for range 5000 {
		rec := random(r)
		if err := w.Write(rec); err != nil {
			t.Fatalf("%+v: %v", rec, err)
		}
		want = append(want, rec)
	}
	got, unknown, err := jsonl.ReadAll(&file, "f")
	if err != nil || len(unknown) > 0 {
		t.Fatal(err, unknown)
	}
	if diff := cmp.Diff(want, got, comparers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A record that no reader would take is not written, not even in part.
func TestWriteRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	bad := map[string]func(*flow.Record){
		"window":   func(r *flow.Record) { r.Window.End = r.Window.Start },
		"endpoint": func(r *flow.Record) { r.Edge.Client = flow.Endpoint{} },
		"outcome":  func(r *flow.Record) { r.Edge.Outcome = 9 },
		"port":     func(r *flow.Record) { r.Edge.Protocol, r.Edge.Port = flow.TCP, 0 },
		"protocol": func(r *flow.Record) { r.Edge.Protocol, r.Edge.Port = 0, 0 },
	}
	for name, spoil := range bad {
		rec := random(r)
		spoil(&rec)
		var out bytes.Buffer
		if err := jsonl.NewWriter(&out).Write(rec); err == nil || out.Len() > 0 {
			t.Errorf("%s: error %v, wrote %q", name, err, out.String())
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, `"reason"`, `"countedAt":"server","reason"`, 1)))
	f.Add([]byte(strings.Replace(good, `"reason"`, `"atServer":{"connections":1},"guessed":true,"more":{},"reason"`, 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := jsonl.NewReader(bytes.NewReader(text), "f")
		for {
			rec, err := r.Next()
			var le *jsonl.LineError
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.As(err, &le):
				continue
			case err != nil:
				t.Fatal(err)
			}
			// What was read can be written, and reads the same again.
			var out bytes.Buffer
			if err = jsonl.NewWriter(&out).Write(rec); err != nil {
				t.Fatalf("writing %+v: %v", rec, err)
			}
			again, _, err := jsonl.ReadAll(&out, "again")
			if diff := cmp.Diff([]flow.Record{rec}, again, comparers); err != nil || diff != "" {
				t.Fatalf("%v (-read +again):\n%s", err, diff)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	text := strings.Repeat(good+"\n", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, _, err := jsonl.ReadAll(strings.NewReader(text), "f"); err != nil {
			b.Fatal(err)
		}
	}
}
