// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/bits"
)

// Options say how an engine reads policies where clusters differ. The zero
// value is right for most.
type Options struct {
	// IPBlockSkipsPods: an ipBlock never matches a pod's address, as with
	// network plugins that know pods by identity. Most match; so do we by default.
	IPBlockSkipsPods bool
	// Order says how the kinds of policy combine.
	Order Order
}

// Engine answers questions on one snapshot. It is immutable and safe for use
// by several goroutines.
type Engine struct {
	top      *topology
	options  Options
	calico   *calicoWorld
	tiers    map[string]*tier
	policies []*compiled // in order of evaluation; see inForce
	exchange *exchange   // what a swap changed; nil where policies is the list
	left     []left
	forwards []forward
	snapshot *cluster.Snapshot // all that was compiled
	units    map[cluster.Ref]*unit
	twice    bool // an object is there twice
	swapped  bool // the snapshot does not have all that applies
	effort   Effort
	// group gives for each direction and end the number of its group; groups
	// holds what applies to each. Ends of one workload share a group.
	group  [2][]int32
	groups [2][]group
	lookup
}

// group is what applies to some ends in one direction.
type group struct{ tiers []*groupTier }

// groupTier is a tier's policies that apply, in order.
type groupTier struct {
	tier     *tier
	policies []*compiled
}

// Compile reads the snapshot's policies. What is not understood is left out and
// comes back as a Problem; verdicts that it could have changed are uncertain.
func Compile(s *cluster.Snapshot, o Options) (*Engine, []cluster.Problem) {
	c := &compiler{top: newTopology(s), options: o, tiers: map[string]*tier{}, units: map[cluster.Ref]*unit{}}
	c.calico = newCalicoWorld(c.top)
	c.top.calico = c.calico
	c.prepare(s.Policies, nil)
	twice := c.compile(s.Policies)
	e := &Engine{top: c.top, options: o, calico: c.calico, tiers: c.tiers, units: c.units, snapshot: s, twice: twice}
	e.effort = Effort{Policies: len(s.Policies), Ends: c.top.all.Len()}
	for i := range s.Policies {
		if u := c.units[s.Policies[i].Ref]; !twice || e.firstOf(i) {
			e.policies = append(e.policies, u.policies...)
		}
	}
	slices.SortStableFunc(e.policies, comparePolicies)
	e.groupEnds()
	e.lookup = newLookup(e)
	return e, e.collect()
}

// firstOf says whether an object is not a second one of its name.
func (e *Engine) firstOf(i int) bool {
	ref := e.snapshot.Policies[i].Ref
	return slices.IndexFunc(e.snapshot.Policies, func(o cluster.Object) bool { return o.Ref == ref }) == i
}

// collect gathers what was not understood, in the order of the objects.
func (e *Engine) collect() []cluster.Problem {
	var problems []cluster.Problem
	e.left, e.forwards = nil, nil
	for i := range e.snapshot.Policies {
		if u := e.units[e.snapshot.Policies[i].Ref]; len(u.problems)+len(u.left)+len(u.forwards) > 0 && (!e.twice || e.firstOf(i)) {
			problems = append(problems, u.problems...)
			e.left = append(e.left, u.left...)
			e.forwards = append(e.forwards, u.forwards...)
		}
	}
	slices.SortStableFunc(e.forwards, func(a, b forward) int { return comparePolicies(a.policy, b.policy) })
	for _, p := range e.snapshot.Problems {
		e.leaveUnread(p)
	}
	return problems
}

// compile compiles objects; it says whether one of them is there twice.
func (c *compiler) compile(objects []cluster.Object) (twice bool) {
	seen := map[cluster.Ref]bool{}
	for i := range objects {
		o := &objects[i]
		c.begin(o)
		if seen[o.Ref] {
			twice = true
			c.leaveOut(o, faultAt(path{"metadata", "name"}, "%s is there twice; remove or rename one", o.Ref), c.top.reach(o.Ref.Namespace))
			continue
		}
		seen[o.Ref] = true
		c.object(o)
	}
	return twice
}

// object hands a policy to the front end of its kind.
func (c *compiler) object(o *cluster.Object) {
	switch typed := o.Typed.(type) {
	case *networkingv1.NetworkPolicy:
		c.kubernetes(o, typed)
	default:
		if c.calicoObject(o) || c.clusterWideObject(o) {
			return
		}
		c.leaveOut(o, faultAt(path{"kind"}, "%s %s is not a kind of policy that is understood here", o.Ref.APIVersion, o.Ref.Kind), c.top.reach(o.Ref.Namespace))
	}
}

// place puts a policy into a tier, making the well-known ones as needed.
func (c *compiler) place(name string, p *compiled) {
	c.settle(name, stageNormal, p)
	c.unit.policies = append(c.unit.policies, p)
}

// settle finishes a policy that is asked in a tier at a stage.
func (c *compiler) settle(name string, s stage, p *compiled) {
	c.askTier(name)
	if s == stageUntracked || s == stagePreDNAT {
		p.tier = c.early(name, s)
	} else {
		if c.tiers[name] == nil {
			c.tiers[name] = c.wellKnownTier(name)
		}
		p.tier = c.tiers[name]
	}
	p.object = c.unit.object
	p.settle()
}

