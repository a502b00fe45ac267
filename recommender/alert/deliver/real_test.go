// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netcinch/netcinch/deploy/unpack"
	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver"
)

// freePort is a port of the loopback address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run starts a program that the test ends; what it says goes to the test's log.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := unpack.Command(t.Context(), t, program, args...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said safeBuffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(&said, lines.Text())
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s says:\n%s", filepath.Base(program), said.String())
		}
	})
}

// told is what an Alertmanager told its own receiver.
type told struct {
	mu     sync.Mutex
	alerts []amAlert
}

type amAlert struct {
	Status      any
	Labels      map[string]string
	Annotations map[string]string
	StartsAt    time.Time
	EndsAt      time.Time
	UpdatedAt   time.Time
	Generator   string `json:"generatorURL"`
}

func (r *told) ServeHTTP(_ http.ResponseWriter, q *http.Request) {
	var body struct{ Alerts []amAlert }
	if err := json.NewDecoder(q.Body).Decode(&body); err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alerts = append(r.alerts, body.Alerts...)
}

// last gives the status that was told last of an alert.
func (r *told) last(name string) (status string, a amAlert) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.alerts {
		if one.Labels["alertname"] == name {
			status, a = fmt.Sprint(one.Status), one
		}
	}
	return status, a
}

// alertmanager starts the real one.
func alertmanager(t *testing.T) (url string, receiver *told) {
	t.Helper()
	program := unpack.Find(t, "prometheus-alertmanager")
	receiver = &told{}
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	config := `
route: {receiver: test, group_by: [alertname, alert_id], group_wait: 0s, group_interval: 100ms, repeat_interval: 1h}
receivers: [{name: test, webhook_configs: [{url: '` + server.URL + `', send_resolved: true}]}]
`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	at := freePort(t)
	run(t, program, "--config.file="+file, "--storage.path="+dir, "--web.listen-address="+at, "--cluster.listen-address=")
	url = "http://" + at
	eventually(t, "the Alertmanager is ready", func() bool { return getOK(t, url+"/-/ready", nil) })
	return url, receiver
}

func getOK(t *testing.T, url string, into any) bool {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return false
	}
	return into == nil || json.Unmarshal(text, into) == nil
}

// real runs a delivery that speaks over the real network.
func real(t *testing.T, config string) *world {
	t.Helper()
	w := newWorld(t, config)
	o := w.options()
	o.Transport = nil
	d, err := deliver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.d = d
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the delivery says:\n%s", w.log)
		}
	})
	return w
}

// A real Alertmanager takes what we send by its API, keeps it while we repeat
// it, and tells its own receiver that it fires and that it is over.
func TestRealAlertmanager(t *testing.T) {
	url, receiver := alertmanager(t)
	w := real(t, `
sinks:
- name: am
  type: alertmanager
  url: `+url+`
  resend: 1s
  labels: {team: "{{.Namespace}}"}
  annotations: {runbook: "https://runbooks.example.org/{{.Kind}}"}
`)
	a := that(1, 1, alert.Firing)
	a.Raised = time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond)
	other := that(2, 1, alert.Firing)
	other.Kind = alert.CaptureGap
	w.notify(a, other)
	const name = "NetcinchPortScan"
	eventually(t, "the receiver is told that it fires", func() bool { s, _ := receiver.last(name); return s == "firing" })
	var active []amAlert
	find := func() *amAlert {
		active = nil
		if !getOK(t, url+"/api/v2/alerts", &active) {
			return nil
		}
		for i := range active {
			if active[i].Labels["alertname"] == name {
				return &active[i]
			}
		}
		return nil
	}
	first := find()
	if first == nil {
		t.Fatalf("it is not among the active ones: %+v", active)
	}
	for label, want := range map[string]string{
		"alertname": name, "severity": "high", "kind": "port-scan", "cluster": "prod", "namespace": "shop", "workload": "shop/cart", "team": "shop", "alert_id": a.ID,
	} {
		if first.Labels[label] != want {
			t.Errorf("label %s is %q, want %q", label, first.Labels[label], want)
		}
	}
	if !strings.HasPrefix(first.Annotations["summary"], "1.1") || !strings.Contains(first.Annotations["description"], "Evidence.") ||
		first.Annotations["runbook"] != "https://runbooks.example.org/port-scan" {
		t.Errorf("annotations %v", first.Annotations)
	}
	if !first.StartsAt.Equal(a.Raised) || first.Generator != "https://netcinch.example.org"+a.Link {
		t.Errorf("startsAt %v, want %v; generatorURL %s", first.StartsAt, a.Raised, first.Generator)
	}
	eventually(t, "it is repeated before it ends", func() bool {
		now := find()
		if now == nil {
			t.Fatal("the Alertmanager let it go while it fires")
		}
		return now.EndsAt.After(first.EndsAt.Add(time.Second))
	})
	// More severe: other labels, under which the old one must not go on.
	a.Revision, a.Severity = 2, "medium"
	w.notify(a)
	eventually(t, "only the new severity is active", func() bool {
		now := find()
		n := 0
		for _, one := range active {
			if one.Labels["alertname"] == name {
				n++
			}
		}
		return n == 1 && now.Labels["severity"] == "medium"
	})
	a.Revision, a.Status, a.Ended = 3, alert.Accepted, time.Now().UTC()
	w.notify(a)
	eventually(t, "the receiver is told that it is over", func() bool {
		s, last := receiver.last(name)
		return s == "resolved" && last.Labels["severity"] == "medium"
	})
	if now := find(); now != nil {
		t.Errorf("it is active still: %+v", now)
	}
	if s, _ := receiver.last("NetcinchCaptureGap"); s != "firing" {
		t.Errorf("the other one is %q", s)
	}
	results, err := w.d.Test(t.Context(), "am")
	if err != nil || len(results) != 1 || !results[0].OK {
		t.Errorf("%+v, %v", results, err)
	}
	eventually(t, "the test arrives", func() bool { s, _ := receiver.last("NetcinchTest"); return s == "firing" })
}

// An Alertmanager that is killed and started again has what fires, by itself.
func TestRealAlertmanagerComesBack(t *testing.T) {
	program := unpack.Find(t, "prometheus-alertmanager")
	at := freePort(t)
	file := filepath.Join(t.TempDir(), "alertmanager.yml")
	if err := os.WriteFile(file, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	begin := func() (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		cmd := unpack.Command(ctx, t, program, "--config.file="+file, "--storage.path="+t.TempDir(), "--web.listen-address="+at, "--cluster.listen-address=")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() { cancel(); _ = cmd.Wait() }
	}
	w := real(t, "sinks:\n- {name: am, type: alertmanager, url: 'http://"+at+"', resend: 1s, retry: 20ms, maxRetry: 100ms}\n")
	w.notify(that(1, 1, alert.Firing), that(2, 1, alert.Firing), that(2, 2, alert.Resolved))
	has := func(want int) bool {
		var all []amAlert
		return getOK(t, "http://"+at+"/api/v2/alerts", &all) && len(all) == want
	}
	stop := begin()
	eventually(t, "what waited has arrived", func() bool { return has(1) })
	stop()
	stop = begin() // without what it knew
	defer stop()
	eventually(t, "it is told again", func() bool { return has(1) })
}
