// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

func (t *tightening) change(kind ChangeKind, shape ruleShape, node *yaml.Node, text string) {
	line := node.Line
	if source := &t.object.Source; source.File != "" && line > 0 {
		line += max(source.Line, 1) - 1
	}
	t.changes = append(t.changes, Change{Kind: kind, Text: text, Direction: shape.id.direction.String(), Rule: shape.id.rule, Line: line})
}

func (t *tightening) ruleName(shape ruleShape) string {
	text := fmt.Sprintf("%s rule %d", upper(lower(shape.id.direction)), shape.id.rule+1)
	if atoms := t.atomsOf(shape.id); len(atoms) > 0 {
		var peers, ports []string
		for _, id := range atoms {
			peers = appendNew(peers, t.atoms[id].Peer)
			ports = appendNew(ports, t.atoms[id].Port)
		}
		text += fmt.Sprintf(" (%s; %s)", analyze.List(peers, 3), analyze.List(ports, 4))
	}
	return text
}

// explain says in words what becomes of a rule.
func (t *tightening) explain(p plan, node *yaml.Node) {
	keptPeers, keptPorts := map[int]bool{}, map[int]bool{}
	for _, g := range p.groups {
		for _, k := range g.peers {
			keptPeers[p.book.targets[k].original] = keptPeers[p.book.targets[k].original] || p.book.targets[k].original >= 0
		}
		for _, k := range g.ports {
			keptPorts[p.book.ports[k].original] = p.book.ports[k].original >= 0
		}
	}
	rule := fmt.Sprintf("%s rule %d", lower(p.shape.id.direction), p.shape.id.rule+1)
	for j := range p.shape.ports {
		if !keptPorts[j] && p.shape.ports[j].single() {
			t.change(ChangeRemove, p.shape, portNode(node, j, len(p.shape.ports)), fmt.Sprintf("Port %s goes from %s: nobody used it", t.portText(p.shape.id, j), rule))
		}
	}
	for i := range p.shape.peers {
		if !keptPeers[i] && !t.narrowed(p, i) {
			t.change(ChangeRemove, p.shape, node, fmt.Sprintf("The peer %q goes from %s: it used nothing", t.peerText(p.shape.id, i), rule))
		}
	}
	kind := ChangeNarrow
	if len(p.groups) > 1 {
		kind = ChangeSplit
	}
	if t.wroteNew(p) || len(p.groups) > 1 {
		var parts []string
		for _, g := range p.groups {
			parts = append(parts, fmt.Sprintf("%s on %s (%s)", analyze.List(t.targetTexts(p, g), 6), analyze.List(t.portTexts(p, g), 8), p.book.of(g).text()))
		}
		t.change(kind, p.shape, node, fmt.Sprintf("%s becomes: %s", upper(rule), strings.Join(parts, "; ")))
	}
}

// portNode finds a port of a rule of so many; the rule where it is not listed.
func portNode(rule *yaml.Node, j, of int) *yaml.Node {
	for _, list := range []*yaml.Node{edit.Field(rule, "ports"), edit.Field(edit.Field(rule, "destination"), "ports")} {
		if list != nil && list.Kind == yaml.SequenceNode && len(list.Content) == of {
			return list.Content[j]
		}
	}
	return rule
}

func (t *tightening) narrowed(p plan, i int) bool {
	for key, from := range p.source {
		if from == i && len(p.book.needs[key]) > 0 {
			return true
		}
	}
	return false
}

func (t *tightening) wroteNew(p plan) bool {
	for _, g := range p.groups {
		if slices.ContainsFunc(g.peers, func(k string) bool { return p.book.targets[k].original < 0 && !p.book.targets[k].anyone }) ||
			slices.ContainsFunc(g.ports, func(k string) bool { return p.book.ports[k].original < 0 && !p.book.ports[k].any }) {
			return true
		}
	}
	return false
}

func (t *tightening) targetTexts(p plan, g group) []string {
	var out []string
	for _, k := range g.peers {
		if at := p.book.targets[k]; at.original >= 0 {
			out = append(out, t.peerText(p.shape.id, at.original))
		} else {
			out = append(out, at.text())
		}
	}
	return out
}

func (t *tightening) portTexts(p plan, g group) []string {
	var out []string
	for _, k := range g.ports {
		switch s := p.book.ports[k]; {
		case s.any:
			out = append(out, "any port")
		case s.original >= 0:
			out = append(out, t.portText(p.shape.id, s.original))
		default:
			out = append(out, s.String())
		}
	}
	return out
}

func (t *tightening) peerText(r ruleID, i int) string {
	for _, id := range t.atomsOf(r) {
		if id.Peer == i {
			return t.atoms[id].Peer
		}
	}
	return fmt.Sprintf("peer %d", i+1)
}

func (t *tightening) portText(r ruleID, j int) string {
	for _, id := range t.atomsOf(r) {
		if id.Port == j {
			return t.atoms[id].Port
		}
	}
	return fmt.Sprintf("port %d", j+1)
}
