// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

func (s *story) baseline(name string) Baseline {
	s.t.Helper()
	for _, b := range s.keeper.Baselines() {
		if b.Workload.String() == name {
			return b
		}
	}
	s.t.Fatalf("no baseline of %s", name)
	return Baseline{}
}

// TestBaselineCloses: learning, then ready at once, or stabilising for as long
// as it settles; edges are learnt until it closes, and unseen from then on.
func TestBaselineCloses(t *testing.T) {
	s := newStory(t, nodeN1, deployment("shop", "web", "10.0.0.1"), deployment("shop", "api", "10.0.0.2"), deployment("shop", "restless", "10.0.0.6"))
	s.habit(0, hours(40), pod("shop", "web"), pod("shop", "api"), 8080)
	s.flows(0, pod("shop", "restless"), outside("203.0.113.1", ""), 443, 1)
	for m := 0; m < hours(17); m += 30 { // something new all the time
		s.flows(m, pod("shop", "restless"), outside("203.0.113.1", ""), uint16(1000+m), 1)
	}
	for _, step := range []struct {
		hour           int
		web, restless  analyze.ReadyState
		open, restOpen bool
	}{
		{1, analyze.ReadyLearning, analyze.ReadyLearning, true, true},
		{5, analyze.ReadyLearning, analyze.ReadyLearning, true, true},
		{7, analyze.ReadyReady, analyze.ReadyStabilising, false, true},
		{15, analyze.ReadyReady, analyze.ReadyStabilising, false, true},
		{19, analyze.ReadyReady, analyze.ReadyStabilising, false, false},
	} {
		s.look(hours(step.hour))
		web, restless := s.baseline("shop/web"), s.baseline("shop/restless")
		if web.State != step.web || restless.State != step.restless || web.Closed.IsZero() != step.open || restless.Closed.IsZero() != step.restOpen {
			t.Errorf("hour %d: web %s closed %s, restless %s closed %s", step.hour, web.State, web.Closed, restless.State, restless.Closed)
		}
		if step.restOpen && len(s.keeper.Alerts()) > 0 {
			t.Errorf("hour %d: while it is open %s", step.hour, s.titles())
		}
		if (web.Version == 1) == step.open || (restless.Version == 1) == step.restOpen || restless.Early == step.restOpen {
			t.Errorf("hour %d: versions %d and %d, early %v", step.hour, web.Version, restless.Version, restless.Early)
		}
	}
	s.flows(hours(19), pod("shop", "restless"), outside("203.0.113.1", ""), 9, 1)
	s.restart()
	s.look(hours(19) + 5)
	if a := s.one(UnseenOutside); a.Status != Firing {
		t.Errorf("after it was closed: %s", s.titles())
	}
}

