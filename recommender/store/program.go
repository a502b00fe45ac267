// SPDX-License-Identifier: Apache-2.0

package store

import (
	"slices"
	"strings"
	"time"
)

// MaxPrograms is how many programs are kept of one end of an edge.
const MaxPrograms = 8

// Program is an executable that was seen at one end of an edge.
type Program struct {
	Path      string    `json:"path"`
	FirstSeen time.Time `json:"firstSeen"` // start of the first window that it was in
	LastSeen  time.Time `json:"lastSeen"`  // end of the last; may be an hour behind
}

// Programs are those of one end, sorted by path; the first MaxPrograms that
// came. More says that there were others.
type Programs struct {
	Seen []Program `json:"seen,omitempty"`
	More bool      `json:"more,omitempty"`
}

// Add gives the programs with one more sight. The empty path stands for
// others, of which nothing is kept but that they were.
func (p Programs) Add(s Program) Programs {
	i, found := slices.BinarySearchFunc(p.Seen, s.Path, func(have Program, path string) int { return strings.Compare(have.Path, path) })
	switch {
	case s.Path == "":
		p.More = true
	case found:
		have := p.Seen[i]
		if have.FirstSeen.After(s.FirstSeen) {
			have.FirstSeen = s.FirstSeen
		}
		if have.LastSeen.Before(s.LastSeen) {
			have.LastSeen = s.LastSeen
		}
		p.Seen = slices.Clone(p.Seen)
		p.Seen[i] = have
	case len(p.Seen) >= MaxPrograms:
		p.More = true
	default:
		p.Seen = slices.Insert(slices.Clone(p.Seen), i, s)
	}
	return p
}
