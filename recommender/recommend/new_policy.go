// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"slices"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

const networkPolicyVersion = "networking.k8s.io/v1"

// fresh is a new policy while it is made.
type fresh struct {
	*world
	subject    flow.Workload
	all        []flow.Workload // the subject, and who else its labels select
	selected   selection
	directions []policy.Direction
	books      map[policy.Direction]*book
	edges      []*analyze.Edge
	governed   []*analyze.Edge // of edges those in the directions
	evidence   []string
	trouble    string // why it can't be offered
}

// freshPolicies makes a policy for each workload that none isolates, in the
// directions in which it is open.
func (w *world) freshPolicies() []Recommendation {
	var subjects []*fresh
	done := map[flow.Workload]bool{}
	for _, wl := range w.index.Workloads() {
		if done[wl] || !w.input.Scope.has(wl) {
			continue
		}
		f := &fresh{world: w, subject: wl, all: []flow.Workload{wl}, books: map[policy.Direction]*book{}}
		for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
			if w.input.Scope.speaksOf(d) && w.open(wl, d) {
				f.directions = append(f.directions, d)
			}
		}
		if len(f.directions) == 0 {
			continue
		}
		f.choose()
		for _, other := range f.all {
			done[other] = true
		}
		subjects = append(subjects, f)
	}
	out := make([]Recommendation, len(subjects))
	parallel(len(subjects), w.progress("writing new policies", len(subjects), func(i int) { out[i] = subjects[i].recommend() }))
	return out
}

// open says whether no policy isolates any pod of the workload.
func (w *world) open(wl flow.Workload, d policy.Direction) bool {
	pods := w.index.Pods(wl)
	if len(pods) == 0 {
		return false
	}
	return !slices.ContainsFunc(pods, func(p *cluster.Pod) bool { return w.engine.Isolated(p, d) })
}

func (f *fresh) recommend() Recommendation {
	r := Recommendation{
		Kind: KindNew, Namespace: f.subject.Namespace, Changes: []Change{}, Evidence: []string{}, Proof: emptyProof(),
	}
	if f.trouble == "" {
		f.gather()
	}
	r.Policy = analyze.Ref{APIVersion: networkPolicyVersion, Kind: "NetworkPolicy", Namespace: f.subject.Namespace, Name: f.name()}
	if f.input.Format.isCalico() {
		r.Policy.APIVersion, r.Policy.Name = calicoVersion, f.input.Calico.name(r.Policy.Name)
	}
	for _, wl := range f.all {
		r.Workloads = append(r.Workloads, wl.String())
	}
	r.ID = identity("new", r.Policy.Kind, r.Policy.Namespace, r.Policy.Name, f.subject.Kind)
	r.Title = fmt.Sprintf("New policy for %s: %s", f.subject, f.words())
	r.Readiness, r.Ready = f.states(r.Workloads)
	if f.trouble != "" {
		r.Kind, r.Withheld = KindNone, f.trouble
		return r
	}
	r.Evidence = append(r.Evidence, f.summary()...)
	for i, doc := range f.manifests() {
		if text := edit.Render(doc, edit.Layout{ListIndent: 2}); i == 0 {
			r.After = text
		} else {
			r.further = append(r.further, text)
		}
	}
	r.Changes = f.changes()
	f.listExtra(&r)
	r.extra = r.Proof
	return r
}

// choose finds whom the policy selects; trouble says why it can't be offered.
func (f *fresh) choose() {
	if f.index.OnHost(analyze.PartyOf(f.subject)) {
		f.trouble = "its pods share their node's network; Kubernetes policies do not apply to them"
		return
	}
	f.selected = f.selection(f.subject)
	if f.selected.labels == nil {
		f.trouble = "its pods have no stable label in common that a selector could use; give its pod template a label such as app"
		return
	}
	f.all = append(f.all, f.selected.caught...)
	if i := slices.IndexFunc(f.selected.caught, func(wl flow.Workload) bool {
		return slices.ContainsFunc(f.directions, func(d policy.Direction) bool { return !f.open(wl, d) })
	}); i >= 0 {
		f.trouble = fmt.Sprintf("its labels select %s too, which a policy isolates already; give their pod templates labels that differ", f.selected.caught[i])
	}
}

// gather collects what the policy has to let through; trouble says why there
// is nothing to offer.
func (f *fresh) gather() {
	f.collect()
	switch {
	case f.trouble != "":
	case len(f.edges) == 0:
		f.trouble = "no traffic of it was seen; a policy made of nothing would cut everything"
	case !f.leaveSilentEgress():
		f.trouble = noEgress
	case !slices.ContainsFunc(f.directions, func(d policy.Direction) bool { return len(f.books[d].needs) > 0 }):
		f.trouble = fmt.Sprintf("no %s of it was seen; a policy that only denies is not offered", f.words())
	}
}

const noEgress = "no egress traffic of it was seen; a default-deny for egress is not offered as a tightening"

// leaveSilentEgress leaves out egress where none was seen: name resolution,
// which is kept unseen, is no evidence of what else is needed. It says whether
// a direction is left.
func (f *fresh) leaveSilentEgress() bool {
	i := slices.Index(f.directions, policy.Egress)
	if i < 0 || slices.ContainsFunc(f.edges, func(e *analyze.Edge) bool { return f.has(e.Client) }) {
		return true
	}
	if len(f.directions) == 1 {
		return false
	}
	f.directions = slices.Delete(f.directions, i, i+1)
	delete(f.books, policy.Egress)
	f.governed = slices.DeleteFunc(f.governed, func(e *analyze.Edge) bool { return !f.has(e.Server) })
	f.say(upper(noEgress) + ".")
	return true
}