// TestDeniedTeachesNothing: what policies denied while it was learnt is unseen
// once they let it through, and enters no recommendation by itself.
func TestDeniedTeachesNothing(t *testing.T) {
	closed := ingressDB("    - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, podSelector: {matchLabels: {app: api}}}]\n")
	s := newStory(t, nodeN1, deployment("shop", "web", "10.0.0.1"), deployment("shop", "api", "10.0.0.2"), deployment("data", "db", "10.0.0.3"), closed)
	s.habit(0, hours(12), pod("shop", "api"), pod("data", "db"), 5432)
	s.habit(0, hours(12), pod("shop", "web"), pod("shop", "api"), 8080)
	s.habit(0, hours(12), pod("shop", "web"), pod("data", "db"), 5432, unanswered)
	for h := 0; h <= 8; h++ {
		s.look(hours(h))
	}
	if e := s.edge("shop/web", "data/db", 5432); e.Teaches || e.Verdict.State != analyze.StateDenied || len(s.baseline("shop/web").Denied) != 1 {
		t.Fatalf("denied: teaches %v, %s, %v", e.Teaches, e.Verdict.State, s.baseline("shop/web").Denied)
	}
	s.replace(closed, ingressDB("    - {}\n"))
	s.look(hours(9))
	if e := s.edge("shop/web", "data/db", 5432); !e.Unseen || e.Teaches {
		t.Errorf("let through: unseen %v, teaches %v", e.Unseen, e.Teaches)
	}
	a := s.one(UnseenInside)
	if a.Status != Firing || a.Narrowing == nil || strings.Contains(a.Narrowing.After, "app: web") {
		t.Errorf("%s; narrowing %+v", s.titles(), a.Narrowing)
	}
	s.decide(hours(9)+1, a.ID, store.Rejected)
	s.look(hours(10))
	if e := s.edge("shop/web", "data/db", 5432); !e.Unseen || e.Teaches {
		t.Errorf("rejected: unseen %v, teaches %v", e.Unseen, e.Teaches)
	}
	if a = s.one(UnseenInside); a.Status != Rejected {
		t.Errorf("it goes on, and is %s", a.Status)
	}
	s.decide(hours(10)+1, a.ID, store.Reopened)
	s.look(hours(10) + 5)
	if a = s.one(UnseenInside); a.Status != Firing {
		t.Errorf("reopened, it is %s", a.Status)
	}
	s.decide(hours(10)+6, a.ID, store.Accepted)
	s.look(hours(10) + 10)
	if e := s.edge("shop/web", "data/db", 5432); e.Unseen || !e.Teaches {
		t.Errorf("accepted: unseen %v, teaches %v", e.Unseen, e.Teaches)
	}
}

func (s *story) export() (string, *BaselineFile) {
	s.t.Helper()
	f, _ := s.keeper.Export(s.last.Catalogue, s.trail, s.last.Now)
	var b strings.Builder
	if err := f.Write(&b); err != nil {
		s.t.Fatal(err)
	}
	return b.String(), f
}

// TestExportAndImport: what is exported reads back to the same bytes; what is
// taken out of the file becomes unseen, what is put in is known; nothing
// changes where the file is wrong.
func TestExportAndImport(t *testing.T) {
	s := shop(t)
	text, f := s.export()
	if !strings.Contains(text, "- {to: data/Deployment/db, port: TCP 5432}") || !strings.Contains(text, "cluster: test") {
		t.Fatalf("exported:\n%s", text)
	}
	back, err := ParseBaseline("baseline.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	if err = back.Write(&again); err != nil || again.String() != text {
		t.Errorf("%v; reads back as\n%s", err, &again)
	}
	order := Order{By: "ada", Reason: "reviewed", At: at(hours(10) + 1), NewID: s.newID}
	sum, entries, err := s.keeper.Import(f, "baseline.yaml", s.last.Catalogue, s.trail, order)
	if err != nil || sum.Changed != 0 || len(entries) != 0 || sum.Workloads != 4 {
		t.Errorf("the same again: %+v, %v, %v", sum, entries, err)
	}
	edited := strings.Replace(text, "- {to: data/Deployment/cache, port: TCP 6379}", "- {to: name api.pay.example, port: TCP 443}", 1)
	back, err = ParseBaseline("baseline.yaml", []byte(edited))
	if err != nil {
		t.Fatal(err)
	}
	if sum, entries, err = s.keeper.Import(back, "baseline.yaml", s.last.Catalogue, s.trail, order); err != nil || sum != (Imported{4, 1, 1, 1}) || len(entries) != 1 || entries[0].By != "ada" {
		t.Fatalf("%+v, %+v, %v", sum, entries, err)
	}
	s.trail = append(s.trail, entries...)
	if b := s.baseline("shop/api"); b.Version != 2 || !strings.Contains(b.Changes[1].What, "reviewed") {
		t.Errorf("version %d, %+v", b.Version, b.Changes)
	}
	s.restart()
	s.flows(hours(10), pod("shop", "api"), outside("203.0.113.5", "api.pay.example"), 443, 1)
	s.flows(hours(10), pod("shop", "api"), outside("2001:db8::5", "api.pay.example"), 443, 1)
	s.look(hours(10) + 5)
	if e := s.edge("shop/api", "data/cache", 6379); !e.Unseen || e.Teaches {
		t.Errorf("taken out: unseen %v, teaches %v", e.Unseen, e.Teaches)
	}
	for _, e := range s.last.Report.Edges {
		if e.Server.DNS == "api.pay.example" && e.Unseen {
			t.Errorf("put in, %s is unseen", e.Server)
		}
	}
	if text2, _ := s.export(); text2 != strings.Replace(edited, "workload: shop/Deployment/api\n    version: 1", "workload: shop/Deployment/api\n    version: 2", 1) && !sameLines(text2, strings.Replace(edited, "workload: shop/Deployment/api\n    version: 1", "workload: shop/Deployment/api\n    version: 2", 1)) {
		t.Errorf("exported again:\n%s\nwant\n%s", text2, edited)
	}
	before := s.baseline("shop/api")
	back.Cluster = "other"
	var fault *FileError
	if _, _, err = s.keeper.Import(back, "baseline.yaml", s.last.Catalogue, s.trail, order); !errors.As(err, &fault) || fault.Field != "cluster" {
		t.Errorf("of another cluster: %v", err)
	}
	back.Cluster = "test"
	for port := range uint16(mostAdded + 1) {
		back.Workloads[3].Habits = append(back.Workloads[3].Habits, Habit{analyze.PartyOf(back.Workloads[3].Workload), analyze.Party{Kind: analyze.PartyNode}, flow.TCP, port + 1})
	}
	if _, _, err = s.keeper.Import(back, "baseline.yaml", s.last.Catalogue, s.trail, order); !errors.As(err, &fault) || s.baseline("shop/api").Version != before.Version {
		t.Errorf("too many: %v, version %d", err, s.baseline("shop/api").Version)
	}
}

