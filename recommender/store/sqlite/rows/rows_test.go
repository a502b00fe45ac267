// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcinch/netcinch/recommender/flow"
)

var window = flow.Window{Start: time.Unix(1000, 0).UTC(), End: time.Unix(1030, 0).UTC()}

func records() []flow.Record {
	pod := func(ip string) flow.Endpoint {
		return flow.Endpoint{
			Workload: flow.Workload{Namespace: "shop", Kind: "Deployment", Name: "cart"}, Pod: "cart-1",
			IP: netip.MustParseAddr(ip), Node: "n1", Process: "/bin/cart", Container: "main",
		}
	}
	return []flow.Record{
		{Window: window, Edge: flow.Edge{Client: pod("10.0.0.1"), Server: pod("10.0.0.2"), Protocol: flow.TCP, Port: 80, Service: "shop/cart:80"}, ByClient: flow.Counters{Connections: 1, BytesSent: 2, BytesReceived: 3, PacketsSent: 4, PacketsReceived: 5}},
		{Window: window, Edge: flow.Edge{Client: pod("fd00::1"), Server: flow.Endpoint{IP: netip.MustParseAddr("2001:db8::1"), DNS: "pay.example"}, Protocol: flow.UDP, Port: 65535, Outcome: flow.Dropped, Reason: "NO_SOCKET", Guessed: true}, ByServer: flow.Counters{Connections: 1<<64 - 1, PacketsReceived: 7}},
		{Window: window, Edge: flow.Edge{Client: flow.Endpoint{Node: "n2"}, Server: flow.Endpoint{}, Protocol: flow.ICMPv6, Probe: true}},
	}
}

func TestRowsReadBackAsTheyWere(t *testing.T) {
	for _, want := range [][]flow.Record{records(), {}} {
		blob, err := Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(blob, window)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Errorf("rows (-want +got):\n%s", d)
		}
	}
}

// FuzzDecode wants an error and never a panic from a damaged blob, and rows
// that can be kept again from a whole one.
func FuzzDecode(f *testing.F) {
	blob, err := Encode(records())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob, false)
	raw, err := decoder.DecodeAll(blob, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, true)
	f.Fuzz(func(t *testing.T, blob []byte, bare bool) {
		if bare {
			blob = encoder.EncodeAll(blob, nil)
		}
		got, err := Decode(blob, window)
		if err != nil {
			if !errors.Is(err, errDamaged) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if _, err := Encode(got); err != nil {
			t.Fatal(err)
		}
	})
}
