// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// The files in testdata/golden hold answers on which the judges of the oracle
// module agreed; "go test ./... -update" there rewrites them.

func readGolden[T any](t *testing.T, name string) []T {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	for decoder := json.NewDecoder(z); ; {
		var item T
		if err := decoder.Decode(&item); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, item)
	}
}

func TestGoldenStates(t *testing.T) {
	states := readGolden[*policytest.State](t, "cyclonus.jsonl.gz")
	for _, state := range states {
		s := state.Snapshot()
		e := compileClean(t, s, Options{})
		for at, p := range state.Probes() {
			c := Connection{From: Peer{Pod: &s.Pods[p.From]}, To: Peer{Pod: &s.Pods[p.To]}, Protocol: p.Protocol, Port: p.Port}
			wantEgress, wantIngress := policytest.Answer(state.Answers, at)
			if egress, ingress := e.Allowed(c); egress != wantEgress || ingress != wantIngress {
				t.Fatalf("%s: %+v: got %v %v, want %v %v", state.Name, p, egress, ingress, wantEgress, wantIngress)
			}
		}
	}
	if len(states) != 256 {
		t.Errorf("%d states, want 256", len(states))
	}
}

func TestGoldenRandom(t *testing.T) {
	for _, c := range []struct {
		file string
		make func(uint64) (*policytest.Dice, *cluster.Snapshot)
	}{{"kubernetes.jsonl.gz", policytest.KubernetesOnly}, {"clusterwide.jsonl.gz", policytest.ClusterWide}, {"admin.jsonl.gz", policytest.Admin}} {
		golden := readGolden[policytest.Random](t, c.file)
		for _, g := range golden {
			d, s := c.make(g.Seed)
			e := compileClean(t, s, Options{Order: UpstreamOrder})
			for at, p := range d.Probes(s) {
				q := Connection{From: Peer{Pod: p.From.Pod, Addr: p.From.Addr}, To: Peer{Pod: p.To.Pod, Addr: p.To.Addr}, Protocol: p.Protocol, Port: p.Port}
				wantEgress, wantIngress := policytest.Answer(g.Answers, at)
				if egress, ingress := e.Allowed(q); egress != wantEgress || ingress != wantIngress {
					t.Fatalf("%s seed %d: %+v: got %v %v, want %v %v\n%s", c.file, g.Seed, p, egress, ingress, wantEgress, wantIngress, whyText(e.Check(q)))
				}
			}
		}
		if len(golden) != 200 {
			t.Errorf("%s has %d clusters, want 200", c.file, len(golden))
		}
	}
}
