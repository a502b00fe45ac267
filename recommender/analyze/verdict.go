// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// maxEnds bounds how many pods of one workload are asked for at one end. Pods
// that a policy could tell apart come first.
const maxEnds = 8

// judged is an edge's verdict with the atoms that allowed it.
type judged struct {
	verdict Verdict
	needs   []Need
}

// Need is what the traffic of one pair of pods stands on at one end: any one
// of the atoms.
type Need struct {
	Direction policy.Direction
	Atoms     []policy.AllowanceID
}

// Ends gives the peers that a party stands for: its pods, its addresses; at
// most limit pods. A dual-stack pod is there once for each address.
func (x *Index) Ends(p Party, limit int) []policy.Peer {
	switch p.Kind {
	case PartyWorkload:
		if x.onHost(p) {
			return x.hostEnds(p)
		}
		var peers []policy.Peer
		for _, pod := range distinct(x.pods[p.Workload()], limit) {
			peers = append(peers, addressed(pod)...)
		}
		return peers
	case PartyNode:
		if p.IP.IsValid() {
			return []policy.Peer{{Addr: p.IP}}
		}
		var peers []policy.Peer
		if n := x.nodes[p.Name]; n != nil {
			for _, a := range n.Addresses {
				peers = append(peers, policy.Peer{Addr: a})
			}
		}
		return peers
	case PartyOutside:
		if p.IP.IsValid() {
			return []policy.Peer{{Addr: p.IP, DNS: p.DNS}}
		}
	}
	return nil
}

func addressed(pod *cluster.Pod) []policy.Peer {
	if len(pod.IPs) < 2 {
		return []policy.Peer{{Pod: pod}}
	}
	peers := make([]policy.Peer, len(pod.IPs))
	for i, a := range pod.IPs {
		peers[i] = policy.Peer{Pod: pod, Addr: a}
	}
	return peers
}

// hostEnds gives the addresses of the nodes that a hostNetwork workload runs
// on: policies see the node. Where none is known its pods stand for them.
func (x *Index) hostEnds(p Party) []policy.Peer {
	var peers []policy.Peer
	seen := map[netip.Addr]bool{}
	for _, pod := range x.pods[p.Workload()] {
		addrs := slices.Clone(pod.IPs)
		if n := x.nodes[pod.Node]; n != nil {
			addrs = append(addrs, n.Addresses...)
		}
		for _, a := range addrs {
			if !seen[a] {
				seen[a] = true
				peers = append(peers, policy.Peer{Addr: a})
			}
		}
	}
	if len(peers) == 0 {
		for _, pod := range x.pods[p.Workload()] {
			peers = append(peers, policy.Peer{Pod: pod})
		}
	}
	return peers
}

// distinct orders pods so that those that differ in what selectors see come
// first, and cuts the list to limit.
func distinct(pods []*cluster.Pod, limit int) []*cluster.Pod {
	var first, rest []*cluster.Pod
	seen := map[string]bool{}
	for _, p := range pods {
		if s := signature(p); !seen[s] {
			seen[s] = true
			first = append(first, p)
		} else {
			rest = append(rest, p)
		}
	}
	all := append(first, rest...)
	return all[:min(len(all), limit)]
}

func signature(p *cluster.Pod) string {
	keys := slices.Sorted(maps.Keys(p.Labels))
	text := fmt.Sprint(p.ServiceAccount, p.HostNetwork, p.Ports)
	for _, k := range keys {
		text += "\x00" + k + "=" + p.Labels[k]
	}
	return text
}

// Pairs calls visit with each pair of ends that can talk: of the same address
// family where both have addresses.
func Pairs(from, to []policy.Peer, visit func(from, to policy.Peer)) {
	for _, a := range from {
		for _, b := range to {
			if speak(a, b) {
				visit(a, b)
			}
		}
	}
}

// speak says whether two ends have an address family in common.
func speak(a, b policy.Peer) bool {
	v4a, v6a := families(a)
	v4b, v6b := families(b)
	return v4a && v4b || v6a && v6b
}

func families(p policy.Peer) (v4, v6 bool) {
	if p.Addr.IsValid() {
		return p.Addr.Is4(), p.Addr.Is6()
	}
	if p.Pod == nil || len(p.Pod.IPs) == 0 {
		return true, true
	}
	for _, a := range p.Pod.IPs {
		v4, v6 = v4 || a.Is4(), v6 || a.Is6()
	}
	return v4, v6
}

