// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/wire"
)

// memory is an Appender that keeps batches by name, or fails as it is told.
type memory struct {
	mu      sync.Mutex
	err     error
	batches map[string]store.Batch
	hold    chan struct{} // when set, Append waits for it
}

func (m *memory) Append(ctx context.Context, b store.Batch) (bool, error) {
	if m.hold != nil {
		select {
		case <-m.hold:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return false, m.err
	}
	name := fmt.Sprint(b.Cluster, b.Node, b.Epoch, b.Sequence)
	_, duplicate := m.batches[name]
	m.batches[name] = b
	return duplicate, nil
}

type world struct {
	handler  *Handler
	store    *memory
	resolver *fake
	registry *prometheus.Registry
	notified int
	log      bytes.Buffer
}

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	auth, err := ParseTokens(strings.NewReader(tokens))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: &memory{batches: map[string]store.Batch{}}, resolver: shop(), registry: prometheus.NewRegistry()}
	o := Options{
		Store: w.store, Clusters: map[string]Resolver{"c": w.resolver}, Auth: auth, ResolveWait: -1,
		Clock: func() time.Time { return t0.Add(time.Minute) }, Metrics: w.registry,
		Notify: func(store.Batch) { w.notified++ }, Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	if change != nil {
		change(&o)
	}
	if w.handler, err = New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

func body(tb testing.TB, h wire.Header, edges ...wire.Edge) []byte {
	tb.Helper()
	b := wire.NewBuilder(h)
	for _, e := range edges {
		if err := b.Add(e); err != nil {
			tb.Fatal(err)
		}
	}
	raw, err := wire.Encode(b.Batch())
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func request(raw []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, wire.Path, bytes.NewReader(raw))
	r.Header.Set("Content-Type", wire.ContentType)
	r.Header.Set("Content-Encoding", wire.ContentEncoding)
	r.Header.Set("Authorization", "Bearer secret-of-node-one")
	return r
}

func (w *world) post(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer
}

func (w *world) batches(result string) int {
	return int(testutil.ToFloat64(w.handler.metrics.batches.WithLabelValues(result)))
}

func TestBatchIsAcknowledgedOnce(t *testing.T) {
	w := newWorld(t, nil)
	raw := body(t, header, edge("10.0.1.1", "10.0.2.1", isClient), edge("fd00::1:1", "fd00::2:1", 0))
	for i := range 3 {
		answer := w.post(request(raw))
		ack := new(wire.Ack)
		if err := proto.Unmarshal(answer.Body.Bytes(), ack); err != nil || answer.Code != http.StatusOK {
			t.Fatalf("answer %d: %s, %v", answer.Code, answer.Body, err)
		}
		if ack.Epoch != "e" || ack.Sequence != 1 || ack.Duplicate != (i > 0) {
			t.Errorf("post %d: %v", i, ack)
		}
	}
	if w.notified != 1 || w.batches("stored") != 1 || w.batches("duplicate") != 2 || testutil.ToFloat64(w.handler.metrics.edges) != 2 {
		t.Errorf("notified %d, stored %d, duplicates %d", w.notified, w.batches("stored"), w.batches("duplicate"))
	}
	if got := w.store.batches["cn1e1"]; len(got.Records) != 2 || got.Window.Start != t0 {
		t.Errorf("stored %+v", got)
	}
	if problems, err := testutil.GatherAndLint(w.registry); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v %v", problems, err)
	}
}