// has says whether a party is the subject, or who else its labels select.
func (f *fresh) has(p analyze.Party) bool {
	return slices.ContainsFunc(f.all, func(wl flow.Workload) bool { return analyze.PartyOf(wl) == p })
}

// collect walks the edges that teach.
func (f *fresh) collect() {
	for _, d := range f.directions {
		f.books[d] = newBook()
	}
	mine := map[analyze.Party]bool{}
	for _, wl := range f.all {
		mine[analyze.PartyOf(wl)] = true
	}
	for _, i := range f.touchingAny(namesOf(f.all)) {
		e := &f.report.Edges[i]
		if !e.Teaches || !mine[e.Client] && !mine[e.Server] {
			continue
		}
		f.edges = append(f.edges, e)
		if mine[e.Server] && f.books[policy.Ingress] != nil || mine[e.Client] && f.books[policy.Egress] != nil {
			f.governed = append(f.governed, e)
		}
		if f.always(e) {
			continue
		}
		if b := f.books[policy.Ingress]; b != nil && mine[e.Server] {
			f.note(b, policy.Ingress, e.Client, e)
		}
		if b := f.books[policy.Egress]; b != nil && mine[e.Client] {
			f.note(b, policy.Egress, e.Server, e)
		}
	}
	if b := f.books[policy.Egress]; b != nil {
		f.resolve(b)
	}
	if b := f.books[policy.Ingress]; b != nil {
		f.answer(b)
	}
	for _, d := range f.directions {
		f.books[d].absorb(nil)
		f.books[d].settle()
		f.lossless(f.books[d])
	}
	f.generalise(f.input.AllowExtra)
}

// always says whether an edge needs no rule: every pair of pods that is allowed
// is so whatever the policies.
func (w *world) always(e *analyze.Edge) bool {
	always := true
	w.allowedPairs(w.crowds, e.Client, e.Server, portKey{e.Number, e.Port}, func(policy.Connection, int) { always = false })
	return always
}

// needsRule says whether one address of several that a party has takes a rule.
func (w *world) needsRule(e *analyze.Edge, d policy.Direction, t target) bool {
	if !t.prefix.IsValid() {
		return true
	}
	needs := false
	w.pairsAt(e.Client, e.Server, d, t.prefix.Addr(), func(from, to policy.Peer) {
		needs = needs || permits(w.engine, connection(from, to, portKey{e.Number, e.Port}))
	})
	return needs
}

func (f *fresh) note(b *book, d policy.Direction, other analyze.Party, e *analyze.Edge) {
	peers := f.peersOf(other)
	if d == policy.Ingress && f.fromWorld(e) {
		peers = []target{original(-1)}
	}
	if len(peers) == 0 {
		f.trouble = fmt.Sprintf("its traffic with %s can't be written into a policy: no stable label or address of it is known", other)
		if f.index.OnHost(other) {
			f.trouble = fmt.Sprintf("%s shares its node's network, and on which node it runs is not known; give the manifests of its pods and nodes too", other)
		}
		return
	}
	port := f.writable(portKey{e.Number, e.Port})
	if port.any {
		f.say(fmt.Sprintf("%s with %s can't be named in a Kubernetes policy, so the rule for it leaves the port open.", e.Protocol, other))
	}
	for _, t := range peers {
		if !f.needsRule(e, d, t) {
			continue
		}
		if len(t.selected.caught) > 0 {
			f.say(fmt.Sprintf("The labels of %s select also %s: no stable label tells them apart.", t.workload, analyze.List(namesOf(t.selected.caught), 5)))
		}
		if t.isNode() {
			f.say("The addresses of nodes are written one by one: a node that is added later is not covered.")
		}
		b.add(t, port, e, false)
	}
}

func (f *fresh) say(text string) {
	if !slices.Contains(f.evidence, text) {
		f.evidence = append(f.evidence, text)
	}
}

// resolve adds the cluster's DNS, by the real labels of the pods that answer.
func (f *fresh) resolve(b *book) {
	for _, s := range f.dns {
		if slices.Contains(f.all, s.party.Workload()) && s.party.Kind == analyze.PartyWorkload {
			continue
		}
		meet := false
		analyze.Pairs(f.index.Ends(analyze.PartyOf(f.subject)), f.index.Ends(s.party), func(_, _ policy.Peer) { meet = true })
		if !meet {
			continue
		}
		for _, t := range f.peersOf(s.party) {
			b.add(t, writable(portKey{s.protocol, s.port}), nil, true)
		}
	}
	if len(f.dns) == 0 {
		f.say("No Service of the cluster's DNS was found; only name resolution that was seen is kept.")
	}
}

// fromWorld says whether an edge comes in through a load balancer or node port:
// from outside, or from a node that stands in for outside. Nobody can list who
// will come, so the port stays open to everybody.
func (f *fresh) fromWorld(e *analyze.Edge) bool {
	return e.Client.Kind != analyze.PartyWorkload && slices.Contains(f.public[e.Server.Workload()], portKey{e.Number, e.Port})
}

// answer lets everybody ask where the subject is the cluster's DNS.
func (f *fresh) answer(b *book) {
	for _, s := range f.dns {
		if s.party.Kind == analyze.PartyWorkload && slices.Contains(f.all, s.party.Workload()) {
			b.add(original(-1), writable(portKey{s.protocol, s.port}), nil, true)
		}
	}
}
