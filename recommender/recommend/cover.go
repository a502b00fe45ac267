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
func (n needs) greedy() groups {
	left := needs{}
	for peer, ports := range n {
		left[peer] = maps.Clone(ports)
	}
	var out groups
	for len(left) > 0 {
		g := left.widest()
		out = append(out, g)
		for _, peer := range g.peers {
			for _, port := range g.ports {
				delete(left[peer], port)
			}
			if len(left[peer]) == 0 {
				delete(left, peer)
			}
		}
	}
	return out
}

// widest finds the product with most pairs among those that the port set of
// one peer spans; the first of several.
func (n needs) widest() group {
	var best group
	peers := slices.Sorted(maps.Keys(n))
	for _, seed := range peers {
		ports := n[seed]
		var with []string
		for _, peer := range peers {
			if containsAll(n[peer], ports) {
				with = append(with, peer)
			}
		}
		if len(with)*len(ports) > len(best.peers)*len(best.ports) {
			best = group{peers: with, ports: slices.Sorted(maps.Keys(ports))}
		}
	}
	return best
}

func containsAll(set, part map[string]bool) bool {
	for k := range part {
		if !set[k] {
			return false
		}
	}
	return true
}
