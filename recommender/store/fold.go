// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"strings"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Fold gives an edge at workload level. Of a pod its workload stays, of a node
// its name, of an outside peer its address and DNS name. Containers and probes
// are told of pods alone. Service, reason, processes, who an address is
// elsewhere, and the guess describe the edge and are not part of its identity
// (see [Key]): only one of its ends can know each of them.
func Fold(e flow.Edge) flow.Edge {
	e.Client, e.Server = foldEnd(e.Client), foldEnd(e.Server)
	e.Probe = false
	return e
}

func foldEnd(e flow.Endpoint) flow.Endpoint {
	switch e.Kind() {
	case flow.KindPod:
		return flow.Endpoint{Workload: Owner(e), Process: e.Process}
	case flow.KindNode:
		return flow.Endpoint{Node: e.Node, Process: e.Process}
	case flow.KindOutside:
		return flow.Endpoint{IP: e.IP, DNS: e.DNS, Process: e.Process, Elsewhere: e.Elsewhere}
	default:
		return e
	}
}

// Owner gives the workload of a pod endpoint; a pod of which no workload is
// known stands for itself.
func Owner(e flow.Endpoint) flow.Workload {
	if e.Workload.Name == "" && e.Pod != "" {
		return flow.Workload{Namespace: e.Workload.Namespace, Kind: "Pod", Name: e.Pod}
	}
	return e.Workload
}

// Key gives the identity of an edge at workload level, comparable: what both
// of its ends agree on.
func Key(e flow.Edge) flow.Edge {
	e = Fold(e)
	e.Client.Process, e.Server.Process = "", ""
	e.Client.Elsewhere, e.Server.Elsewhere = "", ""
	e.Service, e.Reason, e.Guessed = "", "", false
	return e
}

// Describe adds what another sight of the same edge knows: what is known
// stays, what is not is filled in, and what was seen once unguessed is not a guess.
func Describe(known, seen flow.Edge) flow.Edge {
	known.Client.Process = cmp.Or(known.Client.Process, seen.Client.Process)
	known.Server.Process = cmp.Or(known.Server.Process, seen.Server.Process)
	known.Client.Elsewhere = cmp.Or(known.Client.Elsewhere, seen.Client.Elsewhere)
	known.Server.Elsewhere = cmp.Or(known.Server.Elsewhere, seen.Server.Elsewhere)
	known.Service = cmp.Or(known.Service, seen.Service)
	known.Reason = cmp.Or(known.Reason, seen.Reason)
	known.Guessed = known.Guessed && seen.Guessed
	return known
}

// Matches says whether an edge, folded or not, has an end in the query's
// namespace and one of its workload. Cluster and times are not looked at.
func (q Query) Matches(e flow.Edge) bool {
	namespace := q.Namespace == "" || e.Client.Workload.Namespace == q.Namespace || e.Server.Workload.Namespace == q.Namespace
	return namespace && (q.Workload.IsZero() || Owner(e.Client) == q.Workload || Owner(e.Server) == q.Workload)
}

// Compare orders edges by client, server, protocol, port and outcome.
func Compare(a, b flow.Edge) int {
	return cmp.Or(
		compareEnd(a.Client, b.Client), compareEnd(a.Server, b.Server),
		cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Outcome, b.Outcome),
	)
}

func compareEnd(a, b flow.Endpoint) int {
	return cmp.Or(
		strings.Compare(a.Workload.Namespace, b.Workload.Namespace), strings.Compare(a.Workload.Kind, b.Workload.Kind),
		strings.Compare(a.Workload.Name, b.Workload.Name), strings.Compare(a.Pod, b.Pod),
		strings.Compare(a.Node, b.Node), a.IP.Compare(b.IP), strings.Compare(a.DNS, b.DNS),
	)
}
