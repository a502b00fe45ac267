// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// reply builds a DNS answer to a question for an address of name.
func reply(name string, records ...dnsmessage.Resource) []byte {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{ID: 7, Response: true},
		Questions: []dnsmessage.Question{
			{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
		},
		Answers: records,
	}
	packed, err := m.Pack()
	if err != nil {
		panic(err) // a mistake in the test
	}
	return packed
}

func resource(name string, ttl uint32, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: ttl},
		Body:   body,
	}
}

func a(name string, ttl uint32, addr string) dnsmessage.Resource {
	return resource(name, ttl, &dnsmessage.AResource{A: netip.MustParseAddr(addr).As4()})
}

func aaaa(name string, ttl uint32, addr string) dnsmessage.Resource {
	return resource(name, ttl, &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(addr).As16()})
}

func cname(name string, ttl uint32, to string) dnsmessage.Resource {
	return resource(name, ttl, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(to)})
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func TestParseDNS(t *testing.T) {
	for _, test := range []struct {
		name    string
		message []byte
		want    DNSAnswer
	}{
		{
			"IPv4", reply("Pay.Example.com.", a("pay.example.com.", 60, "192.0.2.1"), a("PAY.example.com.", 30, "192.0.2.2")),
			DNSAnswer{Name: "pay.example.com", Addrs: addrs("192.0.2.1", "192.0.2.2"), TTL: 30 * time.Second},
		},
		{
			"IPv6", reply("pay.example.com.", aaaa("pay.example.com.", 60, "2001:db8::1")),
			DNSAnswer{Name: "pay.example.com", Addrs: addrs("2001:db8::1"), TTL: time.Minute},
		},
		{
			"CNAMEs in any order, the shortest TTL of all", reply("pay.example.com.",
				a("c.example.net.", 300, "192.0.2.9"), cname("b.example.net.", 5, "c.example.net."),
				cname("pay.example.com.", 60, "b.example.net.")),
			DNSAnswer{Name: "pay.example.com", Addrs: addrs("192.0.2.9"), TTL: 5 * time.Second},
		},
		{"CNAMEs in a circle", reply("x.", cname("x.", 5, "y."), cname("y.", 5, "x.")), DNSAnswer{Name: "x"}},
		{"addresses of another name", reply("x.", a("y.", 5, "192.0.2.9")), DNSAnswer{Name: "x"}},
		{"nothing", reply("x."), DNSAnswer{Name: "x"}},
		{
			"other records", reply("x.", resource("x.", 9, &dnsmessage.TXTResource{TXT: []string{"hello"}}), a("x.", 5, "192.0.2.9")),
			DNSAnswer{Name: "x", Addrs: addrs("192.0.2.9"), TTL: 5 * time.Second},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseDNS(test.message)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseDNSRefuses(t *testing.T) {
	whole := reply("pay.example.com.", a("pay.example.com.", 60, "192.0.2.1"))
	query := append([]byte(nil), whole...)
	query[2] &^= 0x80
	for _, test := range []struct {
		name    string
		message []byte
		want    string
	}{
		{"nothing", nil, "DNS header"},
		{"a query", query, "not a DNS answer"},
		{"cut in the question", whole[:20], "DNS question"},
		{"cut in the record", whole[:len(whole)-2], "DNS record"},
	} {
		if _, err := parseDNS(test.message); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v: want %q", test.name, err, test.want)
		}
	}
}

// FuzzParseDNS: whatever comes from port 53 never panics, and what is given is
// fit to be shown.
func FuzzParseDNS(f *testing.F) {
	f.Add(reply("pay.example.com.", a("pay.example.com.", 60, "192.0.2.1")))
	f.Add(reply("x.", cname("x.", 5, "y."), aaaa("y.", 5, "2001:db8::1")))
	f.Add(reply("x.", cname("x.", 5, "y."), cname("y.", 5, "x.")))
	f.Add([]byte{0, 7, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c})
	f.Fuzz(func(t *testing.T, message []byte) {
		answer, err := parseDNS(message)
		if err != nil {
			return
		}
		if answer.Name != strings.ToLower(answer.Name) {
			t.Errorf("name %q is not lower case", answer.Name)
		}
		if (len(answer.Addrs) == 0) != (answer.TTL == 0) && len(answer.Addrs) == 0 {
			t.Errorf("a TTL of %s without addresses", answer.TTL)
		}
		for _, addr := range answer.Addrs {
			if !addr.IsValid() || addr.Is4In6() {
				t.Errorf("address %v", addr)
			}
		}
	})
}
