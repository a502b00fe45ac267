// SPDX-License-Identifier: Apache-2.0

package store

import (
	"net/netip"
	"testing"

	"github.com/netcinch/netcinch/recommender/flow"
)

func pod(name, ip string) flow.Endpoint {
	return flow.Endpoint{
		Workload: flow.Workload{Namespace: "shop", Kind: "Deployment", Name: "cart"}, Pod: name,
		IP: netip.MustParseAddr(ip), Node: "n1", DNS: "cart.shop", Process: "/bin/cart",
	}
}

func TestFoldedEnds(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want flow.Endpoint
	}{
		{"pod, v4", pod("cart-1", "10.0.0.1"), flow.Endpoint{Workload: flow.Workload{Namespace: "shop", Kind: "Deployment", Name: "cart"}, Process: "/bin/cart"}},
		{"pod, v6", pod("cart-2", "fd00::1"), flow.Endpoint{Workload: flow.Workload{Namespace: "shop", Kind: "Deployment", Name: "cart"}, Process: "/bin/cart"}},
		{"bare pod", flow.Endpoint{Workload: flow.Workload{Namespace: "shop"}, Pod: "p"}, flow.Endpoint{Workload: flow.Workload{Namespace: "shop", Kind: "Pod", Name: "p"}}},
		{"node", flow.Endpoint{Node: "n1", IP: netip.MustParseAddr("192.0.2.1"), DNS: "n1.local"}, flow.Endpoint{Node: "n1"}},
		{"outside, v4", flow.Endpoint{IP: netip.MustParseAddr("203.0.113.1"), DNS: "pay.example"}, flow.Endpoint{IP: netip.MustParseAddr("203.0.113.1"), DNS: "pay.example"}},
		{"outside, v6", flow.Endpoint{IP: netip.MustParseAddr("2001:db8::1")}, flow.Endpoint{IP: netip.MustParseAddr("2001:db8::1")}},
		{"nobody", flow.Endpoint{}, flow.Endpoint{}},
	} {
		if got := Fold(flow.Edge{Client: c.in, Server: c.in}); got.Client != c.want || got.Server != c.want {
			t.Errorf("%s: %+v, want %+v at both ends", c.name, got, c.want)
		}
	}
}

// TestKeyIsWhatBothEndsAgreeOn holds the sights of the two ends against each other.
func TestKeyIsWhatBothEndsAgreeOn(t *testing.T) {
	byClient := flow.Edge{Client: pod("cart-1", "10.0.0.1"), Server: pod("cart-2", "10.0.0.2"), Protocol: flow.TCP, Port: 80}
	byServer := byClient
	byServer.Client.Process, byServer.Server.DNS = "", ""
	byClient.Server.Process, byClient.Service, byServer.Guessed, byServer.Reason = "", "shop/cart:80", true, "why"
	if Key(byClient) != Key(byServer) {
		t.Errorf("%+v\n%+v", Key(byClient), Key(byServer))
	}
	for name, change := range map[string]func(*flow.Edge){
		"client":   func(e *flow.Edge) { e.Client.Workload.Name = "other" },
		"server":   func(e *flow.Edge) { e.Server.Workload.Namespace = "other" },
		"protocol": func(e *flow.Edge) { e.Protocol = flow.UDP },
		"port":     func(e *flow.Edge) { e.Port = 81 },
		"outcome":  func(e *flow.Edge) { e.Outcome = flow.Refused },
	} {
		other := byClient
		change(&other)
		if Key(other) == Key(byClient) {
			t.Errorf("another %s is the same edge", name)
		}
		if Compare(other, byClient) == 0 || Compare(other, byClient) != -Compare(byClient, other) {
			t.Errorf("another %s: Compare gives %d and %d", name, Compare(other, byClient), Compare(byClient, other))
		}
	}
}

func TestDescribeKeepsWhatIsKnown(t *testing.T) {
	known := flow.Edge{Service: "a/b:1", Guessed: true}
	known.Client.Process = "/bin/first"
	seen := flow.Edge{Service: "c/d:2", Reason: "why"}
	seen.Client.Process, seen.Server.Process = "/bin/second", "/bin/server"
	got := Describe(known, seen)
	want := flow.Edge{Service: "a/b:1", Reason: "why"}
	want.Client.Process, want.Server.Process = "/bin/first", "/bin/server"
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	seen.Guessed = true
	if !Describe(known, seen).Guessed {
		t.Error("a guess that was guessed again is no longer one")
	}
}
