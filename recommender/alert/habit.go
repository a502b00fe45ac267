// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// Habit is an edge in the sense in which it can be new: a DNS name stands for
// its addresses, and all nodes are one. It is comparable.
type Habit struct {
	Client   analyze.Party `json:"client"`
	Server   analyze.Party `json:"server"`
	Protocol flow.Protocol `json:"protocol"`
	Port     uint16        `json:"port"`
}

// ID is the identity by which the analysis knows the habit.
func (h Habit) ID() string { return analyze.EdgeID(h.Client, h.Server, h.Protocol, h.Port) }

func (h Habit) compare(o Habit) int {
	return cmp.Or(cmp.Compare(partyText(h.Client), partyText(o.Client)), cmp.Compare(partyText(h.Server), partyText(o.Server)), cmp.Compare(h.Protocol, o.Protocol), cmp.Compare(h.Port, o.Port))
}

// habitOf gives the habit of a catalogued edge.
func habitOf(e flow.Edge) Habit {
	return Habit{Client: partyOf(e.Client).Habitual(), Server: partyOf(e.Server).Habitual(), Protocol: e.Protocol, Port: e.Port}
}

// partyOf folds an endpoint without a snapshot: the catalogue is attributed.
func partyOf(e flow.Endpoint) analyze.Party {
	switch {
	case e.Workload.Name != "":
		return analyze.PartyOf(e.Workload)
	case e.Node != "":
		return analyze.Party{Kind: analyze.PartyNode, Name: e.Node}
	}
	return analyze.Party{Kind: analyze.PartyOutside, IP: e.IP.Unmap(), DNS: e.DNS}
}

// partyText writes one end of a habit as a baseline file has it.
func partyText(p analyze.Party) string {
	switch p.Kind {
	case analyze.PartyWorkload:
		return p.Namespace + "/" + p.WorkloadKind + "/" + p.Name
	case analyze.PartyNode:
		return "node"
	case analyze.PartyOutside:
		if p.DNS != "" {
			return "name " + p.DNS
		}
		if p.IP.IsValid() {
			return "address " + p.IP.String()
		}
	}
	return "outside"
}

// parseParty reads one end of a habit.
func parseParty(text string) (analyze.Party, error) {
	word, rest, _ := strings.Cut(text, " ")
	switch {
	case text == "node":
		return analyze.Party{Kind: analyze.PartyNode}, nil
	case text == "outside":
		return analyze.Party{Kind: analyze.PartyOutside}, nil
	case word == "name" && rest != "" && rest == flow.DNSName(rest) && !strings.ContainsAny(rest, " /\t\n"):
		return analyze.Party{Kind: analyze.PartyOutside, DNS: rest}, nil
	case word == "address":
		if a, err := netip.ParseAddr(rest); err == nil && a.Zone() == "" {
			return analyze.Party{Kind: analyze.PartyOutside, IP: a.Unmap()}, nil
		}
		return analyze.Party{}, fmt.Errorf("%q is not an address, such as 203.0.113.7 or 2001:db8::7", rest)
	}
	w, err := parseWorkload(text)
	if err != nil {
		return analyze.Party{}, fmt.Errorf("%q: want namespace/Kind/name, name api.example, address 203.0.113.7, node or outside", text)
	}
	return analyze.PartyOf(w), nil
}

func parseWorkload(text string) (flow.Workload, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" || strings.ContainsAny(text, " \t\n") {
		return flow.Workload{}, fmt.Errorf("%q: want namespace/Kind/name, such as shop/Deployment/cart", text)
	}
	return flow.Workload{Namespace: parts[0], Kind: parts[1], Name: parts[2]}, nil
}

func workloadText(w flow.Workload) string { return w.Namespace + "/" + w.Kind + "/" + w.Name }

// parsePort reads "TCP 5432" or "ICMP".
func parsePort(text string) (flow.Protocol, uint16, error) {
	name, number, has := strings.Cut(text, " ")
	protocol, err := flow.ParseProtocol(name)
	if err != nil {
		return 0, 0, fmt.Errorf("%q: want a protocol and a port, such as TCP 5432", text)
	}
	if !has && !protocol.HasPorts() {
		return protocol, 0, nil
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 || !protocol.HasPorts() {
		return 0, 0, fmt.Errorf("%q: want a protocol and a port from 1 to 65535, such as TCP 5432", text)
	}
	return protocol, uint16(n), nil
}

// known works out which habits baselines hold.
type known struct {
	baselines map[flow.Workload]*Baseline
	decided   map[string]store.Decision
	first     map[Habit]time.Time
	ids       map[Habit][]string // of the edges of a habit
}

func newKnown(baselines map[flow.Workload]*Baseline, catalogue []store.Catalogued, decided map[string]store.Decision) *known {
	k := &known{baselines: baselines, decided: decided, first: map[Habit]time.Time{}, ids: map[Habit][]string{}}
	for i := range catalogue {
		c := &catalogue[i]
		h := habitOf(c.Edge)
		if at, ok := k.first[h]; !ok || c.FirstSeen.Before(at) {
			k.first[h] = c.FirstSeen
		}
		k.ids[h] = append(k.ids[h], analyze.EdgeID(partyOf(c.Edge.Client), partyOf(c.Edge.Server), c.Edge.Protocol, c.Edge.Port))
	}
	return k
}

// holds says whether a habit of the catalogue is part of the baselines.
func (k *known) holds(h Habit) bool {
	accepted := false
	for _, id := range append(k.ids[h], h.ID()) {
		switch k.decided[id].Verdict {
		case store.Accepted:
			accepted = true
		case store.Rejected:
			return false
		case store.Reopened, store.Silenced:
		}
	}
	if accepted {
		return true
	}
	b := k.baselines[owner(h.Client, h.Server)]
	if b == nil || b.takesOut(h, k.ids[h]) {
		return false
	}
	at := k.first[h]
	return !k.learnt(h.Client, at) || !k.learnt(h.Server, at)
}

// learnt says whether a party's baseline was closed before a moment.
func (k *known) learnt(p analyze.Party, at time.Time) bool {
	if p.Kind != analyze.PartyWorkload {
		return true
	}
	b := k.baselines[p.Workload()]
	return b != nil && !b.Closed.IsZero() && !at.Before(b.Closed)
}

func (b *Baseline) takesOut(h Habit, ids []string) bool {
	for _, id := range append([]string{h.ID()}, ids...) {
		if slices.Contains(b.Denied, id) || slices.Contains(b.Removed, id) {
			return true
		}
	}
	return false
}
