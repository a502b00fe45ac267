// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// lower gives a direction as it reads within a sentence.
func lower(d Direction) string { return strings.ToLower(d.String()) }

// atomText is one line for people: "NetworkPolicy shop/db ingress rule 1, peer
// 2 (pods app=api in namespace shop), port TCP 5432". It counts from 1.
func (e *Engine) atomText(id AllowanceID, c *clause, p *port) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s rule %d, ", id.Policy, lower(id.Direction), id.Rule+1)
	if id.Peer >= 0 {
		fmt.Fprintf(&b, "peer %d (%s), ", id.Peer+1, c.text)
	} else {
		b.WriteString(c.text + ", ")
	}
	text := e.portText(c, p)
	if !strings.HasSuffix(text, "any port") && !strings.HasPrefix(text, "all ") {
		b.WriteString("port ")
	}
	b.WriteString(text)
	return b.String()
}

// portText is a port item as a person reads it: "TCP 5432", "TCP 8000-8100",
// "TCP http", "any port".
func (e *Engine) portText(c *clause, p *port) string {
	text := "any port"
	if p != nil {
		text = e.top.portItemText(p)
	}
	if len(c.not) == 0 {
		return text
	}
	var not []string
	for i := range c.not {
		not = append(not, e.top.portItemText(&c.not[i]))
	}
	return text + " except " + strings.Join(not, ", ")
}

func (t *topology) portItemText(p *port) string {
	if p.name == 0 {
		ranges := l4.Set{p.interval}.Ranges()
		if len(ranges) == 1 {
			return ranges[0].String()
		}
		return l4.Set{p.interval}.String()
	}
	t.compiling.Lock()
	defer t.compiling.Unlock()
	for name, n := range t.portNames {
		if n == p.name {
			return p.protocol.String() + " " + name
		}
	}
	return p.protocol.String()
}

// noMatch writes down that a policy applies and none of its rules matched, with
// the nearest miss and what would have to change.
func (w *walk) noMatch(t *groupTier, p *compiled) {
	rules := p.rules[w.direction]
	who := "pod"
	if w.engine.top.ends[w.q.local(w.direction).end].isNode() {
		who = "node"
	}
	text := fmt.Sprintf("%s selects the %s for %s and has no %s rules, so it allows nothing", p.ref(), who, lower(w.direction), lower(w.direction))
	if len(rules) > 0 {
		text = fmt.Sprintf("%s selects the %s for %s and none of its %d rules matches%s", p.ref(), who, lower(w.direction), len(rules), w.nearest(p))
	}
	if t.tier.fallback == ActionDeny {
		text += "; " + w.remedy()
	}
	w.steps = append(w.steps, Step{Kind: StepNoMatch, Action: t.tier.fallback, Policy: p.ref(), Tier: t.name(), Text: text})
}

// nearest names a rule that matches all but the peer, or all but the port.
func (w *walk) nearest(p *compiled) string {
	for _, wantPeer := range []bool{true, false} {
		for i := range p.rules[w.direction] {
			r := &p.rules[w.direction][i]
			for k := range r.clauses {
				c := &r.clauses[k]
				peer := c.peer.has(w.q.remote(w.direction))
				ports := *c
				ports.peer, ports.local = nil, nil
				switch {
				case r.action != ActionAllow:
				case wantPeer && peer:
					return fmt.Sprintf(" (rule %d matches the peer but not %s)", r.index+1, w.asked())
				case !wantPeer && !peer && w.engine.holds(&ports, w.direction, w.q) == yes:
					return fmt.Sprintf(" (rule %d matches %s but not the peer)", r.index+1, w.asked())
				}
			}
		}
	}
	return ""
}

// asked is the connection's protocol and port.
func (w *walk) asked() string {
	if w.q.protocol.HasPorts() || w.q.first == w.q.last {
		r := l4.Range{Protocol: w.q.protocol, First: uint16(w.q.first), Last: uint16(w.q.last)}
		if w.q.protocol.HasPorts() || w.q.protocol == flow.ICMP || w.q.protocol == flow.ICMPv6 {
			return r.String()
		}
	}
	return w.q.protocol.String()
}

// remedy says what would allow the connection at this end.
func (w *walk) remedy() string {
	side := "from"
	if w.direction == Egress {
		side = "to"
	}
	return fmt.Sprintf("allowing it takes an %s rule %s %s on %s", lower(w.direction), side, w.engine.top.endpointText(w.q.remote(w.direction)), w.asked())
}

// endpointText names an end for people.
func (t *topology) endpointText(x *endpoint) string {
	switch {
	case x.end >= 0 && !t.ends[x.end].isNode():
		p := &t.snapshot.Pods[t.ends[x.end].pod]
		return "pod " + p.Namespace + "/" + p.Name
	case x.end >= 0 && t.ends[x.end].node >= 0:
		return "node " + t.nodeNames[t.ends[x.end].node]
	case x.addr.IsValid():
		return x.addr.String()
	case x.name != "":
		return x.name
	default:
		return "the peer"
	}
}