func sameLines(a, b string) bool {
	return slices.Equal(slices.Sorted(strings.Lines(a)), slices.Sorted(strings.Lines(b)))
}

// TestWrongBaselineFiles: every error names the line and the field.
func TestWrongBaselineFiles(t *testing.T) {
	const head = "schema: netcinch.baseline/v1\ncluster: c\nworkloads:\n"
	one := func(edge string) string {
		return head + "  - workload: a/Deployment/x\n    edges:\n      - " + edge + "\n"
	}
	for _, c := range []struct {
		text, field string
		line        int
	}{
		{"", "file", 1},
		{"[]", "file", 1},
		{"a: [", "file", 1},
		{head + "---\nx: y\n", "file", 4},
		{"schema: v0\ncluster: c\nworkloads: []", "schema", 1},
		{"cluster: c\nworkloads: []", "schema", 1},
		{"schema: netcinch.baseline/v1\nworkloads: []", "cluster", 1},
		{"schema: netcinch.baseline/v1\ncluster: c", "workloads", 1},
		{head + "  - {}\n", "workload", 4},
		{head + "  - workload: x\n", "workload", 4},
		{head + "  - workload: a/Deployment/x\n    version: 0\n", "version", 5},
		{head + "  - workload: a/Deployment/x\n    colour: red\n", "colour", 5},
		{head + "  - workload: a/Deployment/x\n  - workload: a/Deployment/x\n", "workload", 5},
		{head + "  - workload: a/Deployment/x\n    images: x\n", "images", 5},
		{one("{to: b/Deployment/y}"), "port", 6},
		{one("{port: TCP 80}"), "to", 6},
		{one("{to: b, port: TCP 80}"), "to", 6},
		{one("{to: address x, port: TCP 80}"), "to", 6},
		{one("{to: name UPPER.example, port: TCP 80}"), "to", 6},
		{one("{to: node, port: TCP}"), "port", 6},
		{one("{to: node, port: TCP 0}"), "port", 6},
		{one("{to: node, port: TCP 65536}"), "port", 6},
		{one("{to: node, port: FOO 1}"), "port", 6},
		{one("{to: node, from: node, port: TCP 1}"), "from", 6},
		{one("{from: b/Deployment/y, port: TCP 1}"), "from", 6},
		{one("{to: node, to: node, port: TCP 1}"), "to", 6},
	} {
		_, err := ParseBaseline("b.yaml", []byte(c.text))
		var fault *FileError
		if !errors.As(err, &fault) || fault.Field != c.field || fault.Line != c.line || fault.File != "b.yaml" || fault.Message == "" {
			t.Errorf("%q: %v; want %s in line %d", c.text, err, c.field, c.line)
		}
	}
}

