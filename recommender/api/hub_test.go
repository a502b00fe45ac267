// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func numbers(events []event) []uint64 {
	var out []uint64
	for _, e := range events {
		out = append(out, e.number)
	}
	return out
}

func TestHubResumes(t *testing.T) {
	h := newHub()
	for i := range 5 {
		if err := h.Send(EventView, ViewEvent{Version: uint64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, id string
		missed   int
		complete bool
	}{
		{"a first visit", "", 0, false},
		{"in the middle", h.id(3), 2, true},
		{"at the end", h.id(5), 0, true},
		{"of another process", "otherone-3", 0, false},
		{"from the future", h.id(9), 0, false},
		{"nonsense", "x", 0, false},
	} {
		missed, stream, complete := h.listen(test.id)
		h.leave(stream)
		if len(missed) != test.missed || complete != test.complete {
			t.Errorf("%s: missed %v, complete %v; want %d, %v", test.name, numbers(missed), complete, test.missed, test.complete)
		}
	}
	if n := h.Listeners(); n != 0 {
		t.Errorf("%d streams are still listened to", n)
	}
}

func TestHubForgetsTheOldest(t *testing.T) {
	h := newHub()
	for range keptEvents + 10 {
		if err := h.Send(EventView, ViewEvent{}); err != nil {
			t.Fatal(err)
		}
	}
	if missed, _, complete := h.listen(h.id(2)); complete || len(missed) != keptEvents {
		t.Errorf("%d events, complete %v: want %d and incomplete", len(missed), complete, keptEvents)
	}
}

// A stream that does not keep up is closed, and never holds the sender up.
func TestHubClosesTheSlow(t *testing.T) {
	h := newHub()
	_, slow, _ := h.listen("")
	for range streamBuffer + 1 {
		if err := h.Send(EventView, ViewEvent{}); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	for range slow {
		got++
	}
	if got != streamBuffer || h.Listeners() != 0 {
		t.Errorf("got %d events and %d streams are left; want %d and 0", got, h.Listeners(), streamBuffer)
	}
}

const streamToken = "token-of-streams-in-tests"

// streaming is a server of events over a real connection.
func streaming(t *testing.T) (*Server, *httptest.Server) {
	t.Helper()
	s, err := New(Options{Source: noSource{}, Token: streamToken, Now: nowForTests})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.guard(s.handle(s.events)))
	t.Cleanup(server.Close)
	t.Cleanup(s.hub.Close) // before: a stream would hold it up
	return s, server
}

func get(t *testing.T, url string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+streamToken)
	return http.DefaultClient.Do(r)
}

// Over a real connection: what is sent arrives with its id, and Close ends it.
func TestStream(t *testing.T) {
	s, server := streaming(t)
	response, err := get(t, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	if !lines.Scan() || lines.Text() != "retry: 2000" {
		t.Fatalf("the stream begins with %q", lines.Text())
	}
	if err := s.hub.Send(EventAlert, map[string]string{"id": "f1"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for lines.Scan() {
		if lines.Text() != "" {
			got = append(got, lines.Text())
		}
		if strings.HasPrefix(lines.Text(), "data:") {
			break
		}
	}
	want := "id: " + s.hub.id(1) + "|event: alert|data: {\"id\":\"f1\"}"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.hub.Close()
	for lines.Scan() {
		if lines.Text() != "" {
			t.Errorf("after Close: %q", lines.Text())
		}
	}
}

// A page that opens the stream anew says in the address what it had last, and
// gets what came after it, not the newest view alone.
func TestStreamResumesByAddress(t *testing.T) {
	s, server := streaming(t)
	for _, id := range []string{"one", "two"} {
		if err := s.hub.Send(EventAlert, map[string]string{"id": id}); err != nil {
			t.Fatal(err)
		}
	}
	response, err := get(t, server.URL+"/api/v1/events?lastEventId="+s.hub.id(1))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if data != `{"id":"two"}` {
				t.Errorf("the stream goes on with %s, want the second event", data)
			}
			return
		}
	}
	t.Error("the stream ended")
}
