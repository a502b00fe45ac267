// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/selector"
)

// podKey tells pods apart: stand-ins for workloads of two kinds may share a
// name.
type podKey struct{ namespace, name, kind string }

// slot is the numbers that the ends of a pod have: count of them from first.
type slot struct{ first, count int32 }

// nodeKey tells the ends of nodes apart.
type nodeKey struct {
	name string
	addr netip.Addr
}

// unusedEnd fills numbers that no end has.
var unusedEnd = end{pod: -1, node: -1}

// follow reserves the numbers of the topology before.
func (t *topology) follow(before *topology) {
	if before == nil {
		return
	}
	t.ends = make([]end, len(before.ends))
	for i := range t.ends {
		t.ends[i] = unusedEnd
	}
	for n := range bits.Range(0, len(before.ends)).Minus(before.all).All {
		t.unused = append(t.unused, int32(n))
	}
}

// podSlot gives a pod the numbers that it had, else unused ones, else new ones.
func (t *topology) podSlot(before *topology, p *cluster.Pod, count int) int32 {
	key := podKey{p.Namespace, p.Name, p.Workload.Kind}
	_, taken := t.slots[key]
	if before != nil && !taken {
		if had, ok := before.slots[key]; ok && had.count == int32(count) {
			t.slots[key] = had
			return had.first
		}
	}
	first := t.take(count)
	if !taken {
		t.slots[key] = slot{first, int32(count)}
	}
	return first
}

// nodeSlot gives an address of a node the number that it had, else another one.
func (t *topology) nodeSlot(before *topology, key nodeKey) int32 {
	if before != nil && key != (nodeKey{}) {
		if n, ok := before.nodeSlots[key]; ok && !t.nodeEnds.Has(int(n)) {
			t.nodeSlots[key] = n
			return n
		}
	}
	n := t.take(1)
	t.nodeSlots[key] = n
	return n
}

// take finds numbers in a row that are not in use.
func (t *topology) take(count int) int32 {
	for i := 0; i+count <= len(t.unused); i++ {
		if first := t.unused[i]; t.unused[i+count-1] == first+int32(count)-1 {
			t.unused = slices.Delete(t.unused, i, i+count)
			return first
		}
	}
	first := len(t.ends)
	for range count {
		t.ends = append(t.ends, unusedEnd)
	}
	return int32(first)
}

// next makes the topology of a later snapshot, and says which numbers do not
// mean the same any more: ends that came or went, or of which something changed
// that policies can see.
func (t *topology) next(s *cluster.Snapshot) (next *topology, touched bits.Set) {
	next = emptyTopology(s)
	next.interning = t.interning
	next.build(t)
	seen := newSightings(t, next)
	for n := range next.ends {
		if !seen.same(n) {
			touched.Add(n)
		}
	}
	next.labels = t.labels.Edited(touched, t.podLabels, next.podLabels)
	return next, touched
}

// podLabels gives the labels of a pod's end; false where it is none's.
func (t *topology) podLabels(n int) (map[string]string, bool) {
	if !t.pods.Has(n) {
		return nil, false
	}
	return t.podAt(n).Labels, true
}

// wasteful says whether so many numbers are unused that numbering afresh pays.
func (t *topology) wasteful() bool { return len(t.ends)-t.all.Len() > 64+len(t.ends)/3 }

// sightings compares ends of two topologies as policies see them.
type sightings struct {
	old, new   *topology
	namespaces map[string]bool // those whose labels are the same
	accounts   map[podName]bool
}

func newSightings(old, next *topology) *sightings {
	s := &sightings{old: old, new: next, namespaces: map[string]bool{}, accounts: map[podName]bool{}}
	for name, i := range next.nsNumber {
		k, ok := old.nsNumber[name]
		s.namespaces[name] = ok && maps.Equal(old.namespaces[k].labels, next.namespaces[i].labels)
	}
	was, is := accountLabels(old.snapshot), accountLabels(next.snapshot)
	for name := range was {
		s.accounts[name] = maps.Equal(was[name], is[name])
	}
	for name, labels := range is {
		if _, known := was[name]; !known {
			s.accounts[name] = len(labels) == 0
		}
	}
	return s
}

func accountLabels(s *cluster.Snapshot) map[podName]map[string]string {
	out := map[podName]map[string]string{}
	for _, a := range s.ServiceAccounts {
		out[podName{a.Namespace, a.Name}] = a.Labels
	}
	return out
}

func (s *sightings) same(n int) bool {
	is := s.new.all.Has(n)
	if n >= len(s.old.ends) || s.old.all.Has(n) != is {
		return false
	}
	a, b := &s.old.ends[n], &s.new.ends[n]
	switch {
	case !is:
		return true
	case a.isNode() != b.isNode() || a.addr != b.addr || s.old.nodeName(a) != s.new.nodeName(b):
		return false
	case a.isNode():
		was, old := s.old.nodeLabels[s.old.nodeName(a)]
		is, known := s.new.nodeLabels[s.new.nodeName(b)]
		return old == known && maps.Equal(was, is)
	}
	p, q := s.old.podAt(n), s.new.podAt(n)
	if p.Namespace != q.Namespace || p.ServiceAccount != q.ServiceAccount || !maps.Equal(p.Labels, q.Labels) {
		return false
	}
	same, known := s.accounts[podName{q.Namespace, accountOf(q)}]
	return s.namespaces[q.Namespace] && (same || !known)
}

// accountOf is the service account that a pod runs as.
func accountOf(p *cluster.Pod) string {
	if p.ServiceAccount == "" {
		return "default"
	}
	return p.ServiceAccount
}

func (t *topology) nodeName(e *end) string {
	if e.node < 0 {
		return ""
	}
	return t.nodeNames[e.node]
}

// inNamespaces gives the ends of all pods in the namespaces selected.
func (t *topology) inNamespaces(ns *selector.Expr) bits.Set {
	if ns.Op == selector.True {
		return t.pods
	}
	key := ns.String()
	if out, ok := t.nsEnds[key]; ok {
		return out
	}
	var out bits.Set
	for n := range t.nsLabels.Select(ns, t.nsLabels.All()).All {
		out = out.Union(t.namespaces[n].ends)
	}
	t.nsEnds[key] = out
	return out
}
