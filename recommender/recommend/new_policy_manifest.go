// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

func (f *fresh) words() string {
	var names []string
	for _, d := range f.directions {
		names = append(names, strings.ToLower(d.String()))
	}
	return strings.Join(names, " and ")
}

// name is the workload's, unless a policy has it already.
func (f *fresh) name() string {
	name := f.subject.Name
	if len(f.directions) == 1 {
		name += "-" + strings.ToLower(f.directions[0].String())
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(f.snapshot.Policies, func(o cluster.Object) bool {
			return o.Ref.Kind == "NetworkPolicy" && o.Ref.Namespace == f.subject.Namespace && o.Ref.Name == name
		})
	}
	for try := name; ; try += "-netcinch" {
		if !taken(try) {
			return try
		}
	}
}

func namesOf(list []flow.Workload) []string {
	var names []string
	for _, wl := range list {
		names = append(names, wl.String())
	}
	return names
}

// manifests writes the policy and what comes with it.
func (f *fresh) manifests() []*yaml.Node {
	if f.input.Format.isCalico() {
		return f.calicoManifest()
	}
	return []*yaml.Node{f.manifest()}
}

// manifest writes the policy.
func (f *fresh) manifest() *yaml.Node {
	types := edit.Flow(edit.List())
	spec := edit.Map(edit.Text("podSelector"), labelSelector(f.selected.labels), edit.Text("policyTypes"), types)
	for _, d := range f.directions {
		types.Content = append(types.Content, edit.Text(d.String()))
		rules := edit.List()
		b := f.books[d]
		for _, g := range b.needs.cover() {
			rules.Content = append(rules.Content, b.kubernetesRule(d, f.subject.Namespace, g))
		}
		key := edit.Text(strings.ToLower(d.String()))
		if len(rules.Content) == 0 {
			edit.Flow(rules)
			key.HeadComment = fmt.Sprintf("no %s was seen: all of it is denied", strings.ToLower(d.String()))
		}
		spec.Content = append(spec.Content, key, rules)
	}
	root := edit.Map(
		edit.Text("apiVersion"), edit.Text(networkPolicyVersion),
		edit.Text("kind"), edit.Text("NetworkPolicy"),
		edit.Text("metadata"), edit.Map(edit.Text("name"), edit.Text(f.name()), edit.Text("namespace"), edit.Text(f.subject.Namespace)),
		edit.Text("spec"), spec,
	)
	root.Content[0].HeadComment = strings.Join(f.header(), "\n")
	return root
}

// header is the comment at the top: what it was made from.
func (f *fresh) header() []string {
	w := f.report.Window
	var connections uint64
	for _, e := range f.governed {
		connections += e.Counters.Connections
	}
	lines := []string{
		fmt.Sprintf("# What %s was seen to need from %s to %s:", f.subject, analyze.Moment(w.From), analyze.Moment(w.To)),
		fmt.Sprintf("# %s on %s.", analyze.Plural(connections, "connection"), analyze.Plural(len(f.governed), "edge")),
	}
	states, _ := f.states(namesOf(f.all))
	for _, s := range states {
		lines = append(lines, "# "+s.Text()+".")
	}
	return lines
}

// Text says it in a sentence, with what is missing and the caveats.
func (s WorkloadState) Text() string {
	says := []string{fmt.Sprintf("Readiness of %s: %s, observed for %s", s.Workload, s.State, analyze.Span(secondsOf(s.Observed)))}
	if !slices.ContainsFunc(s.Reasons, func(why string) bool { return strings.HasPrefix(why, "coverage is ") }) {
		says[0] += ", coverage " + analyze.Percent(s.Coverage)
	}
	return strings.Join(slices.Concat(says, s.Reasons, s.Caveats), "; ")
}

// maxStates bounds how many workloads a comment tells the readiness of.
const maxStates = 10

// ReadinessComment tells in comment lines how ready a recommendation is, unless
// its manifest does.
func (r *Recommendation) ReadinessComment() string {
	var b strings.Builder
	for i, s := range r.Readiness {
		if i == maxStates {
			fmt.Fprintf(&b, "# … and %d more workloads\n", len(r.Readiness)-i)
			break
		}
		if text := "# " + s.Text() + "."; !strings.Contains(r.After, text) {
			b.WriteString(text + "\n")
		}
	}
	return b.String()
}

// readyText says in a word or two how ready the workloads of a policy are: the
// least ready one is named.
func readyText(states []WorkloadState) string {
	if len(states) == 0 {
		return ""
	}
	rank := func(s WorkloadState) int {
		return slices.Index([]analyze.ReadyState{analyze.ReadySilent, analyze.ReadyLearning, analyze.ReadyStabilising, analyze.ReadyReady}, s.State)
	}
	least := slices.MinFunc(states, func(a, b WorkloadState) int { return rank(a) - rank(b) })
	if least.State == analyze.ReadyReady {
		return "ready"
	}
	return fmt.Sprintf("not ready, %s is %s", least.Workload, least.State)
}

func (f *fresh) summary() []string {
	lines := f.evidence
	for _, d := range f.directions {
		if len(f.books[d].needs) == 0 {
			lines = append(lines, fmt.Sprintf("No %s was seen, so the policy denies all of it.", strings.ToLower(d.String())))
		}
	}
	if len(f.selected.caught) > 0 {
		lines = append(lines, fmt.Sprintf("Its labels select also %s, so the policy is for all of them.", analyze.List(namesOf(f.selected.caught), 5)))
	}
	return lines
}

func (f *fresh) changes() []Change {
	out := []Change{}
	for _, d := range f.directions {
		b := f.books[d]
		for i, g := range b.needs.cover() {
			out = append(out, Change{Kind: ChangeAdd, Direction: d.String(), Rule: i, Text: b.ruleText(d, g)})
		}
	}
	return out
}

// ruleText says in words what a rule lets through.
func (b *book) ruleText(d policy.Direction, g group) string {
	var peers, ports []string
	for _, k := range g.peers {
		peers = append(peers, b.targets[k].text())
	}
	for _, k := range g.ports {
		if b.ports[k].any {
			ports = append(ports, "any port")
		} else {
			ports = append(ports, b.ports[k].String())
		}
	}
	side := "from"
	if d == policy.Egress {
		side = "to"
	}
	return fmt.Sprintf("allow %s %s %s on %s", strings.ToLower(d.String()), side, analyze.List(peers, 6), analyze.List(ports, 8))
}
