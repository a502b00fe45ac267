// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// maxRanges is up to how many port ranges of one cell are listed one by one.
const maxRanges = 6

// cells writes what changes for people, sorted, at most maxCells.
func (w *world) cells(list []policy.Shift) []Cell {
	out := []Cell{}
	seen := make([]bool, len(w.index.Workloads()))
	for i := range list {
		from, to := w.sideText(list[i].From, seen), w.sideText(list[i].To, seen)
		ranges := list[i].Points.Ranges()
		if len(ranges) > maxRanges {
			out = append(out, Cell{From: from, To: to, Protocol: "several", Ports: rangesText(ranges)})
			continue
		}
		for _, r := range ranges {
			protocol, ports, _ := strings.Cut(r.String(), " ")
			if ports == "" || r.Whole() {
				ports = "any"
			}
			out = append(out, Cell{From: from, To: to, Protocol: protocol, Ports: ports})
		}
	}
	slices.SortFunc(out, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Ports, b.Ports))
	})
	return out[:min(len(out), maxCells)]
}

// maxNames is up to how many workloads or nodes of one side are named.
const maxNames = 6

// sideText names whom one side of a change means: workloads, some of whose pods
// it may be, nodes, or outside addresses. Seen has room for a mark for each
// workload.
func (w *world) sideText(s policy.ShiftSide, seen []bool) string {
	var names []string
	total := 0
	clear(seen)
	s.Owners(w.ownerOf, func(n int32) bool {
		if !seen[n] {
			seen[n] = true
			if total++; total <= maxNames {
				names = append(names, w.index.Workloads()[n].String())
			}
		}
		return true
	})
	nodes := map[string]bool{}
	for name := range s.Nodes {
		if !nodes[name] {
			nodes[name] = true
			if total++; total <= maxNames {
				names = append(names, "node "+name)
			}
		}
	}
	if outside := s.Outside(); outside != "" {
		return outside
	}
	text := strings.Join(names, ", ")
	if total > maxNames {
		text += fmt.Sprintf(" and %d more", total-maxNames)
	}
	return text
}

// everyProtocol is about how many ranges a set has that lacks a few ports only:
// one for each protocol number.
const everyProtocol = 200

func rangesText(ranges []l4.Range) string {
	if len(ranges) > everyProtocol {
		return "nearly all"
	}
	var texts []string
	for _, r := range ranges[:maxRanges] {
		texts = append(texts, r.String())
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts, ", "), len(ranges)-maxRanges)
}
