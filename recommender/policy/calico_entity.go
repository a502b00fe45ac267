// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/selector"
)

// entityItem is one peer of a Calico rule: one of its nets, else its selectors
// taken together. Ports are set where a Service brings its own.
type entityItem struct {
	peer  *peer
	index int
	text  string
	ports []port
}

// entityItems compiles the other end's entity into peers.
func (c *compiler) entityItems(ns string, d Direction, e *calicov3.EntityRule, at path) ([]entityItem, *fault) {
	if e.Services != nil {
		return c.services(ns, d, e, at)
	}
	limits, text, f := c.entityLimits(ns, e, at)
	if f != nil {
		return nil, f
	}
	if len(e.Nets) == 0 {
		if limits == nil {
			return []entityItem{{index: -1, text: anyone}}, nil
		}
		return []entityItem{{peer: limits, text: text}}, nil
	}
	var out []entityItem
	for i, net := range e.Nets {
		p, f := netOrAddress(net, at.with("nets", i))
		if f != nil {
			return nil, f
		}
		item := entityItem{peer: c.addresses(setOf(p), true), index: i, text: p.String()}
		if limits != nil {
			item.peer, item.text = c.top.both(item.peer, limits), p.String()+" and "+text
		}
		out = append(out, item)
	}
	return out, nil
}

// entity compiles the policy's own side into one peer; nil where it says nothing.
func (c *compiler) entity(ns string, e *calicov3.EntityRule, at path) (*peer, *fault) {
	if e.Services != nil {
		return nil, faultAt(at.with("services"), "services are for the source of ingress rules and the destination of egress rules")
	}
	limits, _, f := c.entityLimits(ns, e, at)
	if f != nil || len(e.Nets) == 0 {
		return limits, f
	}
	nets, f := c.nets(e.Nets, at.with("nets"))
	if f != nil {
		return nil, f
	}
	if limits == nil {
		return nets, nil
	}
	return c.top.both(nets, limits), nil
}

// entityLimits compiles all of an entity but its nets; nil where it says nothing.
func (c *compiler) entityLimits(ns string, e *calicov3.EntityRule, at path) (*peer, string, *fault) {
	expr, text, f := entitySelector(ns, e, at)
	if f != nil {
		return nil, "", f
	}
	var out *peer
	var texts []string
	if expr != nil {
		out = c.selected(expr)
		texts = append(texts, text)
	}
	if len(e.NotNets) > 0 {
		nets, f := c.nets(e.NotNets, at.with("notNets"))
		if f != nil {
			return nil, "", f
		}
		out = c.without(out, nets)
		texts = append(texts, "not "+strings.Join(e.NotNets, ", "))
	}
	if e.NotSelector != "" {
		not, f := parseSelector(e.NotSelector, at.with("notSelector"), false)
		if f != nil {
			return nil, "", f
		}
		out = c.without(out, c.selected(not))
		texts = append(texts, "not "+not.Plain())
	}
	return out, strings.Join(texts, " and "), nil
}

// entitySelector joins an entity's selectors as Calico does. In a namespaced
// policy any of selector, notSelector and serviceAccounts without
// namespaceSelector means the own namespace.
func entitySelector(ns string, e *calicov3.EntityRule, at path) (*selector.Expr, string, *fault) {
	var own []*selector.Expr
	if e.ServiceAccounts != nil {
		sa, f := accountSelector(e.ServiceAccounts, at.with("serviceAccounts"))
		if f != nil {
			return nil, "", f
		}
		if sa != nil {
			own = append(own, sa)
		}
	}
	if e.Selector != "" {
		s, f := parseSelector(e.Selector, at.with("selector"), false)
		if f != nil {
			return nil, "", f
		}
		own = append(own, s)
	}
	text := "endpoints " + selector.All(own...).Plain()
	switch {
	case e.NamespaceSelector != "":
		nss, f := parseSelector(e.NamespaceSelector, at.with("namespaceSelector"), true)
		if f != nil {
			return nil, "", f
		}
		return selector.All(append([]*selector.Expr{onNamespaces(nss)}, own...)...), text + " in namespaces " + nss.Plain(), nil
	case ns != "" && (len(own) > 0 || e.NotSelector != ""):
		inside := &selector.Expr{Op: selector.Eq, Key: labelNamespace, Values: []string{ns}}
		return selector.All(append([]*selector.Expr{inside}, own...)...), text + " in namespace " + ns, nil
	case len(own) == 0:
		return nil, "", nil
	default:
		return selector.All(own...), text, nil
	}
}

func accountSelector(m *calicov3.ServiceAccountMatch, at path) (*selector.Expr, *fault) {
	var parts []*selector.Expr
	if m.Selector != "" {
		e, f := parseSelector(m.Selector, at.with("selector"), false)
		if f != nil {
			return nil, f
		}
		parts = append(parts, e.Prefix(prefixAccount, selector.Everything(), nil))
	}
	if len(m.Names) > 0 {
		parts = append(parts, selector.KeyIn(labelServiceAccount, m.Names...))
	}
	if len(parts) == 0 {
		return nil, nil
	}
	return selector.All(parts...), nil
}

// nets is the peer of several blocks.
func (c *compiler) nets(texts []string, at path) (*peer, *fault) {
	var build netipx.IPSetBuilder
	for i, text := range texts {
		p, f := netOrAddress(text, at.with(i))
		if f != nil {
			return nil, f
		}
		build.AddPrefix(p)
	}
	set, err := build.IPSet()
	if err != nil {
		return nil, faultAt(at, "%s", err)
	}
	return c.addresses(set, true), nil
}

func setOf(p netip.Prefix) *netipx.IPSet {
	var build netipx.IPSetBuilder
	build.AddPrefix(p)
	set, _ := build.IPSet() // the builder refuses invalid prefixes only, and p is valid
	return set
}

// both is the peer of what is in a and in b.
func (t *topology) both(a, b *peer) *peer {
	p := peer{ends: a.ends.Intersect(b.ends)}
	if a.outside != nil && b.outside != nil {
		var build netipx.IPSetBuilder
		build.AddSet(a.outside)
		build.Intersect(b.outside)
		p.outside, _ = build.IPSet()
	}
	return t.intern(p)
}

// without is the peer of what is in a (nil: everything) and not in b.
func (c *compiler) without(a, b *peer) *peer {
	var build netipx.IPSetBuilder
	p := peer{}
	if a == nil {
		p.ends = c.everyEnd().Minus(b.ends)
		build.AddPrefix(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
		build.AddPrefix(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
	} else {
		p.ends = a.ends.Minus(b.ends)
		if a.outside != nil {
			build.AddSet(a.outside)
		}
	}
	if b.outside != nil {
		build.RemoveSet(b.outside)
	}
	p.outside, _ = build.IPSet()
	return c.top.intern(p)
}

// everyEnd is the set of all ends.
func (c *compiler) everyEnd() bits.Set {
	return c.selection("every", 0, func(_ *topology, within bits.Set) bits.Set { return within })
}
