// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"slices"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

const openDB = "    - from: [{namespaceSelector: {}}]\n      ports: [{protocol: TCP, port: 5432}]\n    - from: [{podSelector: {matchLabels: {app: nobody}}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]\n      ports: [{protocol: TCP, port: 9999}]\n"

// TestKinds raises one alert of each kind that is about connections.
func TestKinds(t *testing.T) {
	web, api, db := pod("shop", "web"), pod("shop", "api"), pod("data", "db")
	for _, c := range []struct {
		name     string
		do       func(*story)
		kind     Kind
		severity analyze.Severity
		title    string
	}{
		{"within", func(s *story) { s.flows(hours(10), web, db, 5432, 4) }, UnseenInside, analyze.SeverityHigh, "shop/web → data/db TCP 5432 was never there before"},
		{"within, of IPv6", func(s *story) { s.flows(hours(10), api, web, 8081, 4) }, UnseenInside, analyze.SeverityMedium, "shop/api → shop/web TCP 8081 was never there before"},
		{"outside", func(s *story) { s.flows(hours(10), web, outside("203.0.113.9", ""), 443, 4) }, UnseenOutside, analyze.SeverityHigh, "shop/web → 203.0.113.9 TCP 443 was never there before"},
		{"outside over IPv6", func(s *story) { s.flows(hours(10), web, outside("2001:db8::9", ""), 443, 4) }, UnseenOutside, analyze.SeverityHigh, "shop/web → 2001:db8::9 TCP 443 was never there before"},
		{"a new name", func(s *story) { s.flows(hours(10), web, outside("203.0.113.9", "x.evil.example"), 443, 4) }, UnseenName, analyze.SeverityHigh, "shop/web → x.evil.example (203.0.113.9) TCP 443 was never there before"},
		{"from outside", func(s *story) { s.flows(hours(10), outside("203.0.113.9", ""), web, 8080, 4) }, UnseenOutside, analyze.SeverityMedium, "203.0.113.9 → shop/web TCP 8080 was never there before"},
		{"a rule that nobody used", func(s *story) { s.flows(hours(10), web, db, 9999, 4) }, PolicyGap, analyze.SeverityMedium, "shop/web → data/db TCP 9999 passed by a rule that nobody had used"},
		{"a burst of denied attempts", func(s *story) { s.flows(hours(10), web, db, 22, 40, unanswered) }, DeniedBurst, analyze.SeverityMedium, "shop/web → data/db TCP 22: policies denied many attempts"},
		{"the kubelet", func(s *story) { s.flows(hours(10), web, node("n1"), 10250, 1) }, Risky, analyze.SeverityHigh, "shop/web → node n1 TCP 10250 reaches the kubelet's API, which can run commands in any pod of its node"},
		{"the cloud's metadata", func(s *story) { s.flows(hours(10), web, outside("169.254.169.254", ""), 80, 1) }, Risky, analyze.SeverityHigh, "shop/web → 169.254.169.254 TCP 80 reaches the cloud's metadata service, which hands out the node's credentials"},
		{"the cloud's metadata over IPv6", func(s *story) { s.flows(hours(10), web, outside("fd00:ec2::254", ""), 80, 1) }, Risky, analyze.SeverityHigh, "shop/web → fd00:ec2::254 TCP 80 reaches the cloud's metadata service, which hands out the node's credentials"},
		{"the API server", func(s *story) {
			s.flows(hours(10), web, outside("10.96.0.1", ""), 443, 1, func(r *flow.Record) { r.Edge.Service = "default/kubernetes:443" })
		}, APIServer, analyze.SeverityHigh, "shop/web → 10.96.0.1 TCP 443: first use of the API server"},
		{"a scan of ports", func(s *story) {
			for p := uint16(1000); p < 1010; p++ {
				s.flows(hours(10), web, api, p, 1, refused)
			}
		}, PortScan, analyze.SeverityHigh, "shop/web tried 10 new ports of shop/api"},
		{"a fan-out over addresses", func(s *story) {
			for i := range 12 {
				s.flows(hours(10), web, outside([]string{"203.0.113.", "2001:db8::"}[i%2]+string(rune('1'+i%9)), ""), 445, 1, unanswered)
			}
		}, FanOut, analyze.SeverityHigh, "shop/web tried 12 servers that it had never talked with"},
		{"another program", func(s *story) { s.flows(hours(10), by(api, "/tmp/x"), db, 5432, 1) }, NewProcess, analyze.SeverityMedium, "/tmp/x in shop/api opened shop/api → data/db TCP 5432"},
		{"another program serves", func(s *story) { s.flows(hours(10), api, by(db, "/tmp/x"), 5432, 1) }, NewProcess, analyze.SeverityMedium, "/tmp/x in data/db served shop/api → data/db TCP 5432"},
		{"a shell", func(s *story) { s.flows(hours(10), by(api, "/bin/bash"), db, 5432, 1) }, Shell, analyze.SeverityHigh, "/bin/bash in shop/api opened shop/api → data/db TCP 5432"},
		{"a package manager, outside", func(s *story) { s.flows(hours(10), by(api, "/usr/bin/apt-get"), outside("203.0.113.9", ""), 80, 1) }, Shell, analyze.SeverityHigh, "/usr/bin/apt-get in shop/api opened shop/api → 203.0.113.9 TCP 80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shop(t, ingressDB(openDB))
			c.do(s)
			s.look(hours(10) + 5)
			a := s.one(c.kind)
			if a.Severity != c.severity || a.Title != c.title || a.Status != Firing || a.Held != "" {
				t.Errorf("%s %s held %q: %q; want %s %q", a.Severity, a.Status, a.Held, a.Title, c.severity, c.title)
			}
			told := s.told()
			if !slices.ContainsFunc(told, func(one Alert) bool { return one.ID == a.ID && one.Revision == 1 }) {
				t.Errorf("it is not told: %v", told)
			}
			if len(a.Evidence) == 0 || a.Text == "" || len(a.Labels) < 5 || !strings.HasPrefix(a.Link, "/alerts/"+a.ID) || a.EdgeCount == 0 || len(a.Edges) == 0 || a.Namespace == "" {
				t.Errorf("something is absent: %+v", a)
			}
			if a.Denied == (len(a.Allowances) > 0 || a.Open) && a.Kind != PortScan && a.Kind != FanOut {
				t.Errorf("denied %v, open %v, let through by %v", a.Denied, a.Open, a.Allowances)
			}
			if a.Accept == nil {
				t.Errorf("nothing says what goes with accepting it")
			}
			for _, other := range told {
				if other.ID != a.ID {
					t.Errorf("somebody is woken for %s, too: %s", other.Kind, other.Title)
				}
			}
		})
	}
}

