// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Isolation says that a companion closes a direction of a workload that nothing
// else isolates: nobody was seen to need it.
type Isolation struct {
	Workload  string `json:"workload"`  // namespace/name
	Direction string `json:"direction"` // Ingress or Egress
	// Silent says that no traffic of the workload was seen at all; otherwise
	// none in this direction.
	Silent bool `json:"silent"`
}

func (i Isolation) text() string {
	if i.Silent {
		return fmt.Sprintf("%s %s (no traffic of it was seen at all)", i.Workload, strings.ToLower(i.Direction))
	}
	return fmt.Sprintf("%s %s", i.Workload, strings.ToLower(i.Direction))
}

// companion is a default-deny policy while it is made: it closes what the
// policies in force, and those that are offered, leave open.
type companion struct {
	*world
	base       *policy.Engine // with all else that is offered
	namespace  string
	subject    flow.Workload // zero for a whole namespace
	workloads  []flow.Workload
	directions []policy.Direction
	closes     []Isolation
	names      []flow.Workload // whose name resolution has to be kept
	left       []string        // directions that stay open, and why
}

// companions makes the default-deny policies that go with what is offered, for
// each namespace or workload of the scope, and proves them.
func (w *world) companions(offered []Recommendation) ([]Recommendation, error) {
	var put []cluster.Object
	for i := range offered {
		if offered[i].Withheld != "" {
			continue
		}
		o, further, err := offered[i].decodeAll()
		if err != nil {
			return nil, fmt.Errorf("making a default deny beside %s: %w", offered[i].Title, err)
		}
		put = append(append(put, o), further...)
	}
	base, _ := w.engine.With(policy.Edit{Put: put})
	var out []Recommendation
	for _, c := range w.companionScopes(base) {
		if r, ok := c.recommend(offered); ok {
			out = append(out, r)
		}
	}
	w.proveCompanions(out, base)
	for i := range out {
		out[i].finish()
	}
	return out, nil
}

// companionScopes lists whom companions are for: the workloads that were asked
// for, else every namespace of the scope.
func (w *world) companionScopes(base *policy.Engine) []*companion {
	var out []*companion
	for _, wl := range w.index.Workloads() {
		if !w.input.Scope.has(wl) || w.index.OnHost(analyze.PartyOf(wl)) {
			continue
		}
		if len(w.input.Scope.Workloads) > 0 {
			out = append(out, &companion{world: w, base: base, namespace: wl.Namespace, subject: wl, workloads: []flow.Workload{wl}})
			continue
		}
		if n := len(out); n == 0 || out[n-1].namespace != wl.Namespace {
			out = append(out, &companion{world: w, base: base, namespace: wl.Namespace})
		}
		c := out[len(out)-1]
		c.workloads = append(c.workloads, wl)
	}
	return out
}

// recommend makes the policy; false where there is one already, or nothing is
// left to close.
func (c *companion) recommend(offered []Recommendation) (Recommendation, bool) {
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		if c.input.Scope.speaksOf(d) && !c.there(d) {
			c.look(d)
		}
	}
	if len(c.directions) == 0 && len(c.left) == 0 {
		return Recommendation{}, false
	}
	if len(c.report.Edges) == 0 {
		c.directions, c.left = nil, []string{"nothing was recorded in this time, so nobody can say what it would cut"}
	}
	r := Recommendation{
		Kind: KindNew, Companion: true, Namespace: c.namespace, Workloads: namesOf(c.workloads), Changes: []Change{}, Evidence: []string{},
		Readiness: []WorkloadState{}, Proof: emptyProof(),
		Policy: analyze.Ref{APIVersion: networkPolicyVersion, Kind: "NetworkPolicy", Namespace: c.namespace, Name: c.name()},
	}
	if c.input.Format.isCalico() {
		r.Policy.APIVersion, r.Policy.Name = calicoVersion, c.input.Calico.name(r.Policy.Name)
	}
	r.ID = identity("default-deny", c.namespace, c.subject.Kind, c.subject.Name)
	r.Title = fmt.Sprintf("Default deny for %s", c.whom())
	if len(c.directions) > 0 {
		r.Title += ": " + c.words()
	}
	r.Readiness, r.Ready = c.states(c.closed())
	if len(c.directions) == 0 {
		r.Kind, r.Withheld = KindNone, strings.Join(c.left, "; ")
		return r, true
	}
	r.Relies = c.relies(offered)
	r.Proof.Isolates = c.closes
	r.Evidence = c.evidence(r.Relies)
	docs := c.manifests(r.Relies)
	r.After = docs[0]
	r.further = docs[1:]
	for _, d := range c.directions {
		r.Changes = append(r.Changes, Change{Kind: ChangeAdd, Direction: d.String(), Text: fmt.Sprintf("deny all %s of %s that no other policy allows", lower(d), c.whom())})
	}
	if len(c.names) > 0 {
		r.Changes = append(r.Changes, Change{Kind: ChangeAdd, Direction: policy.Egress.String(), Text: "allow name resolution from " + analyze.List(namesOf(c.names), 6)})
	}
	return r, true
}

