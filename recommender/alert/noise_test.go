// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// replace puts an object in the place of another.
func (s *story) replace(old, fresh string) {
	s.t.Helper()
	i := slices.Index(s.objects, old)
	if i < 0 {
		s.t.Fatal("nothing to replace")
	}
	s.objects[i] = fresh
}

func oldWeb() string { return deployment("shop", "web", "10.0.0.1", "fd00::1") }

// TestGrace: within half an hour of a rollout new edges within the cluster wake
// nobody, those that leave it do, and what comes later does.
func TestGrace(t *testing.T) {
	for _, c := range []struct {
		name   string
		image  string
		hash   string
		minute int // after the rollout
		to     flow.Endpoint
		kind   Kind
		want   analyze.Severity
		held   bool
	}{
		{"another image", "img/web:2", "bbbbb", 10, pod("shop", "api"), UnseenInside, analyze.SeverityLow, true},
		{"another template", "img/web:1", "bbbbb", 10, pod("shop", "api"), UnseenInside, analyze.SeverityLow, true},
		{"no rollout", "img/web:1", "aaaaa", 10, pod("shop", "api"), UnseenInside, analyze.SeverityMedium, false},
		{"after the grace", "img/web:2", "bbbbb", 40, pod("shop", "api"), UnseenInside, analyze.SeverityMedium, false},
		{"outside", "img/web:2", "bbbbb", 10, outside("203.0.113.9", ""), UnseenOutside, analyze.SeverityMedium, false},
		{"outside over IPv6", "img/web:2", "bbbbb", 10, outside("2001:db8::9", ""), UnseenOutside, analyze.SeverityMedium, false},
	} {
		s := shop(t)
		s.replace(oldWeb(), workloadOf("shop", "web", c.image, c.hash, "10.0.0.1", "fd00::1"))
		s.look(hours(10) + 5)
		s.flows(hours(10)+5+c.minute, pod("shop", "web"), c.to, 9090, 2)
		s.look(hours(10) + 10 + c.minute)
		if a := s.one(c.kind); a.Severity != c.want || (a.Held != "") != c.held || len(s.told()) == 1 == c.held {
			t.Errorf("%s: %s, held %q", c.name, a.Severity, a.Held)
		}
		if n := len(s.of(UnknownImage)); n > 0 {
			t.Errorf("%s: a rollout of a new tag raises %s", c.name, s.titles())
		}
	}
}

// TestUnknownImage: another repository, planned or not, and a tag that the
// template does not name.
func TestUnknownImage(t *testing.T) {
	template := func(image, inPod string) string {
		text := workloadOf("shop", "web", image, "bbbbb", "10.0.0.1", "fd00::1")
		if inPod != image {
			i := strings.Index(text, "kind: Pod")
			text = text[:i] + strings.ReplaceAll(text[i:], fmt.Sprintf("%q", image), fmt.Sprintf("%q", inPod))
		}
		return text
	}
	for _, c := range []struct {
		name, template, pod string
		want                analyze.Severity
	}{
		{"the same repository", "img/web:2", "img/web:2", ""},
		{"by digest", "img/web@sha256:00", "img/web@sha256:00", ""},
		{"another repository, rolled out", "evil/web:1", "evil/web:1", analyze.SeverityMedium},
		{"another repository, in the pod alone", "img/web:1", "evil/miner:1", analyze.SeverityHigh},
		{"another tag, in the pod alone", "img/web:1", "img/web:debug", analyze.SeverityHigh},
	} {
		s := shop(t)
		s.replace(oldWeb(), template(c.template, c.pod))
		s.look(hours(10) + 5)
		list := s.of(UnknownImage)
		if (len(list) == 1) != (c.want != "") || len(list) > 0 && (list[0].Severity != c.want || list[0].Status != Firing) {
			t.Errorf("%s: want %q, got %s", c.name, c.want, s.titles())
		}
		if c.want == "" {
			continue
		}
		s.told()
		s.decide(hours(10)+6, list[0].ID, store.Accepted)
		s.told()
		s.look(hours(10) + 10)
		if a := s.one(UnknownImage); a.Status != Accepted {
			t.Errorf("%s: accepted, it is %s", c.name, a.Status)
		}
		s.restart()
		s.look(hours(20))
		if a := s.one(UnknownImage); a.Status != Accepted || len(s.told()) > 0 {
			t.Errorf("%s: later it is %s", c.name, a.Status)
		}
	}
}

