// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// span is a stretch of lines in a file, from 1; zero where not known.
type span struct{ first, last int }

// layout says where the parts of a policy stand in its manifest. Lines count
// from the first of the document.
type layout struct {
	whole span
	rules [2][]ruleLayout // by direction
}

// located is the layout of a policy, which may be compiled to several.
type located struct {
	once sync.Once
	layout
}

type ruleLayout struct {
	whole, far   span // far: where a Calico rule speaks of the other end
	peers, ports []span
}

// newLayout reads a manifest; zero where there is none.
func newLayout(root *yaml.Node) layout {
	var l layout
	if root == nil {
		return l
	}
	l.whole = spanOf(root)
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		rules := child(child(root, "spec"), lower(d))
		if rules == nil || rules.Kind != yaml.SequenceNode {
			continue
		}
		for _, n := range rules.Content {
			ports := child(n, "ports")
			if ports == nil || ports.Kind != yaml.SequenceNode || len(ports.Content) == 0 {
				ports = child(child(n, "destination"), "ports")
			}
			l.rules[d] = append(l.rules[d], ruleLayout{
				whole: spanOf(n), far: spanOf(child(n, farKey(d))), peers: spansOf(firstOf(child(n, "from"), child(n, "to"))), ports: spansOf(ports),
			})
		}
	}
	return l
}

func spanOf(n *yaml.Node) span {
	if n == nil {
		return span{}
	}
	return span{n.Line, lastLine(n)}
}

func spansOf(list *yaml.Node) []span {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	out := make([]span, 0, len(list.Content))
	for _, n := range list.Content {
		out = append(out, spanOf(n))
	}
	return out
}

// place finds what a finding is about in the policy's manifest: a rule, or with
// peer or port ≥ 0 the item in it.
func (f *finder) place(o *cluster.Object, scope Scope, id policy.AllowanceID) span {
	if o == nil {
		return span{}
	}
	l := f.uses.layouts[o.Ref]
	if l == nil {
		return span{}
	}
	at := l.whole
	if rules := l.rules[id.Direction]; scope != ScopePolicy {
		if id.Rule < 0 || id.Rule >= len(rules) {
			return span{}
		}
		at = rules[id.Rule].at(scope, id)
	}
	if at == (span{}) {
		return at
	}
	offset := max(o.Source.Line, 1) - 1
	return span{at.first + offset, at.last + offset}
}

func (r *ruleLayout) at(scope Scope, id policy.AllowanceID) span {
	switch scope {
	case ScopePeer:
		if id.Peer >= 0 && id.Peer < len(r.peers) {
			return r.peers[id.Peer]
		}
		if r.far != (span{}) {
			return r.far
		}
	case ScopePort:
		if id.Port >= 0 && id.Port < len(r.ports) {
			return r.ports[id.Port]
		}
	case ScopePolicy, ScopeRule, ScopeEdge:
	}
	return r.whole
}

// farKey is where a Calico rule speaks of the other end.
func farKey(d policy.Direction) string {
	if d == policy.Ingress {
		return "source"
	}
	return "destination"
}

func firstOf(nodes ...*yaml.Node) *yaml.Node {
	for _, n := range nodes {
		if n != nil {
			return n
		}
	}
	return nil
}

func child(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}
