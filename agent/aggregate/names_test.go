// SPDX-License-Identifier: Apache-2.0

//go:build linux

package aggregate

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
)

func answer(slot capture.Slot, name string, ttl time.Duration, addresses ...string) capture.DNSAnswer {
	a := capture.DNSAnswer{Slot: slot, Name: name, TTL: ttl, At: noon}
	for _, s := range addresses {
		a.Addrs = append(a.Addrs, netip.MustParseAddr(s))
	}
	return a
}

func TestNamesOnEdges(t *testing.T) {
	toPay4 := record(unix.IPPROTO_TCP, "10.1.0.5:40000", "192.0.2.7:443", nil)
	toPay6 := record(unix.IPPROTO_TCP, "[fd00::5]:40000", "[2001:db8::7]:443", nil)
	pay := answer(1, "Pay.Example.COM.", time.Hour, "192.0.2.7", "2001:db8::7")
	for name, c := range map[string]struct {
		answers []capture.DNSAnswer
		after   time.Duration
		record  capture.Record
		want    string
	}{
		"asked for, IPv4":            {[]capture.DNSAnswer{pay}, 0, toPay4, "pay.example.com"},
		"asked for, IPv6":            {[]capture.DNSAnswer{pay}, 0, toPay6, "pay.example.com"},
		"another address":            {[]capture.DNSAnswer{pay}, 0, record(unix.IPPROTO_TCP, "10.1.0.5:40000", "192.0.2.8:443", nil), ""},
		"another pod asked":          {[]capture.DNSAnswer{answer(2, "pay.example.com", time.Hour, "192.0.2.7")}, 0, toPay4, ""},
		"the last name asked for":    {[]capture.DNSAnswer{answer(1, "old.example.com", time.Hour, "192.0.2.7"), pay}, 0, toPay4, "pay.example.com"},
		"within the TTL":             {[]capture.DNSAnswer{pay}, time.Hour, toPay4, "pay.example.com"},
		"after the TTL":              {[]capture.DNSAnswer{pay}, time.Hour + 1, toPay4, ""},
		"a short TTL lasts a minute": {[]capture.DNSAnswer{answer(1, "pay.example.com", time.Second, "192.0.2.7")}, time.Minute, toPay4, "pay.example.com"},
		"the pod serves": {
			[]capture.DNSAnswer{pay},
			0,
			record(unix.IPPROTO_TCP, "10.1.0.5:8080", "192.0.2.7:40000", func(r *capture.Record) { r.Initiator = capture.InitiatorRemote }), "",
		},
		"a service was dialled": {
			[]capture.DNSAnswer{answer(1, "db.shop.svc.cluster.local", time.Hour, "10.96.0.1", "10.1.0.9")},
			0,
			record(unix.IPPROTO_TCP, "10.1.0.5:40000", "10.96.0.1:80", func(r *capture.Record) { r.Backend = ap("10.1.0.9:8080") }), "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			for _, a := range c.answers {
				w.Learn(a)
			}
			w.now = noon.Add(c.after)
			w.add(c.record)
			w.Close(window.End)
			if got := w.edges()[0].DNS; got != c.want {
				t.Errorf("got name %q, want %q", got, c.want)
			}
		})
	}
}

// A connection that goes on keeps its name after the TTL: its edge must not
// change in the middle.
func TestNameLastsAsLongAsItsConnection(t *testing.T) {
	w := newWorld(t, nil)
	w.Learn(answer(1, "pay.example.com", time.Minute, "192.0.2.7"))
	for range 20 {
		w.now = w.now.Add(10 * time.Minute)
		if w.now.Sub(noon) == 10*time.Minute {
			w.now = noon.Add(30 * time.Second)
		}
		w.add(record(unix.IPPROTO_TCP, "10.1.0.5:40000", "192.0.2.7:443", nil))
	}
	w.Close(window.End)
	if e := w.edges(); len(e) != 1 || e[0].DNS != "pay.example.com" {
		t.Errorf("got %+v, want one edge with the name", e)
	}
}

func TestNamesAreBounded(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxNames = 3 })
	for i := range 5 {
		w.Learn(answer(1, "a.example.com", time.Minute, fmt.Sprintf("192.0.2.%d", i)))
	}
	if n, full := len(w.names.entries), w.Counts().NamesFull; n != 3 || full != 2 {
		t.Errorf("%d names kept and %d counted as lost, want 3 and 2", n, full)
	}
	w.now = noon.Add(time.Hour) // all have aged: there is room again
	a := answer(1, "b.example.com", time.Minute, "192.0.2.9")
	a.At = w.now
	w.Learn(a)
	if n, full := len(w.names.entries), w.Counts().NamesFull; n != 1 || full != 2 {
		t.Errorf("%d names kept and %d counted as lost, want 1 and 2", n, full)
	}
	w.Forget(1)
	if n := len(w.names.entries); n != 0 {
		t.Errorf("%d names of a slot that is gone", n)
	}
}