// TestNothingToSay: what goes on as learnt raises nothing.
func TestNothingToSay(t *testing.T) {
	s := shop(t)
	s.looks(hours(10), hours(14))
	if n := len(s.keeper.Alerts()); n > 0 {
		t.Errorf("%d alerts:%s", n, s.titles())
	}
}

// TestLifecycle: an alert fires once, is resolved by quiet, comes again under
// the same identity, and needs twice the quiet then. A restart at any moment
// neither loses nor repeats.
func TestLifecycle(t *testing.T) {
	s := shop(t)
	steps := []struct {
		minute int // after hour 10
		flows  bool
		want   Status
		told   int // revisions told at this look
	}{
		{0, true, Firing, 1},
		{5, true, Firing, 0},
		{30, false, Firing, 0},
		{60, false, Firing, 0},
		{75, false, Resolved, 1},
		{80, false, Resolved, 0},
		{100, true, Firing, 1},
		{170, false, Firing, 0},
		{230, false, Resolved, 1},
		{240, true, Firing, 1},
		{400, false, Firing, 0},
		{490, false, Resolved, 1},
	}
	id := ""
	for _, step := range steps {
		if step.flows {
			s.flows(hours(10)+step.minute-5, pod("shop", "web"), pod("data", "db"), 5432, 2)
		}
		s.restart()
		s.look(hours(10) + step.minute)
		a := s.one(UnseenInside)
		if id == "" {
			id = a.ID
		}
		told := s.keeper.Untold()
		if a.ID != id || a.Status != step.want || len(told) != step.told {
			t.Fatalf("minute %d: %s, told %v; want %s, %d", step.minute, a.Status, told, step.want, step.told)
		}
		s.restart() // before it was told: it is told again
		if again := s.keeper.Untold(); len(again) != len(told) || len(told) > 0 && (again[0].ID != told[0].ID || again[0].Revision != told[0].Revision) {
			t.Fatalf("minute %d: after a restart %v is told, want %v", step.minute, again, told)
		}
		s.keeper.Told(told)
	}
	if a := s.one(UnseenInside); a.Returns != 2 || a.Revision != 6 {
		t.Errorf("came again %d times, revision %d; want 2, 6", a.Returns, a.Revision)
	}
}

