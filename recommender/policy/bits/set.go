// SPDX-License-Identifier: Apache-2.0

// Package bits holds the sets of small numbers that the policy engine computes
// with. A Set covers a window of 64-bit words only: numbers are given so that
// the pods of one namespace lie side by side, and most sets then stay within
// one or two words however large the cluster is.
package bits

import "math/bits"

// Set is a set of numbers from 0. The zero value is empty. Operations return
// new sets and never change their operands, so that sets can be shared freely;
// Add is for building only.
type Set struct {
	base  uint32 // number of words left out before the first
	words []uint64
}

// Of makes a set of the numbers given.
func Of(numbers ...int) Set {
	var s Set
	for _, n := range numbers {
		s.Add(n)
	}
	return s
}

// Range makes the set of numbers from first up to, not including, end.
func Range(first, end int) Set {
	if first >= end {
		return Set{}
	}
	base, last := first>>6, (end-1)>>6
	s := Set{base: uint32(base), words: make([]uint64, last-base+1)}
	for i := range s.words {
		s.words[i] = ^uint64(0)
	}
	s.words[0] &= ^uint64(0) << (first & 63)
	s.words[len(s.words)-1] &= ^uint64(0) >> (63 - (end-1)&63)
	return s
}

// Add puts n into the set, growing the window where needed.
func (s *Set) Add(n int) {
	word := uint32(n >> 6)
	switch {
	case len(s.words) == 0:
		s.base, s.words = word, append(s.words, 0)
	case word < s.base:
		grown := make([]uint64, int(s.base-word)+len(s.words))
		copy(grown[s.base-word:], s.words)
		s.base, s.words = word, grown
	}
	for int(word-s.base) >= len(s.words) {
		s.words = append(s.words, 0)
	}
	s.words[word-s.base] |= 1 << (n & 63)
}

// Include puts all members of another set into the set, growing the window
// where needed.
func (s *Set) Include(o Set) {
	switch {
	case len(o.words) == 0:
		return
	case len(s.words) == 0:
		s.base = o.base
	case o.base < s.base:
		grown := make([]uint64, int(s.base-o.base)+len(s.words))
		copy(grown[s.base-o.base:], s.words)
		s.base, s.words = o.base, grown
	}
	for s.end() < o.end() {
		s.words = append(s.words, 0)
	}
	for i, w := range o.words {
		s.words[o.base-s.base+uint32(i)] |= w
	}
}

// IncludeBoth puts what is in both of two sets, and not in a third, into the set.
func (s *Set) IncludeBoth(a, b, but Set) {
	base, end := max(a.base, b.base), min(a.end(), b.end())
	if base >= end {
		return
	}
	switch {
	case len(s.words) == 0:
		s.base, s.words = base, make([]uint64, end-base)
	case base < s.base || end > s.end():
		first, last := min(base, s.base), max(end, s.end())
		grown := make([]uint64, last-first)
		copy(grown[s.base-first:], s.words)
		s.base, s.words = first, grown
	}
	for at := base; at < end; at++ {
		s.words[at-s.base] |= a.word(at) & b.word(at) &^ but.word(at)
	}
}

// Span makes an empty set with room for the members of another.
func (s Set) Span() Set { return Set{base: s.base, words: make([]uint64, len(s.words))} }

// Has says whether n is in the set. It allocates nothing.
func (s Set) Has(n int) bool {
	word := uint32(n>>6) - s.base // wraps below the window and fails the test
	return int(word) < len(s.words) && s.words[word]&(1<<(n&63)) != 0
}

// Empty says whether nothing is in the set.
func (s Set) Empty() bool {
	for _, w := range s.words {
		if w != 0 {
			return false
		}
	}
	return true
}

// Len counts the members.
func (s Set) Len() int {
	n := 0
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// All calls yield with each member, lowest first, until it says false. It has
// the shape of a range-over-func iterator.
func (s Set) All(yield func(int) bool) {
	for i, w := range s.words {
		for w != 0 {
			n := (int(s.base)+i)<<6 + bits.TrailingZeros64(w)
			if !yield(n) {
				return
			}
			w &= w - 1
		}
	}
}

// Next gives the lowest member from n on; -1 where there is none.
func (s Set) Next(n int) int {
	first := max(n-int(s.base)<<6, 0)
	for i := first >> 6; i < len(s.words); i++ {
		w := s.words[i]
		if i == first>>6 {
			w &= ^uint64(0) << (first & 63)
		}
		if w != 0 {
			return (int(s.base)+i)<<6 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

// Members lists the members, lowest first.
func (s Set) Members() []int {
	out := make([]int, 0, s.Len())
	for n := range s.All {
		out = append(out, n)
	}
	return out
}
