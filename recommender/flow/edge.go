// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"net/netip"
	"strings"
	"time"
)

// Workload is the top owner of pods: a Deployment, a StatefulSet, a CronJob, a
// bare Pod. The zero value means that none is known.
type Workload struct {
	Namespace string
	Kind      string
	Name      string
}

// IsZero says whether no workload is known.
func (w Workload) IsZero() bool { return w == Workload{} }

// String gives namespace/name, the form that people type.
func (w Workload) String() string { return w.Namespace + "/" + w.Name }

// Endpoint is one end of an edge, with what is known about it: a pod
// (Workload set), a node (Node set, Workload not), or an outside address.
type Endpoint struct {
	Workload Workload
	Pod      string     // pod name; empty where only the workload is known
	IP       netip.Addr // unmapped; invalid where records were folded over addresses
	Node     string     // for a pod the node that it runs on; for a node its name
	DNS      string     // the name that the client asked for, lower case, no final dot
	Process  string     // executable path, where known
	// Container is the one that the process runs in, where known: its name in the
	// pod, else the id that the runtime gives it.
	Container string
	// Elsewhere says of an outside address who has it in another cluster that is
	// known: cluster/namespace/name of a workload, cluster/name of a node. To
	// policies it stays an outside address.
	Elsewhere string
}

// DNSName gives a DNS name as endpoints carry it: lower case, no final dots.
func DNSName(name string) string { return strings.ToLower(strings.TrimRight(name, ".")) }

// EndpointKind tells a pod, a node and an outside address apart.
type EndpointKind uint8

// The kinds of endpoint.
const (
	KindOutside EndpointKind = iota
	KindPod
	KindNode
)

// Kind tells what the endpoint is.
func (e Endpoint) Kind() EndpointKind {
	switch {
	case !e.Workload.IsZero() || e.Pod != "":
		return KindPod
	case e.Node != "":
		return KindNode
	default:
		return KindOutside
	}
}

// Outcome is what became of the connections of an edge.
type Outcome uint8

// The outcomes, in the words of the flow file.
const (
	Established Outcome = iota
	Refused             // answered by a reset or an ICMP error
	Unanswered          // nothing came back
	Dropped             // the kernel said that it dropped it; Reason says why
)

// Edge is the key that connections are folded to. Port is the port on the
// server's own address, after any DNAT; 0 where the protocol has no ports.
type Edge struct {
	Client   Endpoint
	Server   Endpoint
	Protocol Protocol
	Port     uint16
	Outcome  Outcome
	Reason   string // drop reason, with Dropped
	Service  string // "namespace/name:port" that the client dialled; empty for a direct dial
	Guessed  bool   // which end is the client was guessed from the port numbers
	Probe    bool   // the node asks whether a pod on it is well: told by its agent, from the pod's spec
}

// Counters are counted from the client's point of view: sent is client to
// server. Connections are those that began within the window.
type Counters struct {
	Connections     uint64
	BytesSent       uint64
	BytesReceived   uint64
	PacketsSent     uint64
	PacketsReceived uint64
}

// Add sums two counters.
func (c Counters) Add(o Counters) Counters {
	return Counters{
		Connections:     c.Connections + o.Connections,
		BytesSent:       c.BytesSent + o.BytesSent,
		BytesReceived:   c.BytesReceived + o.BytesReceived,
		PacketsSent:     c.PacketsSent + o.PacketsSent,
		PacketsReceived: c.PacketsReceived + o.PacketsReceived,
	}
}

// IsZero says whether nothing was counted.
func (c Counters) IsZero() bool { return c == Counters{} }

// Window is a closed time bucket: Start is in it, End is not.
type Window struct {
	Start time.Time
	End   time.Time
}

// Record is what was counted on one edge in one window. The same connection is
// seen twice where both of its ends are watched; the two counts are kept apart
// so that nothing is doubled.
type Record struct {
	Window   Window
	Edge     Edge
	ByClient Counters // counted at the client's end
	ByServer Counters // counted at the server's end
}

// Counters gives the count to show: the client's, which sees also what never
// arrived, else the server's.
func (r Record) Counters() Counters {
	if !r.ByClient.IsZero() {
		return r.ByClient
	}
	return r.ByServer
}
