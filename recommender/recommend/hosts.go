// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// controlPlane is the label of nodes that run the control plane.
const controlPlane = "node-role.kubernetes.io/control-plane"

// failsafe are the ports that Calico keeps open on every host, unless its
// configuration says otherwise: those by which people and the cluster itself
// reach a node. https://docs.tigera.io/calico/latest/reference/host-endpoints/failsafe
var failsafe = []portKey{
	{flow.TCP, 22}, {flow.UDP, 68}, {flow.TCP, 179}, {flow.TCP, 2379}, {flow.TCP, 2380}, {flow.TCP, 5473}, {flow.TCP, 6443}, {flow.TCP, 6666}, {flow.TCP, 6667},
}

// hosts are nodes with host endpoints, under one policy.
type hosts struct {
	name     string
	selector string
	nodes    []string
}

// hostPolicies makes a GlobalNetworkPolicy for the host endpoints that are open
// to everybody, one for the control plane and one for the other nodes.
func (w *world) hostPolicies() []Recommendation {
	var out []Recommendation
	groups, trouble := w.hostGroups()
	if trouble != "" {
		r := Recommendation{
			ID: identity("hosts"), Kind: KindNone, Title: "New policy for the nodes: ingress", Workloads: []string{}, Changes: []Change{}, Evidence: []string{},
			Readiness: []WorkloadState{}, Proof: emptyProof(), Policy: analyze.Ref{APIVersion: calicoVersion, Kind: "GlobalNetworkPolicy", Name: "netcinch-nodes"}, Withheld: trouble,
		}
		return []Recommendation{r}
	}
	for _, h := range groups {
		if r, ok := w.hostPolicy(h); ok {
			out = append(out, r)
		}
	}
	return out
}

// hostGroups parts the host endpoints by role. trouble says why no selector can
// tell them from pods.
func (w *world) hostGroups() (groups []hosts, trouble string) {
	var all, control []*calicov3.HostEndpoint
	for _, o := range w.snapshot.Policies {
		if h, ok := o.Typed.(*calicov3.HostEndpoint); ok && h.Spec.Node != "" {
			all = append(all, h)
			if _, is := h.Labels[controlPlane]; is {
				control = append(control, h)
			}
		}
	}
	if len(all) == 0 {
		return nil, ""
	}
	base := w.hostLabel(all)
	switch {
	case base == "":
		return nil, "the host endpoints have no label in common that no pod has; give them one, such as role=node"
	case len(control) == 0 || len(control) == len(all):
		return []hosts{{"netcinch-nodes", base, nodesOf(all)}}, ""
	}
	workers := slices.DeleteFunc(slices.Clone(all), func(h *calicov3.HostEndpoint) bool { return slices.Contains(control, h) })
	return []hosts{
		{"netcinch-control-plane", base + " && has(" + controlPlane + ")", nodesOf(control)},
		{"netcinch-nodes", base + " && !has(" + controlPlane + ")", nodesOf(workers)},
	}, ""
}

