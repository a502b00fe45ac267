// SPDX-License-Identifier: Apache-2.0

package policy

import "slices"

// sameness tells equal policies of two engines. It may miss an equality, which
// costs time; it never finds one that is not there.
type sameness struct {
	ports bool                    // a name of a port means the same in both
	known map[*compiled]*compiled // equal policies found, new to old
}

func newSameness(old, new *topology) *sameness {
	s := &sameness{ports: old == new, known: map[*compiled]*compiled{}}
	if old != new && old.interning == new.interning {
		s.ports = slices.EqualFunc(old.ends, new.ends, func(a, b end) bool { return slices.Equal(a.ports, b.ports) })
	}
	return s
}

// groups says whether the same policies apply in two groups.
func (s *sameness) groups(a, b *group, d Direction) bool {
	return slices.EqualFunc(a.tiers, b.tiers, func(x, y *groupTier) bool {
		return x.tier.name == y.tier.name && x.tier.fallback == y.tier.fallback &&
			slices.EqualFunc(x.policies, y.policies, func(p, q *compiled) bool { return s.policies(p, q, d) })
	})
}

func (s *sameness) policies(a, b *compiled, d Direction) bool {
	if (a == b && s.ports) || s.known[b] == a {
		return true
	}
	if a.ref() != b.ref() || !slices.EqualFunc(a.rules[d], b.rules[d], s.rules) {
		return false
	}
	if slices.EqualFunc(a.rules[1-d], b.rules[1-d], s.rules) {
		s.known[b] = a
	}
	return true
}

func (s *sameness) rules(a, b rule) bool {
	return a.action == b.action && a.family == b.family && a.maybe == b.maybe && slices.EqualFunc(a.clauses, b.clauses, s.clauses)
}

func (s *sameness) clauses(a, b clause) bool {
	return (a.ports == nil) == (b.ports == nil) && samePeer(a.peer, b.peer) && samePeer(a.local, b.local) &&
		slices.EqualFunc(a.ports, b.ports, s.port) && slices.EqualFunc(a.not, b.not, s.port)
}

// port items with names are equal only where names mean the same.
func (s *sameness) port(a, b port) bool {
	return a.interval == b.interval && a.protocol == b.protocol && a.name == b.name && (a.name == 0 || s.ports)
}

func samePeer(a, b *peer) bool {
	switch {
	case a == b:
		return true
	case a == nil || b == nil:
		return false
	case (a.outside == nil) != (b.outside == nil) || (a.outside != nil && !a.outside.Equal(b.outside)):
		return false
	}
	return slices.Equal(a.names, b.names) && a.ends.Equal(b.ends)
}
