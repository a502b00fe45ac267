// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"strings"

	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// maxRanges is up to how many port ranges of one cell are listed one by one.
const maxRanges = 6

// cells writes the cells of a difference for people, at most limit.
func cells(list []policy.Cell, limit int) []Cell {
	out := []Cell{}
	for _, c := range list {
		if len(out) >= limit {
			break
		}
		switch {
		case len(c.Ports) == 0: // what can't be compared says so in its text
			out = append(out, Cell{From: c.From.Text, To: c.To.Text, Protocol: "any", Ports: c.Text})
		case len(c.Ports) > maxRanges:
			out = append(out, Cell{From: c.From.Text, To: c.To.Text, Protocol: "several", Ports: rangesText(c.Ports)})
		default:
			for _, r := range c.Ports {
				protocol, ports, _ := strings.Cut(r.String(), " ")
				if ports == "" || r.Whole() {
					ports = "any"
				}
				out = append(out, Cell{From: c.From.Text, To: c.To.Text, Protocol: protocol, Ports: ports})
			}
		}
	}
	return out
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