// there says whether a policy in force denies by default already.
func (c *companion) there(d policy.Direction) bool {
	if !c.subject.IsZero() {
		return !c.openNow(c.subject, d)
	}
	return slices.ContainsFunc(c.snapshot.Policies, func(o cluster.Object) bool {
		if o.Ref.Namespace != c.namespace || !slices.Contains(governed(o), d.String()) {
			return false
		}
		switch p := o.Typed.(type) {
		case *networkingv1.NetworkPolicy:
			return len(p.Spec.PodSelector.MatchLabels)+len(p.Spec.PodSelector.MatchExpressions) == 0
		case *calicov3.NetworkPolicy:
			return p.Spec.Selector == "" || p.Spec.Selector == "all()"
		}
		return false
	})
}

// openNow says whether a pod of the workload stays open with what is offered.
func (c *companion) openNow(wl flow.Workload, d policy.Direction) bool {
	return slices.ContainsFunc(c.index.Pods(wl), func(p *cluster.Pod) bool { return !c.base.Isolated(p, d) })
}

// look decides on one direction: it is closed, unless somebody who stays open
// was seen to need it.
func (c *companion) look(d policy.Direction) {
	var closes []Isolation
	var names []flow.Workload
	var needs []string
	for _, wl := range c.workloads {
		if !c.openNow(wl, d) {
			continue
		}
		if why := c.needed(wl, d); why != "" {
			needs = append(needs, why)
			continue
		}
		closes = append(closes, Isolation{Workload: wl.String(), Direction: d.String(), Silent: c.quiet(wl)})
		if d == policy.Egress && c.resolves(wl) {
			names = append(names, wl)
			if c.selection(wl).labels == nil {
				needs = append(needs, fmt.Sprintf("%s has no stable label that a rule for its name resolution could use", wl))
			}
		}
	}
	if len(needs) > 0 {
		c.left = append(c.left, fmt.Sprintf("%s can't be denied by default: %s", lower(d), analyze.List(needs, 6)))
		return
	}
	c.directions = append(c.directions, d)
	c.closes, c.names = append(c.closes, closes...), append(c.names, names...)
}

// needed says why an open direction of a workload must stay open.
func (c *companion) needed(wl flow.Workload, d policy.Direction) string {
	edges := 0
	party := analyze.PartyOf(wl)
	for _, i := range c.touching[wl.String()] {
		e := &c.report.Edges[i]
		near := e.Server
		if d == policy.Egress {
			near = e.Client
		}
		if e.Teaches && near == party && !c.always(e) {
			edges++
		}
	}
	if edges > 0 {
		return fmt.Sprintf("%s was seen to need it on %s, and no policy is offered that keeps that", wl, analyze.Plural(edges, "edge"))
	}
	if d == policy.Ingress && slices.ContainsFunc(c.dns, func(s service) bool { return s.party == party }) {
		return fmt.Sprintf("%s is the cluster's DNS, and no policy is offered that keeps it", wl)
	}
	return ""
}

// quiet says whether nothing at all was seen of a workload.
func (c *companion) quiet(wl flow.Workload) bool { return len(c.touching[wl.String()]) == 0 }

