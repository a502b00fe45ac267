// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// Direction is the side of a connection that a rule speaks of.
type Direction uint8

// The directions, as policyTypes names them.
const (
	Egress Direction = iota
	Ingress
)

// String gives "Egress" or "Ingress".
func (d Direction) String() string {
	if d == Egress {
		return "Egress"
	}
	return "Ingress"
}

// Peer is one end of a connection to be judged: a pod of the engine's
// snapshot, else an address, which may be a node's. For a pod Addr may be
// left invalid: the pod's first address of the other end's family is meant.
type Peer struct {
	Pod  *cluster.Pod
	Addr netip.Addr
	// DNS is the name that the client asked for, where To is outside: policies
	// with domain names need it. Empty when not known.
	DNS string
	// Rewritten: Addr is not the peer's own, it was translated on the way. The
	// verdict is then uncertain.
	Rewritten bool
}

// Connection is a question to the engine: may From open it to To? Port is the
// port on To's own address, after DNAT. ICMP type and code are -1 when unknown.
type Connection struct {
	From     Peer
	To       Peer
	Protocol flow.Protocol
	Port     uint16
	ICMPType int16
	ICMPCode int16
}

// Verdict is the answer: allowed when both directions allow.
type Verdict struct {
	Allowed bool
	Egress  DirectionVerdict
	Ingress DirectionVerdict
	// Uncertain names what makes the verdict doubtful: an object that was left
	// out, an ambiguous priority, a source rewritten on the way.
	Uncertain []string
}

// DirectionVerdict is the answer at one end.
type DirectionVerdict struct {
	Allowed bool
	// Isolated says whether any policy selects the end in this direction; if
	// not, Allowed is true and Why has one step of kind StepNotIsolated.
	Isolated bool
	// Why is the chain that decided. When allowed by rules it has every
	// allowance that matched in the deciding tier, not only the first.
	Why []Step
}

// StepKind says what a step of a verdict's chain is.
type StepKind uint8

// The kinds of step.
const (
	StepNotIsolated StepKind = iota // no policy applies at this end in this direction
	StepRule                        // a rule matched: Action says what it did
	StepNoMatch                     // a policy isolates this end and none of its rules matched
	StepDefault                     // a tier's default action
	StepAlways                      // allowed whatever the policies: own node's probe, loopback, outside end
)

// Action is what a matched rule does.
type Action uint8

// The actions.
const (
	ActionAllow Action = iota
	ActionDeny
	ActionPass
	ActionLog
)

// Step is one link in the chain of a verdict.
type Step struct {
	Kind      StepKind
	Action    Action
	Policy    cluster.Ref // zero with StepNotIsolated and StepAlways
	Tier      string      // "" for plain Kubernetes
	Allowance AllowanceID // with StepRule and ActionAllow; its Policy equals Policy
	Text      string      // one line for people: "NetworkPolicy shop/db ingress rule 1, peer 2 (podSelector app=api), port TCP 5432"
}

// AllowanceID names one atom. Rule, Peer and Port count from 0 in the order of
// the manifest; Peer or Port is -1 where the rule leaves it open (any).
type AllowanceID struct {
	Policy    cluster.Ref
	Direction Direction
	Rule      int
	Peer      int
	Port      int
}

// Allowance is one atom with what it says, for lists and usage.
type Allowance struct {
	ID   AllowanceID
	Peer string // the peer as a person reads it: "pods app=api in namespace shop", "10.0.0.0/8 except 10.1.0.0/16", "anyone"
	Port string // "TCP 5432", "TCP 8000-8100", "TCP http", "any port"
	// Line is the line in Source.YAML, from 1, of the port item, else the peer
	// item, else the rule; 0 where not known.
	Line int
	// Subjects are the indexes in Snapshot.Pods of the pods that the policy selects.
	Subjects []int
}
