// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/policy"
)

// cells writes the cells of a difference for people, at most limit.
func cells(list []policy.Cell, limit int) []Cell {
	out := []Cell{}
	for _, c := range list[:min(len(list), limit)] {
		for _, r := range c.Ports {
			protocol, ports, _ := strings.Cut(r.String(), " ")
			cell := Cell{From: c.From.Text, To: c.To.Text, Protocol: protocol, Ports: ports}
			if ports == "" {
				cell.Ports = "any"
			}
			if !slices.Contains(out, cell) {
				out = append(out, cell)
			}
		}
		if len(c.Ports) == 0 {
			out = append(out, Cell{From: c.From.Text, To: c.To.Text, Protocol: "any", Ports: c.Text})
		}
	}
	return out
}
