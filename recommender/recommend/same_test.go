// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
)

// shuffled gives the items of a list in a random order.
func shuffled[T any](list []T, seed uint64) []T {
	out := slices.Clone(list)
	rand.New(rand.NewPCG(seed, 7)).Shuffle(len(out), func(i, k int) { out[i], out[k] = out[k], out[i] })
	return out
}

// bytesOf is all that a list of recommendations says, but for the lines at which
// documents stand in their file.
func bytesOf(t *testing.T, list []Recommendation) string {
	t.Helper()
	out := slices.Clone(list)
	for i := range out {
		r := &out[i]
		r.Line = 0
		if r.Kind == KindTighten {
			r.Diff = ""
		}
		r.Changes = slices.Clone(r.Changes)
		for k := range r.Changes {
			r.Changes[k].Line = 0
		}
	}
	text, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSameBytes: whatever the order of documents and records, each format gives
// the same bytes.
func TestSameBytes(t *testing.T) {
	for _, c := range []struct {
		format Format
		extra  int
		deny   bool
	}{{Kubernetes, 0, false}, {Kubernetes, 4, true}, {Calico, 0, false}, {Calico, 4, true}, {CalicoStaged, 3, true}, {ClusterWide, 0, false}} {
		for seed := range uint64(6) {
			w := newRandomWorld(t, seed)
			w.format, w.extra, w.deny = c.format, c.extra, c.deny
			first, err := Build(w.input(w.analyse(t, w.snapshot), w.snapshot))
			if err != nil {
				t.Fatal(err)
			}
			if len(first) == 0 && c.format != ClusterWide {
				t.Errorf("%s, seed %d: nothing is said", c.format, seed)
			}
			docs := strings.Split(strings.TrimSuffix(w.text.String(), "---\n"), "\n---\n")
			docs[len(docs)-1] = strings.TrimSuffix(docs[len(docs)-1], "\n")
			w.records = shuffled(w.records, seed)
			s := manifest.LoadText("random.yaml", []byte(strings.Join(shuffled(docs, seed), "\n---\n")+"\n"), manifest.Options{})
			again, err := Build(w.input(w.analyse(t, s), s))
			if err != nil {
				t.Fatal(err)
			}
			if a, b := bytesOf(t, first), bytesOf(t, again); a != b {
				t.Errorf("%+v, seed %d: other bytes\n%s", c, seed, cmp.Diff(a, b))
				return
			}
		}
	}
}

// TestSameBytesOfNodes is the same for host endpoints and guard rails, with the
// fixed point: applied, a second run proposes nothing.
func TestSameBytesOfNodes(t *testing.T) {
	s := guardedWorld(t, hostEndpoints)
	records := guardRecords(
		flow.Edge{Client: podOf("scraper"), Server: flow.Endpoint{Node: "n1"}, Protocol: flow.TCP, Port: 10250},
		flow.Edge{Client: podOf("cloud"), Server: flow.Endpoint{IP: netip.MustParseAddr("169.254.169.254")}, Protocol: flow.TCP, Port: 80},
		flow.Edge{Client: podOf("scraper"), Server: flow.Endpoint{Node: "n0"}, Protocol: flow.TCP, Port: 10250},
		flow.Edge{Client: flow.Endpoint{Node: "n0"}, Server: flow.Endpoint{Node: "n1"}, Protocol: flow.TCP, Port: 10257},
		flow.Edge{Client: podOf("web"), Server: podOf("cloud"), Protocol: flow.TCP, Port: 443},
	)
	for _, in := range []Input{{Format: ClusterWide}, {Format: Calico}, {Format: Calico, DefaultDeny: true, AllowExtra: 2}, {Format: CalicoStaged}} {
		first := adviceOn(t, s, records, in)
		global := 0
		for _, r := range first {
			if r.Withheld == "" && r.Namespace == "" {
				global++
			}
		}
		if global < 2 {
			t.Errorf("%s: %d policies of the cluster\n%s", in.Format, global, recommendationsText(first))
		}
		for seed := range uint64(4) {
			again := adviceOn(t, s, shuffled(records, seed), in)
			if a, b := bytesOf(t, first), bytesOf(t, again); a != b {
				t.Errorf("%s: other bytes\n%s", in.Format, cmp.Diff(a, b))
			}
		}
		applied, err := Apply(s, first...)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range adviceOn(t, applied, records, in) {
			if r.Withheld == "" {
				t.Errorf("%s: again %s\n%s", in.Format, r.Title, r.After)
			}
		}
	}
}
