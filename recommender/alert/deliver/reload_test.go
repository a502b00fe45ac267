// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver"
)

const nearOnly = "sinks:\n- {name: near, type: webhook, url: http://near.example.org/x}\n"

// A file that becomes wrong changes nothing, and says by file, line and field
// what is wrong; one that is put right is used. Nobody has to say that it has
// changed.
func TestReload(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"unknown field", nearOnly + "sink: []\n", "alerts.yaml:3: sink: there is no such field here"},
		{"wrong template", nearOnly + "- name: b\n  type: slack\n  url: http://b.example.org\n  text: '{{.Nope}}'\n", "alerts.yaml:6: sinks[1].text: the template is wrong"},
		{"missing secret", nearOnly + "- name: b\n  type: webhook\n  url: http://b.example.org\n  sign: {file: nowhere}\n", "alerts.yaml:6: sinks[1].sign: the file"},
		{"unreachable sink", nearOnly + "- {name: b, type: alertmanager, url: 'http://down.example.org'}\n", `alerts.yaml:3: sinks[1]: the sink "b" cannot be reached: http://down.example.org cannot be reached: connect: connection refused`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nearOnly)
				w.network.set("down.example.org", refuses)
				w.start()
				defer w.end()
				w.write(tt.file)
				time.Sleep(2 * deliver.DefaultLook)
				synctest.Wait()
				s := w.d.Status()
				if got := strings.ReplaceAll(s.Problem, w.dir+"/", ""); !strings.HasPrefix(got, tt.want) {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
				if n := strings.Count(w.log.String(), "the file of sinks is wrong"); n != 1 {
					t.Errorf("logged %d times", n)
				}
				if err := testutil.GatherAndCompare(w.registry, strings.NewReader(`# HELP netcinch_alert_config_last_reload_successful Whether the file of sinks as it is now is in force: 1 or 0.
# TYPE netcinch_alert_config_last_reload_successful gauge
netcinch_alert_config_last_reload_successful 0
`), "netcinch_alert_config_last_reload_successful"); err != nil {
					t.Error(err)
				}
				w.notify(that(1, 1, alert.Firing)) // the old one is in force
				time.Sleep(time.Second)
				synctest.Wait()
				if got := w.network.titles("near.example.org"); len(got) != 1 || len(s.Sinks) != 1 {
					t.Errorf("near has %q; the sinks are %+v", got, s.Sinks)
				}
				w.write("sinks:\n- {name: other, type: webhook, url: http://other.example.org/x}\n")
				time.Sleep(2 * deliver.DefaultLook)
				synctest.Wait()
				if s = w.d.Status(); s.Problem != "" || len(s.Sinks) != 1 || s.Sinks[0].Name != "other" {
					t.Errorf("%+v", s)
				}
				w.notify(that(2, 1, alert.Firing))
				time.Sleep(time.Second)
				synctest.Wait()
				if got := w.network.titles("other.example.org"); len(got) != 1 || got[0] != "2.1" {
					t.Errorf("other has %q", got)
				}
			})
		})
	}
}

// A file that names a sink that is down is used once the sink is there, without
// being touched again; a sink that is as before may be down all the while.
func TestReloadWaitsForASink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "sinks:\n- {name: a, type: alertmanager, url: http://a.example.org}\n")
		w.network.set("a.example.org", refuses)
		w.network.set("b.example.org", refuses)
		w.start()
		defer w.end()
		w.write("sinks:\n- {name: a, type: alertmanager, url: http://a.example.org, resend: 2m}\n- {name: b, type: alertmanager, url: http://b.example.org}\n")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		problem := w.d.Status().Problem
		if !strings.Contains(problem, `the sink "b" cannot be reached`) || strings.Contains(problem, `"a"`) {
			t.Errorf("%s", problem)
		}
		w.network.set("b.example.org", nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := w.d.Status(); s.Problem != "" || len(s.Sinks) != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// A secret that changes is used; one that goes away changes nothing until it is
// back.
func TestSecretChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "sinks:\n- {name: near, type: webhook, url: http://near.example.org/x, bearer: {file: token}}\n")
		token := filepath.Join(w.dir, "token")
		set := func(text string) {
			t.Helper()
			if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * deliver.DefaultLook)
			synctest.Wait()
		}
		if err := os.WriteFile(token, []byte("one-one-one"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.start()
		defer w.end()
		tell := func(id int, want string) {
			t.Helper()
			w.notify(that(id, 1, alert.Firing))
			time.Sleep(time.Second)
			synctest.Wait()
			got := w.network.got("near.example.org")
			if bearer := got[len(got)-1].head.Get("Authorization"); bearer != "Bearer "+want {
				t.Errorf("%s, want %s", bearer, want)
			}
		}
		tell(1, "one-one-one")
		set("two-two-two")
		tell(2, "two-two-two")
		if err := os.Remove(token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * deliver.DefaultLook)
		synctest.Wait()
		tell(3, "two-two-two")
		if p := w.d.Status().Problem; !strings.Contains(p, "cannot be read: no such file or directory") {
			t.Errorf("%s", p)
		}
		set("three-three")
		tell(4, "three-three")
		if p := w.d.Status().Problem; p != "" {
			t.Errorf("%s", p)
		}
	})
}

