// SPDX-License-Identifier: Apache-2.0

package quality

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// minute is one window of records while an attack goes on, and how often the
// alerts are looked at then.
const minute = time.Minute

// attackLasts is for how long each attack goes on.
const attackLasts = 8 * minute

// attack is what an intruder does from a pod of the victim.
type attack struct {
	name string
	// do gives the records of one minute, the first being 0. Victim and others are
	// ends as the agent names them.
	do func(a *assault, n int) []flow.Record
}

// assault is an attack in one world.
type assault struct {
	s      *simulator
	victim *Workload
	at     time.Time
	strays []*Workload // others that the victim never calls, with their ports
}

// attacks are those that are measured. Addresses of the documentation ranges
// stand for the intruder's.
var attacks = []attack{
	{"lateral movement", func(a *assault, _ int) []flow.Record {
		return []flow.Record{a.to(a.end(a.strays[0]), a.strays[0].Ports[0], 2, a.own())}
	}},
	{"exfiltration over DNS to a resolver outside", func(a *assault, _ int) []flow.Record {
		return []flow.Record{a.to(address("203.0.113.53", ""), 53, 400, a.own(), udp, bytes(400*180))}
	}},
	{"exfiltration over DNS through the cluster's", func(a *assault, _ int) []flow.Record {
		dns := a.s.workload("kube-system/coredns")
		return []flow.Record{a.to(a.end(dns), 53, 5000, a.own(), udp, bytes(5000*220), service("kube-system/kube-dns:53"))}
	}},
	{"exfiltration over HTTPS to a name", func(a *assault, _ int) []flow.Record {
		return []flow.Record{a.to(address("203.0.113.80", "paste.evil.example"), 443, 1, a.own(), bytes(20<<20))}
	}},
	{"exfiltration over HTTPS to an IPv6 address", func(a *assault, _ int) []flow.Record {
		return []flow.Record{a.to(address("2001:db8::80", ""), 443, 1, a.own(), bytes(20<<20))}
	}},
	{"scan of one server's ports", func(a *assault, n int) (out []flow.Record) {
		for p := range 20 {
			out = append(out, a.to(a.end(a.strays[0]), uint16(1000+20*n+p), 1, a.own(), refused))
		}
		return out
	}},
	{"scan of many addresses", func(a *assault, n int) (out []flow.Record) {
		for i := range 12 {
			out = append(out, a.to(address(fmt.Sprintf("10.250.%d.%d", n, i+1), ""), 22, 1, a.own(), unanswered))
		}
		return out
	}},
	{"stolen token to the API server", func(a *assault, _ int) []flow.Record {
		return []flow.Record{a.to(address("10.96.0.1", ""), 443, 2, a.own(), service("default/kubernetes:443"))}
	}},
	{"crypto miner", func(a *assault, _ int) []flow.Record {
		return []flow.Record{a.to(address("203.0.113.33", "pool.evil.example"), 3333, 1, by("/tmp/.x/miner"))}
	}},
	{"reverse shell", func(a *assault, _ int) []flow.Record {
		return []flow.Record{a.to(address("203.0.113.44", ""), 4444, 1, by("/bin/sh"))}
	}},
	{"a shell on a known connection", func(a *assault, _ int) []flow.Record {
		c := a.known()
		return []flow.Record{a.to(a.s.end(a.s.later, c.To, a.at, c.DNS), c.Port, 1, by("/bin/bash"), over(c.Protocol))}
	}},
	{"the cloud's metadata", func(a *assault, _ int) []flow.Record {
		return []flow.Record{a.to(address("169.254.169.254", ""), 80, 1, a.own())}
	}},
}

type twist func(*flow.Record)

func udp(r *flow.Record)        { r.Edge.Protocol = flow.UDP }
func refused(r *flow.Record)    { r.Edge.Outcome = flow.Refused }
func unanswered(r *flow.Record) { r.Edge.Outcome = flow.Unanswered }

func over(p flow.Protocol) twist       { return func(r *flow.Record) { r.Edge.Protocol = p } }
func service(name string) twist        { return func(r *flow.Record) { r.Edge.Service = name } }
func by(executable string) twist       { return func(r *flow.Record) { r.Edge.Client.Process = executable } }
func (a *assault) own() twist          { return by(programOf(a.victim.Workload)) }
func programOf(w flow.Workload) string { return "/app/" + w.Name }

func bytes(n uint64) twist {
	return func(r *flow.Record) {
		r.ByClient.BytesSent = n
		if !r.ByServer.IsZero() {
			r.ByServer.BytesSent = n
		}
	}
}

func address(ip, dns string) flow.Endpoint {
	return flow.Endpoint{IP: netip.MustParseAddr(ip), DNS: dns}
}

func (a *assault) end(w *Workload) flow.Endpoint {
	return a.s.end(a.s.later, w.String(), a.at, "")
}

// to makes a record of the minute that is set later.
func (a *assault) to(server flow.Endpoint, port uint16, n uint64, twists ...twist) flow.Record {
	c := flow.Counters{Connections: n, BytesSent: 300 * n, BytesReceived: 900 * n, PacketsSent: 5 * n, PacketsReceived: 5 * n}
	client := a.s.end(a.s.later, a.victim.String(), a.at, "")
	if server.Workload.IsZero() && server.IP.Is6() {
		client.IP = six(client.IP)
	}
	r := flow.Record{Edge: flow.Edge{Client: client, Server: server, Protocol: flow.TCP, Port: port}, ByClient: c}
	if !server.Workload.IsZero() {
		r.ByServer = c
		r.Edge.Server.Process = programOf(server.Workload)
	}
	for _, t := range twists {
		t(&r)
	}
	return r
}

// known is a call that the victim makes all the time.
func (a *assault) known() *Call {
	for i := range a.s.Topology.Calls {
		if c := &a.s.Topology.Calls[i]; c.From == a.victim.String() && c.When == Steady && c.To != "kube-system/coredns" {
			return c
		}
	}
	panic("quality: the victim calls nobody")
}

// newAssault picks a victim that calls others all the time, and others that it
// never calls.
func newAssault(s *simulator, at time.Time) *assault {
	a := &assault{s: s, at: at}
	for i := range s.Topology.Workloads {
		w := &s.Topology.Workloads[i]
		calls := slices.ContainsFunc(s.Topology.Calls, func(c Call) bool {
			return c.From == w.String() && c.When == Steady && c.To != "kube-system/coredns"
		})
		if w.Kind == "Deployment" && calls && a.victim == nil {
			a.victim = w
		}
	}
	for i := range s.Topology.Workloads {
		w := &s.Topology.Workloads[i]
		called := slices.ContainsFunc(s.Topology.Calls, func(c Call) bool { return c.From == a.victim.String() && c.To == w.String() })
		if w != a.victim && !called && len(w.Ports) > 0 && !strings.HasPrefix(w.String(), "kube-system/") {
			a.strays = append(a.strays, w)
		}
	}
	return a
}
