// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/deploy/unpack"
	"github.com/netcinch/netcinch/recommender/app"
)

// rule is an alert of rules.yaml.
type rule struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	read(t, "rules.yaml", func(text []byte) error { return yaml.Unmarshal(text, &file) })
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no rules")
	}
	return all
}

func read(t *testing.T, path string, parse func([]byte) error) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = parse(text)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// queries are the expressions of the dashboard, by panel.
func queries(t *testing.T) map[string]string {
	t.Helper()
	var board struct {
		Templating struct {
			List []struct{ Name, Query string }
		}
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	read(t, "dashboard.json", func(text []byte) error { return json.Unmarshal(text, &board) })
	all := map[string]string{}
	seen := map[int]bool{}
	for _, p := range board.Panels {
		if seen[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.Title == "" {
			t.Errorf("panel %d %q: the same id twice, no title, or wider than the board", p.ID, p.Title)
		}
		seen[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for i, target := range p.Targets {
			all[fmt.Sprintf("%s %d", p.Title, i)] = target.Expr
		}
	}
	for _, v := range board.Templating.List {
		if name, ok := strings.CutPrefix(v.Query, "label_values("); ok {
			all["variable "+v.Name], _, _ = strings.Cut(name, ",")
		}
	}
	return all
}

func promtool(t *testing.T, stdin io.Reader, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), unpack.Find(t, "promtool"), args...)
	cmd.Stdin = stdin
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Every alert has a test in which it fires and one in which it does not, and
// both go as they should.
func TestRules(t *testing.T) {
	var file struct {
		Tests []struct {
			Rules []struct {
				Name   string `json:"alertname"`
				Alerts []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	read(t, "rules_test.yaml", func(text []byte) error { return yaml.Unmarshal(text, &file) })
	tested := map[string][2]bool{}
	for _, test := range file.Tests {
		for _, r := range test.Rules {
			was := tested[r.Name]
			tested[r.Name] = [2]bool{was[0] || len(r.Alerts) == 0, was[1] || len(r.Alerts) > 0}
		}
	}
	for _, r := range rules(t) {
		if tested[r.Alert] != [2]bool{true, true} {
			t.Errorf("%s: quiet and firing are tested: %v", r.Alert, tested[r.Alert])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"info", "warning", "critical"}, r.Labels["severity"]) {
			t.Errorf("%s: no summary, description or known severity", r.Alert)
		}
	}
	promtool(t, nil, "check", "rules", "rules.yaml")
	promtool(t, nil, "test", "rules", "rules_test.yaml")
}

// Every query of the dashboard is one: as a recording rule it passes promtool.
func TestDashboardQueries(t *testing.T) {
	type recording struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var all []recording
	for _, expr := range queries(t) {
		expr = strings.NewReplacer("$__rate_interval", "5m", "$cluster", ".*").Replace(expr)
		if strings.Contains(expr, "$") {
			t.Errorf("%s: an unknown variable", expr)
		}
		all = append(all, recording{"netcinch:panel_" + strconv.Itoa(len(all)), expr})
	}
	if len(all) < 20 {
		t.Errorf("only %d queries", len(all))
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": all}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, nil, "check", "rules", path)
}

var metricName = regexp.MustCompile(`\bnetcinch_[a-z0-9_]+`)

// Every metric that rules and dashboard ask for is one of ours, and every one
// of the delivery is watched.
func TestMetricsExist(t *testing.T) {
	known := metrics(t)
	asked := map[string]bool{}
	check := func(where, expr string) {
		t.Helper()
		for _, name := range metricName.FindAllString(expr, -1) {
			base := strings.TrimSuffix(name, "_bucket")
			if asked[base] = true; !known[base] {
				t.Errorf("%s asks for %s, which there is not", where, name)
			}
		}
	}
	for _, r := range rules(t) {
		check(r.Alert, r.Expr)
	}
	for where, expr := range queries(t) {
		check(where, expr)
	}
	for name := range known {
		if strings.HasPrefix(name, "netcinch_alert_sink_") && !asked[name] && name != "netcinch_alert_sink_last_success_timestamp_seconds" {
			t.Errorf("nobody asks for %s", name)
		}
	}
}

// inSource finds names of metrics in Go's source.
var (
	whole  = regexp.MustCompile(`"(netcinch_[a-z0-9_]+[a-z0-9])"`)
	prefix = regexp.MustCompile(`NewDesc\("(netcinch_[a-z0-9_]+_)"\+name`)
	part   = regexp.MustCompile(`= describe\("([a-z0-9_]+)"`)
)

// metrics are the names of all metrics, as the source has them: many are not in
// a scrape before something has happened.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, root := range []string{"../../recommender", "../../agent"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), "prometheus") {
				return err
			}
			for _, m := range whole.FindAllStringSubmatch(string(text), -1) {
				all[m[1]] = true
			}
			if begins := prefix.FindStringSubmatch(string(text)); begins != nil {
				for _, m := range part.FindAllStringSubmatch(string(text), -1) {
					all[begins[1]+m[1]] = true
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !all["netcinch_agent_lost_total"] || !all["netcinch_view_failures_total"] || !all["netcinch_alert_sink_up"] {
		t.Fatalf("the source was not understood: %v", all)
	}
	return all
}

// A running recommender's metrics are as promtool wants them, and every name
// that it gives was found in the source.
func TestScrape(t *testing.T) {
	text := scrape(t)
	promtool(t, strings.NewReader(text), "check", "metrics")
	known := metrics(t)
	found := 0
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[1] == "TYPE" && strings.HasPrefix(fields[2], "netcinch_") {
			if found++; !known[fields[2]] {
				t.Errorf("%s is given, and not in the source", fields[2])
			}
		}
	}
	if found < 15 {
		t.Errorf("%d metrics of ours in\n%s", found, text)
	}
}

// scrape runs a recommender, and gives its metrics once it has a view.
func scrape(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "alerts.yaml")
	if err := os.WriteFile(file, []byte("sinks: [{name: out, type: stdout}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(app.Options{
		Manifests: []string{"../demo/manifests"}, DataDir: dir, AlertsFile: file, Listen: "127.0.0.1:0", IngestListen: "127.0.0.1:0",
		Token: "a-token-of-the-test", Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for get(t, a, "/readyz") == "" {
		select {
		case <-again.C:
		case <-t.Context().Done():
			t.Fatal("there is no view")
		}
	}
	return get(t, a, "/metrics")
}

func get(t *testing.T, a *app.App, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.PageAddress()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer a-token-of-the-test")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}
