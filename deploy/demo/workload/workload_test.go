// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestParse(t *testing.T) {
	got, err := Parse([]string{
		"--serve=http/8080", "--serve=dns/53", "--live=1s",
		"--call=every 1500ms http://cart.shop/items",
		"--call=once tcp://database:5432",
		"--call=when-told http6://[fd00::1]:81/x",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Spec{
		Serve: []Port{{"http", 8080}, {"dns", 53}},
		Live:  time.Second,
		Calls: []Call{
			{Every, 1500 * time.Millisecond, "http", false, "cart.shop", 80, "/items", "http://cart.shop/items"},
			{Once, minPeriod, "tcp", false, "database", 5432, "", "tcp://database:5432"},
			{WhenTold, toldPeriod, "http", true, "fd00::1", 81, "/x", "http6://[fd00::1]:81/x"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

var badArgs = []struct{ arg, want string }{
	{"--serve=ftp/21", "want http, tcp or dns"},
	{"--serve=tcp/0", "want a number from 1 to 65535"},
	{"--serve=tcp/65536", "want a number from 1 to 65535"},
	{"--live=1ms", "want one from"},
	{"--live=soon", "want one from"},
	{"--call=http://a", `want "every DURATION URL"`},
	{"--call=every 1ns http://a", "want one from"},
	{"--call=once udp://a:1", "want http, http6, tcp or tcp6"},
	{"--call=once tcp://a", `port ""`},
	{"--call=once http://:80", "want a host name or address"},
	{"--call=once http://%zz", "parsing address"},
	{"--sleep=1s", "want --serve, --call or --live"},
}

func TestParseNamesWhatIsWrong(t *testing.T) {
	for _, c := range badArgs {
		_, err := Parse([]string{c.arg})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.arg) {
			t.Errorf("%s: error %v, want one with %q and the arg", c.arg, err, c.want)
		}
	}
}

// FuzzParse: what parses is bounded and can be called.
func FuzzParse(f *testing.F) {
	for _, c := range badArgs {
		f.Add(c.arg)
	}
	f.Add("--call=every 1s tcp6://[fd00::1]:5432")
	f.Fuzz(func(t *testing.T, arg string) {
		spec, err := Parse([]string{arg})
		if err != nil {
			return
		}
		for _, c := range spec.Calls {
			if c.Period < minPeriod || c.Host == "" || c.Port == 0 {
				t.Errorf("%q parses to %+v", arg, c)
			}
		}
		for _, p := range spec.Serve {
			if p.Number == 0 {
				t.Errorf("%q parses to %+v", arg, p)
			}
		}
	})
}

// freePort finds one on loopback.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(int(listener.Addr().(*net.TCPAddr).AddrPort().Port()))
}

// started is one workload under test.
type started struct {
	steer   io.WriteCloser
	reports chan Report
	ended   chan error
}

func begin(t *testing.T, o Options, args ...string) started {
	t.Helper()
	spec, err := Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	in, steer := io.Pipe()
	out, write := io.Pipe()
	o.In, o.Out = in, write
	s := started{steer: steer, reports: make(chan Report, 100), ended: make(chan error, 1)}
	go func() {
		s.ended <- Run(t.Context(), spec, o)
		_ = write.Close()
	}()
	go func() {
		defer close(s.reports)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var r Report
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				s.reports <- r
			}
		}
	}()
	return s
}

func (s started) next(t *testing.T) Report {
	t.Helper()
	select {
	case r, ok := <-s.reports:
		if !ok {
			t.Fatalf("ended: %v", <-s.ended)
		}
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("no report within 10 s")
	}
	return Report{}
}

// TestTalk runs a DNS server, a server and a client on loopback: the client
// waits for its lines, finds the server by its name, over both schemes.
func TestTalk(t *testing.T) {
	dns, web, raw := freePort(t), freePort(t), freePort(t)
	zone := filepath.Join(t.TempDir(), "zone.json")
	if err := os.WriteFile(zone, []byte(`{"addresses":{"shop.":["127.0.0.1"]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Name: "shop", Zone: zone, Resolver: netip.MustParseAddrPort("127.0.0.1:" + dns)}
	server := begin(t, o, "--serve=dns/"+dns, "--serve=http/"+web, "--serve=tcp/"+raw)
	client := begin(t, o, "--call=once http://shop:"+web+"/items", "--call=when-told tcp://shop:"+raw)
	for _, s := range []started{server, client} {
		if r := s.next(t); !r.Ready {
			t.Fatalf("first report %+v, want ready", r)
		}
	}
	for _, step := range []struct{ line, call string }{
		{Begin, "http://shop:" + web + "/items"}, {Tell, "tcp://shop:" + raw},
	} {
		if _, err := io.WriteString(client.steer, step.line+"\n"); err != nil {
			t.Fatal(err)
		}
		if r := client.next(t); !r.OK || r.Call != step.call {
			t.Errorf("after %q: report %+v, want %s to work", step.line, r, step.call)
		}
	}
	for _, s := range []started{client, server} {
		if err := s.steer.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-s.ended; err != nil {
			t.Errorf("the end of its input ends it with %v", err)
		}
	}
}

func TestFailuresAreReported(t *testing.T) {
	dns, gone := freePort(t), freePort(t)
	o := Options{Name: "c", Resolver: netip.MustParseAddrPort("127.0.0.1:" + dns)}
	client := begin(t, o, "--call=every 200ms tcp://127.0.0.1:"+gone)
	if r := client.next(t); !r.Ready {
		t.Fatalf("first report %+v, want ready", r)
	}
	if _, err := io.WriteString(client.steer, Begin+"\n"); err != nil {
		t.Fatal(err)
	}
	if r := client.next(t); r.OK || !strings.Contains(r.Error, "connection refused") {
		t.Errorf("report %+v, want refused", r)
	}
	late := begin(t, o, "--serve=tcp/"+gone)
	if r := late.next(t); !r.Ready {
		t.Fatalf("first report %+v, want ready", r)
	}
	if r := client.next(t); !r.OK {
		t.Errorf("report %+v, want that it works now", r)
	}
	taken := begin(t, o, "--serve=tcp/"+gone)
	if err := <-taken.ended; err == nil || !strings.Contains(err.Error(), "serving tcp on port "+gone) {
		t.Errorf("a taken port: %v", err)
	}
}

func TestLiveEnds(t *testing.T) {
	s := begin(t, Options{Resolver: netip.MustParseAddrPort("127.0.0.1:1")}, "--live=200ms")
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

func query(tb testing.TB, name string, kind dnsmessage.Type) []byte {
	tb.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	packed, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return packed
}

var testZone = &Zone{
	Addresses: map[string][]netip.Addr{
		"both.":         {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		"edge.example.": {netip.MustParseAddr("203.0.113.80")},
	},
	Aliases: map[string]string{"api.example.": "edge.example."},
}

func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  dnsmessage.Type
		rcode dnsmessage.RCode
		want  []string
	}{
		{"both.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, []string{"192.0.2.1"}},
		{"both.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, []string{"2001:db8::1"}},
		{"BOTH.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, []string{"192.0.2.1"}},
		{"both.", dnsmessage.TypeMX, dnsmessage.RCodeSuccess, nil},
		{"api.example.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, []string{"edge.example.", "203.0.113.80"}},
		{"none.", dnsmessage.TypeA, dnsmessage.RCodeNameError, nil},
	} {
		var reply dnsmessage.Message
		if err := reply.Unpack(testZone.Answer(query(t, c.name, c.kind))); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range reply.Answers {
			switch body := a.Body.(type) {
			case *dnsmessage.AResource:
				got = append(got, netip.AddrFrom4(body.A).String())
			case *dnsmessage.AAAAResource:
				got = append(got, netip.AddrFrom16(body.AAAA).String())
			case *dnsmessage.CNAMEResource:
				got = append(got, body.CNAME.String())
			}
		}
		if reply.ID != 7 || reply.RCode != c.rcode || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %v: id %d, %v, %v; want 7, %v, %v", c.name, c.kind, reply.ID, reply.RCode, got, c.rcode, c.want)
		}
	}
}

// TestTruncatedGoesOverTCP asks for a name with more addresses than fit.
func TestTruncatedGoesOverTCP(t *testing.T) {
	zone := &Zone{Addresses: map[string][]netip.Addr{}}
	for i := range 100 {
		zone.Addresses["many."] = append(zone.Addresses["many."], netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	data, err := json.Marshal(zone)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "zone.json")
	if err = os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	o := Options{Zone: path, Resolver: netip.MustParseAddrPort("127.0.0.1:" + port)}
	server := begin(t, o, "--serve=dns/"+port)
	if r := server.next(t); !r.Ready {
		t.Fatalf("first report %+v, want ready", r)
	}
	c := newCaller(Call{Host: "many", Port: 1}, o.Resolver, nil)
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	addrs, err := c.lookup(ctx)
	if err != nil || len(addrs) != 100 {
		t.Errorf("%d addresses, %v; want 100", len(addrs), err)
	}
}

// FuzzAnswer: whatever comes in, an answer goes out that parses and bears the
// query's number, or none.
func FuzzAnswer(f *testing.F) {
	f.Add(query(f, "both.", dnsmessage.TypeA))
	f.Add(query(f, "api.example.", dnsmessage.TypeAAAA))
	f.Add([]byte{0, 1, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		reply := testZone.Answer(data)
		if reply == nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil || m.ID != uint16(data[0])<<8|uint16(data[1]) || !m.Response {
			t.Errorf("reply %v to %x: %v", m.Header, data, err)
		}
	})
}
