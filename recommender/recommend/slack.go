// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"maps"
	"slices"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// spares says whether a rule lets through so little beyond what is known to use
// it that the budget for what was not seen has room for it: then it stays as it
// is. Each of its peers and each of its ports has to be used by somebody.
func (o *owners) spares(shape ruleShape, byPeer map[int][]owned) bool {
	if o.input.AllowExtra == 0 || shape.fixed || len(shape.peers) == 0 || len(shape.ports) == 0 {
		return false
	}
	spare := 0
	usedPort := map[int]bool{}
	for i, item := range shape.peers {
		list := byPeer[i]
		if len(list) == 0 || item.everybody {
			return false
		}
		for _, d := range list {
			usedPort[d.atom.Port] = true
		}
		for j, port := range shape.ports {
			n := o.unused(shape, i, j, list)
			if port.all || n < 0 {
				return false
			}
			if spare += n; spare > o.input.AllowExtra {
				return false
			}
		}
	}
	for j := range shape.ports {
		if !usedPort[j] {
			return false
		}
	}
	return true
}

// unused counts the pairs of workload and port that an atom lets through and
// that none of its rule's demands is for; negative where nobody can count them.
func (o *owners) unused(shape ruleShape, i, j int, list []owned) int {
	used := map[flow.Workload]map[portKey]bool{}
	whole := map[flow.Workload]bool{}
	for _, d := range list {
		wl := d.other.Workload()
		if d.atom.Port != j {
			continue
		}
		if used[wl] == nil {
			used[wl] = map[portKey]bool{}
		}
		used[wl][d.port] = true
		whole[wl] = whole[wl] || d.wholePort
	}
	item := shape.ports[j]
	width := int(item.last) - int(item.first) + 1
	if item.named {
		width = 1
	}
	if shape.peers[i].addresses { // a range that somebody gave counts as one
		ports := map[portKey]bool{}
		for wl := range used {
			maps.Copy(ports, used[wl])
			if whole[wl] {
				return 0
			}
		}
		return max(width-len(ports), 0)
	}
	at := slices.IndexFunc(o.atomsOf(shape.id), func(id policy.AllowanceID) bool { return id.Peer == i && id.Port == j })
	if at < 0 || o.reach[o.atomsOf(shape.id)[at]].anyone {
		return -1
	}
	n := 0
	for wl := range o.reach[o.atomsOf(shape.id)[at]].workloads {
		if !whole[wl] {
			n += max(width-len(used[wl]), 0)
		}
	}
	return n
}

// keep plans for the rule to stay as it is.
func (p *plan) keep(byPeer map[int][]owned) {
	for i := range p.shape.peers {
		for j, port := range p.shape.ports {
			p.book.add(original(i), portSpec{original: j, portKey: portKey{port.protocol, port.first}}, nil, false)
		}
		for _, d := range byPeer[i] {
			p.book.seen[[2]string{original(i).key(), portSpec{original: d.atom.Port}.key()}].scheduled = d.wholePort
		}
	}
	p.groups = p.book.needs.cover()
}
