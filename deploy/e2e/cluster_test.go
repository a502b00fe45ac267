// SPDX-License-Identifier: Apache-2.0

//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/podmap/nodetest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/store/sqlite"
)

// hang is when a test gives up on something that will not come.
const hang = 60 * time.Second

// setup is a node with pods, and room for an agent and a recommender.
type setup struct {
	t       testing.TB
	node    *nodetest.Node
	dir     string
	ingest  string // address of the recommender's port for agents
	page    string
	metrics string // address of the agent's metrics
}

func newSetup(tb testing.TB) *setup {
	tb.Helper()
	s := &setup{t: tb, node: nodetest.New(tb), dir: tb.TempDir(), ingest: freeAddress(tb), page: freeAddress(tb), metrics: freeAddress(tb)}
	for _, d := range []string{"manifests", "pods", "data"} {
		if err := os.Mkdir(filepath.Join(s.dir, d), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	s.write("manifests/cluster.yaml", `apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
`)
	s.write("data/agent.token", "0123456789abcdef0123456789abcdef\n")
	return s
}

// freeAddress gives a port that nobody listens on; the recommender comes back
// on the same one after it was killed.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *setup) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		s.t.Fatal(err)
	}
}

// addPod makes a pod, and says so as the kubelet would.
func (s *setup) addPod(name string, addresses ...string) *nodetest.Pod {
	s.t.Helper()
	p := s.node.AddPod(name, addresses...)
	s.announce(name, time.Now(), addresses...)
	return p
}

// announce says that a pod runs, as the kubelet would.
func (s *setup) announce(name string, began time.Time, addresses ...string) {
	s.t.Helper()
	var ips []string
	for _, a := range addresses {
		ips = append(ips, fmt.Sprintf("{ip: %q}", a))
	}
	now := began.UTC().Format(time.RFC3339)
	s.write("pods/"+name+".yaml", fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: shop, uid: uid-%s, creationTimestamp: %s, labels: {app: %s}}
spec: {nodeName: n1, containers: [{name: c, image: i}]}
status: {phase: Running, startTime: %s, podIPs: [%s]}
`, name, name, now, name, now, strings.Join(ips, ", ")))
}

// endPod says that a pod has succeeded, as the kubelet does for a Job's.
func (s *setup) endPod(name string) {
	s.t.Helper()
	file, err := os.ReadFile(s.path("pods/" + name + ".yaml"))
	if err != nil {
		s.t.Error(err)
	}
	ended := "phase: Succeeded, containerStatuses: [{name: c, state: {terminated: {finishedAt: " + time.Now().UTC().Format(time.RFC3339) + "}}}],"
	s.write("pods/"+name+".yaml", strings.Replace(string(file), "phase: Running,", ended, 1))
}

func (s *setup) startRecommender() *process {
	s.t.Helper()
	return start(s.t, "recommender", "serve", "-f", s.path("manifests"), "-f", s.path("pods"), "--data-dir", s.path("data"),
		"--listen", s.page, "--ingest-listen", s.ingest)
}

func (s *setup) startAgent(more ...string) *process {
	s.t.Helper()
	return start(s.t, "agent", s.agentArguments(more...)...)
}

func (s *setup) agentArguments(more ...string) []string {
	return append([]string{
		"run", "--node", "n1", "--server", "https://" + s.ingest, "--window", "1s",
		"--ca-file", s.path("data/ca.pem"), "--token-file", s.path("data/agent.token"), "--spool-dir", s.path("spool"), "--pin-dir", "",
		"--netns", s.node.Path, "--netns-dir", s.node.PodsDir, "--pods-dir", s.path("pods"), "--metrics-listen", s.metrics,
	}, more...)
}

// finish ends the agent and then the recommender, with nothing left between
// them: what the agent could not send in its last moments, its next start does.
func (s *setup) finish(agent, recommender *process) {
	s.t.Helper()
	sent := func() bool { return s.metric("netcinch_agent_spool_batches") == "0" }
	s.await("the spool is sent", sent)
	agent.stop()
	for s.spooled() > 0 {
		agent = s.startAgent()
		s.await("the spool is sent", sent)
		agent.stop()
	}
	recommender.stop()
}

func (s *setup) path(name string) string { return filepath.Join(s.dir, name) }

// await polls until a condition holds: between processes there is no event.
func (s *setup) await(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(hang); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("gave up waiting: %s", what)
		}
	}
}

// awaitAgent waits until the agent watches so many pods.
func (s *setup) awaitAgent(pods int) {
	s.t.Helper()
	s.await(fmt.Sprintf("the agent watches %d pods", pods), func() bool {
		return s.metric(`netcinch_agent_pods{state="watched"}`) == fmt.Sprint(pods)
	})
}

// metric gives the value of one of the agent's metrics; empty for none.
func (s *setup) metric(name string) string {
	resp, err := http.Get("http://" + s.metrics + "/metrics")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// spooled gives how many batches wait on the agent's disk.
func (s *setup) spooled() int {
	s.t.Helper()
	found, err := filepath.Glob(s.path("spool/*.batch"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(found)
}

// end is an end of an edge, as a test speaks of it.
type end struct {
	pod string
	ip  string
}

// edge is what a test knows of its own traffic.
type edge struct {
	client, server end
	protocol       flow.Protocol
	port           uint16
	outcome        flow.Outcome
}

// counted is an edge's counts at both ends, over the whole test.
type counted struct{ byClient, byServer flow.Counters }

// stored reads what the recommender has kept, once it has ended.
func (s *setup) stored() (map[edge]counted, store.Losses) {
	s.t.Helper()
	db := s.open()
	defer db.Close()
	nodes, err := db.Coverage(s.t.Context(), store.Query{Cluster: "default"})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(nodes) != 1 || nodes[0].Node != "n1" {
		s.t.Fatalf("coverage of %+v, want node n1 alone", nodes)
	}
	return sum(s.pods(db)), nodes[0].Losses
}

// records gives the rows that the recommender has kept, once it has ended.
func (s *setup) records() []flow.Record {
	s.t.Helper()
	db := s.open()
	defer db.Close()
	return s.pods(db)
}

func (s *setup) open() *sqlite.Store {
	s.t.Helper()
	db, err := sqlite.Open(sqlite.Options{Dir: s.path("data/flows"), Clock: time.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

func (s *setup) pods(db *sqlite.Store) []flow.Record {
	s.t.Helper()
	records, err := db.Pods(s.t.Context(), store.Query{Cluster: "default"})
	if err != nil {
		s.t.Fatal(err)
	}
	return records
}

// sum folds records over their windows. Neighbour discovery and the like,
// which tests do not control, are left out.
func sum(records []flow.Record) map[edge]counted {
	sums := make(map[edge]counted)
	for _, r := range records {
		if r.Edge.Protocol == flow.ICMPv6 {
			continue
		}
		k := edge{endOf(r.Edge.Client), endOf(r.Edge.Server), r.Edge.Protocol, r.Edge.Port, r.Edge.Outcome}
		c := sums[k]
		sums[k] = counted{c.byClient.Add(r.ByClient), c.byServer.Add(r.ByServer)}
	}
	return sums
}

func endOf(e flow.Endpoint) end {
	if e.IP == (netip.Addr{}) {
		return end{pod: e.Pod}
	}
	return end{e.Pod, e.IP.String()}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func listens(address string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
