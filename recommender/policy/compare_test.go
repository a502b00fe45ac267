// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/l4"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// holdsConnection says whether a readable cell has the connection.
func holdsConnection(s *cluster.Snapshot, c *Cell, conn *Connection) bool {
	first, _ := points(conn)
	return inGroup(s, &c.From, &conn.From) && inGroup(s, &c.To, &conn.To) && slices.ContainsFunc(c.Ports, func(r l4.Range) bool {
		return l4.Point(r.Protocol, r.First) <= first && first <= l4.Point(r.Protocol, r.Last)
	})
}

func inGroup(s *cluster.Snapshot, g *Group, p *Peer) bool {
	if g.Family != "" && p.Addr.IsValid() && (g.Family == "IPv4") != p.Addr.Is4() {
		return false
	}
	node := ""
	for i := range s.Pods {
		pod := &s.Pods[i]
		switch {
		case p.Pod == pod && pod.HostNetwork:
			node = pod.Node
		case p.Pod == pod:
			return slices.Contains(g.Pods, i)
		}
	}
	for _, n := range s.Nodes {
		if slices.Contains(n.Addresses, p.Addr) {
			node = n.Name
		}
	}
	if node != "" {
		return slices.Contains(g.Nodes, node)
	}
	named := func(pattern string) bool { return (&peer{names: []string{pattern}}).hasName(p.DNS) }
	return (g.DNS == "" || named(g.DNS)) && !slices.ContainsFunc(g.NotDNS, named) && slices.ContainsFunc(g.Outside, func(x netip.Prefix) bool { return x.Contains(p.Addr) })
}

// compareByForce holds a delta against both engines, connection by connection.
func compareByForce(t *testing.T, d *policytest.Dice, s *cluster.Snapshot, old, new *Engine) (checked, changed int) {
	t.Helper()
	delta := Compare(old, new)
	connections(d, s, func(c Connection) {
		checked++
		before, after := both(old.Allowed(c)), both(new.Allowed(c))
		q := old.query(&c)
		added, removed := 0, 0
		for i := range delta.Added {
			if !q.always && holdsConnection(s, &delta.Added[i], &c) {
				added++
			}
		}
		for i := range delta.Removed {
			if !q.always && holdsConnection(s, &delta.Removed[i], &c) {
				removed++
			}
		}
		if before != after {
			changed++
		}
		if (added > 0) != (after && !before) || (removed > 0) != (before && !after) {
			t.Fatalf("%+v: before %v after %v, in added %d, in removed %d\nadded %s\nremoved %s\nold %s\nnew %s", c, before, after, added, removed,
				cellTexts(delta.Added), cellTexts(delta.Removed), whyText(old.Check(c)), whyText(new.Check(c)))
		}
	})
	return checked, changed
}

func both(a, b bool) bool { return a && b }

func cellTexts(cells []Cell) string {
	var out []string
	for _, c := range cells {
		out = append(out, c.Text)
	}
	return strings.Join(out, "\n  ")
}

func TestCompareAgreesWithForce(t *testing.T) {
	rounds := uint64(300)
	if testing.Short() {
		rounds = 30
	}
	checked, changed := 0, 0
	for seed := range rounds {
		d := policytest.New(seed)
		s := d.Cluster()
		s.Policies = d.Policies(4, 4)
		after := *s
		after.Policies = d.Mutate(s.Policies)
		options := Options{IPBlockSkipsPods: d.Chance(20), Order: policytest.Pick(d, CalicoOrder, UpstreamOrder)}
		n, c := compareByForce(t, d, s, compileClean(t, s, options), compileClean(t, &after, options))
		checked, changed = checked+n, changed+c
	}
	if changed < checked/50 {
		t.Errorf("only %d of %d connections changed; the test sees too little", changed, checked)
	}
}
