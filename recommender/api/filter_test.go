// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/netcinch/netcinch/recommender/analyze"
)

func TestLike(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"cart", "cart", true},
		{"cart", "cart-2", false},
		{"cart*", "cart-2", true},
		{"*art", "cart", true},
		{"s*p/c*t", "shop/cart", true},
		{"a*a", "a", false},
		{"*", "", true},
		{"**", "x", true},
	} {
		if got := like(test.pattern, test.name); got != test.want {
			t.Errorf("%q and %q: %v", test.pattern, test.name, got)
		}
	}
}

// FuzzFilter: whatever is typed is read or refused with the parameter's name,
// and a filter turned around means the opposite where it is one term.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"cart", "ns:shop port:80-90", "-label:app=* address:fd00::/8", "from:*: to::1", "--", "port:-", "verdict:risky -protocol:udp"} {
		f.Add(seed)
	}
	ends := &facts{known: map[analyze.Party]*fact{}}
	here := &fact{namespace: "shop", name: "cart", text: "shop cart deployment", labels: map[string]string{"app": "cart"}, addresses: []netip.Addr{netip.MustParseAddr("fd00::1")}}
	k := &talk{id: "x", client: here, server: ends.of(analyze.Party{Kind: analyze.PartyOutside, IP: netip.MustParseAddr("203.0.113.1")}), protocol: "TCP", port: 80, state: stateAllowed}
	f.Fuzz(func(t *testing.T, q string) {
		one, err := filterOf(q)
		if err != nil {
			var p *problem
			if !errors.As(err, &p) || p.Parameter != "q" {
				t.Errorf("%q is refused by %v", q, err)
			}
			return
		}
		if len(one.terms) != 1 {
			one.edge(k)
			return
		}
		around := one.terms[0]
		around.not = !around.not
		other := filter{terms: []term{around}}
		if one.edge(k) == other.edge(k) {
			t.Errorf("%q and its opposite both say %v", q, one.edge(k))
		}
	})
}