// TestKnownClasses: name resolution, scrapes and probes are known by evidence;
// the same ports without it are not.
func TestKnownClasses(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*story)
		kind Kind
		held string
	}{
		{"a resolver that three use", func(s *story) {
			for _, w := range []string{"web", "api"} {
				s.habit(0, hours(9), pod("shop", w), pod("kube-system", "dns"), 53, udp)
			}
			s.habit(0, hours(9), pod("data", "db"), pod("kube-system", "dns"), 53, udp)
			s.flows(hours(12), pod("data", "cache"), pod("kube-system", "dns"), 53, 3, udp)
		}, UnseenInside, "known class, name resolution: kube-system/dns resolves names for 3 workloads already"},
		{"port 53 of somebody", func(s *story) {
			s.flows(hours(12), pod("data", "cache"), pod("kube-system", "dns"), 53, 3, udp)
		}, UnseenInside, ""},
		{"a scraper", func(s *story) {
			s.habit(0, hours(9), pod("kube-system", "dns"), pod("shop", "web"), 9100)
			s.habit(0, hours(9), pod("kube-system", "dns"), pod("shop", "api"), 9100)
			s.flows(hours(12), pod("kube-system", "dns"), pod("data", "db"), 9100, 3)
		}, UnseenInside, "known class, scrape: kube-system/dns scrapes 2 workloads already, and the pods declare the port for metrics"},
		{"the metrics port by somebody", func(s *story) {
			s.flows(hours(12), pod("kube-system", "dns"), pod("data", "db"), 9100, 3)
		}, UnseenInside, ""},
		{"a probe", func(s *story) { s.flows(hours(12), node("n1"), pod("data", "db"), 8081, 3, probe) }, UnseenInside, "known class, probe: its node asks whether a pod is well, as the pod's spec says"},
		{"a node that asks", func(s *story) { s.flows(hours(12), node("n1"), pod("data", "db"), 8081, 3) }, UnseenInside, ""},
		{"a public port", func(s *story) {
			for i := range 3 {
				s.habit(0, hours(9), outside(fmt.Sprintf("203.0.113.%d", i+1), ""), pod("shop", "web"), 443)
			}
			s.flows(hours(12), outside("2001:db8::77", ""), pod("shop", "web"), 443, 3)
		}, UnseenOutside, "known class, public: 3 outside addresses came to this port while it was learnt"},
	} {
		s := newStory(t, nodeN1, deployment("shop", "web", "10.0.0.1", "fd00::1"), deployment("shop", "api", "10.0.0.2"), deployment("data", "db", "10.0.0.3"), deployment("data", "cache", "10.0.0.4"), deployment("kube-system", "dns", "10.0.0.5"))
		for _, w := range [][2]string{{"shop", "web"}, {"data", "db"}, {"data", "cache"}, {"kube-system", "dns"}} {
			s.habit(0, hours(9), pod(w[0], w[1]), pod("shop", "api"), 8080)
		}
		c.do(s)
		for h := 0; h <= 9; h++ {
			s.look(hours(h))
		}
		s.look(hours(12) + 5)
		if a := s.one(c.kind); a.Held != c.held || (len(s.told()) == 0) != (c.held != "") {
			t.Errorf("%s: held %q, want %q", c.name, a.Held, c.held)
		}
	}
}