func TestLossesAndCoverageTravel(t *testing.T) {
	w := newWorld(t, nil)
	b := wire.NewBuilder(header)
	b.SetLosses(&wire.Losses{MapFull: 1, RingFull: 2, Unattributed: 3, Unparsed: 4, Detached: 5, SpoolOverflow: 6})
	b.SetCoverage(&wire.Coverage{PodsKnown: 7, PodsWatched: 6, AttachMode: "tcx-pod", Missing: []string{"conntrack"}})
	raw, err := wire.Encode(b.Batch())
	if err != nil {
		t.Fatal(err)
	}
	if answer := w.post(request(raw)); answer.Code != http.StatusOK {
		t.Fatal(answer.Body)
	}
	got := w.store.batches["cn1e1"]
	if want := (store.Losses{MapFull: 1, RingFull: 2, Unattributed: 3, Unparsed: 4, Detached: 5, SpoolOverflow: 6}); got.Losses != want {
		t.Errorf("losses %+v, want %+v", got.Losses, want)
	}
	if c := got.Coverage; c.PodsKnown != 7 || c.PodsWatched != 6 || c.AttachMode != "tcx-pod" || len(c.Missing) != 1 {
		t.Errorf("coverage %+v", c)
	}
}

func TestRefusals(t *testing.T) {
	good := edge("10.0.1.1", "10.0.2.1", isClient)
	named := func(change func(*wire.Header)) []byte {
		h := header
		change(&h)
		return body(t, h, good)
	}
	spoiled := func(change func(*wire.Batch)) []byte {
		b := wire.NewBuilder(header)
		if err := b.Add(good); err != nil {
			t.Fatal(err)
		}
		change(b.Batch())
		raw, err := proto.Marshal(b.Batch())
		if err != nil {
			t.Fatal(err)
		}
		return pack(t, raw)
	}
	foreign := good
	foreign.Pod.Name = "cart-x"
	whole := body(t, header, good)
	with := func(key, value string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(key, value) } }
	for _, c := range []struct {
		name   string
		raw    []byte
		change func(*http.Request)
		err    error // of the store
		status int
		reason wire.Reason
		detail string
	}{
		{"method", whole, func(r *http.Request) { r.Method = http.MethodGet }, nil, 405, wire.ReasonMethod, "want POST"},
		{"media type", whole, with("Content-Type", "application/json"), nil, 415, wire.ReasonMediaType, "application/json"},
		{"encoding", whole, with("Content-Encoding", "gzip"), nil, 415, wire.ReasonMediaType, "want zstd"},
		{"no token", whole, with("Authorization", ""), nil, 401, wire.ReasonUnauthenticated, "bearer token"},
		{"other scheme", whole, with("Authorization", "Basic secret-of-node-one"), nil, 401, wire.ReasonUnauthenticated, "bearer token"},
		{"unknown token", whole, with("Authorization", "Bearer secret-of-nobody-at-all"), nil, 401, wire.ReasonUnauthenticated, "not known"},
		{"wrong node", named(func(h *wire.Header) { h.Node = "n2" }), nil, nil, 403, wire.ReasonForbidden, `may not speak for node "n2"`},
		{"pod of another node", body(t, header, good, foreign), nil, nil, 422, wire.ReasonForeignPod, `edges.pod[1]: pod shop/cart-x runs on node "n2"`},
		{"unknown cluster", named(func(h *wire.Header) { h.Cluster = "d" }), nil, nil, 422, wire.ReasonUnknownCluster, `cluster "d"`},
		{"future", named(func(h *wire.Header) { h.Start, h.End = h.Start.Add(time.Hour), h.End.Add(time.Hour) }), nil, nil, 422, wire.ReasonFuture, "59m30s ahead"},
		{"cut", whole[:len(whole)-5], nil, nil, 400, wire.ReasonMalformed, "cut or damaged"},
		{"empty", nil, nil, nil, 400, wire.ReasonMalformed, "version: is missing"},
		{"malformed", spoiled(func(b *wire.Batch) { b.Edges.Local[0] = 77 }), nil, nil, 400, wire.ReasonMalformed, "edges.local[0]: address 77 of 3"},
		{"version", spoiled(func(b *wire.Batch) { b.Version = 9 }), nil, nil, 409, wire.ReasonVersion, "is 9, this recommender speaks 1"},
		{"impossible counts", spoiled(func(b *wire.Batch) { b.Edges.BytesSent[0] = 1 << 40 }), nil, nil, 422, wire.ReasonImplausible, "edges.bytes_sent[0]"},
		{"bomb", pack(t, make([]byte, wire.MaxDecoded+1)), nil, nil, 413, wire.ReasonTooLarge, "decompressed"},
		{"long", make([]byte, wire.MaxEncoded+1), nil, nil, 413, wire.ReasonTooLarge, "at most 4194304"},
		{"long without saying so", make([]byte, wire.MaxEncoded+1), func(r *http.Request) { r.ContentLength = -1 }, nil, 413, wire.ReasonTooLarge, "more than 4194304"},
		{"full", whole, nil, fmt.Errorf("writing: %w", store.ErrFull), 507, wire.ReasonFull, "store full"},
		{"too old", whole, nil, store.ErrTooOld, 422, wire.ReasonTooOld, "older"},
		{"busy", whole, nil, store.ErrBusy, 503, wire.ReasonBusy, "busy"},
		{"closed", whole, nil, store.ErrClosed, 503, wire.ReasonUnavailable, "try again"},
		{"whatever", whole, nil, errors.New("secret path /var/lib"), 503, wire.ReasonUnavailable, "try again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.store.err = c.err
			r := request(c.raw)
			if c.change != nil {
				c.change(r)
			}
			answer := w.post(r)
			var p wire.Problem
			if err := json.Unmarshal(answer.Body.Bytes(), &p); err != nil {
				t.Fatalf("%v: %s", err, answer.Body)
			}
			if answer.Code != c.status || p.Status != c.status || p.Reason != c.reason || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("answer %d %+v\nwant %d %s …%s…", answer.Code, p, c.status, c.reason, c.detail)
			}
			if got := answer.Header().Get("Content-Type"); got != wire.ProblemType {
				t.Errorf("content type %q", got)
			}
			if len(w.store.batches) != 0 || w.notified != 0 || w.batches(string(c.reason)) != 1 {
				t.Errorf("stored %d, notified %d, counted %d", len(w.store.batches), w.notified, w.batches(string(c.reason)))
			}
			if all := answer.Body.String() + w.log.String(); strings.Contains(all, "secret-of") || strings.Contains(answer.Body.String(), "/var/lib") {
				t.Errorf("a secret is told: %s", all)
			}
		})
	}
}

