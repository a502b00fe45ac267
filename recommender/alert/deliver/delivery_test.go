// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver"
	"github.com/netcinch/netcinch/recommender/analyze"
)

// network stands in for all servers: what each host answers, and what it was
// sent.
type network struct {
	mu     sync.Mutex
	answer map[string]func(*http.Request, []byte) (*http.Response, error)
	seen   map[string][]received
}

type received struct {
	at   time.Time
	body string
	head http.Header
}

func newNetwork() *network {
	return &network{answer: map[string]func(*http.Request, []byte) (*http.Response, error){}, seen: map[string][]received{}}
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	answer := n.answer[r.Host]
	n.mu.Unlock()
	response, err := reply(http.StatusOK, "ok"), error(nil)
	if answer != nil {
		response, err = answer(r, body)
	}
	if err == nil && response.StatusCode/100 == 2 && r.Method == http.MethodPost {
		n.mu.Lock()
		n.seen[r.Host] = append(n.seen[r.Host], received{time.Now(), string(body), r.Header})
		n.mu.Unlock()
	}
	return response, err
}

func reply(status int, text string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}
}

// set says what a host answers; nil: it takes everything.
func (n *network) set(host string, answer func(*http.Request, []byte) (*http.Response, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer[host] = answer
}

func (n *network) got(host string) []received {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.seen[host])
}

// titles gives the titles of the events that a webhook took.
func (n *network) titles(host string) (all []string) {
	for _, r := range n.got(host) {
		var e struct {
			Data struct{ Alert struct{ Title string } }
		}
		if err := json.Unmarshal([]byte(r.body), &e); err != nil {
			all = append(all, err.Error())
			continue
		}
		all = append(all, e.Data.Alert.Title)
	}
	return all
}

func refuses(*http.Request, []byte) (*http.Response, error) {
	return nil, errors.New("connect: connection refused")
}

// world is a delivery on a test's files.
type world struct {
	t        *testing.T
	dir      string
	file     string
	network  *network
	stdout   *safeBuffer
	log      *safeBuffer
	registry *prometheus.Registry
	d        *deliver.Delivery
	end      func()
}

// safeBuffer is written by workers and read by the test.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newWorld(t *testing.T, config string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), network: newNetwork(), stdout: &safeBuffer{}, log: &safeBuffer{}}
	w.file = filepath.Join(w.dir, "alerts.yaml")
	w.write(config)
	return w
}

func (w *world) write(config string) {
	w.t.Helper()
	if err := os.WriteFile(w.file, []byte(config), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) options() deliver.Options {
	w.registry = prometheus.NewRegistry()
	return deliver.Options{
		File: w.file, Dir: filepath.Join(w.dir, "queue"), Page: "https://netcinch.example.org", Clusters: []string{"prod"}, Stdout: w.stdout,
		Getenv:  func(name string) string { return map[string]string{"SECRET": "hunter2-hunter2"}[name] },
		Release: "v1", Instance: "test", Metrics: w.registry, Now: time.Now, Transport: w.network,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// start runs the delivery until stop.
func (w *world) start() {
	w.t.Helper()
	d, err := deliver.New(w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	w.d = d
	w.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
		if err := d.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(w.end)
}

func (w *world) notify(alerts ...alert.Alert) {
	w.t.Helper()
	if err := w.d.Notify(w.t.Context(), alerts); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sink(name string) deliver.SinkStatus {
	w.t.Helper()
	for _, s := range w.d.Status().Sinks {
		if s.Name == name {
			return s
		}
	}
	w.t.Fatalf("no sink %s", name)
	return deliver.SinkStatus{}
}

// that makes an alert whose title says which it is.
func that(id, revision int, status alert.Status) alert.Alert {
	at := time.Now().UTC()
	a := alert.Alert{
		ID: fmt.Sprintf("%016x", id), Revision: revision, Kind: alert.PortScan, Severity: analyze.SeverityHigh, Status: status,
		Title: fmt.Sprintf("%d.%d", id, revision), Text: "A text.", Evidence: []string{"Evidence."}, Cluster: "prod", Namespace: "shop",
		Workloads: []string{"shop/cart"}, Started: at, LastSeen: at, Raised: at, Changed: at, Link: fmt.Sprintf("/alerts/%016x?cluster=prod", id),
		Edges: []alert.Edge{}, Processes: []string{}, Allowances: []alert.Allowance{}, Labels: map[string]string{"workload": "shop/cart"},
	}
	if status != alert.Firing {
		a.Ended = at
	}
	return a
}

const twoHooks = `
sinks:
- {name: far, type: webhook, url: http://far.example.org/x}
- {name: near, type: webhook, url: http://near.example.org/x}
`

// A sink that is down for an hour gets everything, once and in order, soon
// after it is back. Meanwhile the other one is told at once, and is told that
// the first one is dead, and later that it is back.
func TestDownForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, twoHooks)
		w.start()
		defer w.end()
		tries := 0
		w.network.set("far.example.org", func(*http.Request, []byte) (*http.Response, error) {
			tries++
			if tries%2 == 0 {
				return reply(http.StatusServiceUnavailable, "going down"), nil
			}
			return refuses(nil, nil)
		})
		var want []string
		for i := range 60 {
			w.notify(that(i, 1, alert.Firing))
			want = append(want, fmt.Sprintf("%d.1", i))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if n := len(w.network.got("far.example.org")); n != 0 {
			t.Fatalf("%d were taken by a sink that is down", n)
		}
		if tries < 12 || tries > 60 {
			t.Errorf("%d tries in an hour", tries)
		}
		s := w.sink("far")
		if s.State != deliver.Dead || s.Waiting != 60 || !strings.Contains(s.Problem, "http://far.example.org") {
			t.Errorf("far: %+v", s)
		}
		near := w.network.titles("near.example.org")
		dead := slices.Index(near, "Alerts do not arrive at the sink far")
		if dead < 0 || len(near) != 61 {
			t.Errorf("near was told %d times: %q", len(near), near)
		}
		if up, gone := w.gauge("netcinch_alert_sink_up", "far"), w.gauge("netcinch_alert_sink_dead", "far"); up != 0 || gone != 1 {
			t.Errorf("up %v, dead %v", up, gone)
		}
		w.network.set("far.example.org", nil)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff(want, w.network.titles("far.example.org")); diff != "" {
			t.Error(diff)
		}
		near = w.network.titles("near.example.org")
		if len(near) != 62 || near[61] != "Alerts arrive at the sink far again" {
			t.Errorf("near was told: %q", near[60:])
		}
		if s = w.sink("far"); s.State != deliver.Up || s.Waiting != 0 || s.Delivered != 60 || s.Problem != "" {
			t.Errorf("far: %+v", s)
		}
	})
}

// gauge gives the value of a metric of a sink.
func (w *world) gauge(name, sink string) float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetName() == "sink" && l.GetValue() == sink {
					return m.GetGauge().GetValue() + m.GetCounter().GetValue()
				}
			}
		}
	}
	w.t.Fatalf("no metric %s of %s", name, sink)
	return 0
}

