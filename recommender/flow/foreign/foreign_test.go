// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
)

var update = flag.Bool("update", false, "rewrite the wanted records")

// The samples in testdata are made from the published formats; beside each
// stands what becomes of it.
var samples = map[string]Format{"hubble": Hubble, "felix": Calico, "goldmane": Calico, "netobserv": NetObserv}

func TestSamples(t *testing.T) {
	for name, format := range samples {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			got := told(t, format, string(text), Options{})
			golden := filepath.Join("testdata", name+".want")
			if *update {
				if err = os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// told imports a log and tells what became of it, line by line.
func told(t *testing.T, format Format, text string, o Options) string {
	t.Helper()
	var b strings.Builder
	s, err := Convert(strings.NewReader(text), "log", format, o, func(r flow.Record) error {
		var line strings.Builder
		if err := jsonl.NewWriter(&line).Write(r); err != nil {
			t.Errorf("the flow file does not take %+v: %v", r, err)
		}
		fmt.Fprintln(&b, recordText(r))
		return nil
	})
	if err != nil {
		fmt.Fprintln(&b, "error:", err)
	}
	fmt.Fprintf(&b, "events %d, taken %d, records %d, replies %d, guessed %d\n", s.Events, s.Taken, s.Records, s.Replies, s.Guessed)
	for _, l := range s.Left {
		fmt.Fprintf(&b, "left out %d: %s (%s)\n", l.Events, l.Why, l.Example)
	}
	for _, u := range s.Unknown {
		fmt.Fprintf(&b, "unknown %s in %d\n", u.Name, u.Lines)
	}
	for _, e := range s.Bad {
		fmt.Fprintln(&b, "bad", e)
	}
	return b.String()
}

func endText(e flow.Endpoint) string {
	text := ""
	switch {
	case e.Workload.Name != "":
		text = e.Workload.Namespace + "/" + e.Workload.Kind + "/" + e.Workload.Name
	case e.Workload.Namespace != "":
		text = e.Workload.Namespace + "/?"
	}
	for _, part := range []string{e.Pod, e.Node, e.DNS, e.Process} {
		if part != "" {
			text += " " + part
		}
	}
	if e.IP.IsValid() {
		text += " " + e.IP.String()
	}
	return strings.TrimSpace(text)
}

func recordText(r flow.Record) string {
	e := r.Edge
	text := fmt.Sprintf("%s %s → %s %s %d", r.Window.Start.Format("15:04"), endText(e.Client), endText(e.Server), e.Protocol, e.Port)
	text += " " + []string{"established", "refused", "unanswered", "dropped"}[e.Outcome]
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	if e.Service != "" {
		text += " by " + e.Service
	}
	if e.Guessed {
		text += " guessed"
	}
	for _, c := range []struct {
		name string
		flow.Counters
	}{{"client", r.ByClient}, {"server", r.ByServer}} {
		if !c.IsZero() {
			text += fmt.Sprintf("; %s %d, %d B, %d B, %d, %d", c.name, c.Connections, c.BytesSent, c.BytesReceived, c.PacketsSent, c.PacketsReceived)
		}
	}
	return text
}

func TestBadLinesAreNamed(t *testing.T) {
	good := `{"flow":{"time":"2026-03-01T10:00:00Z","verdict":"FORWARDED","IP":{"source":"10.0.0.1","destination":"fd00::1"},"l4":{"TCP":{"source_port":4000,"destination_port":80}},"is_reply":false,"traffic_direction":"EGRESS"}}`
	for _, c := range []struct {
		name   string
		format Format
		line   string
		want   string
	}{
		{"no JSON", Hubble, `hello`, "log:2: is not JSON"},
		{"cut short", Hubble, `{"flow": {"time"`, "log:2: the line breaks off after 16 bytes"},
		{"a list of numbers", Hubble, `[1]`, "log:2: want a JSON object {…}, got 1"},
		{"spread over lines", Hubble, `{`, "log:2: an event is spread over several lines; give one event a line, as jq -c does"},
		{"null", Hubble, `null`, "log:2: want a JSON object {…}, got null"},
		{"another tool's", Hubble, `{"SrcAddr":"10.0.0.1"}`, "log:2: flow: is absent; want what hubble observe -o jsonpb prints"},
		{"no time", Hubble, strings.Replace(good, `"time":"2026-03-01T10:00:00Z",`, "", 1), "log:2: flow.time: is absent; an event needs its time"},
		{"a time that is none", Hubble, strings.Replace(good, "2026-03-01T10:00:00Z", "yesterday", 1), `log:2: flow.time: "yesterday" is not a time`},
		{"an address that is none", Hubble, strings.Replace(good, "fd00::1", "fd00", 1), `log:2: flow.IP.destination: "fd00" is not an address`},
		{"a port that is none", Hubble, strings.Replace(good, ":80}", ":70000}", 1), "log:2: flow.l4.TCP.destination_port: 70000 is no port; want 0 to 65535"},
		{"a negative port", Hubble, strings.Replace(good, ":80}", ":-1}", 1), "log:2: flow.l4.TCP.destination_port: want a whole number, not negative, got -1"},
		{"labels of another kind", Hubble, strings.Replace(good, `"is_reply"`, `"source":{"labels":7},"is_reply"`, 1), "log:2: flow.source.labels: want a list of text, got 7"},
		{"a pod of no namespace", Hubble, strings.Replace(good, `"is_reply"`, `"source":{"pod_name":"x"},"is_reply"`, 1), "log:2: flow.source.namespace: is absent; a pod needs it"},
		{"Calico without time", Calico, `{"action":"allow"}`, "log:2: start_time: is absent"},
		{"Calico's end before its start", Calico, `{"start_time":1772359200,"end_time":1772359100}`, "log:2: end_time: is before the start"},
		{"Calico's protocol", Calico, `{"start_time":1772359200,"end_time":1772359300,"proto":"quic"}`, `log:2: proto: "quic" is not a protocol`},
		{"Goldmane's port", Calico, `{"flow":{"Key":{"proto":"tcp","destPort":"x"},"startTime":"1772359200","endTime":"1772359300"}}`, `log:2: flow.destPort: want a whole number, not negative, got "x"`},
		{"NetObserv's direction", NetObserv, `{"TimeFlowStartMs":1772359200100,"FlowDirection":3}`, "log:2: FlowDirection: 3 is not known"},
		{"NetObserv's flags", NetObserv, `{"TimeFlowStartMs":1772359200100,"Flags":["SIN"]}`, `log:2: Flags: "SIN" is not a flag of TCP`},
		{"NetObserv's protocol", NetObserv, `{"TimeFlowStartMs":1772359200100,"Proto":300}`, "log:2: Proto: 300 is not a protocol"},
		{"a year out of range", NetObserv, `{"TimeFlowStartMs":1}`, "log:2: TimeFlowStartMs: the year 1970 is out of range"},
	} {
		got := told(t, c.format, "\n"+c.line+"\n", Options{})
		if !strings.Contains(got, "bad "+c.want) || !strings.Contains(got, "no event could be read") {
			t.Errorf("%s: got %s; want %s", c.name, got, c.want)
		}
	}
	mixed := told(t, Hubble, "nonsense\n"+good+"\n", Options{})
	if !strings.Contains(mixed, "events 1, taken 1, records 1") || !strings.Contains(mixed, "bad log:1:") || strings.Contains(mixed, "error:") {
		t.Errorf("one bad line beside a good one: %s", mixed)
	}
}

// TestMemoryIsBounded: many connections in one window close it early, and none
// is lost.
func TestMemoryIsBounded(t *testing.T) {
	reader := &repeated{left: 120_000}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var connections uint64
	s, err := Convert(reader, "log", Hubble, Options{MaxOpen: 1000, Window: time.Hour}, func(r flow.Record) error {
		connections += r.ByClient.Connections
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if connections != 120_000 || s.Taken != 120_000 || s.Early < 115 {
		t.Errorf("%d connections of %d, closed early %d times", connections, s.Taken, s.Early)
	}
	if after.HeapAlloc > before.HeapAlloc+(32<<20) {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapAlloc, after.HeapAlloc)
	}
}

// repeated is a log of connections from ever new sockets.
type repeated struct {
	left    int
	pending []byte
}

func (r *repeated) Read(p []byte) (int, error) {
	if len(r.pending) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
		r.pending = fmt.Appendf(nil, `{"flow":{"time":"2026-03-01T10:00:00Z","verdict":"FORWARDED","IP":{"source":"10.0.%d.1","destination":"10.9.0.1"},"l4":{"TCP":{"source_port":%d,"destination_port":80,"flags":{"SYN":true}}},"is_reply":false,"traffic_direction":"EGRESS"}}`+"\n", r.left/60000, 1+r.left%60000)
	}
	n := copy(p, r.pending)
	r.pending = r.pending[n:]
	return n, nil
}

func TestOwnersAreAsked(t *testing.T) {
	line := `{"start_time":1772359200,"end_time":1772359500,"source_type":"wep","source_name_aggr":"mystery-*","source_namespace":"shop","dest_type":"wep","dest_name":"db-0","dest_namespace":"data","dest_port":5432,"proto":"tcp","action":"allow","reporter":"src","num_flows_started":1}`
	o := Options{Workload: func(ns, pod string) (flow.Workload, bool) {
		if ns == "shop" && pod == "mystery-*" {
			return flow.Workload{Namespace: ns, Kind: "Rollout", Name: "mystery"}, true
		}
		return flow.Workload{}, false
	}}
	if got := told(t, Calico, line, o); !strings.Contains(got, "shop/Rollout/mystery → data/? db-0 TCP 5432") {
		t.Error(got)
	}
}

func TestEmitEndsTheImport(t *testing.T) {
	full := errors.New("disk full")
	text, err := os.ReadFile("testdata/hubble.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Convert(strings.NewReader(string(text)), "log", Hubble, Options{}, func(flow.Record) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if _, err := Convert(strings.NewReader(""), "log", "kiali", Options{}, nil); err == nil || !strings.Contains(err.Error(), "want one of hubble, calico, netobserv") {
		t.Errorf("got %v", err)
	}
}

// FuzzConvert: no input makes it panic, and every record can be written.
func FuzzConvert(f *testing.F) {
	for name, format := range samples {
		text, err := os.ReadFile(filepath.Join("testdata", name+".jsonl"))
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			f.Add(string(format), line)
		}
		f.Add(string(format), string(text))
	}
	f.Fuzz(func(t *testing.T, format, text string) {
		s, err := Convert(strings.NewReader(text), "log", Format(format), Options{MaxOpen: 50}, func(r flow.Record) error {
			var b strings.Builder
			if err := jsonl.NewWriter(&b).Write(r); err != nil {
				t.Errorf("the flow file does not take %+v: %v", r, err)
			}
			return nil
		})
		if err == nil && s.Events > 0 && s.Taken == 0 && len(s.Left) == 0 {
			t.Errorf("%d events went without a word", s.Events)
		}
	})
}

// TestEventsOfOneConnectionAreJoined, whatever their order and whatever each
// of them leaves out.
func TestEventsOfOneConnectionAreJoined(t *testing.T) {
	event := func(src, dst string, from, to int, more string) string {
		return fmt.Sprintf(`{"flow":{"time":"2026-03-01T10:00:00Z","verdict":"FORWARDED","IP":{"source":%q,"destination":%q},"l4":{"UDP":{"source_port":%d,"destination_port":%d}},"traffic_direction":"EGRESS"%s}}`+"\n", src, dst, from, to, more)
	}
	for _, c := range []struct{ name, log, want string }{
		{
			"the answer comes first and has no name", event("2001:db8::1", "fd00::5", 53, 4000, `,"is_reply":true`) + event("fd00::5", "2001:db8::1", 4000, 53, `,"is_reply":false,"destination_names":["dns.example"]`),
			"10:00 fd00::5 → dns.example 2001:db8::1 UDP 53 established; client 1, 0 B, 0 B, 0, 0",
		},
		{
			"a guess that the rest corrects", event("10.0.0.5", "10.0.0.9", 1000, 9000, "") + event("10.0.0.5", "10.0.0.9", 1000, 9000, `,"is_reply":false`) + event("10.0.0.9", "10.0.0.5", 9000, 1000, `,"is_reply":true`),
			"10:00 10.0.0.5 → 10.0.0.9 UDP 9000 established; client 1, 0 B, 0 B, 0, 0",
		},
	} {
		got := told(t, Hubble, c.log, Options{})
		if lines := strings.Split(got, "\n"); lines[0] != c.want || !strings.HasPrefix(lines[1], "events") {
			t.Errorf("%s: got\n%s\nwant %s", c.name, got, c.want)
		}
	}
}
