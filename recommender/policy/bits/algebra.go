// SPDX-License-Identifier: Apache-2.0

package bits

import (
	"encoding/binary"
	"slices"
)

// word gives the word at an absolute position; zero outside the window.
func (s Set) word(at uint32) uint64 {
	i := at - s.base
	if int(i) < len(s.words) {
		return s.words[i]
	}
	return 0
}

func (s Set) end() uint32 { return s.base + uint32(len(s.words)) }

// trim drops empty words at both ends, so that equal sets look equal.
func (s Set) trim() Set {
	first, last := 0, len(s.words)
	for first < last && s.words[first] == 0 {
		first++
	}
	for last > first && s.words[last-1] == 0 {
		last--
	}
	if first == last {
		return Set{}
	}
	return Set{base: s.base + uint32(first), words: s.words[first:last:last]}
}

// Union gives what is in either set.
func (s Set) Union(o Set) Set {
	switch {
	case len(s.words) == 0:
		return o
	case len(o.words) == 0:
		return s
	}
	base, end := min(s.base, o.base), max(s.end(), o.end())
	out := Set{base: base, words: make([]uint64, end-base)}
	copy(out.words[s.base-base:], s.words)
	for i, w := range o.words {
		out.words[o.base-base+uint32(i)] |= w
	}
	return out
}

// UnionOf gives what is in any of the sets.
func UnionOf(sets ...Set) Set {
	var out Set
	var end uint32
	for _, s := range sets {
		switch {
		case len(s.words) == 0:
		case end == 0:
			out.base, end = s.base, s.end()
		default:
			out.base, end = min(out.base, s.base), max(end, s.end())
		}
	}
	out.words = make([]uint64, end-out.base)
	for _, s := range sets {
		for i, w := range s.words {
			out.words[s.base-out.base+uint32(i)] |= w
		}
	}
	return out
}

// Intersect gives what is in both sets.
func (s Set) Intersect(o Set) Set {
	base, end := max(s.base, o.base), min(s.end(), o.end())
	if base >= end {
		return Set{}
	}
	out := Set{base: base, words: make([]uint64, end-base)}
	for i := range out.words {
		out.words[i] = s.word(base+uint32(i)) & o.word(base+uint32(i))
	}
	return out.trim()
}

// Minus gives what is in s and not in o.
func (s Set) Minus(o Set) Set {
	if len(s.words) == 0 || len(o.words) == 0 {
		return s
	}
	out := Set{base: s.base, words: slices.Clone(s.words)}
	for i := range out.words {
		out.words[i] &^= o.word(s.base + uint32(i))
	}
	return out.trim()
}

// Intersects says whether the sets share a member, without allocating.
func (s Set) Intersects(o Set) bool {
	for i, w := range s.words {
		if w&o.word(s.base+uint32(i)) != 0 {
			return true
		}
	}
	return false
}

// Within says whether every member of s is in o.
func (s Set) Within(o Set) bool {
	for i, w := range s.words {
		if w&^o.word(s.base+uint32(i)) != 0 {
			return false
		}
	}
	return true
}

// Equal says whether the sets have the same members.
func (s Set) Equal(o Set) bool { return s.Within(o) && o.Within(s) }

// Key gives a string that is the same for equal sets only, to serve as a map
// key.
func (s Set) Key() string {
	t := s.trim()
	key := make([]byte, 0, 4+8*len(t.words))
	key = binary.LittleEndian.AppendUint32(key, t.base)
	for _, w := range t.words {
		key = binary.LittleEndian.AppendUint64(key, w)
	}
	return string(key)
}

// Sum mixes the set into a number, the same for equal sets.
func (s Set) Sum(into uint64) uint64 {
	const odd = 0x9E37_79B9_7F4A_7C15
	t := s.trim()
	into = (into ^ uint64(t.base)) * odd
	for _, w := range t.words {
		into = (into ^ into>>29 ^ w) * odd
	}
	return into
}