// What is wrong at the start is an error, and nothing is left behind.
func TestWrongAtTheStart(t *testing.T) {
	w := newWorld(t, "sinks: [{name: a, type: webhook}]")
	_, err := deliver.New(w.options())
	if err == nil || !strings.Contains(err.Error(), `alerts.yaml:1: sinks[0]: the sink "a" has no url`) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "queue")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a queue was made: %v", err)
	}
}

// A sink that is down does not stop the start; it is named in the log.
func TestDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "sinks:\n- {name: am, type: alertmanager, url: http://am.example.org}\n")
		w.network.set("am.example.org", refuses)
		w.start()
		defer w.end()
		synctest.Wait()
		if log := w.log.String(); !strings.Contains(log, "a sink cannot be told") || !strings.Contains(log, "sink=am") {
			t.Errorf("not named:\n%s", log)
		}
	})
}

// No secret is in what the delivery logs, answers or measures, whatever servers
// answer: they repeat what they were sent, and fail in every way.
func TestSecretsAreNotShown(t *testing.T) {
	const config = `
sinks:
- {name: am, type: alertmanager, url: http://am.example.org, username: u, password: {file: pass}}
- {name: hook, type: webhook, url: {env: URL}, sign: {env: KEY}, headers: {X-Key: {env: HEADER}}}
- {name: chat, type: slack, url: {env: URL2}}
- {name: bearer, type: webhook, url: 'http://bearer.example.org/?token=query-token-1', bearer: {env: BEARER}}
`
	secrets := map[string]string{
		"URL": "http://hook.example.org/services/T000/path-secret-1", "KEY": "sign-secret-22", "HEADER": "header-secret-333",
		"URL2": "http://chat.example.org/services/T111/path-secret-2", "BEARER": "bearer-secret-4444",
	}
	hidden := []string{
		"path-secret-1", "sign-secret-22", "header-secret-333", "path-secret-2", "bearer-secret-4444", "file-secret-55555", "query-token-1",
		base64.StdEncoding.EncodeToString([]byte("u:file-secret-55555")),
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, config)
		if err := os.WriteFile(filepath.Join(w.dir, "pass"), []byte("file-secret-55555"), 0o600); err != nil {
			t.Fatal(err)
		}
		o := w.options()
		var gone atomic.Bool // one of the variables
		o.Getenv = func(name string) string {
			if name == "BEARER" && gone.Load() {
				return ""
			}
			return secrets[name]
		}
		var round atomic.Int64
		echo := func(r *http.Request, body []byte) (*http.Response, error) {
			all := r.URL.String() + " " + string(body)
			for name, values := range r.Header {
				all += " " + name + ": " + strings.Join(values, ",")
			}
			_, password, _ := r.BasicAuth()
			all = password + " " + all
			if len(all) > 150 {
				all = all[:150]
			}
			switch round.Add(1) % 4 {
			case 0:
				return nil, errors.New("dial " + all)
			case 1:
				return reply(http.StatusForbidden, all), nil
			case 2:
				return reply(http.StatusInternalServerError, all), nil
			default:
				return reply(http.StatusBadRequest, r.URL.RequestURI()+" "+strings.Join(r.Header["X-Key"], "")+strings.Join(r.Header["Authorization"], "")+password), nil
			}
		}
		for _, host := range []string{"am", "hook", "chat", "bearer"} {
			w.network.set(host+".example.org", echo)
		}
		d, err := deliver.New(o)
		if err != nil {
			t.Fatal(err)
		}
		w.d = d
		ended := make(chan error, 1)
		ctx, cancel := contextOf(t)
		go func() { ended <- d.Run(ctx) }()
		var shown strings.Builder
		note := func(v any) {
			text, failed := json.Marshal(v)
			if failed != nil {
				t.Error(failed)
			}
			shown.Write(text)
		}
		for i := range 30 {
			w.notify(that(i, 1, alert.Firing))
			time.Sleep(3 * time.Minute)
			note(d.Status())
			results, failed := d.Test(ctx, "")
			if failed != nil {
				t.Error(failed)
			}
			note(results)
		}
		gone.Store(true) // the reload is refused
		w.write(config + "\n")
		time.Sleep(time.Minute)
		note(d.Status())
		families, err := w.registry.Gather()
		if err != nil {
			t.Error(err)
		}
		for _, f := range families {
			shown.WriteString(f.String())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		shown.WriteString(w.log.String())
		shown.WriteString(w.stdout.String())
		all := shown.String()
		for _, want := range []string{"403", "500", "400", "dial", "BEARER is not set", "<secret>"} {
			if !strings.Contains(all, want) {
				t.Errorf("%q did not happen", want)
			}
		}
		for _, secret := range hidden {
			if i := strings.Index(all, secret); i >= 0 {
				t.Errorf("%s is shown: …%s…", secret, all[max(0, i-200):min(len(all), i+80)])
			}
		}
	})
}
