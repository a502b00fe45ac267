// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// span is a stretch of lines in a file, from 1; zero where not known.
type span struct{ first, last int }

// place finds what a finding is about in the policy's manifest: a rule, or with
// peer or port ≥ 0 the item in it.
func (f *finder) place(o *cluster.Object, scope Scope, id policy.AllowanceID) span {
	node := f.document(o)
	if node == nil {
		return span{}
	}
	if scope != ScopePolicy {
		node = item(child(child(node, "spec"), lower(id.Direction)), id.Rule)
		switch scope {
		case ScopePeer:
			node = firstOf(item(firstOf(child(node, "from"), child(node, "to")), id.Peer), child(node, farKey(id.Direction)), node)
		case ScopePort:
			node = firstOf(item(child(node, "ports"), id.Port), item(child(child(node, "destination"), "ports"), id.Port), node)
		case ScopePolicy, ScopeRule, ScopeEdge:
		}
	}
	if node == nil {
		return span{}
	}
	offset := max(o.Source.Line, 1) - 1
	return span{node.Line + offset, lastLine(node) + offset}
}

// document parses a policy's manifest, one at a time: findings come policy by
// policy. Nil where there is none.
func (f *finder) document(o *cluster.Object) *yaml.Node {
	if o == nil || o.Source.File == "" && len(o.Source.YAML) == 0 {
		return nil
	}
	node, parsed := f.places[o.Ref]
	if parsed {
		return node
	}
	var doc yaml.Node
	if yaml.Unmarshal(o.Source.YAML, &doc) == nil && len(doc.Content) > 0 {
		node = doc.Content[0]
	}
	clear(f.places)
	f.places[o.Ref] = node
	return node
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

func item(n *yaml.Node, i int) *yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode || i < 0 || i >= len(n.Content) {
		return nil
	}
	return n.Content[i]
}

func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}