func pack(t *testing.T, raw []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(raw, nil)
}

// TestBodyThatBreaksOff cuts the connection in the middle of a batch.
func TestBodyThatBreaksOff(t *testing.T) {
	w := newWorld(t, nil)
	raw := body(t, header, edge("10.0.1.1", "10.0.2.1", isClient))
	r := request(nil)
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(raw[:len(raw)/2]), brokenReader{}))
	if answer := w.post(r); answer.Code != http.StatusBadRequest || len(w.store.batches) != 0 {
		t.Errorf("answer %d, stored %d", answer.Code, len(w.store.batches))
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestTooManyAtOnce holds one batch in the store and posts another.
func TestTooManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.MaxConcurrent = 1 })
		w.store.hold = make(chan struct{})
		raw := body(t, header, edge("10.0.1.1", "10.0.2.1", isClient))
		first := make(chan int)
		go func() { first <- w.post(request(raw)).Code }()
		synctest.Wait()
		answer := w.post(request(raw))
		if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" || w.batches("busy") != 1 {
			t.Errorf("the second: %d %v", answer.Code, answer.Header())
		}
		close(w.store.hold)
		if code := <-first; code != http.StatusOK {
			t.Errorf("the first: %d", code)
		}
		if code := w.post(request(raw)).Code; code != http.StatusOK {
			t.Errorf("afterwards: %d", code)
		}
	})
}

