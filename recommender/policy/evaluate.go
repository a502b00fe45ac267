// SPDX-License-Identifier: Apache-2.0

package policy

import "github.com/netcinch/netcinch/recommender/policy/l4"

// truth is the answer of a rule that may hang on what nobody knows.
type truth uint8

const (
	no truth = iota
	maybe
	yes
)

// Allowed answers a connection without a reason: at the client's end and at the
// server's. It allocates nothing.
func (e *Engine) Allowed(c Connection) (egress, ingress bool) {
	if egress, ingress, ok := e.quick(&c); ok {
		return egress, ingress
	}
	if !e.swapped && e.index.Load() == nil { // those are asked little
		e.index.Store(e.top.makeIndex())
	}
	q := e.query(&c)
	if q.always {
		return true, true
	}
	return e.decide(Egress, &q), e.decide(Ingress, &q)
}

// decide asks the table of the tiers that apply at one end; what is not in it is
// found by walking their rules.
func (e *Engine) decide(d Direction, q *query) bool {
	local, remote := q.local(d), q.remote(d)
	if local.end < 0 {
		return true
	}
	g := e.group[d][local.end]
	if !q.exact || (remote.end < 0 && !remote.addr.IsValid()) {
		return e.walk(d, g, q)
	}
	t := e.table(d, g)
	if t == nil {
		t = e.tabulate(d, g)
		e.tables[d][g].Store(t)
	}
	allowed := t.at(q.first)
	if allowed.walk || (t.names && remote.end < 0 && remote.name != "") {
		return e.walk(d, g, q)
	}
	return allowed.has(remote)
}

// walk decides rule by rule.
func (e *Engine) walk(d Direction, g int32, q *query) bool {
	for _, t := range e.groups[d][g].tiers {
		switch e.firstMatch(t, d, q) {
		case ActionAllow:
			return true
		case ActionDeny:
			return false
		case ActionPass, ActionLog:
		}
	}
	return true
}

// firstMatch gives what the first rule that matches says, else the tier's default.
func (e *Engine) firstMatch(t *groupTier, d Direction, q *query) Action {
	for _, p := range t.policies {
		for i := range p.rules[d] {
			r := &p.rules[d][i]
			if r.action != ActionLog && e.matches(r, d, q) == yes {
				return r.action
			}
		}
	}
	return t.tier.fallback
}

// local is the end that the direction's policies apply to.
func (q *query) local(d Direction) *endpoint {
	if d == Egress {
		return &q.from
	}
	return &q.to
}

// remote is the other end.
func (q *query) remote(d Direction) *endpoint {
	if d == Egress {
		return &q.to
	}
	return &q.from
}

func (e *Engine) matches(r *rule, d Direction, q *query) truth {
	if !r.family.meets(q.family) {
		return no
	}
	best := no
	for i := range r.clauses {
		if t := e.holds(&r.clauses[i], d, q); t > best {
			best = t
			if t == yes {
				break
			}
		}
	}
	if best == yes && r.maybe != "" {
		return maybe
	}
	return best
}

// holds evaluates one clause: ports first, they are cheap and refuse most.
func (e *Engine) holds(c *clause, d Direction, q *query) truth {
	best := yes
	if c.ports != nil {
		best = no
		for i := range c.ports {
			if best = max(best, e.portMatches(&c.ports[i], q)); best == yes {
				break
			}
		}
	}
	for i := 0; best != no && i < len(c.not); i++ {
		switch e.portMatches(&c.not[i], q) {
		case yes:
			return no
		case maybe:
			best = maybe
		case no:
		}
	}
	if best == no || !c.peer.has(q.remote(d)) || !c.local.has(q.local(d)) {
		return no
	}
	return best
}

// portMatches holds one port item against what is known of the connection.
func (e *Engine) portMatches(p *port, q *query) truth {
	if p.name == 0 {
		switch {
		case q.first >= p.interval.First && q.last <= p.interval.Last:
			return yes
		case q.last < p.interval.First || q.first > p.interval.Last:
			return no
		default:
			return maybe
		}
	}
	if p.protocol != q.protocol || q.to.end < 0 {
		return no // only pods have named ports
	}
	for _, n := range e.top.ends[q.to.end].ports {
		if n.name == p.name && n.protocol == p.protocol && l4.Point(n.protocol, n.port) == q.first {
			return yes
		}
	}
	return no
}
