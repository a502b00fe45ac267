// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/alert/deliver"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
)

// options are those of the recommender, with an environment of the test's.
func options() config.Options {
	return deliver.ConfigOptions(func(name string) string {
		return map[string]string{"TOKEN": "s3cr3t-token", "HOOK": "https://hooks.example.org/services/T0/B0/s3cr3tpath"}[name]
	}, true)
}

// whole has every type of sink with every field.
const whole = `
page: https://netcinch.example.org/
sinks:
- name: am
  type: alertmanager
  url: https://alertmanager.example.org:9093/prefix
  timeout: 3s
  username: netcinch
  password: {file: password}
  headers:
    X-Scope-OrgID: team
    X-Key: {env: TOKEN}
  resend: 30s
  labels: {team: '{{.Namespace}}'}
  annotations:
    runbook: https://runbooks.example.org/{{.Kind}}
  queue: 500
  retry: 2s
  maxRetry: 1m
  deadAfter: 3m
- {name: hook, type: webhook, url: {env: HOOK}, sign: {file: password}, signPrevious: {env: TOKEN}, source: https://netcinch.example.org, data: '{"title":{{json .Title}}}'}
- {name: chat, type: slack, url: {env: HOOK}, channel: '#alerts', username: netcinch, title: '{{.Title}}', text: '{{.Text}}', sendResolved: false}
- {name: events, type: kubernetes, note: '{{.Title}}'}
- {name: log, type: syslog, address: 'logs.example.org:6514', tls: {serverName: logs}, facility: auth, hostname: here, appName: cinch, dataId: x@1, confirm: false, text: '{{.Title}}'}
- {name: out, type: stdout}
routes:
- {severity: high, sinks: [chat], continue: true}
- {namespace: [kube-*, "*-system"], kind: [port-scan], sinks: [events, am]}
- {cluster: [prod], severity: [low, info], sinks: [out]}
- sinks: [am, hook, log, out]
`

func parse(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"password": "hunter2-and-more\n", "empty": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "alerts.yaml")
	c, err := config.Parse(file, []byte(text), options())
	if err != nil {
		err = fmt.Errorf("%s", strings.ReplaceAll(err.Error(), file, "alerts.yaml"))
	}
	return c, err
}

