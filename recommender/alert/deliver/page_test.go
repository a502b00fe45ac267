// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/alert/deliver"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
)

const page = "../../../docs/alert-sinks.md"

// The example of the documentation is read as it stands there.
func TestExampleOfThePage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(text), "```yaml\npage:")
	example, _, end := strings.Cut("page:"+example, "```")
	if !ok || !end {
		t.Fatal("there is no example")
	}
	dir := t.TempDir()
	certificate(t, dir)
	for _, name := range []string{"alertmanager-password", "webhook-key"} {
		if err = os.WriteFile(filepath.Join(dir, name), []byte("a secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	example = strings.ReplaceAll(strings.ReplaceAll(example, "/etc/netcinch/ca.pem", dir+"/cert.pem"), "/etc/netcinch", dir)
	c, err := config.Parse("alerts.yaml", []byte(example), deliver.ConfigOptions(func(string) string { return "https://hooks.example.org/x" }, true))
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	for i := range c.Sinks {
		types[c.Sinks[i].Type] = true
	}
	for _, want := range config.Types() {
		if !types[want] {
			t.Errorf("the example has no sink of type %s", want)
		}
	}
	if got := strings.Join(c.For("prod", "pci-zone", "unseen-inside", "medium"), " "); got != "alertmanager soar siem log" {
		t.Errorf("a medium alert of pci-zone goes to %s", got)
	}
}

// Every metric of the delivery is in the documentation.
func TestMetricsOfThePage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "sinks: [{name: out, type: stdout}]")
	d, err := deliver.New(w.options())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		short := regexp.MustCompile(`^netcinch_alert_(sink|config)`).ReplaceAllString(f.GetName(), "")
		if !strings.Contains(string(text), "`"+f.GetName()+"`") && !strings.Contains(string(text), "`"+short+"`") {
			t.Errorf("%s is not described", f.GetName())
		}
	}
	if len(families) < 10 {
		t.Errorf("only %d metrics", len(families))
	}
}