// TestBudget: the gravest are told first, medium ones leave a quarter, high
// ones may go twice as far, and the next day counts anew.
func TestBudget(t *testing.T) {
	s := shop(t)
	s.options.Budget, s.options.FanOutPeers = 4, 100
	s.restart()
	for i := range 5 {
		s.habit(hours(23), hours(24)+5, pod("shop", "web"), outside("203.0.113.9", fmt.Sprintf("x.evil%d.example", i)), 443)
	}
	for port := uint16(81); port < 86; port++ {
		s.objects = append(s.objects, deployment("shop", fmt.Sprintf("w%d", port), fmt.Sprintf("10.0.1.%d", port)))
		s.habit(0, hours(9), pod("shop", "api"), pod("shop", fmt.Sprintf("w%d", port)), 80)
		s.habit(hours(23), hours(24)+5, pod("shop", "web"), pod("shop", fmt.Sprintf("w%d", port)), 80)
	}
	s.look(hours(23) + 5)
	severities := func(list []Alert) (high, medium int) {
		for _, a := range list {
			if a.Severity == analyze.SeverityHigh {
				high++
			} else {
				medium++
			}
		}
		return high, medium
	}
	if high, medium := severities(s.told()); high != 5 || medium != 0 {
		t.Errorf("told %d high and %d medium; want 5 and 0 (a budget of 4, high ones up to 8):%s", high, medium, s.titles())
	}
	if spent, budget := s.keeper.Spent(at(hours(23) + 5)); spent != 5 || budget != 4 {
		t.Errorf("spent %d of %d", spent, budget)
	}
	s.restart()
	s.look(hours(23) + 15)
	if told := s.told(); len(told) > 0 {
		t.Errorf("after a restart the budget counts anew: %v", told)
	}
	s.look(hours(24) + 5)
	if high, medium := severities(s.told()); high != 0 || medium != 3 {
		t.Errorf("the next day %d high and %d medium are told; want 0 and 3:%s", high, medium, s.titles())
	}
}

// TestSilences: held back until the end, and told then where it still goes on.
func TestSilences(t *testing.T) {
	for _, c := range []struct {
		name string
		s    Silence
		want bool
	}{
		{"its workload", Silence{Workload: "shop/web"}, true},
		{"the other end", Silence{Workload: "data/db"}, true},
		{"its namespace", Silence{Namespace: "data"}, true},
		{"its kind", Silence{Kind: UnseenInside}, true},
		{"its severity", Silence{Severity: analyze.SeverityHigh}, true},
		{"another kind", Silence{Kind: Shell}, false},
		{"another workload", Silence{Workload: "shop/api"}, false},
		{"another namespace", Silence{Namespace: "dat"}, false},
	} {
		s := shop(t)
		c.s.By, c.s.Reason, c.s.At, c.s.Until = "ada", "load test", at(hours(10)), at(hours(10)+30)
		d, err := s.keeper.Silence(c.s, s.newID)
		if err != nil {
			t.Fatal(err)
		}
		s.trail = append(s.trail, d)
		s.habit(hours(10), hours(11), pod("shop", "web"), pod("data", "db"), 5432)
		s.look(hours(10) + 5)
		a := s.one(UnseenInside)
		if told := s.told(); (a.Status == Silenced) != c.want || (len(told) == 0) != c.want || c.want && a.Decision.Reason != "load test" {
			t.Errorf("%s: %s, told %v", c.name, a.Status, told)
		}
		s.restart()
		s.look(hours(10) + 35)
		if a = s.one(UnseenInside); a.Status != Firing || (len(s.told()) == 1) != c.want {
			t.Errorf("%s: after its end it is %s", c.name, a.Status)
		}
	}
}

