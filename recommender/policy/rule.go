// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"strings"

	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// The rule model that every kind of policy is turned into: ordered tiers of
// ordered policies of ordered rules. A rule matches where one of its clauses
// does; a clause is a conjunction of sets.

// tier is a step of evaluation at one end. It is skipped where none of its
// policies selects the end in the direction.
type tier struct {
	name     string
	stage    stage
	order    float64
	fallback Action // ActionDeny or ActionPass, where no rule matched
	// unordered: the order of policies with equal priority is not defined.
	unordered bool
}

// compiled is one policy in the model.
type compiled struct {
	object   *cluster.Object
	tier     *tier
	order    float64
	tieBreak string
	applies  [2]bool // by Direction
	subject  bits.Set
	rules    [2][]rule
	places   places
	// kubernetes: a NetworkPolicy of Kubernetes' own; profile: a Calico profile,
	// which does not isolate.
	kubernetes, profile bool
}

func (c *compiled) ref() cluster.Ref { return c.object.Ref }

// rule is one rule, in one direction.
type rule struct {
	index   int // in the manifest, from 0
	action  Action
	family  family
	clauses []clause
	// maybe says why nobody can tell from a connection whether the rule
	// matches; such a rule never matches, and makes the verdict uncertain.
	maybe string
}

// clause is a conjunction: the other end is in peer, the policy's own end is
// in local, and protocol and port are among ports and not among not.
type clause struct {
	peer  *peer  // nil: anyone
	local *peer  // nil: every subject
	index int    // of the peer in the manifest; -1 where the rule leaves it open
	text  string // the peer as a person reads it
	ports []port
	not   []port
	// points is ports without not, as a set; only where named is false, which
	// says that no port is by name.
	points l4.Set
	named  bool
}

// port is one item of a rule's ports. With a name, it means the port of that
// name, with that protocol, that the destination pod declares.
type port struct {
	interval l4.Interval
	name     int32
	protocol flow.Protocol
	index    int // in the manifest; -1 where it is not an item of a list
}

// peer is a set of ends and of outside addresses. A nil *peer is everything.
type peer struct {
	ends    bits.Set
	outside *netipx.IPSet // nil: none
	names   []string      // domain names, lower case; "*." before one means all below it
	// block: it is made of address blocks, so that of an end without an address
	// nobody can say whether it belongs.
	block bool
}

func (p *peer) has(x *endpoint) bool {
	if p == nil {
		return true
	}
	if x.end >= 0 {
		return p.ends.Has(int(x.end))
	}
	if p.outside != nil && p.outside.Contains(x.addr) {
		return true
	}
	return len(p.names) > 0 && x.name != "" && p.hasName(x.name)
}

func (p *peer) hasName(name string) bool {
	for _, n := range p.names {
		if suffix, wild := strings.CutPrefix(n, "*"); (wild && strings.HasSuffix(name, suffix)) || n == name {
			return true
		}
	}
	return false
}

// endpoint is one end of a question, resolved: an end of the topology, else an
// outside address.
type endpoint struct {
	end  int32 // -1: outside
	addr netip.Addr
	name string
}

// query is a question, resolved. The points from first to last are those that
// the connection may have: one, but for ICMP with unknown type or code.
type query struct {
	from, to    endpoint
	first, last uint32
	protocol    flow.Protocol
	family      family
	exact       bool // one point, and one that can be dialled
	always      bool // own node's traffic, or loopback
}

// intern gives the one peer of its content, so that equal peers are the same.
func (t *topology) intern(p peer) *peer {
	var key strings.Builder
	key.WriteString(p.ends.Key())
	if p.block {
		key.WriteByte('/')
	}
	if p.outside != nil {
		for _, r := range p.outside.Ranges() {
			key.WriteByte('|')
			from, to := r.From().As16(), r.To().As16()
			key.Write(from[:])
			key.Write(to[:])
		}
	}
	for _, n := range p.names {
		key.WriteByte(',')
		key.WriteString(n)
	}
	k := key.String()
	if same := t.interned[k]; same != nil {
		return same
	}
	t.interned[k] = &p
	return &p
}
