// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	npav1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	npav1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

const clusterPolicyVersion = "policy.networking.k8s.io/v1alpha2"

// guard is what pods have no business with, other than those that were seen to.
type guard struct {
	name  string
	what  string // for people
	ports []uint16
	nets  []netip.Prefix // instead of nodes
}

// guards are the rails that a cluster wants, whatever its applications. The
// ports are those of Kubernetes' own components.
// https://kubernetes.io/docs/reference/networking/ports-and-protocols/
var guards = []guard{
	{name: "nodes", what: "the nodes' SSH, etcd, kubelet, controller manager and scheduler", ports: []uint16{22, 2379, 2380, 10250, 10255, 10257, 10259}},
	{name: "metadata", what: "the cloud's metadata service, which hands out the nodes' credentials", nets: []netip.Prefix{
		netip.MustParsePrefix("169.254.169.254/32"), netip.MustParsePrefix("fd00:ec2::254/128"), netip.MustParsePrefix("fd20:ce::254/128"),
	}},
}

// guardPolicies makes the rails as ClusterNetworkPolicy: the workloads that were
// seen to go there are passed on to the other policies, all others are denied.
func (w *world) guardPolicies() []Recommendation {
	var out []Recommendation
	first := w.freePriority()
	for i, g := range guards {
		if r, ok := w.guard(g, first+2*i); ok {
			out = append(out, r)
		}
	}
	return out
}

// freePriority finds a priority from which on enough are free.
func (w *world) freePriority() int {
	taken := map[int]bool{}
	for _, o := range w.snapshot.Policies {
		switch p := o.Typed.(type) {
		case *npav1alpha2.ClusterNetworkPolicy:
			taken[int(p.Spec.Priority)] = true
		case *npav1alpha1.AdminNetworkPolicy:
			taken[int(p.Spec.Priority)] = true
		}
	}
	for at := 100; ; at++ {
		if !slices.ContainsFunc([]int{at, at + 1, at + 2, at + 3}, func(p int) bool { return taken[p] }) {
			return at
		}
	}
}

// guard makes one rail; not where nothing is left to close.
func (w *world) guard(g guard, priority int) (Recommendation, bool) {
	users, seen := w.usersOf(g)
	var open []uint16
	for _, port := range g.probes() {
		if w.reachable(g, port, users) {
			open = append(open, port)
		}
	}
	name := "netcinch-guard-" + g.name
	r := Recommendation{
		Kind: KindNew, Title: fmt.Sprintf("Guard rail for all pods: %s", g.what), Workloads: []string{}, Changes: []Change{}, Evidence: []string{}, Proof: emptyProof(),
		Policy: analyze.Ref{APIVersion: clusterPolicyVersion, Kind: "ClusterNetworkPolicy", Name: name}, rail: true,
	}
	r.ID = identity("guard", g.name)
	if len(open) == 0 {
		return r, false
	}
	for _, wl := range w.index.Workloads() {
		if !w.index.OnHost(analyze.PartyOf(wl)) {
			r.Workloads = append(r.Workloads, wl.String())
		}
	}
	r.Readiness, r.Ready = w.states(r.Workloads)
	for _, wl := range users {
		s := w.selection(wl)
		if s.labels == nil {
			r.Kind, r.Withheld = KindNone, fmt.Sprintf("%s was seen to use it, and has no stable label that a selector could use", wl)
			return r, true
		}
		user := name + "-" + wl.Namespace + "-" + wl.Name
		r.further = append(r.further, render(w.rail(g, user, priority, podSubject(wl, s), "Pass", open, seen[wl].text())))
		r.Evidence = append(r.Evidence, fmt.Sprintf("%s goes there: %s. It is passed on to the other policies.", wl, seen[wl].text()))
		r.Changes = append(r.Changes, Change{Kind: ChangeAdd, Direction: policy.Egress.String(), Text: fmt.Sprintf("pass egress from %s on to the other policies", wl)})
	}
	all := edit.Map(edit.Text("namespaces"), edit.Flow(edit.Map()))
	comment := "nobody else was seen to go there"
	r.After = render(w.rail(g, name, priority+1, all, "Deny", open, comment))
	r.Changes = append(r.Changes, Change{Kind: ChangeAdd, Direction: policy.Egress.String(), Text: "deny egress from all other pods to " + g.what})
	r.Evidence = append(r.Evidence, fmt.Sprintf("%s can go there and did not.", upper(analyze.Plural(len(r.Workloads)-len(users), "other workload"))))
	return r, true
}

