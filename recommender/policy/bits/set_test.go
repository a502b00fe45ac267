// SPDX-License-Identifier: Apache-2.0

package bits

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the plain set that Set must agree with.
type model map[int]bool

func random(r *rand.Rand) (Set, model) {
	var s Set
	m := model{}
	base := r.IntN(4) * 100
	for range r.IntN(12) {
		n := base + r.IntN(200)
		s.Add(n)
		m[n] = true
	}
	return s, m
}

func (m model) members() []int {
	out := []int{}
	for n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func including(sets ...Set) Set {
	var out Set
	for _, s := range sets {
		out.Include(s)
	}
	return out
}

func TestSetAgreesWithMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		a, ma := random(r)
		b, mb := random(r)
		union, inter, minus := model{}, model{}, model{}
		for n := range ma {
			union[n] = true
			if mb[n] {
				inter[n] = true
			} else {
				minus[n] = true
			}
		}
		for n := range mb {
			union[n] = true
		}
		for _, c := range []struct {
			name string
			got  Set
			want model
		}{{"union", a.Union(b), union}, {"include", including(a, b), union}, {"intersect", a.Intersect(b), inter}, {"minus", a.Minus(b), minus}, {"self", a, ma}} {
			if !slices.Equal(c.got.Members(), c.want.members()) || c.got.Len() != len(c.want) || c.got.Empty() != (len(c.want) == 0) {
				t.Fatalf("%s of %v and %v = %v, want %v", c.name, ma.members(), mb.members(), c.got.Members(), c.want.members())
			}
			for n := range 600 {
				if c.got.Has(n) != c.want[n] {
					t.Fatalf("%s: Has(%d) = %v", c.name, n, c.got.Has(n))
				}
			}
		}
		if a.Intersects(b) != (len(inter) > 0) || a.Within(b) != (len(minus) == 0) {
			t.Fatalf("Intersects or Within wrong for %v and %v", ma.members(), mb.members())
		}
		if same := slices.Equal(ma.members(), mb.members()); a.Equal(b) != same || (a.Key() == b.Key()) != same {
			t.Fatalf("Equal or Key wrong for %v and %v", ma.members(), mb.members())
		}
	}
}

func TestRange(t *testing.T) {
	for _, c := range [][2]int{{0, 0}, {0, 1}, {3, 64}, {63, 65}, {64, 128}, {70, 300}, {5, 5}, {9, 2}} {
		got := Range(c[0], c[1]).Members()
		want := []int{}
		for n := c[0]; n < c[1]; n++ {
			want = append(want, n)
		}
		if !slices.Equal(got, want) {
			t.Errorf("Range(%d, %d) = %v", c[0], c[1], got)
		}
	}
}

func TestHasAllocatesNothing(t *testing.T) {
	s := Of(1, 100, 500)
	if n := testing.AllocsPerRun(100, func() { _ = s.Has(100) }); n != 0 {
		t.Errorf("Has allocates %v times", n)
	}
}

// TestNextAndBoth holds the quick ways against the plain ones.
func TestNextAndBoth(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	random := func() Set {
		var s Set
		for range rng.IntN(40) {
			s.Add(64*rng.IntN(8) + rng.IntN(300))
		}
		return s
	}
	for range 2000 {
		a, b, but, into := random(), random(), random(), random()
		want := into.Union(a.Intersect(b).Minus(but))
		got := Of(into.Members()...)
		if got.IncludeBoth(a, b, but); !got.Equal(want) {
			t.Fatalf("got %v, want %v", got.Members(), want.Members())
		}
		if room := a.Span(); !room.Empty() {
			t.Fatalf("room for %v has %v", a.Members(), room.Members())
		}
		var members []int
		for n := a.Next(0); n >= 0; n = a.Next(n + 1) {
			members = append(members, n)
		}
		if !slices.Equal(members, a.Members()) {
			t.Fatalf("got %v, want %v", members, a.Members())
		}
		if a.Sum(7) != Of(a.Members()...).Sum(7) {
			t.Fatalf("%v has two sums", a.Members())
		}
	}
}
