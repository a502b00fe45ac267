// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/alert/deliver/signature"
	"github.com/netcinch/netcinch/recommender/analyze"
)

var noon = time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)

func sample(status alert.Status) alert.Alert {
	a := alert.Alert{
		ID: "0123456789abcdef", Revision: 3, Kind: alert.UnseenOutside, Severity: analyze.SeverityHigh, Status: status,
		Title: "shop/cart talks with <!channel> & co", Text: "It never did.", Evidence: []string{"3 connections.", "By /bin/sh @here."},
		Cluster: "prod", Namespace: "shop", Workloads: []string{"shop/cart"}, Client: &analyze.Party{Kind: analyze.PartyWorkload, Namespace: "shop", WorkloadKind: "Deployment", Name: "cart"},
		Started: noon.Add(-time.Hour), LastSeen: noon, Raised: noon.Add(-time.Minute), Changed: noon, Link: "/alerts/0123456789abcdef?cluster=prod",
		Allowances: []alert.Allowance{{Text: "NetworkPolicy shop/cart, egress rule 1"}}, Narrowing: &alert.Edit{Text: "Remove the peer."}, Accept: &alert.Edit{Text: "Allow it."},
		Labels: map[string]string{"workload": "shop/cart", "empty": ""}, Edges: []alert.Edge{}, Processes: []string{},
	}
	if status != alert.Firing {
		a.Ended = noon
	}
	return a
}

