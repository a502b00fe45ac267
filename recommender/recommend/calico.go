// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// narrow changes one rule to one part.
func (c calico) narrow(rule *yaml.Node, p plan, part calicoPart, copied bool) {
	far := "source"
	if p.shape.id.direction == policy.Egress {
		far = "destination"
	}
	first := p.book.targets[part.peers[0]]
	switch {
	case first.anyone, first.original >= 0 && !p.shape.peers[first.original].addresses:
	case !first.workload.IsZero():
		c.selectWorkloads(field(rule, far), p, part, copied)
	default:
		c.setNets(field(rule, far), p, part)
	}
	if part.protocol != 0 && edit.Field(rule, "protocol") == nil {
		edit.SetField(rule, "protocol", edit.Text(part.protocol.String()))
	}
	c.setPorts(rule, p, part)
}

// field gives a mapping's field, added where it is not there.
func field(mapping *yaml.Node, name string) *yaml.Node {
	n := edit.Field(mapping, name)
	if n == nil || n.Kind != yaml.MappingNode {
		n = edit.Map()
		edit.SetField(mapping, name, n)
	}
	return n
}

// selectWorkloads writes the selectors of workloads of one namespace. The
// author's namespaceSelector stays where it lets in nobody else.
func (c calico) selectWorkloads(far *yaml.Node, p plan, part calicoPart, copied bool) {
	var targets []target
	exact := edit.Field(far, "namespaceSelector") != nil
	for _, key := range part.peers {
		t := p.book.targets[key]
		targets = append(targets, t)
		exact = exact && c.only(p.shape.id, t, p.source[key])
	}
	text := edit.Text(calicoSelector(targets))
	if old := edit.Field(far, "selector"); old != nil && old.Kind == yaml.ScalarNode {
		text.Style = old.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
	}
	if !copied {
		text.LineComment = p.book.of(group{part.peers, part.ports}).text()
	}
	edit.RemoveField(far, "nets")
	edit.SetField(far, "selector", text)
	ns := targets[0].workload.Namespace
	switch {
	case exact:
	case ns == c.ref.Namespace:
		edit.RemoveField(far, "namespaceSelector")
	default:
		edit.SetField(far, "namespaceSelector", edit.Text("kubernetes.io/metadata.name == "+quote(ns)))
	}
}

// calicoSelector selects any of some workloads of one namespace.
func calicoSelector(targets []target) string {
	key, values := "", []string{}
	for _, t := range targets {
		for k, v := range t.selected.labels {
			if len(t.selected.labels) == 1 && (key == "" || key == k) {
				key = k
				values = append(values, quote(v))
			}
		}
	}
	if len(targets) > 1 && len(values) == len(targets) {
		slices.Sort(values)
		return key + " in {" + strings.Join(slices.Compact(values), ", ") + "}"
	}
	var parts []string
	for _, t := range targets {
		var terms []string
		for _, k := range slices.Sorted(maps.Keys(t.selected.labels)) {
			terms = append(terms, k+" == "+quote(t.selected.labels[k]))
		}
		text := strings.Join(terms, " && ")
		if len(targets) > 1 && len(terms) > 1 {
			text = "(" + text + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " || ")
}

// quote: label values have no quotes, and Calico's strings no escapes.
func quote(s string) string { return "'" + s + "'" }

func (c calico) setNets(far *yaml.Node, p plan, part calicoPart) {
	old := edit.Field(far, "nets")
	var items []*yaml.Node
	for _, key := range part.peers {
		t := p.book.targets[key]
		if t.original >= 0 && old != nil {
			items = append(items, old.Content[t.original])
			continue
		}
		items = append(items, cidr(t))
	}
	if old != nil && old.Kind == yaml.SequenceNode {
		old.Content = items
		return
	}
	edit.SetField(far, "nets", edit.List(items...))
}

func (c calico) setPorts(rule *yaml.Node, p plan, part calicoPart) {
	destination := edit.Field(rule, "destination")
	old := edit.Field(destination, "ports")
	var items []*yaml.Node
	var fresh []portKey
	for _, key := range part.ports {
		switch s := p.book.ports[key]; {
		case s.any:
			return
		case s.original >= 0 && old != nil:
			items = append(items, old.Content[s.original])
		default:
			fresh = append(fresh, s.portKey)
		}
	}
	for _, r := range runs(fresh) {
		if r.last == r.port {
			items = append(items, edit.Number(int64(r.port)))
		} else {
			items = append(items, edit.Text(strconv.Itoa(int(r.port))+":"+strconv.Itoa(int(r.last))))
		}
	}
	if old != nil && old.Kind == yaml.SequenceNode {
		old.Content = items
		return
	}
	edit.SetField(field(rule, "destination"), "ports", edit.Flow(edit.List(items...)))
}

func clearComments(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	for _, c := range n.Content {
		clearComments(c)
	}
}

// only says whether labels, within a peer of a rule, select the target and
// nobody else: then the author's namespaceSelector can stay.
func (o *owners) only(r ruleID, t target, peer int) bool {
	for _, id := range o.atomsOf(r) {
		if id.Peer != peer {
			continue
		}
		reached := o.reach[id].workloads
		for _, wl := range o.labelled(t.selected.labels) {
			if _, ok := reached[wl]; !ok || wl == t.workload || slices.Contains(t.selected.caught, wl) && wl.Namespace == t.workload.Namespace {
				continue
			}
			if slices.ContainsFunc(o.index.Pods(wl), func(pod *cluster.Pod) bool { return matches(t.selected.labels, pod.Labels) }) {
				return false
			}
		}
		return true
	}
	return false
}

func matches(want, have map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}