// judgement collects the verdicts of the pairs that stand for an edge.
type judgement struct {
	shown     *policy.Verdict
	allowed   int
	denied    []string
	uncertain set
	asked     map[[2]string]bool
	needs     []Need
}

// judge asks the engine about every pair of pods that stands for the edge. Two
// dual-stack pods are judged by the family that was seen, else by the first
// that they share; what either family stands on is needed.
func (x *Index) judge(engine Judge, f *folded) judged {
	j := judgement{uncertain: set{}, asked: map[[2]string]bool{}}
	Pairs(x.Ends(f.client, maxEnds), x.Ends(f.server, maxEnds), func(from, to policy.Peer) {
		v := engine.Check(policy.Connection{From: from, To: to, Protocol: f.protocol, Port: f.port, ICMPType: -1, ICMPCode: -1})
		if v.Allowed {
			j.needs = append(j.needs, needsOf(v)...)
		}
		pair := [2]string{endText(from), endText(to)}
		if j.asked[pair] || !f.speaks(from, to) {
			return
		}
		j.asked[pair] = true
		j.add(v, pair)
	})
	return x.judged(&j)
}

func (j *judgement) add(v policy.Verdict, pair [2]string) {
	for _, u := range v.Uncertain {
		j.uncertain.add(u)
	}
	if v.Allowed {
		j.allowed++
	} else {
		j.denied = append(j.denied, pair[0]+" → "+pair[1])
	}
	if j.shown == nil || j.shown.Allowed && !v.Allowed {
		j.shown = &v
	}
}

func (x *Index) judged(j *judgement) judged {
	out := judged{needs: j.needs}
	out.verdict = Verdict{State: StateUnknown, Mixed: []string{}, Uncertain: []string{}, Egress: Side{Why: []Step{}}, Ingress: Side{Why: []Step{}}}
	if j.shown == nil {
		return out
	}
	switch {
	case j.allowed == 0:
		out.verdict.State = StateDenied
	case len(j.denied) > 0:
		out.verdict.State, out.verdict.Mixed = StateMixed, j.denied
	default:
		out.verdict.State = StateAllowed
	}
	out.verdict.Uncertain = j.uncertain.sorted()
	out.verdict.Egress, out.verdict.Ingress = x.side(j.shown.Egress), x.side(j.shown.Ingress)
	return out
}

func endText(p policy.Peer) string {
	if p.Pod != nil {
		return p.Pod.Namespace + "/" + p.Pod.Name
	}
	return p.Addr.String()
}

// needsOf lists what an allowed connection stood on, at the ends where rules
// decided.
func needsOf(v policy.Verdict) []Need {
	var needs []Need
	add := func(d policy.Direction, side policy.DirectionVerdict) {
		n := Need{Direction: d}
		for _, s := range side.Why {
			if s.Kind == policy.StepRule && s.Action == policy.ActionAllow {
				n.Atoms = append(n.Atoms, s.Allowance)
			}
		}
		if len(n.Atoms) > 0 {
			needs = append(needs, n)
		}
	}
	add(policy.Egress, v.Egress)
	add(policy.Ingress, v.Ingress)
	return needs
}

func (x *Index) side(d policy.DirectionVerdict) Side {
	s := Side{Allowed: d.Allowed, Isolated: d.Isolated, Why: make([]Step, 0, len(d.Why))}
	for _, w := range d.Why {
		s.Why = append(s.Why, x.step(w))
	}
	return s
}

var stepKinds = map[policy.StepKind]StepKind{
	policy.StepNotIsolated: StepNotIsolated, policy.StepRule: StepRule, policy.StepNoMatch: StepNoMatch,
	policy.StepDefault: StepDefault, policy.StepAlways: StepAlways,
}

var actions = map[policy.Action]string{
	policy.ActionAllow: "allow", policy.ActionDeny: "deny", policy.ActionPass: "pass", policy.ActionLog: "log",
}

func (x *Index) step(w policy.Step) Step {
	s := Step{Kind: stepKinds[w.Kind], Tier: w.Tier, Text: w.Text}
	if w.Policy.Name != "" {
		ref := RefOf(w.Policy)
		s.Policy = &ref
		if o := x.policies[w.Policy]; o != nil {
			s.File = o.Source.File
		}
	}
	if w.Kind == policy.StepRule {
		s.Action = actions[w.Action]
		if w.Action == policy.ActionAllow {
			a := AllowanceOf(w.Allowance)
			s.Allowance = &a
			s.Line = x.lines[w.Allowance]
		}
	}
	return s
}
