// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net/netip"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Observe takes in a snapshot. Pods and nodes that are no longer in it gave up
// their addresses when it was taken; a pod that finished, when its last
// container ended.
func (h *History) Observe(s *Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.round++
	h.hostPorts = map[hostPort]flow.Workload{}
	for i := range s.Nodes {
		h.observeNode(&s.Nodes[i], s.Taken)
	}
	for _, i := range byStart(s.Pods) {
		h.observePod(&s.Pods[i], s.Taken)
	}
	h.endMissing(s.Taken)
	h.gateways = gatewaysOf(s.Nodes)
	h.services = servicesOf(s)
	h.prune(s.Taken)
}

// byStart orders pods by start: of two that claim one address the later owns it.
func byStart(pods []Pod) []int {
	order := make([]int, 0, len(pods))
	for i := range pods {
		if !pods[i].Template {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return pods[a].Started.Compare(pods[b].Started) })
	return order
}

func (h *History) observeNode(n *Node, taken time.Time) {
	t := h.tenant("node/" + n.Name)
	t.node = n.Name
	for _, addr := range n.Addresses {
		h.own(addr, t, time.Time{}, time.Time{}, taken)
	}
}

func (h *History) observePod(p *Pod, taken time.Time) {
	key := p.UID
	if key == "" {
		key = "pod/" + p.Namespace + "/" + p.Name + "/" + p.Started.String()
	}
	t := h.tenant(key)
	t.name = podName{p.Namespace, p.Name}
	t.workload, t.node = p.Workload, p.Node
	if known := h.byName[t.name]; known == nil || known == t || !p.Finished {
		h.byName[t.name] = t
	}
	var end time.Time
	if p.Finished {
		end = p.Ended
		if end.IsZero() {
			end = taken
		}
	} else {
		h.addHostPorts(p)
	}
	if p.HostNetwork {
		return
	}
	for _, addr := range p.IPs {
		h.own(addr, t, p.Started, end, taken)
	}
}

func (h *History) addHostPorts(p *Pod) {
	for _, port := range p.Ports {
		n := port.HostPort
		if p.HostNetwork {
			n = port.Port
		}
		if n != 0 {
			h.hostPorts[hostPort{p.Node, n, port.Protocol}] = p.Workload
		}
	}
}

func (h *History) tenant(key string) *tenant {
	t := h.tenants[key]
	if t == nil {
		t = &tenant{key: key}
		h.tenants[key] = t
	}
	t.back = !t.gone.IsZero()
	t.gone = time.Time{}
	t.round = h.round
	return t
}

// own records that t owns an address from from to to. A zero from is not
// known: then it is since ever, or since the snapshot where another had it. An
// ownership that ended because a later pod took the address stays ended.
func (h *History) own(addr netip.Addr, t *tenant, from, to, taken time.Time) {
	spans := h.spans[addr]
	for i := range spans {
		if spans[i].owner == t && (spans[i].lasts() || !t.back) {
			if spans[i].lasts() && !to.IsZero() {
				spans[i].to = later(to, spans[i].from)
			}
			return
		}
	}
	if t.back || from.IsZero() && len(spans) > 0 {
		from = taken
	}
	if !to.IsZero() {
		to = later(to, from)
	}
	i := len(spans)
	for i > 0 && spans[i-1].from.After(from) {
		i--
	}
	if i > 0 && (spans[i-1].lasts() || spans[i-1].to.After(from)) {
		spans[i-1].to = from
	}
	if i < len(spans) && (to.IsZero() || to.After(spans[i].from)) {
		to = spans[i].from
	}
	h.spans[addr] = slices.Insert(spans, i, span{from: from, to: to, owner: t})
	t.spans++
	h.count++
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// endMissing closes what is no longer there.
func (h *History) endMissing(taken time.Time) {
	for addr, spans := range h.spans {
		for i := range spans {
			if spans[i].lasts() && spans[i].owner.round != h.round {
				h.spans[addr][i].to = later(taken, spans[i].from)
			}
		}
	}
	for _, t := range h.tenants {
		if t.round != h.round && t.gone.IsZero() {
			t.gone = taken
		}
	}
}

// prune forgets what ended too long ago, and the oldest of what is too much.
func (h *History) prune(now time.Time) {
	const every = time.Minute
	if h.count <= h.options.MaxSpans && now.Sub(h.pruned) < every {
		return
	}
	h.pruned = now
	limit := now.Add(-h.options.Keep)
	h.forget(limit)
	if h.count > h.options.MaxSpans {
		limit = now.Add(1) // of pods too, all that are gone
		before := h.count
		h.forget(h.oldest(h.count - h.options.MaxSpans*9/10))
		h.forgotten += uint64(before - h.count) //nolint:gosec // forgetting lowers the count
	}
	for key, t := range h.tenants {
		if t.spans == 0 && !t.gone.IsZero() && t.gone.Before(limit) {
			delete(h.tenants, key)
			if h.byName[t.name] == t {
				delete(h.byName, t.name)
			}
		}
	}
}

// oldest gives a time by which at least n of the ended spans had ended.
func (h *History) oldest(n int) time.Time {
	var ends []time.Time
	for _, spans := range h.spans {
		for _, s := range spans {
			if !s.lasts() {
				ends = append(ends, s.to)
			}
		}
	}
	if len(ends) == 0 {
		return time.Time{}
	}
	slices.SortFunc(ends, time.Time.Compare)
	return ends[min(n, len(ends))-1].Add(1)
}

// forget drops spans that ended before a time.
func (h *History) forget(before time.Time) {
	for addr, spans := range h.spans {
		kept := slices.DeleteFunc(spans, func(s span) bool {
			drop := !s.lasts() && s.to.Before(before)
			if drop {
				s.owner.spans--
				h.count--
			}
			return drop
		})
		if len(kept) == 0 {
			delete(h.spans, addr)
		} else {
			h.spans[addr] = kept
		}
	}
}

// gatewaysOf: CNIs that hand out addresses from a node's own pod range keep
// the range's first (the tunnel's end) and second (the bridge) for the node,
// and what a node sends to its pods comes from there. Pods that own such an
// address, under other CNIs, are found before.
func gatewaysOf(nodes []Node) map[netip.Addr]string {
	gateways := map[netip.Addr]string{}
	for _, n := range nodes {
		for _, p := range n.PodCIDRs {
			first := p.Masked().Addr()
			gateways[first] = n.Name
			if second := first.Next(); p.Contains(second) {
				gateways[second] = n.Name
			}
		}
	}
	return gateways
}
