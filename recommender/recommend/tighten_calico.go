// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// calico edits a Calico NetworkPolicy or GlobalNetworkPolicy. One of its rules
// names one entity and one protocol, so a product of several becomes several
// rules, at the place of the one that they come from: order counts.
type calico struct {
	ref             cluster.Ref
	ingress, egress []calicov3.Rule
	directions      []calicov3.PolicyType
	only            func(i ruleID, t target, peer int) bool
}

func (c calico) types() (string, []string) {
	var names []string
	for _, t := range c.directions {
		names = append(names, string(t))
	}
	return "types", names
}

func (c calico) shapes(d policy.Direction) []*ruleShape {
	rules := c.ingress
	if d == policy.Egress {
		rules = c.egress
	}
	out := make([]*ruleShape, len(rules))
	for i := range rules {
		if rules[i].Action == calicov3.Allow {
			out[i] = c.shape(ruleID{c.ref, d, i}, &rules[i])
		}
	}
	return out
}

func (c calico) shape(id ruleID, r *calicov3.Rule) *ruleShape {
	s := &ruleShape{id: id}
	far := &r.Source
	if id.direction == policy.Egress {
		far = &r.Destination
	}
	// What is said by other means than selector, namespaceSelector and nets
	// stays as its author wrote it.
	fixed := far.NotSelector != "" || len(far.NotNets) > 0 || far.ServiceAccounts != nil || len(far.Nets) > 0 && (far.Selector != "" || far.NamespaceSelector != "")
	s.fixed = far.Services != nil || r.ICMP != nil || r.NotICMP != nil || r.HTTP != nil || r.NotProtocol != nil || len(r.Destination.NotPorts) > 0
	switch {
	case len(far.Nets) > 0:
		for _, net := range far.Nets {
			prefix, err := netip.ParsePrefix(net)
			s.peers = append(s.peers, peerShape{addresses: true, prefix: prefix, everybody: err == nil && prefix.Bits() == 0 && !fixed, fixed: fixed})
		}
	case far.Selector != "" || far.NamespaceSelector != "" || fixed || far.Services != nil:
		s.peers = []peerShape{{fixed: fixed}}
	}
	protocol := flow.TCP
	if r.Protocol != nil {
		if p, err := flow.ParseProtocol(r.Protocol.String()); err == nil {
			protocol = p
		}
	}
	for _, p := range r.Destination.Ports {
		s.ports = append(s.ports, calicoPortShape(protocol, p))
	}
	return s
}

func calicoPortShape(protocol flow.Protocol, p numorstring.Port) portShape {
	if p.PortName != "" {
		return portShape{protocol: protocol, named: true}
	}
	return portShape{protocol: protocol, first: p.MinPort, last: p.MaxPort}
}

// calicoPart is one rule to be: an entity, a protocol and its ports.
type calicoPart struct {
	peers    []string // keys; all of one namespace, or all addresses, or one original
	ports    []string
	protocol flow.Protocol // 0: as in the author's rule
}

func (c calico) rewrite(rule *yaml.Node, p plan) ([]*yaml.Node, error) {
	var parts []calicoPart
	main := p.main()
	for _, i := range append([]int{main}, slices.DeleteFunc(indexes(len(p.groups)), func(i int) bool { return i == main })...) {
		for _, peers := range c.entities(p, p.groups[i].peers) {
			for _, protocol := range protocols(p, p.groups[i].ports) {
				parts = append(parts, calicoPart{peers, portsOf(p, p.groups[i].ports, protocol), protocol})
			}
		}
	}
	if rule.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: the rule is not written as a plain mapping", rule.Line)
	}
	out := []*yaml.Node{rule}
	for range parts[1:] {
		out = append(out, edit.Clone(rule))
	}
	for i, part := range parts {
		if i > 0 {
			clearComments(out[i])
			out[i].HeadComment = p.book.of(group{part.peers, part.ports}).text()
		}
		c.narrow(out[i], p, part, i > 0)
	}
	return out, nil
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// entities splits peers into what one rule can name.
func (c calico) entities(p plan, peers []string) [][]string {
	at := map[string][]string{}
	for _, key := range peers {
		t := p.book.targets[key]
		kind := "3"
		switch {
		case t.anyone:
			kind = "0"
		case t.original >= 0 && !p.shape.peers[t.original].addresses:
			kind = "1"
		case !t.workload.IsZero():
			kind = "2" + t.workload.Namespace
		}
		at[kind] = append(at[kind], key)
	}
	var out [][]string
	for _, kind := range slices.Sorted(maps.Keys(at)) {
		out = append(out, at[kind])
	}
	return out
}

// protocols lists the protocols of a group that have to be written; 0 stands
// for what the author's rule says.
func protocols(p plan, ports []string) []flow.Protocol {
	var out []flow.Protocol
	for _, key := range ports {
		s := p.book.ports[key]
		protocol := s.protocol
		if s.any {
			protocol = 0
		}
		if !slices.Contains(out, protocol) {
			out = append(out, protocol)
		}
	}
	return out
}

func portsOf(p plan, ports []string, protocol flow.Protocol) []string {
	return slices.DeleteFunc(slices.Clone(ports), func(key string) bool {
		s := p.book.ports[key]
		if s.any {
			return protocol != 0
		}
		return s.protocol != protocol
	})
}

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
		for wl := range o.reach[id].workloads {
			if wl == t.workload || slices.Contains(t.selected.caught, wl) && wl.Namespace == t.workload.Namespace {
				continue
			}
			for _, pod := range o.index.Pods(wl) {
				if matches(t.selected.labels, pod.Labels) {
					return false
				}
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
