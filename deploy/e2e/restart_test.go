// SPDX-License-Identifier: Apache-2.0

//go:build linux

package e2e

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/command"
)

// bpffs mounts a BPF file system for the test, gives a directory in it, and
// sees at the end that cleaning up leaves nothing there.
func (s *setup) bpffs() string {
	s.t.Helper()
	root := s.path("bpf")
	if err := os.Mkdir(root, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := unix.Mount("bpf", root, "bpf", 0, ""); err != nil {
		s.t.Skipf("needs CAP_SYS_ADMIN to mount a BPF file system: %v", err)
	}
	dir := filepath.Join(root, "netcinch")
	s.t.Cleanup(func() {
		defer func() { _ = unix.Unmount(root, unix.MNT_DETACH) }() // with it, all pins in it
		said := s.cleanUp(dir)
		if exists(dir) {
			s.t.Errorf("%s is there after cleaning up", dir)
		}
		if !strings.HasPrefix(said, "removed ") {
			s.t.Errorf("cleaning up says %q", said)
		}
	})
	return dir
}

func (s *setup) cleanUp(dir string) string {
	s.t.Helper()
	var out, problems bytes.Buffer
	e := command.Environment{Stdout: &out, Stderr: &problems, Clock: time.Now}
	if status := command.Execute(context.Background(), e, []string{"cleanup", "--pin-dir", dir, "--netns-dir", s.node.PodsDir}); status != 0 {
		s.t.Errorf("cleaning up: status %d: %s", status, &problems)
	}
	return out.String()
}

// The agent is killed under traffic, over and over, in every phase of its work
// and of its start: each connection, packet and byte is counted once at each
// end, those that passed while no agent ran among them.
func TestAgentKilledUnderTraffic(t *testing.T) {
	for _, mode := range []string{"pod-tcx", "host-tcx", "clsact"} {
		t.Run(mode, func(t *testing.T) {
			s := newSetup(t)
			pins := s.bpffs()
			recommender := s.startRecommender()
			s.await("the recommender makes its CA", func() bool { return exists(s.path("data/ca.pem")) })
			client, server := s.addPair()
			begin := func() *process { return s.startAgent("--pin-dir", pins, "--attach-mode", mode) }
			agent := begin()
			s.awaitAgent(2)
			serve(server)
			made := startTraffic(t, client)
			const rounds = 8
			for round := range rounds {
				if round%2 == 0 {
					s.awaitAgent(2)
				}
				<-time.After(rand.N(1500 * time.Millisecond)) // at any moment: that is what the test is about
				agent.kill()
				<-time.After(rand.N(300 * time.Millisecond))
				agent = begin()
			}
			s.awaitAgent(2)
			s.awaitSent()
			made.stop()
			s.finishWith(begin, agent, recommender)
			s.wantTraffic(made)
		})
	}
}

// The agent ends in order and another one, with other options, takes its place:
// what passed between them is counted.
func TestAgentUpgradeMissesNothing(t *testing.T) {
	s := newSetup(t)
	pins := s.bpffs()
	recommender := s.startRecommender()
	s.await("the recommender makes its CA", func() bool { return exists(s.path("data/ca.pem")) })
	client, server := s.addPair()
	agent := s.startAgent("--pin-dir", pins)
	s.awaitAgent(2)
	serve(server)
	made := startTraffic(t, client)
	for _, more := range [][]string{{"--max-flows", "4096"}, {"--attach-mode", "pod-tcx"}, {"--window", "2s"}} {
		agent.stop()
		<-time.After(200 * time.Millisecond) // without an agent
		agent = s.startAgent(append([]string{"--pin-dir", pins}, more...)...)
		s.awaitAgent(2)
		s.awaitSent()
	}
	made.stop()
	s.finishWith(func() *process { return s.startAgent("--pin-dir", pins) }, agent, recommender)
	s.wantTraffic(made)
}

// A pod goes while no agent runs: what it did before is its own all the same.
func TestPodGoneWhileNoAgentRuns(t *testing.T) {
	s := newSetup(t)
	pins := s.bpffs()
	recommender := s.startRecommender()
	s.await("the recommender makes its CA", func() bool { return exists(s.path("data/ca.pem")) })
	client, server := s.addPair()
	begin := func() *process { return s.startAgent("--pin-dir", pins) }
	agent := begin()
	s.awaitAgent(2)
	s.awaitSent()
	serve(server)
	agent.kill()
	made := startTraffic(t, client)
	s.await("some requests", func() bool { return made.total() >= 20 })
	made.stop()
	client.Remove()
	s.endPod(client.Name)
	agent = begin()
	s.awaitAgent(1)
	s.awaitSent()
	s.finishWith(begin, agent, recommender)
	s.wantTraffic(made)
}

// finishWith is finish for an agent that is started in another way.
func (s *setup) finishWith(begin func() *process, agent, recommender *process) {
	s.t.Helper()
	sent := func() bool { return s.metric("netcinch_agent_spool_batches") == "0" }
	s.await("the spool is sent", sent)
	agent.stop()
	for s.spooled() > 0 {
		agent = begin()
		s.await("the spool is sent", sent)
		agent.stop()
	}
	recommender.stop()
}
