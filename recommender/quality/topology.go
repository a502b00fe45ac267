// SPDX-License-Identifier: Apache-2.0

package quality

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Topology is an application: who is there, and who needs whom.
type Topology struct {
	Name      string
	Workloads []Workload
	Calls     []Call
	// Reference is how many rules a person would write for it, and Reason how
	// that was counted.
	Reference int
	Reason    string
}

// Workload is a Deployment, StatefulSet, DaemonSet or CronJob.
type Workload struct {
	flow.Workload
	Pods     int
	Ports    []uint16
	Schedule string
}

// When says when a call is made.
type When int

// The times of calls.
const (
	Steady    When = iota // many times an hour
	Rare                  // PerWeek times a week, at random
	AtStart               // by each pod when it starts
	Scheduled             // in each run of its CronJob
)

// Call is a need: its client must reach its server.
type Call struct {
	From, To string // "namespace/name", or an address
	Protocol flow.Protocol
	Port     uint16
	When     When
	PerWeek  float64
	DNS      string // of an address
	Service  string
}

// Outside says whether an end of a call is an address.
func outside(name string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(name)
	return a, err == nil
}

// builder writes topologies down.
type builder struct {
	Topology
	namespace string
	ports     map[string]uint16 // first port of each workload
}

func topology(name string) *builder {
	b := &builder{Topology: Topology{Name: name}, ports: map[string]uint16{}}
	b.ns("kube-system").add("Deployment", "coredns", 2, 53)
	return b
}

func (b *builder) ns(name string) *builder { b.namespace = name; return b }

func (b *builder) add(kind, name string, pods int, ports ...uint16) *builder {
	w := Workload{Workload: flow.Workload{Namespace: b.namespace, Kind: kind, Name: name}, Pods: pods, Ports: ports}
	b.Workloads = append(b.Workloads, w)
	if len(ports) > 0 {
		b.ports[w.String()] = ports[0]
	}
	return b
}

// deploy adds Deployments of two pods, as "name:port" or "name".
func (b *builder) deploy(names ...string) *builder {
	for _, n := range names {
		name, port, _ := strings.Cut(n, ":")
		var ports []uint16
		if p, err := strconv.ParseUint(port, 10, 16); err == nil {
			ports = append(ports, uint16(p))
		}
		b.add("Deployment", name, 2, ports...)
	}
	return b
}

func (b *builder) cron(name, schedule string) *builder {
	b.add("CronJob", name, 1)
	b.Workloads[len(b.Workloads)-1].Schedule = schedule
	return b
}

// calls adds steady calls from one workload to others.
func (b *builder) calls(from string, to ...string) *builder {
	return b.when(Steady, 0, from, to...)
}

func (b *builder) rarely(perWeek float64, from string, to ...string) *builder {
	return b.when(Rare, perWeek, from, to...)
}

func (b *builder) atStart(from string, to ...string) *builder {
	return b.when(AtStart, 0, from, to...)
}

func (b *builder) scheduled(from string, to ...string) *builder {
	return b.when(Scheduled, 0, from, to...)
}

// when adds calls. A target is "name", "namespace/name", "name:port" or
// "address:port dns-name".
func (b *builder) when(w When, perWeek float64, from string, to ...string) *builder {
	for _, t := range to {
		c := Call{From: b.full(from), When: w, PerWeek: perWeek, Protocol: flow.TCP}
		t, c.DNS, _ = strings.Cut(t, " ")
		if at, err := netip.ParseAddrPort(t); err == nil {
			c.To, c.Port = at.Addr().String(), at.Port()
		} else {
			name, port, _ := strings.Cut(t, ":")
			c.To = b.full(name)
			c.Port = b.ports[c.To]
			if p, err := strconv.ParseUint(port, 10, 16); err == nil {
				c.Port = uint16(p)
			}
		}
		if c.Port == 0 {
			panic(fmt.Sprintf("quality: %s: the call from %s to %s has no port", b.Name, from, t))
		}
		b.Calls = append(b.Calls, c)
	}
	return b
}

func (b *builder) full(name string) string {
	if _, ok := outside(name); ok || strings.Contains(name, "/") {
		return name
	}
	return b.namespace + "/" + name
}

// done adds name resolution for everybody who calls somebody.
func (b *builder) done(reference int, reason string) Topology {
	known := map[string]bool{"kube-system/coredns": true}
	var dns []Call
	for _, c := range b.Calls {
		if _, ok := outside(c.From); ok || known[c.From] {
			continue
		}
		known[c.From] = true
		w := Steady
		if c.When == Scheduled {
			w = Scheduled
		}
		dns = append(dns, Call{From: c.From, To: "kube-system/coredns", Protocol: flow.UDP, Port: 53, When: w, Service: "kube-system/kube-dns:53"})
	}
	b.Calls = append(b.Calls, dns...)
	b.Reference, b.Reason = reference, reason
	return b.Topology
}
