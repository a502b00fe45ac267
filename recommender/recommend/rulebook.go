// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// seen is what was counted on a pair of target and port.
type seen struct {
	connections uint64
	first, last time.Time
	edges       int
	dns         bool // kept for name resolution, whether seen or not
	nodes       bool // addresses of nodes are written out
	scheduled   bool // kept for a CronJob that has not run often enough to be known
	processes   map[string]bool
	ready       string // of the policy's workloads, where no header says it
}

func newSeen() *seen { return &seen{} }

func (s *seen) add(e *analyze.Edge) {
	s.edges++
	s.connections += e.Counters.Connections
	for _, p := range e.Processes {
		s.opened(p)
	}
	if s.first.IsZero() || e.First.Before(s.first) {
		s.first = e.First
	}
	if e.Last.After(s.last) {
		s.last = e.Last
	}
}

func (s *seen) opened(process string) {
	if s.processes == nil {
		s.processes = map[string]bool{}
	}
	s.processes[process] = true
}

func (s *seen) merge(o seen) {
	s.edges += o.edges
	s.connections += o.connections
	for p := range o.processes {
		s.opened(p)
	}
	s.dns, s.scheduled = s.dns || o.dns, s.scheduled || o.scheduled
	if !o.first.IsZero() && (s.first.IsZero() || o.first.Before(s.first)) {
		s.first = o.first
	}
	if o.last.After(s.last) {
		s.last = o.last
	}
}

// book collects what the rules of one direction have to let through.
type book struct {
	needs   needs
	targets map[string]target
	ports   map[string]portSpec
	seen    map[[2]string]*seen
	ready   string                 // how ready the workloads are, for the comments of a tightening
	extra   map[[2]string][]beyond // what pairs let through beyond what was seen
}

func newBook() *book {
	return &book{needs: needs{}, targets: map[string]target{}, ports: map[string]portSpec{}, seen: map[[2]string]*seen{}, extra: map[[2]string][]beyond{}}
}

// add notes a pair; e is nil where it is kept without having been seen.
func (b *book) add(t target, p portSpec, e *analyze.Edge, dns bool) {
	b.addAs(t.key(), p.key(), t, p, e, dns)
}

// addAs is add where the keys are known.
func (b *book) addAs(tk, pk string, t target, p portSpec, e *analyze.Edge, dns bool) *seen {
	if old, ok := b.targets[tk]; !ok || old.name == "" {
		b.targets[tk] = t
	}
	b.ports[pk] = p
	b.needs.add(tk, pk)
	at := [2]string{tk, pk}
	s := b.seen[at]
	if s == nil {
		s = newSeen()
		b.seen[at] = s
	}
	s.dns = s.dns || dns
	if e != nil {
		s.add(e)
	}
	return s
}

// absorb drops what an item that stays whole lets through anyway. source says
// from which of the author's items a target comes.
func (b *book) absorb(source map[string]int) {
	for key, ports := range b.needs {
		wider := []string{original(-1).key()}
		if i, ok := source[key]; ok {
			wider = append(wider, original(i).key())
		}
		for _, wide := range wider {
			if key != wide {
				b.absorbPorts(key, wide, ports)
			}
		}
		if len(ports) == 0 {
			delete(b.needs, key)
		}
	}
}

func (b *book) absorbPorts(key, wide string, ports map[string]bool) {
	for port := range ports {
		by := port
		if all := (portSpec{any: true}).key(); b.needs[wide][all] {
			by = all
		}
		if b.needs[wide][by] {
			b.seen[[2]string{wide, by}].merge(*b.seen[[2]string{key, port}])
			delete(ports, port)
		}
	}
}

// settle lets "any port" stand for all ports of the same target.
func (b *book) settle() {
	for peer, ports := range b.needs {
		for key := range ports {
			if !b.ports[key].any {
				continue
			}
			for other := range ports {
				if other != key {
					b.seen[[2]string{peer, key}].merge(*b.seen[[2]string{peer, other}])
					delete(ports, other)
				}
			}
			break
		}
	}
}

// of sums up what was seen on a group.
func (b *book) of(g group) seen {
	sum := seen{ready: b.ready}
	for _, peer := range g.peers {
		sum.nodes = sum.nodes || b.targets[peer].isNode()
		for _, port := range g.ports {
			if s := b.seen[[2]string{peer, port}]; s != nil {
				sum.merge(*s)
			}
		}
	}
	return sum
}
