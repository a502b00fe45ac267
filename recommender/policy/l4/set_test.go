// SPDX-License-Identifier: Apache-2.0

package l4

import (
	"math/rand/v2"
	"testing"

	"github.com/netcinch/netcinch/recommender/flow"
)

const line = 60 // a short line makes intervals meet often

func random(r *rand.Rand) (Set, [line]bool) {
	var in []Interval
	var m [line]bool
	for range r.IntN(6) {
		first := r.IntN(line)
		last := min(line-1, first+r.IntN(9))
		in = append(in, Interval{uint32(first), uint32(last)})
		for i := first; i <= last; i++ {
			m[i] = true
		}
	}
	return Of(in...), m
}

func check(t *testing.T, name string, s Set, want func(i int) bool) {
	t.Helper()
	for i := range line {
		if s.Has(uint32(i)) != want(i) {
			t.Fatalf("%s: Has(%d) = %v in %v", name, i, s.Has(uint32(i)), s)
		}
	}
	for i := 1; i < len(s); i++ {
		if s[i].First <= s[i-1].Last+1 {
			t.Fatalf("%s: intervals touch: %v", name, s)
		}
	}
}

func TestSetAgreesWithPoints(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		a, ma := random(r)
		b, mb := random(r)
		check(t, "of", a, func(i int) bool { return ma[i] })
		check(t, "union", a.Union(b), func(i int) bool { return ma[i] || mb[i] })
		check(t, "intersect", a.Intersect(b), func(i int) bool { return ma[i] && mb[i] })
		check(t, "minus", a.Minus(b), func(i int) bool { return ma[i] && !mb[i] })
		if a.Equal(b) != (ma == mb) {
			t.Fatalf("Equal(%v, %v) = %v", a, b, a.Equal(b))
		}
		if a.Within(b) != a.Minus(b).Empty() {
			t.Fatalf("Within(%v, %v)", a, b)
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		set  Set
		want string
	}{
		{All(), "any protocol and port"},
		{nil, "nothing"},
		{Of(Ports(flow.TCP, 80, 80), Ports(flow.UDP, 53, 60)), "TCP 80, UDP 53-60"},
		{Of(Ports(flow.TCP, 1, 65535)), "TCP any port"},
		{Of(Ports(flow.ICMP, 8<<8, 8<<8|0xFF)), "ICMP type 8"},
		{Of(Ports(flow.ICMPv6, 128<<8, 128<<8)), "ICMPv6 type 128 code 0"},
		{Of(Ports(47, 0, 0xFFFF)), "protocol 47"},
		{Of(Ports(47, 0, 0xFFFF), Ports(49, 0, 0xFFFF)), "protocol 47, protocol 49"},
		{All().Minus(Of(Ports(flow.TCP, 0, 0xFFFF))), "protocols 0-5, protocols 7-16, UDP any port, protocols 18-131, SCTP any port, protocols 133-135, UDPLite any port, protocols 137-255"},
	} {
		if got := c.set.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