// TestAcceptAndReject: accepting makes an edge known, rejecting keeps it out;
// a further edge of the pair fires again.
func TestAcceptAndReject(t *testing.T) {
	s := shop(t, ingressDB(openDB))
	s.flows(hours(10), pod("shop", "web"), pod("data", "db"), 5432, 2)
	s.look(hours(10) + 5)
	a := s.one(UnseenInside)
	s.told()
	if a.Narrowing == nil || !a.Narrowing.Exact || a.Narrowing.Diff == "" || a.Narrowing.Policy.Name != "db" {
		t.Errorf("narrowing %+v", a.Narrowing)
	}
	if a.Accept == nil || !strings.Contains(a.Accept.After, "app: web") {
		t.Errorf("accept %+v", a.Accept)
	}
	if len(a.Allowances) != 1 || a.Allowances[0].File != "test.yaml" || a.Allowances[0].Line == 0 {
		t.Errorf("let through by %+v", a.Allowances)
	}
	s.decide(hours(10)+6, a.ID, store.Accepted)
	if got := s.one(UnseenInside); got.Status != Accepted || got.Decision.By != "ada" || got.Decision.Reason != "planned" {
		t.Errorf("at once: %s, %+v", got.Status, got.Decision)
	}
	if told := s.told(); len(told) != 1 || told[0].Status != Accepted {
		t.Errorf("told %+v", told)
	}
	s.look(hours(10) + 10)
	if got := s.one(UnseenInside); got.Status != Accepted || len(s.told()) != 0 {
		t.Errorf("after the next look: %s", got.Status)
	}
	if e := s.edge("shop/web", "data/db", 5432); e.Unseen || !e.Teaches {
		t.Errorf("accepted, and unseen %v, teaches %v", e.Unseen, e.Teaches)
	}
	s.flows(hours(10)+10, pod("shop", "web"), pod("data", "db"), 5432, 2)
	s.look(hours(10) + 20)
	if got := s.one(UnseenInside); got.Status != Accepted {
		t.Errorf("it goes on, and is %s", got.Status)
	}
}

func (s *story) edge(client, server string, port uint16) analyze.Edge {
	s.t.Helper()
	for _, e := range s.last.Report.Edges {
		if e.Client.String() == client && e.Server.String() == server && e.Port == port {
			return e
		}
	}
	s.t.Fatalf("no edge %s → %s %d", client, server, port)
	return analyze.Edge{}
}

// TestWhatHappenedWhileNobodyLooked is told of once, and resolved; what was over
// before the first look of all is history.
func TestWhatHappenedWhileNobodyLooked(t *testing.T) {
	s := shop(t)
	s.flows(hours(11), pod("shop", "web"), pod("data", "db"), 5432, 2)
	s.restart()
	s.look(hours(15))
	if a, told := s.one(UnseenInside), s.told(); a.Status != Firing || len(told) != 1 {
		t.Errorf("%s; told %v", s.titles(), told)
	}
	s.restart()
	s.look(hours(15) + 5)
	if a, told := s.one(UnseenInside), s.told(); a.Status != Resolved || len(told) != 1 || told[0].Status != Resolved {
		t.Errorf("%s; told %v", s.titles(), told)
	}
	fresh := shop(t)
	fresh.flows(hours(11), pod("shop", "web"), pod("data", "db"), 5432, 2)
	k, err := New("test", fresh.options, nil)
	if err != nil {
		t.Fatal(err)
	}
	fresh.keeper = k
	fresh.look(hours(15))
	fresh.look(hours(15) + 5)
	if n := len(k.Alerts()); n > 0 {
		t.Errorf("history is told: %s", fresh.titles())
	}
}
