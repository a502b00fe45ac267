// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// setLabel is the label that rules find a network set of ours by.
const setLabel = "netcinch.io/set"

// everyPod selects pods, and not the network sets beside them, which all() would
// select too.
const everyPod = "projectcalico.org/orchestrator == 'k8s'"

// networkSet is the addresses of one outside name.
type networkSet struct {
	name    string // of the object, and value of its label
	dns     string
	targets []target
}

// calicoWriter writes the rules of a new Calico policy.
type calicoWriter struct {
	*fresh
	policy string
	inline bool // addresses in the rules, no network sets
	sets   map[string]*networkSet
}

// calicoManifest writes the policy as Calico's, and the network sets that it
// refers to as further documents.
func (f *fresh) calicoManifest() []*yaml.Node {
	w := &calicoWriter{fresh: f, policy: f.name(), inline: f.inline, sets: map[string]*networkSet{}}
	spec := edit.Map()
	if t := f.input.Calico.Tier; t != "" {
		spec.Content = append(spec.Content, edit.Text("tier"), edit.Text(t))
	}
	types := edit.Flow(edit.List())
	spec.Content = append(spec.Content,
		edit.Text("order"), number(f.input.Calico.order()),
		edit.Text("selector"), edit.Text(selectorOf(f.selected.labels)),
		edit.Text("types"), types,
	)
	for _, d := range f.directions {
		types.Content = append(types.Content, edit.Text(d.String()))
		rules := edit.List()
		for _, g := range f.books[d].needs.cover() {
			rules.Content = append(rules.Content, w.rules(d, g)...)
		}
		key := edit.Text(lower(d))
		if len(rules.Content) == 0 {
			edit.Flow(rules)
			key.HeadComment = fmt.Sprintf("no %s was seen: all of it is denied", lower(d))
		}
		spec.Content = append(spec.Content, key, rules)
	}
	root := edit.Map(
		edit.Text("apiVersion"), edit.Text(calicoVersion),
		edit.Text("kind"), edit.Text("NetworkPolicy"),
		edit.Text("metadata"), edit.Map(edit.Text("name"), edit.Text(f.input.Calico.name(w.policy)), edit.Text("namespace"), edit.Text(f.subject.Namespace)),
		edit.Text("spec"), spec,
	)
	root.Content[0].HeadComment = strings.Join(f.header(), "\n")
	out := []*yaml.Node{root}
	for _, name := range slices.Sorted(maps.Keys(w.sets)) {
		out = append(out, w.sets[name].manifest(f.subject.Namespace))
	}
	return out
}

func number(f float64) *yaml.Node {
	if whole := int64(f); float64(whole) == f {
		return edit.Number(whole)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strconv.FormatFloat(f, 'f', -1, 64)}
}

func selectorOf(labels map[string]string) string {
	return calicoSelector([]target{{selected: selection{labels: labels}}})
}

// rules writes a group as rules: one for each kind of peer and protocol, since
// a rule of Calico names one of either.
func (w *calicoWriter) rules(d policy.Direction, g group) []*yaml.Node {
	b := w.books[d]
	ports := map[flow.Protocol][]portKey{}
	var protocols []flow.Protocol
	for _, k := range g.ports {
		p := b.ports[k]
		protocol := p.protocol
		if p.any {
			protocol = 0
		}
		if !slices.Contains(protocols, protocol) {
			protocols = append(protocols, protocol)
		}
		ports[protocol] = append(ports[protocol], p.portKey)
	}
	slices.Sort(protocols)
	var out []*yaml.Node
	for _, e := range w.entities(d, g) {
		for _, protocol := range protocols {
			out = append(out, w.rule(d, e, protocol, ports[protocol]))
		}
	}
	if len(out) > 0 {
		out[0].HeadComment = b.comment(g)
	}
	return out
}

