// SPDX-License-Identifier: Apache-2.0

//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// watches says whether the agent, which logs all, watches a pod's interface.
func (p *process) watches(pod *nodetest.Pod) bool {
	return strings.Contains(p.out.String(), "link="+pod.HostLink+" ")
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
		s.await("the agent watches "+p.HostLink, func() bool { return agent.watches(p) })
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

// 200 pods live 300 ms each and make one connection, at once when their first
// process starts. The API server tells of them when they are gone.
//
// A container runtime has more to do between the network of a pod and its first
// process than to return: it starts the pause container, pulls or unpacks the
// image, sets up mounts and control groups. That takes 100 ms at the very least,
// and is what sandbox stands for here. How many interfaces were watched by then
// is logged, not asserted: that hangs on how busy the machine is. The process of
// one that was not waits for the agent.
func TestTwoHundredShortPods(t *testing.T) {
	const pods, together, sandbox, life = 200, 4, 100 * time.Millisecond, 300 * time.Millisecond
	s := newSetup(t)
	recommender := s.startRecommender()
	s.await("the recommender makes its CA", func() bool { return exists(s.path("data/ca.pem")) })
	server := s.addPod("server", server4, server6)
	agent := s.startAgent("--log-level", "debug")
	s.awaitAgent(1)
	serve(server)

	var late atomic.Int32
	type ended struct {
		name, address string
		began         time.Time
	}
	room, gone := make(chan struct{}, together), make(chan ended, pods)
	for i := range pods {
		room <- struct{}{}
		e := ended{name: shortName(0, i), address: fmt.Sprintf("10.77.2.%d", i+1), began: time.Now()}
		target := server4
		if i%2 == 1 {
			e.address, target = fmt.Sprintf("fd77::2:%x", i+1), server6
		}
		p := s.node.AddPod(e.name, e.address)
		go func() {
			<-time.After(sandbox)
			if !agent.watches(p) {
				late.Add(1)
				for end := time.Now().Add(hang); !agent.watches(p) && time.Now().Before(end); {
					<-time.After(time.Millisecond)
				}
			}
			begun := time.Now()
			if err := request(p, netip.AddrPortFrom(netip.MustParseAddr(target), 8080)); err != nil {
				t.Errorf("pod %s: %v", e.name, err)
			}
			<-time.After(life - time.Since(begun))
			p.Remove()
			<-room
			gone <- e
		}()
	}
	for range pods {
		e := <-gone
		s.announce(e.name, e.began, e.address)
		s.endPod(e.name)
	}
	s.await("the agent knows whose the interfaces were", func() bool {
		return s.metric(`netcinch_agent_interfaces{state="unknown_pod"}`) == "0" && s.metric(`netcinch_agent_interfaces{state="gone_unknown_pod"}`) == "0"
	})
	s.finish(agent, recommender)
	seen := make(map[string]uint64)
	for _, r := range s.records() {
		if r.Edge.Protocol == flow.TCP {
			seen[r.Edge.Client.Pod] += r.ByClient.Connections
		}
	}
	missed := 0
	for i := range pods {
		if n := seen[shortName(0, i)]; n != 1 {
			missed++
			t.Errorf("pod %s made 1 connection, %d recorded", shortName(0, i), n)
		}
	}
	t.Logf("%d of %d connections recorded, each at its own pod; %d pods were not watched after %s", pods-missed, pods, late.Load(), sandbox)
}