// A dead sink is found by itself, too, when there is nothing to tell; and that
// it is dead outlives the process.
func TestDeadWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "sinks:\n- {name: am, type: alertmanager, url: http://am.example.org, deadAfter: 2m}\n- {name: out, type: stdout}\n")
		w.network.set("am.example.org", refuses)
		w.start()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if s := w.sink("am"); s.State != deliver.Dead {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(w.stdout.String(), `"kind":"sink-down"`); n != 1 {
			t.Errorf("told %d times:\n%s", n, w.stdout)
		}
		w.end()
		w.start()
		defer w.end()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := strings.Count(w.stdout.String(), `"kind":"sink-down"`); n != 1 {
			t.Errorf("told again after a start: %d times", n)
		}
		w.network.set("am.example.org", nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if out := w.stdout.String(); strings.Count(out, `"kind":"sink-down"`) != 2 || !strings.Contains(out, "Alerts arrive at the sink am again") {
			t.Errorf("that it is back is not told:\n%s", out)
		}
	})
}

// A sink that takes for ever does not hold up another one.
func TestSlowBesideFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, twoHooks)
		w.start()
		defer w.end()
		w.network.set("far.example.org", func(r *http.Request, _ []byte) (*http.Response, error) {
			select {
			case <-time.After(9 * time.Second):
				return reply(http.StatusOK, ""), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		for i := range 20 {
			w.notify(that(i, 1, alert.Firing))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(w.network.got("near.example.org")); n != 20 {
			t.Errorf("near has %d of 20 after a second", n)
		}
		if n := len(w.network.got("far.example.org")); n != 0 {
			t.Errorf("far has %d after a second", n)
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if n := len(w.network.got("far.example.org")); n != 20 {
			t.Errorf("far has %d of 20", n)
		}
	})
}

// What a server asks for with Retry-After is the least that is waited.
func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after func() string
		want  time.Duration
	}{
		{"seconds", func() string { return "120" }, 2 * time.Minute},
		{"a date", func() string { return time.Now().Add(3 * time.Minute).UTC().Format(http.TimeFormat) }, 3 * time.Minute},
		{"longer than we wait", func() string { return "999999" }, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "sinks:\n- {name: far, type: webhook, url: http://far.example.org/x, deadAfter: 24h}")
				w.start()
				defer w.end()
				var tries []time.Time
				w.network.set("far.example.org", func(*http.Request, []byte) (*http.Response, error) {
					tries = append(tries, time.Now())
					if len(tries) > 1 {
						return reply(http.StatusAccepted, ""), nil
					}
					r := reply(http.StatusTooManyRequests, "slow down")
					r.Header.Set("Retry-After", tt.after())
					return r, nil
				})
				w.notify(that(1, 1, alert.Firing))
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if len(tries) != 2 {
					t.Fatalf("%d tries", len(tries))
				}
				if waited := tries[1].Sub(tries[0]); waited < tt.want-time.Second || waited > tt.want+time.Second {
					t.Errorf("waited %v, want %v", waited, tt.want)
				}
			})
		})
	}
}