// FuzzBaseline: what is read is written to what reads back alike, and nothing
// panics.
func FuzzBaseline(f *testing.F) {
	for _, seed := range []string{
		"schema: netcinch.baseline/v1\ncluster: c\nworkloads:\n  - workload: a/Deployment/x\n    version: 2\n    images: [i]\n    edges:\n      - {to: b/StatefulSet/y, port: TCP 80}\n      - {from: address 2001:db8::1, port: ICMPv6}\n      - {to: name a.example, port: UDP 53}\n      - {from: node, port: SCTP 9}\n",
		"schema: netcinch.baseline/v1\ncluster: \"1\"\nworkloads: []\n", "", "a: &b [*b]", "schema: netcinch.baseline/v1\ncluster: 'no'\nworkloads: [{workload: 1/2/3}]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := ParseBaseline("f.yaml", text)
		if err != nil {
			var fault *FileError
			if !errors.As(err, &fault) || fault.Line < 1 || fault.Field == "" {
				t.Fatalf("an error without line or field: %v", err)
			}
			return
		}
		var out bytes.Buffer
		if err = file.Write(&out); err != nil {
			t.Fatal(err)
		}
		back, err := ParseBaseline("f.yaml", out.Bytes())
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, &out)
		}
		if back.Cluster != file.Cluster || len(back.Workloads) != len(file.Workloads) {
			t.Fatalf("%+v becomes %+v", file, back)
		}
		for i := range file.Workloads {
			if file.Workloads[i].Workload != back.Workloads[i].Workload || !slices.Equal(file.Workloads[i].Habits, back.Workloads[i].Habits) || !slices.Equal(file.Workloads[i].Images, back.Workloads[i].Images) {
				t.Fatalf("%+v becomes %+v", file.Workloads[i], back.Workloads[i])
			}
		}
	})
}

// TestTermsFollowDecisions: what was rejected after an import goes before it,
// and an acceptance ends at its time.
func TestTermsFollowDecisions(t *testing.T) {
	k, err := New("c", Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := flow.Workload{Namespace: "a", Kind: "Deployment", Name: "x"}
	h := Habit{analyze.PartyOf(w), analyze.Party{Kind: analyze.PartyNode}, flow.TCP, 80}
	k.baselines[w] = &Baseline{Workload: w, Closed: dawn, Added: []Habit{h}, Denied: []string{"denied"}, Removed: []string{"removed"}}
	if got := k.Terms(nil, dawn); !slices.Equal(got.Accepted, []string{h.ID()}) || !slices.Equal(got.Excluded, []string{"denied", "removed"}) || !got.Closed[w].Equal(dawn) {
		t.Errorf("%+v", got)
	}
	trail := []store.Decision{{Cluster: "c", Finding: h.ID(), Verdict: store.Rejected, At: dawn}, {Cluster: "c", Finding: "e", Verdict: store.Accepted, At: dawn, Until: dawn.Add(time.Hour)}, {Cluster: "d", Finding: "f", Verdict: store.Accepted, At: dawn}}
	if got := k.Terms(trail, dawn); !slices.Equal(got.Accepted, []string{"e"}) || !slices.Contains(got.Excluded, h.ID()) {
		t.Errorf("rejected: %+v", got)
	}
	if got := k.Terms(trail, dawn.Add(time.Hour)); len(got.Accepted) != 0 {
		t.Errorf("after its end: %+v", got)
	}
}
