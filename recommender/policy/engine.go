// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
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
	policies []*compiled // in order of evaluation
	left     []left
	objects  []cluster.Object // all that was compiled
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
	c := &compiler{top: newTopology(s), options: o, tiers: map[string]*tier{}}
	c.calico = newCalicoWorld(c.top)
	c.prepare(s.Policies)
	c.compile(s.Policies)
	e := c.engine(s.Problems)
	e.objects = s.Policies
	return e, c.problems
}

func (c *compiler) compile(objects []cluster.Object) {
	seen := map[cluster.Ref]bool{}
	for i := range objects {
		o := &objects[i]
		if seen[o.Ref] {
			c.leaveOut(o, faultAt(path{"metadata", "name"}, "%s is there twice; remove or rename one", o.Ref), c.top.reach(o.Ref.Namespace))
			continue
		}
		seen[o.Ref] = true
		c.object(o)
	}
}

// object hands a policy to the front end of its kind.
func (c *compiler) object(o *cluster.Object) {
	c.current = o.Ref
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
	if c.tiers[name] == nil {
		c.tiers[name] = c.wellKnownTier(name)
	}
	p.tier = c.tiers[name]
	p.settle()
	c.policies = append(c.policies, p)
}

// engine freezes what was compiled.
func (c *compiler) engine(problems []cluster.Problem) *Engine {
	e := &Engine{top: c.top, options: c.options, calico: c.calico, tiers: c.tiers, policies: c.policies, left: c.left}
	slices.SortStableFunc(e.policies, func(a, b *compiled) int {
		return cmp.Or(
			cmp.Compare(a.tier.order, b.tier.order), cmp.Compare(a.tier.name, b.tier.name),
			cmp.Compare(a.order, b.order), cmp.Compare(a.tieBreak, b.tieBreak),
		)
	})
	for _, p := range problems {
		e.leaveUnread(p)
	}
	e.groupEnds()
	e.lookup = newLookup(e)
	return e
}

// leaveUnread makes the verdicts uncertain that an object which the source
// could not read may have changed. Of a document of unknown kind nobody can
// tell what it was.
func (e *Engine) leaveUnread(p cluster.Problem) {
	ends := e.top.reach(p.Ref.Namespace)
	what := p.Ref.String()
	switch {
	case p.Ref.Kind == "":
		ends, what = e.top.everyEnd(), fmt.Sprintf("a document at %s line %d", p.File, p.Line)
	case p.Ref.Kind == "Namespace":
		ends = e.top.reach(p.Ref.Name)
	case !policyKinds[p.Ref.Kind]:
		return
	}
	e.left = append(e.left, left{p.Ref, ends, what + " could not be read; it may apply here"})
}

// policyKinds are the kinds that change verdicts.
var policyKinds = map[string]bool{
	"NetworkPolicy": true, "GlobalNetworkPolicy": true, "Tier": true, "NetworkSet": true, "GlobalNetworkSet": true,
	"HostEndpoint": true, "Profile": true, "AdminNetworkPolicy": true, "BaselineAdminNetworkPolicy": true, "ClusterNetworkPolicy": true,
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
		for i, p := range e.policies {
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
					list = append(list, e.policies[nodes[at].policy])
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