func TestWhole(t *testing.T) {
	c, err := parse(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	if c.Page != "https://netcinch.example.org" {
		t.Errorf("page %q", c.Page)
	}
	am := c.Sink("am")
	if am.Queue != 500 || am.Retry.String() != "2s" || am.DeadAfter.String() != "3m0s" || am.Alertmanager.Resend.String() != "30s" || !am.SendResolved {
		t.Errorf("am: %+v", am)
	}
	if got := am.Alertmanager.HTTP.Password.Reveal(); got != "hunter2-and-more" {
		t.Errorf("the password is %q", got)
	}
	if c.Sink("chat").SendResolved {
		t.Error("sendResolved: false is not read")
	}
	targets := []string{}
	for i := range c.Sinks {
		targets = append(targets, c.Sinks[i].Target())
	}
	want := []string{"https://alertmanager.example.org:9093", "https://hooks.example.org", "https://hooks.example.org", "the cluster's API server", "tls://logs.example.org:6514", "standard output"}
	if diff := cmp.Diff(want, targets); diff != "" {
		t.Error(diff)
	}
	if s := c.Sink("log").Syslog; s.Facility != 4 || s.TLS.ServerName != "logs" || s.Confirm || s.DataID != "x@1" {
		t.Errorf("log: %+v", s)
	}
}

func TestRoutes(t *testing.T) {
	c, err := parse(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ cluster, namespace, kind, severity, want string }{
		{"prod", "shop", "unseen-inside", "high", "am hook chat log out"},
		{"prod", "kube-public", "port-scan", "high", "am chat events"},
		{"prod", "cni-system", "port-scan", "medium", "am events"},
		{"prod", "shop", "port-scan", "medium", "am hook log out"},
		{"prod", "shop", "capture-gap", "low", "out"},
		{"test", "shop", "capture-gap", "low", "am hook log out"},
		{"prod", "", "capture-gap", "medium", "am hook log out"},
	} {
		if got := strings.Join(c.For(tt.cluster, tt.namespace, tt.kind, tt.severity), " "); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
	all, err := parse(t, "sinks: [{name: a, type: stdout}, {name: b, type: stdout}]")
	if err != nil {
		t.Fatal(err)
	}
	if got := all.For("x", "y", "z", "high"); len(got) != 2 {
		t.Errorf("without routes: %v", got)
	}
}

func TestWrong(t *testing.T) {
	const out = "sinks: [{name: out, type: stdout}]\n"
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "alerts.yaml: the file is empty; write sinks into it"},
		{"no YAML", "sinks: [", "alerts.yaml:1: this is not YAML: did not find expected node content"},
		{"a list", "- a", "alerts.yaml:1: want a mapping with page, routes, sinks, found a list"},
		{"no sinks", "routes: []", "alerts.yaml:1: there is no sink; write one under sinks, with name and type"},
		{"two documents", out + "---\na: b", "alerts.yaml:2: there is a second document; write one"},
		{"unknown field", out + "sink: []", "alerts.yaml:2: sink: there is no such field here; there are page, routes, sinks"},
		{"twice", out + "page: https://a\npage: https://b", "alerts.yaml:3: page: the field stands in line 2 already"},
		{"no type", "sinks:\n- name: a", "alerts.yaml:2: sinks[0]: the sink has no type; want one of alertmanager, webhook, slack, kubernetes, syslog, stdout"},
		{"type", "sinks:\n- {name: a, type: pager}", `alerts.yaml:2: sinks[0]: type "pager": want one of alertmanager, webhook, slack, kubernetes, syslog, stdout`},
		{"no name", "sinks:\n- type: stdout", "alerts.yaml:2: sinks[0]: the sink has no name; give it one, such as name: stdout"},
		{"name", "sinks:\n- {name: A b, type: stdout}", `alerts.yaml:2: sinks[0]: the name "A b": want small letters, digits and hyphens, 63 at most`},
		{"same name", out[:len(out)-2] + ",\n {name: out, type: stdout}]", `alerts.yaml:2: sinks[1]: there is a sink "out" in line 1 already; give each a name of its own`},
		{"field of another type", "sinks:\n- name: a\n  type: stdout\n  url: https://a", "alerts.yaml:4: sinks[0].url: there is no such field here; there are deadAfter, maxRetry, name, queue, retry, sendResolved, type"},
		{"no url", "sinks:\n- {name: a, type: webhook}", `alerts.yaml:2: sinks[0]: the sink "a" has no url`},
		{"url", "sinks:\n- {name: a, type: webhook, url: nonsense}", `alerts.yaml:2: sinks[0].url: "nonsense" is no address such as https://alerts.example.org/`},
		{"user in url", "sinks:\n- {name: a, type: webhook, url: 'https://u:p4ss@h/'}", "alerts.yaml:2: sinks[0].url: there is a user or a password in the address; write username and password beside it"},
		{"bad url with password", "sinks:\n- {name: a, type: webhook, url: 'ftp://u:p4ss@h/'}", "alerts.yaml:2: sinks[0].url: the address is no address such as https://alerts.example.org/"},
		{"duration", "sinks:\n- name: a\n  type: stdout\n  retry: soon", `alerts.yaml:4: sinks[0].retry: "soon": want a duration such as 30s, from 10ms to 24h0m0s`},
		{"number", "sinks:\n- {name: a, type: stdout, queue: 0}", `alerts.yaml:2: sinks[0].queue: "0": want a whole number from 1 to 1000000`},
		{"flag", "sinks:\n- {name: a, type: stdout, sendResolved: maybe}", `alerts.yaml:2: sinks[0].sendResolved: "maybe": want true or false`},
		{"order of waits", "sinks:\n- {name: a, type: stdout, retry: 2m, maxRetry: 1m}", "alerts.yaml:2: sinks[0]: maxRetry 1m0s is shorter than retry 2m0s"},
		{"secret in the file", "sinks:\n- {name: a, type: webhook, url: https://a, bearer: abc}", "alerts.yaml:2: sinks[0].bearer: a secret does not stand in this file: write {file: PATH} or {env: NAME}"},
		{"secret of both", "sinks:\n- {name: a, type: webhook, url: https://a, bearer: {file: password, env: TOKEN}}", "alerts.yaml:2: sinks[0].bearer: want either file, the path of a file that holds the secret, or env, the name of an environment variable"},
		{"no such variable", "sinks:\n- {name: a, type: webhook, url: https://a, bearer: {env: NOPE}}", "alerts.yaml:2: sinks[0].bearer: the environment variable NOPE is not set; set it for the recommender, or name a file"},
		{"no such file", "sinks:\n- name: a\n  type: webhook\n  url: https://a\n  bearer: {file: /nope/x}", "alerts.yaml:5: sinks[0].bearer: the file /nope/x cannot be read: no such file or directory"},
		{"empty secret", "sinks:\n- {name: a, type: webhook, url: https://a, sign: {file: DIR/empty}}", "alerts.yaml:2: sinks[0].sign: the file DIR/empty is empty; write the secret into it"},
		{"bearer and password", "sinks:\n- {name: a, type: webhook, url: https://a, bearer: {env: TOKEN}, username: u, password: {env: TOKEN}}", "alerts.yaml:2: sinks[0]: give either bearer, or username and password"},
		{"password alone", "sinks:\n- {name: a, type: webhook, url: https://a, password: {env: TOKEN}}", "alerts.yaml:2: sinks[0]: give both username and password, or neither"},
		{"tls of http", "sinks:\n- {name: a, type: webhook, url: http://a, tls: {serverName: b}}", "alerts.yaml:2: sinks[0]: there is tls, but the url begins with http:; write https:"},
		{"ca", "sinks:\n- {name: a, type: webhook, url: https://a, tls: {ca: DIR/password}}", "alerts.yaml:2: sinks[0].tls.ca: there is no certificate (PEM) in DIR/password"},
		{"own header", "sinks:\n- {name: a, type: webhook, url: https://a, headers: {authorization: x}}", "alerts.yaml:2: sinks[0].headers.authorization: this header is set by Netcinch itself; for Authorization write bearer, or username and password"},
		{"label", "sinks:\n- {name: a, type: alertmanager, url: https://a, labels: {a-b: x}}", `alerts.yaml:2: sinks[0].labels.a-b: "a-b" is not a name that is taken here; want letters, digits and _`},
		{"address", "sinks:\n- {name: a, type: syslog, address: host}", `alerts.yaml:2: sinks[0].address: "host": want host:port, such as logs.example.org:6514`},
		{"facility", "sinks:\n- {name: a, type: syslog, address: 'a:1', facility: loca1}", `alerts.yaml:2: sinks[0].facility: "loca1": want a facility such as auth, daemon or local0`},
		{"template syntax", "sinks:\n- name: a\n  type: slack\n  url: https://a\n  text: |\n    fine\n    {{.Title", `alerts.yaml:7: sinks[0].text: the template is wrong: unclosed action`},
		{"template field", "sinks:\n- name: a\n  type: slack\n  url: https://a\n  text: |\n    fine\n    {{.Titel}}", `alerts.yaml:7: sinks[0].text: the template is wrong: <.Titel>: can't evaluate field Titel in type sink.Data (tried with an alert of the kind unseen-inside)`},
		{"template of one kind", "sinks:\n- {name: a, type: slack, url: https://a, title: '{{.Server.Name}}'}", `alerts.yaml:2: sinks[0].title: the template is wrong: <.Server.Name>: nil pointer evaluating *analyze.Party.Name (tried with an alert with many servers (Server is nil) of the kind unseen-inside)`},
		{"data", "sinks:\n- {name: a, type: webhook, url: https://a, data: '{\"a\": {{.Title}}}'}", `alerts.yaml:2: sinks[0].data: the template is wrong: what it gives is not JSON (tried with an alert of the kind unseen-inside)`},
		{"route without sinks", out + "routes:\n- severity: high", "alerts.yaml:3: routes[0]: the route names no sinks"},
		{"route to nowhere", out + "routes:\n- sinks: [in]", `alerts.yaml:3: routes[0].sinks[0]: there is no sink "in"; there are out`},
		{"severity", out + "routes:\n- {severity: [urgent], sinks: [out]}", `alerts.yaml:3: routes[0].severity[0]: "urgent": want one of high, medium, low, info`},
		{"kind", out + "routes:\n- {kind: scan, sinks: [out]}", `alerts.yaml:3: routes[0].kind: "scan": want one of unseen-inside,`},
		{"empty list", out + "routes:\n- {kind: [], sinks: [out]}", "alerts.yaml:3: routes[0].kind: the list is empty: it would never match; leave the field out for all"},
		{"closed route", out + "routes:\n- sinks: [out]\n- {severity: high, sinks: [out]}", "alerts.yaml:4: routes[1]: no alert comes here: the route in line 3 takes all; move it to the end, or give it continue: true"},
		{"sink of no route", "sinks:\n- {name: a, type: stdout}\n- {name: b, type: stdout}\nroutes: [{sinks: a}]", `alerts.yaml:3: sinks[1]: no route names the sink "b"; name it in one, or remove it`},
		{"several", "sinks:\n- {name: a, type: stdout, queue: x}\n- {name: b, type: stdout, retry: y}\nroutes: [{sinks: c}]", "queue"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range map[string]string{"password": "hunter2-and-more\n", "empty": "\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := config.Parse("alerts.yaml", []byte(strings.ReplaceAll(tt.text, "DIR", dir)), options())
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), dir, "DIR")
			if tt.name == "several" {
				if n := strings.Count(got, "\n") + 1; n != 3 {
					t.Errorf("%d problems: %s", n, got)
				}
			} else if !strings.HasPrefix(got, tt.want) || strings.Contains(got, "\n") {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			for _, secret := range []string{"p4ss", "hunter2", "s3cr3t"} {
				if strings.Contains(got, secret) {
					t.Errorf("a secret is in the error: %s", got)
				}
			}
		})
	}
}