// server answers a status, and keeps what it was asked last.
type server struct {
	*httptest.Server
	status int
	answer string
	body   []byte
	head   http.Header
	path   string
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{status: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.body, _ = io.ReadAll(r.Body)
		s.head, s.path = r.Header, r.URL.RequestURI()
		if s.status == http.StatusFound {
			w.Header().Set("Location", "http://elsewhere.example.org/")
		}
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) http(t *testing.T, path string) config.HTTP {
	t.Helper()
	u, err := url.Parse(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	return config.HTTP{URL: u, Timeout: 5 * time.Second}
}

var options = Options{Release: "v1", Now: func() time.Time { return noon }}

var texts = Texts{Page: "https://netcinch.example.org"}

// An event is a CloudEvent 1.0 in structured mode: its attributes are those of
// the specification, and a repetition has the same id and source.
func TestWebhook(t *testing.T) {
	s := serve(t)
	c := &config.Webhook{HTTP: s.http(t, "/in?x=1"), Sign: config.SecretOf("new", "a"), Previous: config.SecretOf("old", "b")}
	c.HTTP.Bearer = config.SecretOf("token", "c")
	c.HTTP.Headers = []config.Header{{Name: "X-Team", Value: "a"}, {Name: "X-Key", Secret: config.SecretOf("k", "d")}}
	w := newWebhook(c, texts, options)
	if err := w.Send(t.Context(), []Message{{Alert: sample(alert.Firing), Key: "0123456789abcdef-3"}}); err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(s.body, &e); err != nil {
		t.Fatal(err)
	}
	data, _ := e["data"].(map[string]any)
	delete(e, "data")
	want := map[string]any{
		"specversion": "1.0", "id": "0123456789abcdef-3", "source": "https://netcinch.example.org/clusters/prod", "type": EventFiring,
		"subject": "shop/cart", "time": "2026-03-05T12:00:00Z", "datacontenttype": "application/json",
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	if data["schema"] != Schema || data["firing"] != true || data["name"] != "UnseenOutsideConnection" || data["url"] != "https://netcinch.example.org/alerts/0123456789abcdef?cluster=prod" {
		t.Errorf("data: %v", data)
	}
	if kind := s.head.Get("Content-Type"); kind != "application/cloudevents+json; charset=UTF-8" {
		t.Errorf("content type %s", kind)
	}
	if s.head.Get("Authorization") != "Bearer token" || s.head.Get("X-Team") != "a" || s.head.Get("X-Key") != "k" || s.head.Get("User-Agent") != "netcinch/v1" || s.path != "/in?x=1" {
		t.Errorf("headers %v, path %s", s.head, s.path)
	}
	for _, key := range []string{"new", "old"} {
		if err := signature.Verify(s.head.Get(signature.Header), s.body, []byte(key), noon, 0); err != nil {
			t.Errorf("with the key %s: %v", key, err)
		}
	}
	if err := w.Send(t.Context(), []Message{{Alert: sample(alert.Resolved), Key: "x"}}); err != nil || !bytes.Contains(s.body, []byte(EventEnded)) {
		t.Errorf("%v: %s", err, s.body)
	}
}

func TestWebhookData(t *testing.T) {
	s := serve(t)
	data, err := config.NewTemplate(`{"t": {{json .Title}}, "u": {{json .URL}}}`)
	if err != nil {
		t.Fatal(err)
	}
	w := newWebhook(&config.Webhook{HTTP: s.http(t, ""), Data: data, Source: "urn:x"}, Texts{}, options)
	if err := w.Send(t.Context(), []Message{{Alert: sample(alert.Firing), Key: "k"}}); err != nil {
		t.Fatal(err)
	}
	var e struct {
		Source string
		Data   struct{ T, U string }
	}
	if err := json.Unmarshal(s.body, &e); err != nil || e.Data.T != "shop/cart talks with <!channel> & co" || e.Data.U != "" || e.Source != "urn:x/clusters/prod" {
		t.Errorf("%+v, %v", e, err)
	}
	if s.head.Get(signature.Header) != "" {
		t.Error("it is signed without a key")
	}
}

// Names in alerts come from strangers: they call nobody, and are no links.
func TestSlack(t *testing.T) {
	s := serve(t)
	c := &config.Slack{HTTP: s.http(t, "/services/T/B/secret"), Channel: "#alerts"}
	sl := newSlack(c, texts, options)
	if err := sl.Send(t.Context(), []Message{{Alert: sample(alert.Firing)}}); err != nil {
		t.Fatal(err)
	}
	var m slackMessage
	if err := json.Unmarshal(s.body, &m); err != nil {
		t.Fatal(err)
	}
	if m.Channel != "#alerts" || m.Text != "[high] shop/cart talks with &lt;!channel&gt; &amp; co" || len(m.Attachments) != 1 {
		t.Fatalf("%+v", m)
	}
	a := m.Attachments[0]
	if a.Link != "https://netcinch.example.org/alerts/0123456789abcdef?cluster=prod" || a.Color != "#b3261e" || a.Time != noon.Add(-time.Minute).Unix() {
		t.Errorf("%+v", a)
	}
	for _, want := range []string{"It never did.", "- 3 connections.", "@\u200bhere", "Let through by: NetworkPolicy shop/cart, egress rule 1", "To cut it: Remove the peer.", "To accept it: Allow it."} {
		if !strings.Contains(a.Text, want) {
			t.Errorf("%q is not in %q", want, a.Text)
		}
	}
	if strings.Contains(string(s.body), "@here") || strings.Contains(m.Text+a.Text, "<!") {
		t.Errorf("it calls people: %s", s.body)
	}
	if err := sl.Send(t.Context(), []Message{{Alert: sample(alert.Resolved)}}); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(s.body, &m); err != nil || !strings.HasPrefix(m.Text, "[resolved]") || m.Attachments[0].Color != "#2e7d32" {
		t.Errorf("%+v, %v", m, err)
	}
}

// What an answer means: taken, refused for good, or to be tried again.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		status  int
		answer  string
		want    string
		refused bool
	}{
		{200, "ok", "", false},
		{204, "", "", false},
		{302, "", "sends us to another address", false},
		{400, "invalid_payload", "answers 400 Bad Request: invalid_payload", true},
		{401, "", "answers 401 Unauthorized", false},
		{403, "token", "answers 403 Forbidden: token", false},
		{404, "<html>no</html>", "answers 404 Not Found", false},
		{413, "", "answers 413", true},
		{422, "", "answers 422", true},
		{429, "", "answers 429 Too Many Requests", false},
		{500, strings.Repeat("long ", 100), "answers 500 Internal Server Error: long", false},
		{503, "", "answers 503", false},
	} {
		s := serve(t)
		s.status, s.answer = tt.status, tt.answer
		h := s.http(t, "/secret/path?secret=query")
		c := newClient(&h, options)
		err := c.post(t.Context(), h.URL, "text/plain", []byte("x"), nil)
		_, refused := errors.AsType[*RefusedError](err)
		if (err == nil) != (tt.want == "") || refused != tt.refused {
			t.Errorf("%d: %v, refused %v", tt.status, err, refused)
			continue
		}
		if err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), s.URL) || len(err.Error()) > 400) {
			t.Errorf("%d: %v", tt.status, err)
		}
	}
}