// resolves says whether any pod of a workload may ask the cluster's DNS now.
func (c *companion) resolves(wl flow.Workload) bool {
	may := false
	for _, s := range c.dns {
		if analyze.PartyOf(wl) == s.party {
			continue
		}
		everyPair(c.crowds, analyze.PartyOf(wl), s.party, portKey{s.protocol, s.port}, func(p policy.Connection, _ int) {
			may = may || permits(c.engine, p)
		})
	}
	return may
}

// relies lists the new policies without which the companion would cut what
// they keep.
func (c *companion) relies(offered []Recommendation) []analyze.Ref {
	var out []analyze.Ref
	isOne := map[string]bool{}
	for _, wl := range c.workloads {
		isOne[wl.String()] = true
	}
	for i := range offered {
		r := &offered[i]
		if r.Withheld == "" && r.Kind == KindNew && r.Namespace == c.namespace && slices.ContainsFunc(r.Workloads, func(name string) bool { return isOne[name] }) {
			out = append(out, r.Policy)
		}
	}
	return out
}

// closed names the workloads of which something is closed.
func (c *companion) closed() []string {
	var out []string
	for _, i := range c.closes {
		out = append(out, i.Workload)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *companion) evidence(relies []analyze.Ref) []string {
	out := []string{c.closesText() + "."}
	if len(c.names) > 0 {
		out = append(out, fmt.Sprintf("Name resolution is kept for %s.", analyze.List(namesOf(c.names), 6)))
	}
	for _, d := range c.directions {
		if d != policy.Ingress {
			continue
		}
		for _, i := range c.closes {
			for _, wl := range c.byName[i.Workload] {
				if i.Direction == d.String() && len(c.public[wl]) > 0 {
					out = append(out, fmt.Sprintf("%s is open to a load balancer or node port by which nobody was seen to come.", wl))
				}
			}
		}
	}
	if len(relies) > 0 {
		out = append(out, reliesText(relies))
	}
	for _, why := range c.left {
		out = append(out, upper(why)+".")
	}
	return out
}

// closesText says in a sentence what becomes closed, and names all of it.
func (c *companion) closesText() string {
	if len(c.closes) == 0 {
		return fmt.Sprintf("Everything of %s is isolated already; what is added later begins closed", c.whom())
	}
	var texts []string
	for _, i := range c.closes {
		texts = append(texts, i.text())
	}
	return "It closes what nobody was seen to need: " + strings.Join(texts, ", ")
}

func reliesText(relies []analyze.Ref) string {
	var names []string
	for _, ref := range relies {
		names = append(names, ref.Name)
	}
	return fmt.Sprintf("Apply it together with %s, never before: alone it would cut what %s.", analyze.List(names, len(names)),
		map[bool]string{true: "that one keeps", false: "those keep"}[len(names) == 1])
}

func (c *companion) whom() string {
	if c.subject.IsZero() {
		return "namespace " + c.namespace
	}
	return c.subject.String()
}

func (c *companion) words() string {
	var names []string
	for _, d := range c.directions {
		names = append(names, lower(d))
	}
	return strings.Join(names, " and ")
}

// Settle withholds companions that rely on a policy which is not among what is
// offered: without it they would cut what was seen. Whoever leaves
// recommendations out of a list has to call it.
func Settle(list []Recommendation) {
	offered := map[analyze.Ref]bool{}
	for i := range list {
		if list[i].Withheld == "" {
			offered[list[i].Policy] = true
		}
	}
	for i := range list {
		r := &list[i]
		if r.Withheld != "" || !r.Companion {
			continue
		}
		if missing := slices.DeleteFunc(slices.Clone(r.Relies), func(ref analyze.Ref) bool { return offered[ref] }); len(missing) > 0 {
			r.withhold(fmt.Sprintf("it relies on %s, which is not offered: without it the default deny would cut what was seen", missing[0].Cluster()))
		}
	}
}

// compareRecommendations sorts by namespace and policy, companions last.
func compareRecommendations(a, b Recommendation) int {
	last := map[bool]int{true: 1}
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(last[a.Companion], last[b.Companion]),
		cmp.Compare(a.Policy.Name, b.Policy.Name), cmp.Compare(a.Policy.Kind, b.Policy.Kind), cmp.Compare(a.ID, b.ID))
}
