// SPDX-License-Identifier: Apache-2.0

//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/netcinch/netcinch/agent/podmap/nodetest"
	"github.com/netcinch/netcinch/recommender/flow"
)

// Pods that end as soon as they have made one connection, several at a time and
// with addresses that are used again at once: all of their connections are
// recorded, each at its own pod.
func TestShortPodsAreNotMissed(t *testing.T) {
	s := newSetup(t)
	recommender := s.startRecommender()
	s.await("the recommender makes its CA", func() bool { return exists(s.path("data/ca.pem")) })
	server := s.addPod("server", server4, server6)
	agent := s.startAgent("--log-level", "debug")
	s.awaitAgent(1)
	serve(server)

	const rounds, together = 10, 4
	for round := range rounds {
		s.shortPods(agent, round, together)
		s.await("the agent knows whose the interfaces were", func() bool {
			return s.metric(`netcinch_agent_interfaces{state="unknown_pod"}`) == "0" && s.metric(`netcinch_agent_interfaces{state="gone_unknown_pod"}`) == "0"
		})
	}
	s.finish(agent, recommender)

	seen := make(map[string]uint64)
	for _, r := range s.records() {
		if r.Edge.Protocol == flow.TCP {
			seen[r.Edge.Client.Pod] += r.ByClient.Connections
		}
	}
	for round := range rounds {
		for i := range together {
			name := shortName(round, i)
			if seen[name] != 1 {
				t.Errorf("pod %s made 1 connection, %d recorded", name, seen[name])
			}
			delete(seen, name)
		}
	}
	delete(seen, "") // the server's end, where the client is known by address only
	if len(seen) != 0 {
		t.Errorf("connections of pods that made none: %v", seen)
	}
	if _, lost := s.stored(); !lost.IsZero() {
		t.Errorf("losses %+v, want none", lost)
	}
}

func shortName(round, i int) string { return fmt.Sprintf("job-%d-%d", round, i) }

// shortPods live one life: interface, address, connection, end. The i-th pod of
// each second round has the same address. Its first process starts when the
// interface is watched; a container runtime takes longer than that.
func (s *setup) shortPods(agent *process, round, together int) {
	s.t.Helper()
	var pods []*nodetest.Pod
	for i := range together {
		pods = append(pods, s.addPod(shortName(round, i), []string{fmt.Sprintf("10.77.1.%d", i+1), fmt.Sprintf("fd77::1:%d", i+1)}[round%2]))
	}
	target := netip.MustParseAddr([]string{server4, server6}[round%2])
	for _, p := range pods {
		s.await("the agent watches "+p.HostLink, func() bool { return strings.Contains(agent.out.String(), "link="+p.HostLink+" ") })
	}
	var requests sync.WaitGroup
	for _, p := range pods {
		requests.Go(func() {
			if err := request(p, netip.AddrPortFrom(target, 8080)); err != nil {
				s.t.Errorf("pod %s: %v", p.Name, err)
			}
			p.Remove()
		})
	}
	requests.Wait()
	for _, p := range pods {
		s.endPod(p.Name)
	}
}
