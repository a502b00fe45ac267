// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/storetest"
)

// crashDir in the environment makes the test binary the process that is killed.
const crashDir = "NETCINCH_TEST_CRASH_DIR"

// crashRounds in the environment is how often it is killed; without it, 3 times.
const crashRounds = "NETCINCH_TEST_CRASH_ROUNDS"

const (
	crashNodes   = 4
	crashRecords = 25
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, appendForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// crashBatch is the batch that a sequence number stands for. Every batch
// counts one connection on each of the common edges, in the hour and the day
// that its number says, and one on an edge of its own.
func crashBatch(node int, sequence uint64) store.Batch {
	b := storetest.Batch(sequence, -time.Duration(sequence%40)*time.Hour)
	b.Node = fmt.Sprintf("n%d", node)
	for i := range crashRecords {
		b.Records = append(b.Records, flow.Record{ByClient: storetest.Count(1), Edge: flow.Edge{
			Client:   storetest.Pod("shop", "front", "a", "10.0.0.1"),
			Server:   storetest.Pod("shop", "cart-"+strconv.Itoa(i), "x", "fd00::2"),
			Protocol: flow.TCP, Port: 80,
		}})
	}
	b.Records = append(b.Records, flow.Record{ByServer: storetest.Count(1), Edge: flow.Edge{
		Client:   flow.Endpoint{Node: fmt.Sprintf("own-%d-%d", node, sequence)},
		Server:   storetest.Pod("shop", "cart-0", "x", "10.0.0.2"),
		Protocol: flow.UDP, Port: 53,
	}})
	return b
}

// crashDecision goes with a batch.
func crashDecision(node int, sequence uint64) store.Decision {
	return storetest.Decision(int(sequence)*crashNodes+node, "a", store.Accepted)
}

// appendForEver appends from several sides and prints what was acknowledged.
func appendForEver(dir string) error {
	every := time.Duration(0) // counts wait in memory
	if rand.IntN(2) == 0 {
		every = -1 // and here they never do
	}
	s, err := Open(Options{Dir: dir, PodRetention: 48 * time.Hour, FoldEvery: every, Clock: noon})
	if err != nil {
		return err
	}
	failed := make(chan error)
	var printing sync.Mutex
	for node := range crashNodes {
		go func() {
			for sequence := uint64(1); ; sequence++ {
				if _, err := s.Append(context.Background(), crashBatch(node, sequence)); err != nil {
					failed <- err
					return
				}
				if err := s.Decide(context.Background(), crashDecision(node, sequence)); err != nil {
					failed <- err
					return
				}
				printing.Lock()
				fmt.Println(node, sequence)
				printing.Unlock()
			}
		}()
	}
	return <-failed
}

// TestKill kills a process that writes, again and again, and looks each time
// at what it left: all that it acknowledged is there, once, and nothing by halves.
func TestKill(t *testing.T) {
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv(crashRounds)); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	var acknowledged [crashNodes]uint64
	for round := range rounds {
		before := acknowledged
		killUnderLoad(t, dir, 20+rand.IntN(120), &acknowledged)
		checkCrash(t, dir, acknowledged, crashNodes*maxGroup)
		t.Logf("round %d: acknowledged from %v to %v", round, before, acknowledged)
		if t.Failed() {
			return
		}
	}
}

// killUnderLoad starts the process, and kills it after so many new acknowledgements.
func killUnderLoad(t *testing.T, dir string, after int, acknowledged *[crashNodes]uint64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var node int
		var sequence uint64
		if _, err := fmt.Sscan(lines.Text(), &node, &sequence); err != nil {
			continue // the last line may be cut
		}
		if sequence > acknowledged[node] {
			acknowledged[node] = sequence
			after--
		}
		if after == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || after > 0 {
		t.Fatalf("the process ended by itself: %v", err)
	}
}

// checkCrash opens what the killed process left.
func checkCrash(t *testing.T, dir string, acknowledged [crashNodes]uint64, spare uint64) {
	t.Helper()
	s := openTest(t, dir)
	if wrong := s.Damage(); len(wrong) > 0 {
		t.Fatalf("damaged: %v", wrong)
	}
	stored := wholeBatches(t, s)
	var want uint64
	for node, last := range acknowledged {
		want += last
		for sequence := uint64(1); sequence <= last; sequence++ {
			if sequence+30 < last && sequence%17 != 0 {
				continue // a sample of what earlier rounds have checked
			}
			duplicate, err := s.Append(t.Context(), crashBatch(node, sequence))
			if err != nil || !duplicate {
				t.Fatalf("node %d, batch %d was acknowledged: duplicate %v, error %v", node, sequence, duplicate, err)
			}
		}
	}
	if stored < want || stored > want+spare {
		t.Errorf("%d batches are stored, %d were acknowledged", stored, want)
	}
	if again := wholeBatches(t, s); again != stored {
		t.Errorf("repeating batches changed their number from %d to %d", stored, again)
	}
	trail, err := s.Decisions(t.Context(), store.DecisionQuery{})
	if err != nil || uint64(len(trail)) < want {
		t.Errorf("%d decisions, error %v; %d were acknowledged", len(trail), err, want)
	}
	if wrong := s.Check(t.Context()); len(wrong) > 0 {
		t.Errorf("checked: %v", wrong)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// wholeBatches counts the stored batches, in every way in which they can be
// counted, and wants the same number each time.
func wholeBatches(t *testing.T, s *Store) uint64 {
	t.Helper()
	records, err := s.Edges(t.Context(), store.Query{Cluster: "c"})
	if err != nil {
		t.Fatal(err)
	}
	stored := uint64(len(records) - crashRecords) // edges that each batch has of its own
	for _, r := range records {
		if r.Edge.Protocol == flow.TCP && r.ByClient != storetest.Count(stored) {
			t.Fatalf("%v: %+v, want %d connections", r.Edge, r.ByClient, stored)
		}
		if r.Edge.Protocol == flow.UDP && r.ByServer != storetest.Count(1) {
			t.Fatalf("%v: %+v, want 1 connection", r.Edge, r.ByServer)
		}
	}
	entries, err := s.Catalogue(t.Context(), store.Query{Cluster: "c"})
	if err != nil || len(entries) != len(records) {
		t.Fatalf("%d edges in the catalogue, %d in the days, error %v", len(entries), len(records), err)
	}
	rows, err := s.Pods(t.Context(), store.Query{Cluster: "c"})
	if err != nil || uint64(len(rows)) != stored*(crashRecords+1) {
		t.Fatalf("%d rows of pods, want %d times %d, error %v", len(rows), stored, crashRecords+1, err)
	}
	nodes, err := s.Coverage(t.Context(), store.Query{Cluster: "c"})
	if err != nil {
		t.Fatal(err)
	}
	var batches uint64
	for _, n := range nodes {
		batches += n.Batches
	}
	if batches != stored {
		t.Fatalf("%d batches by coverage, %d by edges", batches, stored)
	}
	return stored
}