// What a receiver refuses for good is given up, counted, and holds up nothing:
// also among others of the same request.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "sinks:\n- {name: am, type: alertmanager, url: http://am.example.org}")
		w.network.set("am.example.org", func(r *http.Request, body []byte) (*http.Response, error) {
			if r.Method == http.MethodPost && strings.Contains(string(body), `"3.1"`) {
				return reply(http.StatusBadRequest, "bad alert"), nil
			}
			return reply(http.StatusOK, ""), nil
		})
		d, err := deliver.New(w.options())
		if err != nil {
			t.Fatal(err)
		}
		w.d = d
		for i := range 6 {
			w.notify(that(i, 1, alert.Firing))
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		w.start() // all of them wait, in one batch
		defer w.end()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s := w.sink("am")
		if s.Waiting != 0 || s.Refused != 1 || s.Delivered != 5 || s.State != deliver.Up {
			t.Errorf("%+v", s)
		}
		if !strings.Contains(w.log.String(), "answers 400 Bad Request: bad alert") {
			t.Errorf("why is not logged:\n%s", w.log)
		}
		if n := w.gauge("netcinch_alert_sink_delivered_total", "am"); n != 5 {
			t.Errorf("the metric says %v", n)
		}
	})
}

// A queue that is full drops its oldest alerts; that is counted and shown.
func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "sinks:\n- {name: far, type: webhook, url: http://far.example.org/x, queue: 10}")
		w.network.set("far.example.org", refuses)
		w.start()
		defer w.end()
		for i := range 25 {
			w.notify(that(i, 1, alert.Firing))
		}
		if s := w.sink("far"); s.Waiting != 10 || s.Limit != 10 || s.Overflowed != 15 {
			t.Errorf("%+v", s)
		}
		if !strings.Contains(w.log.String(), "a sink's queue is full") {
			t.Errorf("not logged:\n%s", w.log)
		}
		want := `# HELP netcinch_alert_sink_dropped_total Alerts that a sink was never told, by reason: overflow of its queue, or refused by it.
# TYPE netcinch_alert_sink_dropped_total counter
netcinch_alert_sink_dropped_total{reason="overflow",sink="far"} 15
netcinch_alert_sink_dropped_total{reason="refused",sink="far"} 0
`
		if err := testutil.GatherAndCompare(w.registry, strings.NewReader(want), "netcinch_alert_sink_dropped_total"); err != nil {
			t.Error(err)
		}
		w.network.set("far.example.org", nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := w.network.titles("far.example.org"); len(got) != 10 || got[0] != "15.1" || got[9] != "24.1" {
			t.Errorf("told: %v", got)
		}
	})
}

// The order of one alert's revisions stays; a repetition is told once; what is
// over is not told where that is not wanted.
func TestRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "sinks:\n- {name: far, type: webhook, url: http://far.example.org/x}\n- {name: near, type: webhook, url: http://near.example.org/x, sendResolved: false}")
		w.start()
		defer w.end()
		w.notify(that(1, 1, alert.Firing), that(2, 1, alert.Firing))
		w.notify(that(1, 1, alert.Firing), that(1, 2, alert.Firing))
		w.notify(that(1, 3, alert.Resolved), that(2, 2, alert.Silenced))
		w.notify(that(1, 3, alert.Resolved))
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"1.1", "2.1", "1.2", "1.3", "2.2"}, w.network.titles("far.example.org")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"1.1", "2.1", "1.2"}, w.network.titles("near.example.org")); diff != "" {
			t.Error(diff)
		}
	})
}

// What fires is told to an Alertmanager again and again, also after a start,
// and no longer once it is over.
func TestRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "sinks:\n- {name: am, type: alertmanager, url: http://am.example.org, resend: 30s}")
		w.start()
		w.notify(that(1, 1, alert.Firing))
		time.Sleep(5*time.Minute + time.Second)
		synctest.Wait()
		posts := w.network.got("am.example.org")
		if len(posts) < 10 || len(posts) > 12 {
			t.Errorf("%d posts in five minutes, want one each 30 s", len(posts))
		}
		var last []struct{ StartsAt, EndsAt time.Time }
		if err := json.Unmarshal([]byte(posts[len(posts)-1].body), &last); err != nil || len(last) != 1 {
			t.Fatalf("%v: %s", err, posts[len(posts)-1].body)
		}
		if left := last[0].EndsAt.Sub(posts[len(posts)-1].at); left != 2*time.Minute {
			t.Errorf("it holds for %v without the next one, want four repetitions", left)
		}
		w.end()
		before := len(w.network.got("am.example.org"))
		w.start()
		defer w.end()
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if n := len(w.network.got("am.example.org")) - before; n < 2 {
			t.Errorf("told %d times after a start", n)
		}
		w.notify(that(1, 2, alert.Resolved))
		time.Sleep(time.Second)
		synctest.Wait()
		before = len(w.network.got("am.example.org"))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := len(w.network.got("am.example.org")); n != before {
			t.Errorf("told %d times after it was over", n-before)
		}
	})
}

// contextOf is a context that the test ends.
func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}