// TestSilenceOfWhatWasTold closes it, and opens it again at the end.
func TestSilenceOfWhatWasTold(t *testing.T) {
	s := shop(t)
	s.habit(hours(10), hours(12), pod("shop", "web"), pod("data", "db"), 5432)
	s.look(hours(10) + 5)
	a := s.told()[0]
	d, err := s.keeper.Silence(Silence{Alert: a.ID, By: "ada", Reason: "known", At: at(hours(10) + 6), Until: at(hours(11))}, s.newID)
	if err != nil {
		t.Fatal(err)
	}
	s.trail = append(s.trail, d)
	s.keeper.Decided([]store.Decision{d}, at(hours(10)+6))
	if told := s.told(); len(told) != 1 || told[0].Status != Silenced || len(s.keeper.Silences()) != 1 {
		t.Errorf("told %v", told)
	}
	end, err := s.keeper.EndSilence(s.keeper.Silences()[0].ID, Order{By: "ada", Reason: "repaired", At: at(hours(10) + 10), NewID: s.newID})
	if err != nil {
		t.Fatal(err)
	}
	s.trail = append(s.trail, end)
	s.look(hours(10) + 15)
	if told := s.told(); len(told) != 1 || told[0].Status != Firing || len(s.keeper.Silences()) != 0 {
		t.Errorf("after the end told %v", told)
	}
	for _, wrong := range []Silence{{}, {Kind: "odd"}, {Workload: "web"}, {Severity: "worst"}, {Kind: Shell, Until: dawn}, {Kind: Shell, Until: at(hours(9000))}, {Kind: Shell, Until: at(60), Reason: " "}} {
		if wrong.Until.IsZero() && wrong.Kind != "" {
			wrong.Until = at(60)
		}
		if wrong.Reason == "" {
			wrong.Reason = "x"
		}
		if err := wrong.Check(dawn); err == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}

// TestTellTogether: a scan stands for the connections that it made.
func TestTellTogether(t *testing.T) {
	s := shop(t)
	for p := uint16(1000); p < 1020; p++ {
		s.flows(hours(10), pod("shop", "web"), pod("data", "cache"), p, 1)
	}
	s.look(hours(10) + 5)
	scan, unseen := s.one(PortScan), s.one(UnseenInside)
	if told := s.told(); len(told) != 1 || told[0].ID != scan.ID || unseen.With != scan.ID || unseen.EdgeCount != 20 {
		t.Errorf("told %v; the connections are told with %q", told, unseen.With)
	}
}

// TestSlowDenied: some attempts in many hours, and none where they are few.
func TestSlowDenied(t *testing.T) {
	s := shop(t, ingressDB(openDB))
	for h := 10; h < 20; h++ {
		s.flows(hours(h), pod("shop", "web"), pod("data", "db"), 22, 1, unanswered)
		s.look(hours(h) + 5)
		if list := s.of(DeniedSlow); (len(list) == 1) != (h >= 16) || len(s.of(DeniedBurst)) > 0 {
			t.Fatalf("hour %d: %s", h, s.titles())
		}
	}
	a := s.one(DeniedSlow)
	if a.Severity != analyze.SeverityLow || !a.Denied || a.Narrowing != nil || a.Accept == nil || !a.Accept.Exact || !strings.Contains(a.Accept.Diff, "+") || !strings.Contains(a.Accept.After, "port: 22") {
		t.Errorf("%s denied %v, narrowing %+v, accept %+v", a.Severity, a.Denied, a.Narrowing, a.Accept)
	}
}

// TestNameVolume: ten times the most of any hour before, and more than the floor.
func TestNameVolume(t *testing.T) {
	for _, c := range []struct {
		bytes uint64
		want  int
	}{{3 << 20, 0}, {20 << 20, 1}} {
		s := newStory(t, nodeN1, deployment("shop", "web", "10.0.0.1"), deployment("kube-system", "dns", "10.0.0.5"))
		s.habit(0, hours(12), pod("shop", "web"), pod("kube-system", "dns"), 53, udp)
		for h := 0; h <= 10; h++ {
			s.look(hours(h))
		}
		s.flows(hours(10), pod("shop", "web"), pod("kube-system", "dns"), 53, 100, udp, func(r *flow.Record) { r.ByClient.BytesSent = c.bytes })
		s.look(hours(10) + 5)
		if n := len(s.of(DNSVolume)); n != c.want {
			t.Errorf("%d bytes: %s", c.bytes, s.titles())
		}
	}
}

// TestGaps: a node that falls silent, pods that are not watched, and neither
// for a node that left.
func TestGaps(t *testing.T) {
	s := shop(t)
	cover := func(minute, watched int) store.NodeCoverage {
		return store.NodeCoverage{Node: "n1", FirstSeen: dawn, LastSeen: at(minute), Covered: at(minute).Sub(dawn), Coverage: store.Coverage{PodsKnown: 4, PodsWatched: watched}}
	}
	s.coverage = []store.NodeCoverage{cover(hours(10), 4)}
	s.look(hours(10) + 4)
	if n := len(s.of(CaptureGap)); n > 0 {
		t.Errorf("after four minutes: %s", s.titles())
	}
	s.look(hours(10) + 10)
	if a := s.one(CaptureGap); a.Title != "Node n1 is not watched any more" || a.Status != Firing || len(s.told()) != 1 || len(a.Workloads) != 4 {
		t.Errorf("after ten minutes: %s, of %v", s.titles(), a.Workloads)
	}
	s.coverage = []store.NodeCoverage{cover(hours(10)+20, 3)}
	s.look(hours(10) + 20)
	for _, a := range s.of(CaptureGap) {
		if want := map[string]Status{"Node n1 is not watched any more": Resolved, "1 pod is on node n1 not watched": Firing, "1 pod is not watched on node n1": Firing}[a.Title]; a.Status != want {
			t.Errorf("%q is %s, want %s", a.Title, a.Status, want)
		}
	}
	s.replace(nodeN1, "")
	s.coverage = []store.NodeCoverage{cover(hours(10)+20, 3)}
	s.look(hours(12))
	if slices.ContainsFunc(s.of(CaptureGap), func(a Alert) bool { return a.Status == Firing }) {
		t.Errorf("of a node that left: %s", s.titles())
	}
}

// TestReadinessLost: not at once, only where it lasts, and resolved when it is
// ready again.
func TestReadinessLost(t *testing.T) {
	s := shop(t)
	s.last.Report.Readiness[0].State = analyze.ReadyStabilising
	s.last.Report.Readiness[0].Reasons = []string{"60 flows lost on its nodes"}
	lose := func(minute int) {
		in := s.last
		in.Now = at(minute)
		s.keeper.Look(in)
	}
	lose(hours(10) + 1)
	if n := len(s.of(ReadinessLost)); n > 0 {
		t.Errorf("at once: %s", s.titles())
	}
	lose(hours(10) + 15)
	if a := s.one(ReadinessLost); a.Status != Firing || a.Severity != analyze.SeverityLow || !strings.Contains(strings.Join(a.Evidence, " "), "60 flows lost") {
		t.Errorf("%s %v", s.titles(), a.Evidence)
	}
	s.look(hours(10) + 20)
	if a := s.one(ReadinessLost); a.Status != Resolved {
		t.Errorf("ready again: %s", s.titles())
	}
}

// TestCronJobIsQuietBetweenRuns: what a CronJob did is not resolved before its
// next run is over.
func TestCronJobIsQuietBetweenRuns(t *testing.T) {
	r := &record{}
	if got := r.quiet(time.Hour, 6*time.Hour); got != 7*time.Hour+30*time.Minute {
		t.Errorf("quiet for %s", got)
	}
	for streak, want := range []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
		r.Streak = streak
		if got := r.quiet(time.Hour, 0); got != want {
			t.Errorf("after %d returns quiet for %s, want %s", streak, got, want)
		}
	}
}