// Nobody there, or another certificate than is trusted.
func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	for _, tt := range []struct{ url, want string }{
		{gone.URL + "/secret", "cannot be reached: dial tcp"},
		{secure.URL + "/secret", "cannot be reached: tls: failed to verify certificate"},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		w := newWebhook(&config.Webhook{HTTP: config.HTTP{URL: u, Timeout: 5 * time.Second}}, texts, options)
		for name, err := range map[string]error{"sending": w.Send(t.Context(), []Message{{Alert: sample(alert.Firing)}}), "probing": w.Probe(t.Context())} {
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s %s: %v", name, u.Host, err)
			}
		}
	}
}

func TestAlertmanagerPayload(t *testing.T) {
	s := serve(t)
	labels, err := config.NewTemplate(`{{with .Client}}{{.Name}}{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	none, err := config.NewTemplate("")
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Alertmanager{HTTP: s.http(t, "/prefix"), Resend: time.Minute, Labels: map[string]*config.Template{"app": labels, "namespace": none}}
	c.HTTP.Username, c.HTTP.Password = "u", config.SecretOf("p", "x")
	am := newAlertmanager(c, texts, options)
	before := sample(alert.Firing)
	before.Severity = analyze.SeverityLow
	if err := am.Send(t.Context(), []Message{{Alert: sample(alert.Firing), Before: &before}}); err != nil {
		t.Fatal(err)
	}
	var got []postable
	if err := json.Unmarshal(s.body, &got); err != nil {
		t.Fatal(err)
	}
	if s.path != "/prefix/api/v2/alerts" || s.head.Get("Authorization") == "" || len(got) != 2 {
		t.Fatalf("%s %v: %s", s.path, s.head, s.body)
	}
	want := map[string]string{"alertname": "NetcinchUnseenOutsideConnection", "cluster": "prod", "kind": "unseen-outside", "severity": "high", "alert_id": "0123456789abcdef", "workload": "shop/cart", "app": "cart"}
	if diff := cmp.Diff(want, got[1].Labels); diff != "" {
		t.Error(diff)
	}
	if got[0].Labels["severity"] != "low" || !got[0].EndsAt.Equal(noon) {
		t.Errorf("the one before goes on: %+v", got[0])
	}
	if !got[1].StartsAt.Equal(noon.Add(-time.Minute)) || !got[1].EndsAt.Equal(noon.Add(4*time.Minute)) {
		t.Errorf("from %v to %v", got[1].StartsAt, got[1].EndsAt)
	}
	over := sample(alert.Rejected)
	over.Ended, over.Decision = noon.Add(-time.Second), &alert.Decided{By: "ann", Reason: "not ours"}
	if err := am.Send(t.Context(), []Message{{Alert: over}}); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(s.body, &got); err != nil || len(got) != 1 || !got[0].EndsAt.Equal(over.Ended) || !strings.Contains(got[0].Annotations["description"], "It was rejected by ann: not ours") {
		t.Errorf("%v: %+v", err, got)
	}
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	l, err := New(&config.Sink{Type: config.TypeStdout, Stdout: &config.Stdout{}}, Options{Stdout: &out, Page: texts.Page})
	if err != nil {
		t.Fatal(err)
	}
	a := sample(alert.Firing)
	a.Text = "two\nlines"
	if err = l.Send(t.Context(), []Message{{Alert: a}, {Alert: sample(alert.Resolved)}}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), out.String())
	}
	var r struct {
		Schema string
		Firing bool
		Alert  alert.Alert
	}
	if err = json.Unmarshal([]byte(lines[0]), &r); err != nil || r.Schema != Schema || !r.Firing {
		t.Errorf("%+v, %v", r, err)
	}
	if diff := cmp.Diff(a, r.Alert, cmp.Comparer(func(x, y time.Time) bool { return x.Equal(y) }), cmp.Comparer(func(x, y analyze.Party) bool { return x == y })); diff != "" {
		t.Errorf("it does not read back: %s", diff)
	}
	broken, err := os.CreateTemp(t.TempDir(), "x")
	if err != nil {
		t.Fatal(err)
	}
	broken.Close()
	l, err = New(&config.Sink{Type: config.TypeStdout, Stdout: &config.Stdout{}}, Options{Stdout: broken})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Send(t.Context(), []Message{{Alert: a}}); err == nil {
		t.Error("a closed output takes alerts")
	}
}
