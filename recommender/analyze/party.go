// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// PartyOf is the party that a workload is.
func PartyOf(w flow.Workload) Party {
	return Party{Kind: PartyWorkload, Namespace: w.Namespace, WorkloadKind: w.Kind, Name: w.Name}
}

// Workload gives the workload of a party; zero for nodes and outside addresses.
func (p Party) Workload() flow.Workload {
	if p.Kind != PartyWorkload {
		return flow.Workload{}
	}
	return flow.Workload{Namespace: p.Namespace, Kind: p.WorkloadKind, Name: p.Name}
}

// String gives the party as people read it: "shop/cart", "node worker-1",
// "api.pay.example (203.0.113.9)".
func (p Party) String() string {
	switch p.Kind {
	case PartyWorkload:
		return p.Namespace + "/" + p.Name
	case PartyNode:
		return "node " + p.Name
	case PartyOutside:
		switch {
		case p.DNS != "" && p.IP.IsValid():
			return p.DNS + " (" + p.IP.String() + ")"
		case p.DNS != "":
			return p.DNS
		case p.IP.IsValid():
			return p.IP.String()
		}
		return "outside"
	}
	return "outside"
}

// compare orders parties: workloads, nodes, outside; then by name and address.
func (p *Party) compare(o *Party) int {
	switch {
	case p.Kind == PartyOutside && o.Kind == PartyOutside && p.DNS == o.DNS:
		return p.IP.Compare(o.IP)
	case p.Kind != o.Kind:
		return cmp.Compare(kindOrder(p.Kind), kindOrder(o.Kind))
	case p.Namespace != o.Namespace:
		return cmp.Compare(p.Namespace, o.Namespace)
	case p.Name != o.Name:
		return cmp.Compare(p.Name, o.Name)
	case p.WorkloadKind != o.WorkloadKind:
		return cmp.Compare(p.WorkloadKind, o.WorkloadKind)
	case p.DNS != o.DNS:
		return cmp.Compare(p.DNS, o.DNS)
	}
	return p.IP.Compare(o.IP)
}

func kindOrder(k PartyKind) int {
	switch k {
	case PartyWorkload:
		return 0
	case PartyNode:
		return 1
	case PartyOutside:
		return 2
	}
	return 3
}

// identity makes a stable identity of texts: 16 hex digits, the same on every
// run and machine.
func identity(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// appendIdentity writes what tells the party apart from all others.
func (p *Party) appendIdentity(to []byte) []byte {
	for _, part := range [...]string{string(p.Kind), p.Namespace, p.WorkloadKind, p.Name, p.DNS} {
		to = append(append(to, part...), 1)
	}
	if !p.IP.IsValid() {
		return append(to, p.IP.String()...)
	}
	return p.IP.AppendTo(to)
}

// RefOf gives a reference in the words of the report.
func RefOf(r cluster.Ref) Ref { return Ref(r) }

// AllowanceOf gives an allowance in the words of the report.
func AllowanceOf(id policy.AllowanceID) Allowance {
	return Allowance{Policy: RefOf(id.Policy), Direction: id.Direction.String(), Rule: id.Rule, Peer: id.Peer, Port: id.Port}
}

func (a Allowance) identity() string {
	return strings.Join([]string{
		a.Policy.APIVersion, a.Policy.Kind, a.Policy.Namespace, a.Policy.Name, a.Direction,
		strconv.Itoa(a.Rule), strconv.Itoa(a.Peer), strconv.Itoa(a.Port),
	}, "\x01")
}

func countersOf(c flow.Counters) Counters { return Counters(c) }

// PortText gives protocol and port as people read them: "TCP 5432", "ICMP".
func PortText(p flow.Protocol, port uint16) string {
	if !p.HasPorts() {
		return p.String()
	}
	return p.String() + " " + strconv.Itoa(int(port))
}
