// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

const defaultDeny = "default-deny"

// name is what such policies are usually called, unless it is taken.
func (c *companion) name() string {
	name := defaultDeny
	if !c.subject.IsZero() {
		name = c.subject.Name + "-" + defaultDeny
	}
	return c.free(name)
}

func (c *companion) free(name string) string {
	for slices.ContainsFunc(c.snapshot.Policies, func(o cluster.Object) bool {
		return o.Ref.Kind == "NetworkPolicy" && o.Ref.Namespace == c.namespace && o.Ref.Name == c.input.Calico.name(name)
	}) {
		name += "-netcinch"
	}
	return name
}

// manifests writes the policy, and after it those that keep name resolution.
func (c *companion) manifests(relies []analyze.Ref) []string {
	labels := map[string]string{}
	if !c.subject.IsZero() {
		labels = c.selection(c.subject).labels
	}
	selected := edit.Flow(edit.Map())
	selector := "all()"
	if len(labels) > 0 {
		selected, selector = labelSelector(labels), selectorOf(labels)
	}
	root := c.policy(c.name(), selected, selector, c.directions, nil)
	root.Content[0].HeadComment = strings.Join(c.header(relies), "\n")
	out := []string{render(root)}
	for i, group := range c.byLabel() {
		name := c.name() + "-dns"
		if i > 0 {
			name = fmt.Sprintf("%s-%d", name, i+1)
		}
		out = append(out, render(c.resolution(c.free(name), group)))
	}
	return out
}

// header is the comment at the top.
func (c *companion) header(relies []analyze.Ref) []string {
	w := c.report.Window
	lines := []string{
		fmt.Sprintf("# Denies by default all %s of %s that no other policy allows,", c.words(), c.whom()),
		fmt.Sprintf("# from what was seen from %s to %s.", analyze.Moment(w.From), analyze.Moment(w.To)),
	}
	if len(c.closes) == 0 {
		lines = append(lines, "# "+c.closesText()+".")
	} else {
		lines = append(lines, "# It closes what nobody was seen to need:")
	}
	for _, i := range c.closes {
		lines = append(lines, "#   "+i.text())
	}
	if len(relies) > 0 {
		lines = append(lines, "# "+reliesText(relies))
	}
	states, _ := c.states(c.closed())
	for _, s := range states {
		lines = append(lines, "# "+s.Text()+".")
	}
	return lines
}

// byLabel groups the workloads whose name resolution is kept: those that one
// label each tells apart can share a policy.
func (c *companion) byLabel() [][]flow.Workload {
	groups := map[string][]flow.Workload{}
	for _, wl := range c.names {
		labels := c.selection(wl).labels
		key := "\x00" + wl.String() // by itself
		if len(labels) == 1 {
			key = slices.Collect(maps.Keys(labels))[0]
		}
		groups[key] = append(groups[key], wl)
	}
	var out [][]flow.Workload
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, groups[key])
	}
	return out
}

// resolution lets some workloads ask the cluster's DNS.
func (c *companion) resolution(name string, workloads []flow.Workload) *yaml.Node {
	f := &fresh{world: c.world, subject: workloads[0], books: map[policy.Direction]*book{policy.Egress: newBook()}}
	var targets []target
	for _, wl := range workloads {
		f.subject = wl
		f.resolve(f.books[policy.Egress])
		targets = append(targets, workloadTarget(wl, c.selection(wl)))
	}
	root := c.policy(name, anyOf(targets), calicoSelector(targets), []policy.Direction{policy.Egress}, f)
	root.Content[0].HeadComment = "# Name resolution of what is closed otherwise."
	return root
}

// anyOf selects any of some workloads, which one label each tells apart where
// there are several.
func anyOf(targets []target) *yaml.Node {
	if len(targets) == 1 {
		return labelSelector(targets[0].selected.labels)
	}
	key := ""
	values := map[string]bool{}
	for _, t := range targets {
		for k, v := range t.selected.labels {
			key, values[v] = k, true
		}
	}
	list := edit.Flow(edit.List())
	for _, v := range sortedKeys(values) {
		list.Content = append(list.Content, edit.Text(v))
	}
	return edit.Map(edit.Text("matchExpressions"), edit.List(
		edit.Map(edit.Text("key"), edit.Text(key), edit.Text("operator"), edit.Text("In"), edit.Text("values"), list),
	))
}

// policy writes one policy of the format: with the rules of f, or without any.
func (c *companion) policy(name string, selected *yaml.Node, selector string, directions []policy.Direction, f *fresh) *yaml.Node {
	types := edit.Flow(edit.List())
	for _, d := range directions {
		types.Content = append(types.Content, edit.Text(d.String()))
	}
	version, spec := networkPolicyVersion, edit.Map(edit.Text("podSelector"), selected, edit.Text("policyTypes"), types)
	if c.input.Format.isCalico() {
		version, spec, name = calicoVersion, edit.Map(), c.input.Calico.name(name)
		if t := c.input.Calico.Tier; t != "" {
			spec.Content = append(spec.Content, edit.Text("tier"), edit.Text(t))
		}
		spec.Content = append(spec.Content, edit.Text("order"), number(c.input.Calico.order()), edit.Text("selector"), edit.Text(selector), edit.Text("types"), types)
	}
	if f != nil {
		spec.Content = append(spec.Content, edit.Text("egress"), c.rules(f))
	}
	return edit.Map(
		edit.Text("apiVersion"), edit.Text(version),
		edit.Text("kind"), edit.Text("NetworkPolicy"),
		edit.Text("metadata"), edit.Map(edit.Text("name"), edit.Text(name), edit.Text("namespace"), edit.Text(c.namespace)),
		edit.Text("spec"), spec,
	)
}

func (c *companion) rules(f *fresh) *yaml.Node {
	b := f.books[policy.Egress]
	list := edit.List()
	calico := &calicoWriter{fresh: f, inline: true}
	for _, g := range b.needs.cover() {
		if c.input.Format.isCalico() {
			list.Content = append(list.Content, calico.rules(policy.Egress, g)...)
		} else {
			list.Content = append(list.Content, b.kubernetesRule(policy.Egress, c.namespace, g))
		}
	}
	return list
}
