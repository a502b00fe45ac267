// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/alert"
)

// TestAlertsAndBaselines: list, show, decide, silence, export and import, over
// the API of a running recommender.
func TestAlertsAndBaselines(t *testing.T) {
	env := serving(t)
	run := func(status int, args ...string) string {
		t.Helper()
		got, out, errs := netcinch(t, env, args...)
		if got != status {
			t.Fatalf("%v: status %d, want %d: %s%s", args, got, status, out, errs)
		}
		return out + errs
	}
	has := func(text string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
	var list struct{ Items []alert.Alert }
	if err := json.Unmarshal([]byte(run(0, "alerts", "list", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	has(run(0, "alerts", "list"), "may wake somebody today")
	has(run(2, "alerts", "list", "--kind", "odd"), "kind")
	has(run(2, "alerts", "show", "none"), `no alert "none"`)
	has(run(2, "alerts", "accept", "none"), "give --reason")
	has(run(2, "alerts", "silence", "--reason", "x"), "give --for")
	has(run(2, "alerts", "silence", "--reason", "x", "--for", "1h"), "silence for everything is refused")
	has(run(2, "alerts", "silence", "--reason", "x", "--for", "soon"), "want a duration")
	for _, a := range list.Items[:min(1, len(list.Items))] {
		has(run(0, "alerts", "show", a.ID), a.Title, "Evidence:")
		has(run(0, "alerts", "accept", a.ID, "--reason", "planned", "--by", "ada"), "accepted: "+a.Title)
		has(run(0, "alerts", "show", a.ID), "accepted by holder of the token (ada): planned")
		has(run(0, "alerts", "reject", a.ID, "--reason", "a mistake"), "rejected: "+a.Title)
		has(run(0, "alerts", "trail"), "planned", "a mistake")
	}
	made := run(0, "alerts", "silence", "--kind", "denied-slow", "--for", "7d", "--reason", "chaos week")
	id := strings.Fields(made)[1]
	has(run(0, "alerts", "silences"), id, "chaos week", "kind denied-slow")
	has(run(0, "alerts", "unsilence", id, "--reason", "over"), "is over")
	has(run(0, "alerts", "silences"), "No silence holds.")
	has(run(0, "baseline", "show"), "WORKLOAD", "STATE")
	text := run(0, "baseline", "export")
	has(text, "schema: netcinch.baseline/v1")
	dir := t.TempDir()
	file := filepath.Join(dir, "baseline.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	has(run(0, "baseline", "import", file, "--reason", "reviewed"), "in the file", "0 edges known now")
	write(strings.Replace(text, "schema:", "colour:", 1))
	has(run(2, "baseline", "import", file, "--reason", "reviewed"), "baseline.yaml:4: colour: is not a field here")
	has(run(2, "baseline", "import", filepath.Join(dir, "none"), "--reason", "reviewed"), "reading the baseline")
	has(run(2, "baseline", "export", "--data-dir", dir), "there is no store in it")
}