func render(n *yaml.Node) string { return edit.Render(n, edit.Layout{ListIndent: 2}) }

// probes are the ports to ask about; of networks the usual one of a service of
// its kind stands for all.
func (g guard) probes() []uint16 {
	if len(g.ports) > 0 {
		return g.ports
	}
	return []uint16{80}
}

// meant says whether an edge goes where the rail stands.
func (w *world) meant(g guard, e *analyze.Edge) bool {
	if e.Client.Kind != analyze.PartyWorkload || w.index.OnHost(e.Client) {
		return false
	}
	if len(g.nets) > 0 {
		return slices.ContainsFunc(g.nets, func(p netip.Prefix) bool { return p.Contains(e.Server.IP) })
	}
	return e.Number == flow.TCP && slices.Contains(g.ports, e.Port) && (e.Server.Kind == analyze.PartyNode || w.index.OnHost(e.Server))
}

// usersOf lists the workloads that were seen to go there.
func (w *world) usersOf(g guard) ([]flow.Workload, map[flow.Workload]*seen) {
	found := map[flow.Workload]*seen{}
	var users []flow.Workload
	for i := range w.report.Edges {
		e := &w.report.Edges[i]
		if !e.Teaches || !w.meant(g, e) {
			continue
		}
		wl := e.Client.Workload()
		if found[wl] == nil {
			found[wl] = newSeen()
			users = append(users, wl)
		}
		found[wl].add(e)
	}
	slices.SortFunc(users, compareWorkloads)
	return users, found
}

// reachable says whether anybody but the users may go there now.
func (w *world) reachable(g guard, port uint16, users []flow.Workload) bool {
	var there []policy.Peer
	for _, p := range g.nets {
		there = append(there, policy.Peer{Addr: p.Addr()})
	}
	if len(g.nets) == 0 {
		for _, n := range w.snapshot.Nodes {
			for _, a := range n.Addresses {
				there = append(there, policy.Peer{Addr: a})
			}
		}
	}
	crowds := w.crowds.Group(there)
	for _, wl := range w.index.Workloads() {
		if slices.Contains(users, wl) || w.index.OnHost(analyze.PartyOf(wl)) {
			continue
		}
		open := false
		w.crowds.Pairs(w.crowds.Of(analyze.PartyOf(wl)), crowds, func(from, to policy.Peer, _ int) {
			open = open || permits(w.engine, connection(from, to, portKey{flow.TCP, port}))
		})
		if open {
			return true
		}
	}
	return false
}

func podSubject(wl flow.Workload, s selection) *yaml.Node {
	return edit.Map(edit.Text("pods"), edit.Map(
		edit.Text("namespaceSelector"), labelSelector(map[string]string{corev1.LabelMetadataName: wl.Namespace}),
		edit.Text("podSelector"), labelSelector(s.labels),
	))
}

// rail writes one policy.
func (w *world) rail(g guard, name string, priority int, subject *yaml.Node, action string, ports []uint16, comment string) *yaml.Node {
	to := edit.Map(edit.Text("nodes"), edit.Flow(edit.Map()))
	if len(g.nets) > 0 {
		nets := edit.List()
		for _, p := range g.nets {
			nets.Content = append(nets.Content, edit.Text(p.String()))
		}
		to = edit.Map(edit.Text("networks"), nets)
	}
	rule := edit.Map(edit.Text("action"), edit.Text(action), edit.Text("to"), edit.List(to))
	rule.HeadComment = comment
	if len(g.nets) == 0 {
		list := edit.List()
		for _, port := range ports {
			list.Content = append(list.Content, edit.Map(edit.Text("tcp"), edit.Map(edit.Text("destinationPort"), edit.Map(edit.Text("number"), edit.Number(int64(port))))))
		}
		rule.Content = append(rule.Content, edit.Text("protocols"), list)
	}
	root := edit.Map(
		edit.Text("apiVersion"), edit.Text(clusterPolicyVersion),
		edit.Text("kind"), edit.Text("ClusterNetworkPolicy"),
		edit.Text("metadata"), edit.Map(edit.Text("name"), edit.Text(name)),
		edit.Text("spec"), edit.Map(
			edit.Text("tier"), edit.Text("Admin"), edit.Text("priority"), edit.Number(int64(priority)),
			edit.Text("subject"), subject, edit.Text("egress"), edit.List(rule),
		),
	)
	window := w.report.Window
	root.Content[0].HeadComment = fmt.Sprintf("# Keeps pods from %s.\n# From what was seen from %s to %s.", g.what, analyze.Moment(window.From), analyze.Moment(window.To))
	return root
}
