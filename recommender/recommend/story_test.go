// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
	"github.com/netcinch/netcinch/recommender/policy"
)

var update = flag.Bool("update", false, "rewrite the wanted output of the stories")

// story is a cluster with its traffic, read from an archive.
type story struct {
	snapshot *cluster.Snapshot
	input    analyze.Input
	replay   []cluster.Object
}

// TestStories runs each archive in testdata: cluster.yaml, flows.jsonl and
// options go in; findings, recommendations and, where replay.yaml is given,
// the replay come out as the archive's want/ files say.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { tell(t, file) })
	}
}

func tell(t *testing.T, file string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := readStory(t, archive)
	report, err := analyze.Analyze(s.input)
	if err != nil {
		t.Fatal(err)
	}
	recommendations, err := Build(Input{Snapshot: s.snapshot, Report: report})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"want/findings": findingsText(report), "want/recommendations": recommendationsText(recommendations)}
	if s.replay != nil {
		r, err := Replay(ReplayInput{Input: s.input, Policies: s.replay})
		if err != nil {
			t.Fatal(err)
		}
		got["want/replay"] = replayText(r)
	}
	check(t, file, archive, got)
	settled(t, s, recommendations)
}

func check(t *testing.T, file string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	if *update {
		archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "want/") })
		for _, name := range []string{"want/findings", "want/recommendations", "want/replay"} {
			if text, ok := got[name]; ok {
				archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(text)})
			}
		}
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name, text := range got {
		if diff := cmp.Diff(section(archive, name), text); diff != "" {
			t.Errorf("%s (run with -update to rewrite):\n%s", name, diff)
		}
	}
}

// settled: with everything applied, a second run proposes nothing.
func settled(t *testing.T, s story, recommendations []Recommendation) {
	t.Helper()
	applied, err := Apply(s.snapshot, recommendations...)
	if err != nil {
		t.Fatal(err)
	}
	input := s.input
	input.Snapshot = applied
	input.Engine, _ = policy.Compile(applied, policy.Options{})
	report, err := analyze.Analyze(input)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Build(Input{Snapshot: applied, Report: report})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range again {
		if r.Withheld == "" {
			t.Errorf("after applying everything it proposes again: %s\n%s%s", r.Title, r.Diff, r.After)
		}
	}
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func readStory(t *testing.T, a *txtar.Archive) story {
	t.Helper()
	var s story
	s.snapshot = manifest.LoadText("cluster.yaml", []byte(section(a, "cluster.yaml")), manifest.Options{})
	for _, p := range s.snapshot.Problems {
		t.Fatalf("cluster.yaml:%d: %s %s", p.Line, p.Field, p.Message)
	}
	records, unknown, err := jsonl.ReadAll(strings.NewReader(section(a, "flows.jsonl")), "flows.jsonl")
	if err != nil || len(unknown) > 0 {
		t.Fatalf("flows.jsonl: %v %v", err, unknown)
	}
	engine, problems := policy.Compile(s.snapshot, policy.Options{})
	for _, p := range problems {
		t.Fatalf("cluster.yaml:%d: %s %s", p.Line, p.Field, p.Message)
	}
	s.input = analyze.Input{Snapshot: s.snapshot, Engine: engine, Records: records, Options: analyze.Options{Learning: time.Hour}}
	for line := range strings.Lines(section(a, "options")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "learning":
			if s.input.Options.Learning, err = time.ParseDuration(value); err != nil {
				t.Fatal(err)
			}
		case "accepted":
			s.input.Options.Accepted = append(s.input.Options.Accepted, acceptedID(t, s.input, value))
		default:
			t.Fatalf("unknown option %q", name)
		}
	}
	if text := section(a, "replay.yaml"); text != "" {
		s.replay = manifest.LoadText("replay.yaml", []byte(text), manifest.Options{}).Policies
	}
	return s
}

func findingsText(r *analyze.Report) string {
	var b bytes.Buffer
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s %s: %s\n", f.Severity, f.Kind, f.Scope, f.Title)
		if f.Line > 0 {
			fmt.Fprintf(&b, "  at %s:%d-%d\n", f.File, f.Line, f.EndLine)
		}
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "  %s\n", e)
		}
		for _, e := range f.Reservations {
			fmt.Fprintf(&b, "  but %s\n", e)
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

func recommendationsText(list []Recommendation) string {
	var b bytes.Buffer
	for _, r := range list {
		fmt.Fprintf(&b, "=== %s\n", r.Title)
		if r.Withheld != "" {
			fmt.Fprintf(&b, "withheld: %s\n", r.Withheld)
		}
		for _, c := range r.Changes {
			fmt.Fprintf(&b, "%s %s %d: %s\n", c.Kind, c.Direction, c.Rule, c.Text)
		}
		if r.Kind != KindTighten {
			for _, e := range r.Evidence {
				fmt.Fprintf(&b, "evidence: %s\n", e)
			}
		}
		for _, s := range r.Proof.Statements {
			fmt.Fprintf(&b, "proof %v %s: %s\n", s.Holds, s.Name, s.Text)
		}
		if r.Withheld != "" {
			continue
		}
		if r.Kind == KindTighten {
			b.WriteString(r.Diff)
		} else {
			b.WriteString(r.After)
		}
	}
	return b.String()
}

func replayText(r *ReplayReport) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d edges, %d connections; would deny %d, would allow %d\n", r.Edges, r.Connections, r.DeniedConnections, r.AllowedConnections)
	for _, d := range r.Denied {
		fmt.Fprintf(&b, "denied %s → %s %s %d: %d\n", d.Client, d.Server, d.Protocol, d.Port, d.Connections)
	}
	for _, d := range r.Allowed {
		fmt.Fprintf(&b, "allowed %s → %s %s %d: %d\n", d.Client, d.Server, d.Protocol, d.Port, d.Connections)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

// acceptedID finds the identity of the unseen edge that @client-server names.
func acceptedID(t *testing.T, in analyze.Input, name string) string {
	t.Helper()
	client, server, _ := strings.Cut(strings.TrimPrefix(name, "@"), "-")
	report, err := analyze.Analyze(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range report.Edges {
		if e.Unseen && e.Client.Name == client && e.Server.Name == server {
			return e.ID
		}
	}
	t.Fatalf("no unseen edge %s", name)
	return ""
}
