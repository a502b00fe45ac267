// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

func object(name, node string, addresses ...string) *corev1.Pod {
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "uid", Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c"}}},
	}
	for _, a := range addresses {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: a})
	}
	return p
}

// apiServer speaks as much of the Kubernetes API as a watch on pods needs.
type apiServer struct {
	mu       sync.Mutex
	away     int // requests to refuse
	selector []string
	pods     []*corev1.Pod
	events   chan metav1.WatchEvent
	version  int
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	q := r.URL.Query()
	s.selector = append(s.selector, q.Get("fieldSelector"))
	away := s.away > 0
	if away {
		s.away--
	}
	pods := slices.Clone(s.pods)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case away:
		http.Error(w, "the API server is away", http.StatusServiceUnavailable)
	case r.URL.Path != "/api/v1/pods":
		http.NotFound(w, r)
	case q.Get("sendInitialEvents") == "true": // as servers before 1.32 answer
		w.WriteHeader(http.StatusUnprocessableEntity)
		json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
			Status:   metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity,
		})
	case q.Get("watch") == "true":
		s.watch(w, r)
	default:
		l := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
		for _, p := range pods {
			l.Items = append(l.Items, *p)
		}
		json.NewEncoder(w).Encode(l)
	}
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request) {
	flusher, ok := w.(http.Flusher)
	if !ok {
		return
	}
	flusher.Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case e, ok := <-s.events:
			if !ok {
				return
			}
			json.NewEncoder(w).Encode(e)
			flusher.Flush()
		}
	}
}

// tell sends one change to whoever watches.
func (s *apiServer) tell(t *testing.T, kind string, p *corev1.Pod) {
	t.Helper()
	s.version++
	p.ResourceVersion = strconv.Itoa(100 + s.version)
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	e := metav1.WatchEvent{Type: kind}
	e.Object.Raw = raw
	s.events <- e
}

// waitFor reads reports until one has just these pods.
func waitFor(t *testing.T, reports <-chan []Pod, want ...string) {
	t.Helper()
	var names []string
	for {
		select {
		case pods := <-reports:
			names = nil
			for _, p := range pods {
				names = append(names, p.Name)
			}
			slices.Sort(names)
			if slices.Equal(names, want) {
				return
			}
		case <-time.After(hang):
			t.Fatalf("the last report has %v, want %v", names, want)
		}
	}
}

func TestAPIServerFollowsTheNodesPods(t *testing.T) {
	s := &apiServer{
		away: 3, events: make(chan metav1.WatchEvent, 10),
		pods: []*corev1.Pod{object("cart", "n1", "10.1.0.5", "fd00::5"), object("far", "n2", "10.2.0.5")},
	}
	server := httptest.NewServer(s)
	defer server.Close()
	var log lockedBuffer
	source, err := NewAPIServer(&rest.Config{Host: server.URL}, "n1", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan []Pod, 100)
	done := make(chan error, 1)
	go func() { done <- source.Watch(ctx, func(p []Pod) { reports <- p }) }()

	waitFor(t, reports, "cart")
	s.tell(t, "ADDED", object("db", "n1", "10.1.0.6"))
	waitFor(t, reports, "cart", "db")
	s.tell(t, "ADDED", object("odd", "n1", "no address"))
	s.tell(t, "DELETED", object("cart", "n1"))
	waitFor(t, reports, "db")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, selector := range s.selector {
		if selector != "spec.nodeName=n1" {
			t.Errorf("asked for %q, want only this node's pods", selector)
		}
	}
	if source.Failures() < 2 || !strings.Contains(log.String(), "cannot be watched") {
		t.Errorf("%d failures counted, log: %s", source.Failures(), &log)
	}
	if n := strings.Count(log.String(), "shop/odd: status.podIPs[0]"); n != 1 {
		t.Errorf("the pod that cannot be understood is named %d times, want once: %s", n, &log)
	}
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestTrimKeepsWhatIsRead(t *testing.T) {
	p := object("cart", "n1", "10.1.0.5")
	trimmed, err := trim(p)
	if err != nil {
		t.Fatal(err)
	}
	small, ok := trimmed.(*corev1.Pod)
	if !ok || small.Labels != nil || small.Spec.Containers != nil {
		t.Errorf("kept too much: %+v", trimmed)
	}
	want, _ := podOf(p)
	if got, err := podOf(small); err != nil || got.Name != want.Name || got.Node != "n1" || got.UID != "uid" || len(got.Addresses) != 1 {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