// compareTiers compares tiers by the order in which they are asked.
func compareTiers(a, b *tier) int {
	return cmp.Or(cmp.Compare(a.stage, b.stage), cmp.Compare(a.order, b.order), cmp.Compare(a.name, b.name))
}

// comparePolicies compares policies by the order in which they are asked.
func comparePolicies(a, b *compiled) int {
	return cmp.Or(
		compareTiers(a.tier, b.tier),
		cmp.Compare(a.order, b.order), cmp.Compare(a.tieBreak, b.tieBreak),
		cmp.Compare(a.object.Ref.Kind, b.object.Ref.Kind), cmp.Compare(a.object.Ref.Namespace, b.object.Ref.Namespace),
		cmp.Compare(a.object.Ref.Name, b.object.Ref.Name), cmp.Compare(a.object.Ref.APIVersion, b.object.Ref.APIVersion),
	)
}

// leaveUnread makes the verdicts uncertain that an object which the source
// could not read may have changed. Of a document of unknown kind nobody can
// tell what it was.
func (e *Engine) leaveUnread(p cluster.Problem) {
	place := p.File
	if p.Line > 0 {
		place = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	switch ends, known := e.unreadReach(p.Ref); {
	case !known:
	case p.Ref.Kind == "":
		e.left = append(e.left, left{ref: p.Ref, ends: ends, all: true, text: fmt.Sprintf("a document at %s is not understood; what it holds may apply here", place)})
	case place == "":
		e.left = append(e.left, left{ref: p.Ref, ends: ends, text: fmt.Sprintf("%s was left out; it may apply here", p.Ref)})
	default:
		e.left = append(e.left, left{ref: p.Ref, ends: ends, text: fmt.Sprintf("%s (%s) was left out; it may apply here", p.Ref, place)})
	}
}

// unreadReach gives the ends that an object may touch which could not be read;
// none is known where it is of a kind that changes no verdict.
func (e *Engine) unreadReach(ref cluster.Ref) (ends bits.Set, known bool) {
	switch {
	case ref.Kind == "", ref.Kind == "NetworkSet": // policies of any namespace may name a set
		return e.top.everyEnd(), true
	case ref.Kind == "Namespace":
		return e.top.reach(ref.Name), true
	case ref.Kind == "FelixConfiguration":
		return e.calico.hostEnds(), true
	case ref.Kind == "HostEndpoint":
		return e.top.nodeEnds, true
	case policyKinds[ref.Kind], strings.HasSuffix(ref.Kind, "NetworkPolicy") && !strings.HasPrefix(ref.Kind, "Staged"), ofPolicies(ref):
		return e.top.reach(ref.Namespace), true
	}
	return bits.Set{}, false
}

// ofPolicies says whether an object is of a group that holds policies, and of a
// kind that nobody knows.
func ofPolicies(ref cluster.Ref) bool {
	group, _, _ := strings.Cut(ref.APIVersion, "/")
	_, _, err := cluster.LookupKind(ref.APIVersion, ref.Kind)
	return err != nil && (strings.HasSuffix(group, "networking.k8s.io") || strings.HasSuffix(group, "projectcalico.org"))
}

// policyKinds are the kinds that change verdicts.
var policyKinds = map[string]bool{
	"NetworkPolicy": true, "GlobalNetworkPolicy": true, "Tier": true, "GlobalNetworkSet": true,
	"Profile": true, "AdminNetworkPolicy": true, "BaselineAdminNetworkPolicy": true, "ClusterNetworkPolicy": true,
}

// groupEnds finds which policies apply to which ends. Ends start in one group;
// each policy splits every group into those that it selects and the others.
func (e *Engine) groupEnds() {
	for _, d := range []Direction{Egress, Ingress} {
		type node struct {
			parent int32
			policy int32
		}
		nodes := []node{{-1, -1}}
		group := make([]int32, len(e.top.ends))
		child := map[int32]int32{}
		for i, p := range e.inForce() {
			if !p.applies[d] {
				continue
			}
			clear(child)
			for end := range p.subject.All {
				from := group[end]
				to, ok := child[from]
				if !ok {
					to = int32(len(nodes))
					nodes = append(nodes, node{from, int32(i)})
					child[from] = to
				}
				group[end] = to
			}
		}
		number := map[int32]int32{}
		for end, n := range group {
			g, ok := number[n]
			if !ok {
				var list []*compiled
				for at := n; at > 0; at = nodes[at].parent {
					list = append(list, e.inForce()[nodes[at].policy])
				}
				slices.Reverse(list)
				g = int32(len(e.groups[d]))
				number[n] = g
				e.groups[d] = append(e.groups[d], grouped(list))
			}
			group[end] = g
		}
		e.group[d] = group
	}
}

// grouped cuts a list of policies, in order, into tiers.
func grouped(list []*compiled) group {
	var g group
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].tier == list[0].tier {
			n++
		}
		g.tiers = append(g.tiers, &groupTier{tier: list[0].tier, policies: list[:n:n]})
		list = list[n:]
	}
	return g
}
