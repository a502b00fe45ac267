// SPDX-License-Identifier: Apache-2.0

package quality

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
)

// Score is what policies do to the window after the one that they were made of.
type Score struct {
	Known   int     // tuples of the window after that had been seen before
	Kept    int     // of them, those that the policies allow between all pods
	Cut     []Tuple // the others
	New     int     // tuples of the window after that had never been seen
	NewKept int     // of them, those that are allowed
	Over    []Tuple // allowed where a policy isolates an end, and never seen
	Rules   int     // of NetworkPolicies
}

// Recall is the share of what was seen before that stays allowed.
func (s *Score) Recall() float64 { return share(s.Kept, s.Known) }

// Judge holds policies, which take the place of those of the same name, against
// the window after.
func (w *World) Judge(policies []cluster.Object) (*Score, error) {
	later := recommend.With(w.Later, policies...)
	engine, problems := policy.Compile(later, policy.Options{})
	if len(problems) > 0 {
		return nil, fmt.Errorf("judging policies: %s: %s: %s", problems[0].Ref, problems[0].Field, problems[0].Message)
	}
	j := newJudge(later, engine)
	s := &Score{}
	for _, t := range slices.SortedFunc(maps.Keys(w.Next), Tuple.compare) {
		allowed := j.all(t)
		switch {
		case !w.Seen[t]:
			s.New++
			if allowed {
				s.NewKept++
			}
		case allowed:
			s.Known, s.Kept = s.Known+1, s.Kept+1
		default:
			s.Known++
			s.Cut = append(s.Cut, t)
		}
	}
	s.Over = j.over(w)
	for i := range later.Policies {
		if np, ok := later.Policies[i].Typed.(*networkingv1.NetworkPolicy); ok {
			s.Rules += len(np.Spec.Ingress) + len(np.Spec.Egress)
		}
	}
	return s, nil
}

// judge asks an engine about tuples.
type judge struct {
	engine *policy.Engine
	pods   map[string][]policy.Peer
	names  []string // of workloads, sorted
}

func newJudge(s *cluster.Snapshot, e *policy.Engine) *judge {
	j := &judge{engine: e, pods: map[string][]policy.Peer{}}
	for i := range s.Pods {
		p := &s.Pods[i]
		j.pods[p.Workload.String()] = append(j.pods[p.Workload.String()], policy.Peer{Pod: p})
	}
	j.names = slices.Sorted(maps.Keys(j.pods))
	return j
}

func (j *judge) ends(name string) []policy.Peer {
	if a, ok := outside(name); ok {
		return []policy.Peer{{Addr: a}}
	}
	return j.pods[name]
}

func (j *judge) allowed(from, to policy.Peer, p flow.Protocol, port uint16) bool {
	out, in := j.engine.Allowed(policy.Connection{From: from, To: to, Protocol: p, Port: port, ICMPType: -1, ICMPCode: -1})
	return out && in
}

// all says whether a tuple is allowed between all pods of its ends.
func (j *judge) all(t Tuple) bool {
	from, to := j.ends(t.From), j.ends(t.To)
	for _, a := range from {
		for _, b := range to {
			if !j.allowed(a, b, t.Protocol, t.Port) {
				return false
			}
		}
	}
	return len(from) > 0 && len(to) > 0
}

// over lists the tuples that policies allow and nobody was seen to use, asked
// for every pair of workloads and addresses, the addresses beside them, every
// port of the topology and those beside it. Where no policy isolates either
// end, nothing was advised. Name resolution is part of every policy.
func (j *judge) over(w *World) []Tuple {
	ports, names := universe(w)
	names = append(names, j.names...)
	isolated := [2]map[string]bool{{}, {}}
	for _, d := range []policy.Direction{policy.Egress, policy.Ingress} {
		for _, n := range j.names {
			isolated[d][n] = j.engine.Isolated(j.pods[n][0].Pod, d)
		}
	}
	var out []Tuple
	for _, from := range names {
		for _, to := range names {
			if from == to || !isolated[policy.Egress][from] && !isolated[policy.Ingress][to] {
				continue
			}
			a, b := j.ends(from)[0], j.ends(to)[0]
			for _, p := range []flow.Protocol{flow.TCP, flow.UDP} {
				for _, port := range ports {
					t := Tuple{from, to, p, port}
					if dns := port == 53 && to == "kube-system/coredns"; !dns && !w.Seen[t] && j.allowed(a, b, p, port) {
						out = append(out, t)
					}
				}
			}
		}
	}
	return out
}

// universe gives the ports and addresses that are tried.
func universe(w *World) (ports []uint16, addresses []string) {
	all := map[uint16]bool{1: true, 65535: true}
	seen := map[netip.Addr]bool{}
	for _, c := range w.Topology.Calls {
		all[c.Port-1], all[c.Port], all[c.Port+1] = true, true, true
		for _, name := range []string{c.From, c.To} {
			if a, ok := outside(name); ok {
				seen[a.Prev()], seen[a], seen[a.Next()] = true, true, true
			}
		}
	}
	for a := range seen {
		addresses = append(addresses, a.String())
	}
	slices.Sort(addresses)
	return slices.Sorted(maps.Keys(all)), addresses
}