func TestKubernetesNeedsAnAPIServer(t *testing.T) {
	o := options()
	o.Kubernetes = false
	_, err := config.Parse("a.yaml", []byte("sinks: [{name: k, type: kubernetes}]"), o)
	if err == nil || !strings.Contains(err.Error(), "needs an API server") {
		t.Errorf("%v", err)
	}
}

// A change of the file, or of a secret that it names, changes the sum.
func TestDigest(t *testing.T) {
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "s")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret, "one")
	write(file, "sinks: [{name: a, type: webhook, url: 'https://a', bearer: {file: s}}]")
	c, err := config.Load(file, options())
	if err != nil {
		t.Fatal(err)
	}
	if c.Digest() != c.Sum {
		t.Error("the sum differs, and nothing has changed")
	}
	write(secret, "two")
	if c.Digest() == c.Sum {
		t.Error("a changed secret does not change the sum")
	}
	write(secret, "one")
	if c.Digest() != c.Sum {
		t.Error("the sum is not of the content")
	}
	write(file, "sinks: [{name: b, type: webhook, url: 'https://a', bearer: {file: s}}]")
	if c.Digest() == c.Sum {
		t.Error("a changed file does not change the sum")
	}
}

// A secret does not show in any form in which values are printed.
func TestSecretIsNotShown(t *testing.T) {
	s := config.SecretOf("hunter2", "file /x")
	type holder struct{ A any }
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), fmt.Sprintf("%v %+v %#v", holder{s}, holder{&s}, holder{s}),
		fmt.Sprint(s.LogValue()),
	} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("shown: %s", text)
		}
	}
	text, err := s.MarshalText()
	if err != nil || string(text) != "<secret of file /x>" {
		t.Errorf("%s, %v", text, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add("sinks: [{name: a, type: &x syslog, address: *x}]")
	f.Add("sinks:\n- {? [a] : b}")
	f.Add("a: &a [*a]")
	o := options()
	o.Samples = o.Samples[:4]
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse("a.yaml", []byte(text), o)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
		if err == nil {
			for i := range c.Sinks {
				if c.Sinks[i].Target() == "" {
					t.Error("a sink without target")
				}
			}
			c.For("a", "b", "c", "d")
		}
	})
}
