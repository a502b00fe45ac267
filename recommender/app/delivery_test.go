// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/app"
)

// inbox is the server of a webhook.
type inbox struct {
	mu     sync.Mutex
	events []event
	news   chan struct{}
}

type event struct {
	Type string
	Data struct {
		URL   string
		Alert struct {
			Kind, Severity, Title string
			Workloads             []string
		}
	}
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.events = append(i.events, e)
	select {
	case i.news <- struct{}{}:
	default:
	}
}

// What the analysis finds comes to the webhook of --alerts, with a link into
// the page; the API says how the sink fares, and tries it.
func TestAlertsAreTold(t *testing.T) {
	in := &inbox{news: make(chan struct{}, 1)}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	line := `{"schema":"netcinch.flow/v1","start":"2026-03-05T00:00:00Z","end":"2026-03-05T00:01:00Z","client":{"namespace":"shop","pod":"web-1"},` +
		`"server":{"ip":"169.254.169.254"},"protocol":"TCP","port":80,"connections":3,"outcome":"established"}` + "\n"
	a, stop := start(t, app.Options{
		Manifests: []string{write(t, dir, "m.yaml", manifests)}, Flows: []string{write(t, dir, "f.jsonl", line)}, DataDir: dir,
		AlertsFile: write(t, dir, "alerts.yaml", "page: https://netcinch.example.org\nsinks: [{name: hook, type: webhook, url: '"+server.URL+"'}]\n"),
	})
	select {
	case <-in.news:
	case <-time.After(time.Minute):
		t.Fatal("nothing came")
	}
	in.mu.Lock()
	first := in.events[0]
	in.mu.Unlock()
	if got := first.Data.Alert; got.Kind != "risky-destination" || got.Severity != "medium" || len(got.Workloads) != 1 || !strings.HasPrefix(first.Data.URL, "https://netcinch.example.org/alerts/") {
		t.Errorf("%+v", first)
	}
	v := visit(t, a)
	status, body := v.get("/api/v1/sinks")
	if status != http.StatusOK || !strings.Contains(string(body), `"name":"hook","type":"webhook","target":"`+server.URL+`"`) {
		t.Errorf("%d: %s", status, body)
	}
	if status, body = v.get("/metrics"); status != http.StatusOK || !strings.Contains(string(body), `netcinch_alerts{cluster="default",severity="medium",status="firing"} 1`) {
		t.Errorf("%d: the metrics do not count the alert", status)
	}
	write(t, dir, "alerts.yaml", "sinks: []")
	if err := a.ReloadAlerts(t.Context()); err == nil || !strings.Contains(err.Error(), "alerts.yaml:1: there is no sink") {
		t.Errorf("%v", err)
	}
	if _, body = v.get("/api/v1/status"); !strings.Contains(string(body), `"delivery":{"sinks":1,"failing":[],"dead":[],"dropped":0,"problem":"`) {
		t.Errorf("%s", body)
	}
	stop()
	if _, err := os.Stat(dir + "/alerts/alerts.db"); err != nil {
		t.Errorf("the queue is not kept: %v", err)
	}
}