// entities writes the peers of a group: everybody, workloads by namespace,
// network sets, addresses.
func (w *calicoWriter) entities(d policy.Direction, g group) []*yaml.Node {
	workloads := map[string][]target{}
	named := map[string][]target{}
	var nets []target
	var out []*yaml.Node
	for _, k := range g.peers {
		switch t := w.books[d].targets[k]; {
		case t.anyone:
			return []*yaml.Node{nil}
		case t.space != "":
			e := edit.Map(edit.Text("selector"), edit.Text(everyPod))
			if t.space != w.subject.Namespace {
				e.Content = append(e.Content, edit.Text("namespaceSelector"), edit.Text(corev1.LabelMetadataName+" == "+quote(t.space)))
			}
			out = append(out, e)
		case !t.workload.IsZero():
			workloads[t.workload.Namespace] = append(workloads[t.workload.Namespace], t)
		case t.name != "" && !t.isNode() && !w.inline:
			named[t.name] = append(named[t.name], t)
		default:
			nets = append(nets, t)
		}
	}
	for _, ns := range slices.Sorted(maps.Keys(workloads)) {
		e := edit.Map(edit.Text("selector"), edit.Text(calicoSelector(workloads[ns])))
		if ns != w.subject.Namespace {
			e.Content = append(e.Content, edit.Text("namespaceSelector"), edit.Text(corev1.LabelMetadataName+" == "+quote(ns)))
		}
		out = append(out, e)
	}
	for _, dns := range slices.Sorted(maps.Keys(named)) {
		set := w.set(dns, named[dns])
		out = append(out, edit.Map(edit.Text("selector"), edit.Text(setLabel+" == "+quote(set.name))))
	}
	if len(nets) > 0 {
		list := edit.List()
		for _, t := range nets {
			list.Content = append(list.Content, cidr(t))
		}
		out = append(out, edit.Map(edit.Text("nets"), list))
	}
	return out
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// maxSetName is how long the name of a network set may be: it is a label's
// value too.
const maxSetName = 63

// set finds the network set of some addresses of a name.
func (w *calicoWriter) set(dns string, targets []target) *networkSet {
	base := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(w.subject.Name+"-"+dns), "-"), "-")
	base = strings.Trim(base[:min(len(base), maxSetName-4)], "-")
	name := base
	for try := 2; ; try++ {
		known := w.sets[name]
		if known == nil {
			w.sets[name] = &networkSet{name: name, dns: dns, targets: targets}
			return w.sets[name]
		}
		if known.dns == dns && slices.EqualFunc(known.targets, targets, func(a, b target) bool { return a.prefix == b.prefix }) {
			return known
		}
		name = base + "-" + strconv.Itoa(try)
	}
}

func (s *networkSet) manifest(namespace string) *yaml.Node {
	nets := edit.List()
	for _, t := range s.targets {
		nets.Content = append(nets.Content, edit.Text(t.prefix.String()))
	}
	root := edit.Map(
		edit.Text("apiVersion"), edit.Text(calicoVersion),
		edit.Text("kind"), edit.Text("NetworkSet"),
		edit.Text("metadata"), edit.Map(
			edit.Text("name"), edit.Text(s.name), edit.Text("namespace"), edit.Text(namespace),
			edit.Text("labels"), edit.Map(edit.Text(setLabel), edit.Text(s.name)),
		),
		edit.Text("spec"), edit.Map(edit.Text("nets"), nets),
	)
	root.Content[0].HeadComment = fmt.Sprintf("# The addresses of %s that were seen.", s.dns)
	return root
}

// rule writes one rule; protocol 0 leaves it open.
func (w *calicoWriter) rule(d policy.Direction, entity *yaml.Node, protocol flow.Protocol, ports []portKey) *yaml.Node {
	rule := edit.Map(edit.Text("action"), edit.Text("Allow"))
	if protocol != 0 {
		name := edit.Text(protocol.String())
		if _, err := strconv.Atoi(protocol.String()); err == nil {
			name = edit.Number(int64(protocol))
		}
		rule.Content = append(rule.Content, edit.Text("protocol"), name)
	}
	source, destination := edit.Map(), edit.Map()
	if entity != nil {
		far, _ := ends(d, source, destination)
		far.Content = append(far.Content, edit.Clone(entity).Content...)
	}
	if protocol.HasPorts() {
		list := edit.Flow(edit.List())
		for _, r := range runs(slices.Clone(ports)) {
			if r.last == r.port {
				list.Content = append(list.Content, edit.Number(int64(r.port)))
			} else {
				list.Content = append(list.Content, edit.Text(strconv.Itoa(int(r.port))+":"+strconv.Itoa(int(r.last))))
			}
		}
		destination.Content = append(destination.Content, edit.Text("ports"), list)
	}
	for _, side := range []struct {
		name string
		node *yaml.Node
	}{{"source", source}, {"destination", destination}} {
		if len(side.node.Content) > 0 {
			rule.Content = append(rule.Content, edit.Text(side.name), side.node)
		}
	}
	return rule
}

// ends gives the far side and the near one of a rule.
func ends[T any](d policy.Direction, source, destination T) (far, near T) {
	if d == policy.Ingress {
		return source, destination
	}
	return destination, source
}
