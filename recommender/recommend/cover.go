// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"maps"
	"slices"
	"strings"
)

// needs is a relation of peers and ports: who has to be reached on what. Both
// are named by keys that sort as the rules shall.
type needs map[string]map[string]bool

func (n needs) add(peer, port string) {
	if n[peer] == nil {
		n[peer] = map[string]bool{}
	}
	n[peer][port] = true
}

// group is a product of peers and ports: one rule.
type group struct{ peers, ports []string }

// cover splits a relation into the fewest products that heuristics find, such
// that each pair is in exactly one: nothing is allowed that is not needed, and
// nothing is said twice.
func (n needs) cover() []group {
	best := n.byPorts()
	if len(best) < 2 {
		return best // there are no fewer
	}
	for _, other := range [][]group{n.transposed().byPorts().transpose(), n.greedy()} {
		if len(other) < len(best) {
			best = other
		}
	}
	slices.SortFunc(best, func(a, b group) int {
		if c := slices.Compare(a.peers, b.peers); c != 0 {
			return c
		}
		return slices.Compare(a.ports, b.ports)
	})
	return best
}

// groups is a list of products.
type groups []group

// byPorts puts peers with the same ports together.
func (n needs) byPorts() groups {
	at := map[string]int{}
	var out groups
	for _, peer := range slices.Sorted(maps.Keys(n)) {
		ports := slices.Sorted(maps.Keys(n[peer]))
		key := strings.Join(ports, "\x00")
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, group{ports: ports})
		}
		out[i].peers = append(out[i].peers, peer)
	}
	return out
}

func (n needs) transposed() needs {
	t := needs{}
	for peer, ports := range n {
		for port := range ports {
			t.add(port, peer)
		}
	}
	return t
}

func (g groups) transpose() groups {
	for i := range g {
		g[i].peers, g[i].ports = g[i].ports, g[i].peers
	}
	return g
}

// greedy takes, again and again, the product that covers most of what is left.
// Peers with the same ports go together all the way.
func (n needs) greedy() groups {
	rows := n.byPorts()
	left := make([]map[string]bool, len(rows))
	for i, row := range rows {
		left[i] = maps.Clone(n[row.peers[0]])
	}
	var out groups
	for {
		with, ports := widest(rows, left)
		if len(ports) == 0 {
			return out
		}
		g := group{ports: ports}
		for _, i := range with {
			g.peers = append(g.peers, rows[i].peers...)
			for _, port := range ports {
				delete(left[i], port)
			}
		}
		slices.Sort(g.peers)
		out = append(out, g)
	}
}

// widest finds the product with most pairs among those that the ports left of
// one row span; the first of several.
func widest(rows groups, left []map[string]bool) (best []int, ports []string) {
	most := 0
	for _, seed := range left {
		if len(seed) == 0 {
			continue
		}
		var with []int
		peers := 0
		for i := range rows {
			if containsAll(left[i], seed) {
				with = append(with, i)
				peers += len(rows[i].peers)
			}
		}
		if peers*len(seed) > most {
			most, best, ports = peers*len(seed), with, slices.Sorted(maps.Keys(seed))
		}
	}
	return best, ports
}

func containsAll(set, part map[string]bool) bool {
	for k := range part {
		if !set[k] {
			return false
		}
	}
	return true
}
