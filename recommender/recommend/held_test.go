// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
)

// TestHeldIsNamed: each edge held as unseen that a replay of a recommendation
// by itself would deny is in its proof, its evidence and its manifest.
func TestHeldIsNamed(t *testing.T) {
	named := 0
	for _, file := range []string{"testdata/unseen.txtar", "testdata/shop.txtar"} {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := readStory(t, archive)
		report, err := analyze.Analyze(s.input)
		if err != nil {
			t.Fatal(err)
		}
		list, err := Build(Input{Snapshot: s.snapshot, Report: report})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range standing(list) {
			named += holdNamed(t, s, r)
		}
	}
	if named < 4 {
		t.Errorf("%d edges were named; the stories have more", named)
	}
}

func holdNamed(t *testing.T, s story, r *Recommendation) int {
	t.Helper()
	object, err := decode(r.Policy.Cluster(), []byte(r.After))
	if err != nil {
		t.Fatal(err)
	}
	replay, err := Replay(ReplayInput{Input: s.input, Policies: []cluster.Object{object}})
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, d := range replay.Denied {
		want = append(want, d.Edge)
	}
	for _, h := range r.Proof.Held {
		got = append(got, h.Edge)
		if !slices.ContainsFunc(r.Evidence, func(e string) bool { return strings.Contains(e, h.text()) }) {
			t.Errorf("%s: the evidence does not name %s", r.Title, h.text())
		}
		if !strings.Contains(r.After, h.text()) || r.Diff != "" && !strings.Contains(r.Diff, h.text()) {
			t.Errorf("%s: the manifest does not name %s", r.Title, h.text())
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s: a replay denies %v, the proof names %v", r.Title, want, got)
	}
	return len(got)
}

// TestHeldIsNeverNull: a proof without held edges says so with an empty list.
func TestHeldIsNeverNull(t *testing.T) {
	text, err := json.Marshal(emptyProof())
	if err != nil || !strings.Contains(string(text), `"held":[]`) {
		t.Errorf("got %s, %v", text, err)
	}
}

// TestChangesGiveTheLineOfTheFile: where a document is not the file's first,
// its lines are still those of the file.
func TestChangesGiveTheLineOfTheFile(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/shop.txtar")
	if err != nil {
		t.Fatal(err)
	}
	s := readStory(t, archive)
	report, err := analyze.Analyze(s.input)
	if err != nil {
		t.Fatal(err)
	}
	list, err := Build(Input{Snapshot: s.snapshot, Report: report})
	if err != nil {
		t.Fatal(err)
	}
	rules, lines := 0, strings.Split(section(archive, "cluster.yaml"), "\n")
	for _, r := range list {
		for _, c := range r.Changes {
			if r.Kind != KindTighten {
				continue
			}
			rules++
			if c.Line <= r.Line || !strings.Contains(lines[c.Line-1], "- ") && !strings.Contains(lines[c.Line-1], "port") {
				t.Errorf("%s: line %d is that of neither rule nor port: %s", r.Title, c.Line, lines[c.Line-1])
			}
		}
	}
	if rules == 0 {
		t.Error("nothing was tightened: the test tests nothing")
	}
}