func nodesOf(list []*calicov3.HostEndpoint) []string {
	var names []string
	for _, h := range list {
		names = append(names, h.Spec.Node)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// hostLabel finds a label that all host endpoints have and no pod.
func (w *world) hostLabel(all []*calicov3.HostEndpoint) string {
	common := maps.Clone(all[0].Labels)
	for _, h := range all {
		maps.DeleteFunc(common, func(k, v string) bool { return h.Labels[k] != v })
	}
	for _, k := range slices.SortedFunc(maps.Keys(common), comparePreferred) {
		if len(w.members[k+"="+common[k]]) == 0 && common[k] != "" {
			return k + " == " + quote(common[k])
		}
	}
	return ""
}

// hostPolicy makes the policy of some nodes; not where one governs them already.
func (w *world) hostPolicy(h hosts) (Recommendation, bool) {
	r := Recommendation{
		ID: identity("hosts", h.name), Kind: KindNew, Title: fmt.Sprintf("New policy for the host endpoints of %s: ingress", analyze.List(h.nodes, 4)),
		Workloads: []string{}, Changes: []Change{}, Evidence: []string{}, Readiness: []WorkloadState{}, Proof: emptyProof(), nodes: h.nodes,
		Policy: analyze.Ref{APIVersion: calicoVersion, Kind: "GlobalNetworkPolicy", Name: w.input.Calico.name(h.name)},
	}
	if !w.exposed(h) {
		return r, false
	}
	for _, n := range h.nodes {
		r.Workloads = append(r.Workloads, "node "+n)
	}
	for _, wl := range w.index.Workloads() {
		if w.index.OnHost(analyze.PartyOf(wl)) && slices.ContainsFunc(w.index.Pods(wl), func(p *cluster.Pod) bool { return slices.Contains(h.nodes, p.Node) }) {
			r.Workloads = append(r.Workloads, wl.String())
		}
	}
	span := w.report.Window.To.Sub(w.report.Window.From)
	r.Ready = span >= secondsOf(w.report.Learning)
	edges := w.hostEdges(r.Workloads)
	if len(edges) == 0 {
		r.Kind, r.Withheld = KindNone, "no traffic to these nodes was seen; a policy made of nothing would cut all but the failsafe ports"
		return r, true
	}
	bare, err := decode(r.Policy.Cluster(), []byte(render(w.hostManifest(h, edit.Flow(edit.List())))))
	if err != nil {
		r.Kind, r.Withheld = KindNone, fmt.Sprintf("the manifest would not be taken: %v", err)
		return r, true
	}
	closed, _ := w.engine.With(policy.Edit{Put: []cluster.Object{bare}})
	b := newBook()
	for _, e := range edges {
		if trouble := w.hostNeeds(b, closed, e); trouble != "" {
			r.Kind, r.Withheld = KindNone, trouble
			return r, true
		}
	}
	b.absorb(nil)
	b.settle()
	rules := edit.List()
	c := &calicoWriter{fresh: &fresh{world: w, books: map[policy.Direction]*book{policy.Ingress: b}}, inline: true}
	for i, g := range b.needs.cover() {
		rules.Content = append(rules.Content, c.rules(policy.Ingress, g)...)
		r.Changes = append(r.Changes, Change{Kind: ChangeAdd, Direction: policy.Ingress.String(), Rule: i, Text: b.ruleText(policy.Ingress, g)})
	}
	if len(rules.Content) == 0 {
		edit.Flow(rules)
	}
	r.After = render(w.hostManifest(h, rules))
	r.Evidence = append(r.Evidence,
		fmt.Sprintf("%s of %s were seen in %s.", upper(analyze.Plural(len(edges), "edge")), analyze.List(h.nodes, 4), analyze.Span(span)),
		"The failsafe ports of Calico stay open to everybody: SSH, the API server, etcd, BGP, Typha and DHCP, unless FelixConfiguration says otherwise.")
	return r, true
}

// exposed says whether the nodes are open to anybody on any port.
func (w *world) exposed(h hosts) bool {
	for _, name := range h.nodes {
		if n := w.index.Node(name); n != nil {
			for _, a := range n.Addresses {
				for _, port := range []uint16{10250, 1} {
					if permits(w.engine, connection(policy.Peer{Addr: stranger(a)}, policy.Peer{Addr: a}, portKey{flow.TCP, port})) {
						return true
					}
				}
			}
		}
	}
	return false
}

// stranger is an address of the same family that nobody uses, of those set
// aside for documentation.
func stranger(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.MustParseAddr("192.0.2.1")
	}
	return netip.MustParseAddr("2001:db8:ffff:ffff::1")
}

// hostEdges lists the edges that teach and end at the nodes.
func (w *world) hostEdges(names []string) []*analyze.Edge {
	ours := named(names)
	var out []*analyze.Edge
	for _, i := range w.touchingAny(names) {
		if e := &w.report.Edges[i]; e.Teaches && ours(e.Server) {
			out = append(out, e)
		}
	}
	return out
}

// hostNeeds notes what an edge needs that the policy without rules would cut:
// failsafe ports and a node's own traffic need nothing.
func (w *world) hostNeeds(b *book, closed *policy.Engine, e *analyze.Edge) (trouble string) {
	key := portKey{e.Number, e.Port}
	cut := false
	w.allowedPairs(w.crowds, e.Client, e.Server, key, func(c policy.Connection, _ int) { cut = cut || !permits(closed, c) })
	if !cut {
		return ""
	}
	peers := w.peersOf(e.Client)
	if len(peers) == 0 {
		return fmt.Sprintf("its traffic with %s can't be written into a policy: no stable label or address of it is known", e.Client)
	}
	for _, t := range peers {
		needs := !t.prefix.IsValid()
		if t.prefix.IsValid() {
			w.pairsAt(e.Client, e.Server, policy.Ingress, t.prefix.Addr(), func(from, to policy.Peer) {
				c := connection(from, to, key)
				needs = needs || permits(w.engine, c) && !permits(closed, c)
			})
		}
		if needs {
			b.add(t, portSpec{portKey: key, original: -1}, e, false)
		}
	}
	return ""
}

func (w *world) hostManifest(h hosts, rules *yaml.Node) *yaml.Node {
	spec := edit.Map()
	if t := w.input.Calico.Tier; t != "" {
		spec.Content = append(spec.Content, edit.Text("tier"), edit.Text(t))
	}
	spec.Content = append(spec.Content,
		edit.Text("order"), number(w.input.Calico.order()), edit.Text("selector"), edit.Text(h.selector),
		edit.Text("types"), edit.Flow(edit.List(edit.Text("Ingress"))), edit.Text("ingress"), rules,
	)
	root := edit.Map(
		edit.Text("apiVersion"), edit.Text(calicoVersion), edit.Text("kind"), edit.Text("GlobalNetworkPolicy"),
		edit.Text("metadata"), edit.Map(edit.Text("name"), edit.Text(w.input.Calico.name(h.name))), edit.Text("spec"), spec,
	)
	window := w.report.Window
	root.Content[0].HeadComment = fmt.Sprintf("# What %s were seen to be asked for from %s to %s.", analyze.List(h.nodes, 4), analyze.Moment(window.From), analyze.Moment(window.To))
	return root
}

// failsafe: whoever may reach a failsafe port of the nodes still may.
func (pr *prover) failsafe(p *Proof) {
	if len(pr.recommendation.nodes) == 0 {
		return
	}
	asked, locked := 0, ""
	for _, name := range pr.recommendation.nodes {
		n := pr.index.Node(name)
		if n == nil {
			continue
		}
		for _, to := range n.Addresses {
			for _, from := range pr.clientsOf(to) {
				for _, port := range failsafe {
					c := connection(from, policy.Peer{Addr: to}, port)
					if !permits(pr.world.engine, c) {
						continue
					}
					asked++
					if !permits(pr.alone, c) || !permits(pr.gathering.engine, c) {
						locked = fmt.Sprintf("%s of node %s", port, name)
					}
				}
			}
		}
	}
	if locked != "" {
		p.state(KeepsFailsafe, false, fmt.Sprintf("The failsafe port %s would be closed to somebody who may reach it now.", locked))
		return
	}
	p.state(KeepsFailsafe, true, fmt.Sprintf("Nobody is locked out: the failsafe ports of %s stay open to everybody outside and to every other node, as now (%d questions).",
		analyze.List(pr.recommendation.nodes, 4), asked))
}

// clientsOf are a stranger outside, and every node of the same family.
func (pr *prover) clientsOf(to netip.Addr) []policy.Peer {
	out := []policy.Peer{{Addr: stranger(to)}}
	for _, n := range pr.snapshot.Nodes {
		for _, a := range n.Addresses {
			if a.BitLen() == to.BitLen() && a != to {
				out = append(out, policy.Peer{Addr: a})
			}
		}
	}
	slices.SortFunc(out, func(a, b policy.Peer) int { return cmp.Compare(a.Addr.String(), b.Addr.String()) })
	return out
}