// TestWaitsForItsTurn posts three batches where one is worked on and one may
// wait: the second has its turn when the first is done, the third is refused.
func TestWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.MaxConcurrent, o.MaxWaiting = 1, 1 })
		w.store.hold = make(chan struct{})
		raw := body(t, header, edge("10.0.1.1", "10.0.2.1", isClient))
		codes := make(chan int, 2)
		for range 2 {
			go func() { codes <- w.post(request(raw)).Code }()
			synctest.Wait()
		}
		began := time.Now()
		if code := w.post(request(raw)).Code; code != http.StatusServiceUnavailable || time.Since(began) > 0 {
			t.Errorf("the third: %d after %v, want 503 at once", code, time.Since(began))
		}
		close(w.store.hold)
		for range 2 {
			if code := <-codes; code != http.StatusOK {
				t.Errorf("one of the first two: %d", code)
			}
		}
	})
}

// TestWaitsForTheClustersNews posts a batch of a pod, and to a peer, that the
// cluster's history learns of a second later.
func TestWaitsForTheClustersNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.ResolveWait = 3 * time.Second })
		newborn := edge("10.0.1.7", "10.0.2.7", isClient)
		newborn.Pod.Name = "late-1"
		began := time.Now()
		time.AfterFunc(time.Second, func() {
			w.resolver.own("10.0.1.7", pod("late", "1", "n1"))
			w.resolver.own("10.0.2.7", pod("peer", "1", "n2"))
		})
		if answer := w.post(request(body(t, header, newborn))); answer.Code != http.StatusOK {
			t.Fatal(answer.Body)
		}
		if took := time.Since(began); took < time.Second || took > 1200*time.Millisecond {
			t.Errorf("waited %v, want until the news were there", took)
		}
		got := w.store.batches["cn1e1"].Records[0].Edge
		if got.Client.Workload.Name != "late" || got.Server.Workload.Name != "peer" {
			t.Errorf("stored %+v", got)
		}
	})
}

// TestWaitsOnceForAStranger posts two batches to a private address that is
// nobody's: the first waits, the second does not, and a public one never does.
func TestWaitsOnceForAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.ResolveWait = 3 * time.Second })
		for i, want := range []time.Duration{3 * time.Second, 0, 0} {
			h := header
			h.Sequence = uint64(i + 1)
			remote := "10.200.0.1"
			if i == 2 {
				remote = "203.0.113.1"
			}
			began := time.Now()
			if answer := w.post(request(body(t, h, edge("10.0.1.1", remote, isClient)))); answer.Code != http.StatusOK {
				t.Fatal(answer.Body)
			}
			if took := time.Since(began); took != want {
				t.Errorf("batch %d waited %v, want %v", i+1, took, want)
			}
		}
		if given := testutil.ToFloat64(w.handler.metrics.waits.WithLabelValues("given_up")); given != 1 {
			t.Errorf("given up %v times", given)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"store": func(o *Options) { o.Store = nil }, "cluster": func(o *Options) { o.Clusters = nil },
		"authenticator": func(o *Options) { o.Auth = nil }, "clock": func(o *Options) { o.Clock = nil },
		"negative": func(o *Options) { o.MaxSkew = -1 },
	} {
		o := Options{Store: &memory{}, Clusters: map[string]Resolver{"c": shop()}, Auth: &Tokens{}, Clock: time.Now}
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzServe wants an answer of the contract for any body.
func FuzzServe(f *testing.F) {
	raw := body(f, header, edge("10.0.1.1", "10.0.2.1", isClient), edge("fd00::1:1", "fd00::2:1", 0))
	f.Add(raw)
	f.Add(raw[:20])
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := newWorld(t, nil)
		answer := w.post(request(raw))
		if answer.Code == http.StatusOK {
			if len(w.store.batches) != 1 {
				t.Fatal("acknowledged and not stored")
			}
			return
		}
		var p wire.Problem
		if err := json.Unmarshal(answer.Body.Bytes(), &p); err != nil || statuses[p.Reason] != answer.Code || len(w.store.batches) != 0 {
			t.Fatalf("answer %d %s", answer.Code, answer.Body)
		}
	})
}
