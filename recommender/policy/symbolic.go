// SPDX-License-Identifier: Apache-2.0

package policy

import "github.com/netcinch/netcinch/recommender/policy/l4"

// permits gives everything that one direction's policies allow between two
// ends: the same walk as decide, on sets of points instead of one point.
func (e *Engine) permits(d Direction, from, to *endpoint, f family) l4.Set {
	local := from
	if d == Ingress {
		local = to
	}
	if local.end < 0 {
		return everything
	}
	g := &e.groups[d][e.group[d][local.end]]
	remaining := everything
	var allowed l4.Set
	for i := range g.tiers {
		var passed l4.Set
		for _, p := range g.tiers[i].policies {
			for k := range p.rules[d] {
				r := &p.rules[d][k]
				if r.action == ActionLog {
					continue
				}
				hit := e.ruleSet(r, d, from, to, f).Intersect(remaining)
				if hit.Empty() {
					continue
				}
				remaining = remaining.Minus(hit)
				switch r.action {
				case ActionAllow:
					allowed = allowed.Union(hit)
				case ActionPass:
					passed = passed.Union(hit)
				case ActionDeny, ActionLog:
				}
			}
		}
		if g.tiers[i].tier.fallback != ActionPass {
			remaining = nil
		}
		if remaining = remaining.Union(passed); remaining.Empty() {
			return allowed
		}
	}
	return allowed.Union(remaining)
}

var everything = l4.All()

// ruleSet gives the points where a rule matches between two ends. A rule that
// hangs on what no connection tells never matches, as in matches.
func (e *Engine) ruleSet(r *rule, d Direction, from, to *endpoint, f family) l4.Set {
	if !r.family.meets(f) || r.maybe != "" {
		return nil
	}
	local, remote := from, to
	if d == Ingress {
		local, remote = to, from
	}
	var out l4.Set
	for i := range r.clauses {
		c := &r.clauses[i]
		if c.peer.has(remote) && c.local.has(local) {
			out = out.Union(e.clauseSet(c, to))
		}
	}
	return out
}

// clauseSet gives the points of a clause's ports at a destination.
func (e *Engine) clauseSet(c *clause, to *endpoint) l4.Set {
	if !c.named {
		return c.points
	}
	set := everything
	if c.ports != nil {
		set = e.portsSet(c.ports, to)
	}
	return set.Minus(e.portsSet(c.not, to))
}

func (e *Engine) portsSet(ports []port, to *endpoint) l4.Set {
	var in []l4.Interval
	for i := range ports {
		p := &ports[i]
		if p.name == 0 {
			in = append(in, p.interval)
			continue
		}
		if to.end < 0 {
			continue
		}
		for _, n := range e.top.ends[to.end].ports {
			if n.name == p.name && n.protocol == p.protocol {
				in = append(in, l4.Ports(n.protocol, n.port, n.port))
			}
		}
	}
	return l4.Of(in...)
}

// settle computes what of a policy's clauses does not hang on the destination.
func (c *compiled) settle() {
	for d := range c.rules {
		for i := range c.rules[d] {
			for k := range c.rules[d][i].clauses {
				c.rules[d][i].clauses[k].settle()
			}
		}
	}
}

func (c *clause) settle() {
	var in, out []l4.Interval
	for _, p := range c.ports {
		c.named = c.named || p.name != 0
		in = append(in, p.interval)
	}
	for _, p := range c.not {
		c.named = c.named || p.name != 0
		out = append(out, p.interval)
	}
	if c.named {
		return
	}
	c.points = everything
	if c.ports != nil {
		c.points = l4.Of(in...).Intersect(everything)
	}
	c.points = c.points.Minus(l4.Of(out...))
}
