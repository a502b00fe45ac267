// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/netcinch/netcinch/recommender/wire"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// recommender is an ingest port that remembers; answer decides on each batch.
type recommender struct {
	*httptest.Server
	dir string

	mu      sync.Mutex
	answer  func(try int, b *wire.Batch) (status int, reason wire.Reason)
	tries   int
	batches []*wire.Batch
	tokens  []string
	got     chan struct{}
}

func newRecommender(t *testing.T) *recommender {
	t.Helper()
	r := &recommender{dir: t.TempDir(), got: make(chan struct{}, 1000)}
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	r.writeCA(t, r.Server)
	r.writeToken(t, "first")
	return r
}

func (r *recommender) writeCA(t *testing.T, s *httptest.Server) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(r.dir, "ca.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *recommender) writeToken(t *testing.T, token string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "token"), []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *recommender) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, err := wire.Decode(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.got <- struct{}{} }()
	if err != nil || req.URL.Path != wire.Path || req.Header.Get("Content-Type") != wire.ContentType || req.Header.Get("Content-Encoding") != wire.ContentEncoding {
		http.Error(w, fmt.Sprint(err), http.StatusTeapot)
		return
	}
	r.tokens = append(r.tokens, req.Header.Get("Authorization"))
	status, reason := http.StatusOK, wire.Reason("")
	if r.answer != nil {
		status, reason = r.answer(r.tries, b)
	}
	r.tries++
	if status != http.StatusOK {
		w.Header().Set("Content-Type", wire.ProblemType)
		w.Header().Set("Location", "https://elsewhere.invalid/")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(wire.Problem{Status: status, Detail: "words for people", Reason: reason})
		return
	}
	r.batches = append(r.batches, b)
	ack, _ := proto.Marshal(&wire.Ack{Epoch: b.GetEpoch(), Sequence: b.GetSequence()})
	w.Write(ack)
}

func (r *recommender) options(t *testing.T, log *bytes.Buffer) Options {
	t.Helper()
	o := testOptions(t, filepath.Join(r.dir, "spool"), log)
	o.Server, o.CAFile, o.TokenFile = r.URL, filepath.Join(r.dir, "ca.pem"), filepath.Join(r.dir, "token")
	o.MinBackoff, o.MaxBackoff = time.Millisecond, 2*time.Millisecond
	return o
}

func newExporter(t *testing.T, o Options) *Exporter {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// finish sends what is there and comes back.
func finish(t *testing.T, e *Exporter) {
	t.Helper()
	e.Stop()
	e.Run(t.Context())
}

func windowWith(n int, losses Losses) Window {
	w := Window{Start: noon, End: noon.Add(30 * time.Second), Losses: losses, Coverage: Coverage{PodsKnown: 3, PodsWatched: 2, AttachMode: "tcx-pod"}}
	for i := range n {
		w.Edges = append(w.Edges, wire.Edge{
			EdgeKey: wire.EdgeKey{
				Pod: wire.PodKey{Namespace: "shop", Name: "cart"}, Local: netip.MustParseAddr("10.0.0.1"),
				Remote: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), Protocol: 6, Port: 80,
				Flags: wire.EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT,
			},
			Counts: wire.Counts{Connections: 1, PacketsSent: 2, BytesSent: 200},
		})
	}
	return w
}

func TestBatchesArriveInOrderWithTheirNames(t *testing.T) {
	r := newRecommender(t)
	var log bytes.Buffer
	e := newExporter(t, r.options(t, &log))
	e.Put(windowWith(2, Losses{MapFull: 5}))
	e.Put(windowWith(0, Losses{}))
	finish(t, e)
	if len(r.batches) != 2 {
		t.Fatalf("%d batches arrived, want 2 (log: %s)", len(r.batches), &log)
	}
	for i, b := range r.batches {
		if b.GetCluster() != "c" || b.GetNode() != "n" || b.GetEpoch() != "epoch1" || b.GetSequence() != uint64(i+1) {
			t.Errorf("batch %d is %s/%s/%s/%d", i, b.GetCluster(), b.GetNode(), b.GetEpoch(), b.GetSequence())
		}
		if c := b.GetCoverage(); c.GetPodsKnown() != 3 || c.GetPodsWatched() != 2 || c.GetAttachMode() != "tcx-pod" {
			t.Errorf("coverage %v", c)
		}
	}
	if n := len(r.batches[0].GetEdges().GetPort()); n != 2 {
		t.Errorf("%d edges, want 2", n)
	}
	if a, b := r.batches[0].GetLosses().GetMapFull(), r.batches[1].GetLosses().GetMapFull(); a != 5 || b != 0 {
		t.Errorf("losses %d and %d, want 5 once", a, b)
	}
	if c := e.Counts(); c.Sent != 2 || c.SentBytes == 0 || c.Retries != 0 {
		t.Errorf("counts %+v", c)
	}
	if s := e.Spool(); s.Batches != 0 {
		t.Errorf("left in the spool: %+v", s)
	}
}

func TestBigWindowIsSplit(t *testing.T) {
	r := newRecommender(t)
	var log bytes.Buffer
	e := newExporter(t, r.options(t, &log))
	e.Put(windowWith(wire.MaxEdges+10, Losses{Unparsed: 1}))
	finish(t, e)
	var edges, unparsed int
	for _, b := range r.batches {
		edges += len(b.GetEdges().GetPort())
		unparsed += int(b.GetLosses().GetUnparsed())
	}
	if len(r.batches) != 2 || edges != wire.MaxEdges+10 || unparsed != 1 {
		t.Errorf("%d batches with %d edges and %d losses", len(r.batches), edges, unparsed)
	}
}

// Whatever passes is tried again under the same name until it is taken.
func TestRetryKeepsTheName(t *testing.T) {
	for _, status := range []int{
		http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInsufficientStorage,
		http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusFound,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			r := newRecommender(t)
			r.answer = func(try int, b *wire.Batch) (int, wire.Reason) {
				if b.GetSequence() != 1 {
					t.Errorf("try %d is of batch %d", try, b.GetSequence())
				}
				if try < 3 {
					return status, "some_reason"
				}
				return http.StatusOK, ""
			}
			var log bytes.Buffer
			e := newExporter(t, r.options(t, &log))
			e.Put(windowWith(1, Losses{}))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { e.Run(ctx); close(done) }()
			for range 4 {
				<-r.got
			}
			e.Stop()
			<-done
			cancel()
			if c := e.Counts(); len(r.batches) != 1 || c.Sent != 1 || c.Retries != 3 || len(c.Refused) != 0 {
				t.Errorf("%d batches stored, counts %+v", len(r.batches), c)
			}
			if n := strings.Count(log.String(), "batches wait in the spool"); n != 1 || !strings.Contains(log.String(), "words for people") {
				t.Errorf("told %d times, want once and in the recommender's words: %s", n, &log)
			}
			if !strings.Contains(log.String(), "takes batches again") {
				t.Errorf("the recovery was not told: %s", &log)
			}
		})
	}
}

func TestRefusedForGood(t *testing.T) {
	r := newRecommender(t)
	r.answer = func(_ int, b *wire.Batch) (int, wire.Reason) {
		if b.GetSequence() <= 3 {
			return http.StatusUnprocessableEntity, wire.ReasonImplausible
		}
		return http.StatusOK, ""
	}
	var log bytes.Buffer
	e := newExporter(t, r.options(t, &log))
	for range 3 {
		e.Put(windowWith(1, Losses{RingFull: 2}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.Run(ctx); close(done) }()
	for range 3 {
		<-r.got
	}
	e.Stop() // lets Run end once the three are done with
	<-done
	cancel()
	if c := e.Counts(); c.Refused["implausible"] != 3 || c.Sent != 0 {
		t.Errorf("counts %+v", c)
	}
	if n := strings.Count(log.String(), "refused a batch for good"); n != 1 {
		t.Errorf("told %d times, want once: %s", n, &log)
	}
	// What the refused ones had to report goes with the next one.
	e.Put(windowWith(1, Losses{RingFull: 1}))
	e.sendOldest(t.Context(), time.Millisecond)
	if len(r.batches) != 1 {
		t.Fatalf("%d batches stored, want 1", len(r.batches))
	}
	if l := r.batches[0].GetLosses(); l.GetRingFull() != 7 || l.GetSpoolOverflow() != 3 {
		t.Errorf("losses %v, want 7 of the ring and 3 batches", l)
	}
}

func TestOverflowIsReportedWithTheNextBatch(t *testing.T) {
	r := newRecommender(t)
	var log bytes.Buffer
	o := r.options(t, &log)
	o.SpoolLimit = 1 << 20
	e := newExporter(t, o)
	e.spool.limit = 1000 // about three batches
	var put uint64
	for range 20 {
		put++
		e.Put(windowWith(1, Losses{Unattributed: 1}))
	}
	e.spool.limit = 1 << 20
	e.Put(windowWith(1, Losses{}))
	finish(t, e)
	var reported, overflow uint64
	for _, b := range r.batches {
		reported += b.GetLosses().GetUnattributed()
		overflow += b.GetLosses().GetSpoolOverflow()
	}
	if c := e.Counts(); c.SpoolOverflow == 0 || overflow != c.SpoolOverflow || int(overflow)+len(r.batches) != int(put)+1 {
		t.Errorf("%d thrown away, %d reported, %d arrived of %d", c.SpoolOverflow, overflow, len(r.batches), put+1)
	}
	if reported != put {
		t.Errorf("losses of %d windows arrived, want %d", reported, put)
	}
}

func TestCredentialsAreReadAgain(t *testing.T) {
	r := newRecommender(t)
	var log bytes.Buffer
	e := newExporter(t, r.options(t, &log))
	e.Put(windowWith(0, Losses{}))
	if done, _ := e.sendOldest(t.Context(), time.Millisecond); !done {
		t.Fatalf("not sent: %s", &log)
	}
	r.writeToken(t, "second")
	// The recommender comes back under another certificate.
	other := httptest.NewUnstartedServer(r)
	other.TLS = selfSigned(t)
	other.StartTLS()
	t.Cleanup(other.Close)
	e.client.url = other.URL + wire.Path
	e.Put(windowWith(0, Losses{}))
	if done, _ := e.sendOldest(t.Context(), time.Millisecond); done {
		t.Error("a certificate of an unknown CA was trusted")
	}
	r.writeCA(t, other)
	if done, _ := e.sendOldest(t.Context(), time.Millisecond); !done {
		t.Errorf("the new CA was not read: %s", &log)
	}
	if want := "[Bearer first Bearer second]"; fmt.Sprint(r.tokens) != want {
		t.Errorf("tokens %v, want %v", r.tokens, want)
	}
	if strings.Contains(log.String(), "first") || strings.Contains(log.String(), "second") {
		t.Errorf("a token is in the log: %s", &log)
	}
}

func TestWrongAcknowledgementIsNone(t *testing.T) {
	r := newRecommender(t)
	var log bytes.Buffer
	r.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		ack, _ := proto.Marshal(&wire.Ack{Epoch: "epoch1", Sequence: 2})
		w.Write(ack)
	})
	e := newExporter(t, r.options(t, &log))
	e.Put(windowWith(0, Losses{}))
	if done, delay := e.sendOldest(t.Context(), time.Millisecond); done || delay == 0 {
		t.Error("an acknowledgement of another batch was taken")
	}
	if s := e.Spool(); s.Batches != 1 {
		t.Errorf("the batch left the spool: %+v", s)
	}
}

func TestRestartSendsWhatWasLeft(t *testing.T) {
	r := newRecommender(t)
	var log bytes.Buffer
	o := r.options(t, &log)
	o.Server = "https://127.0.0.1:1" // nobody listens
	e := newExporter(t, o)
	e.Put(windowWith(1, Losses{}))
	e.Put(windowWith(1, Losses{}))
	finish(t, e) // gives up at once
	if s := e.Spool(); s.Batches != 2 {
		t.Fatalf("spool %+v, want 2 batches", s)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	o.Server = r.URL
	e = newExporter(t, o)
	e.Put(windowWith(1, Losses{}))
	finish(t, e)
	var got []string
	for _, b := range r.batches {
		got = append(got, fmt.Sprintf("%s/%d", b.GetEpoch(), b.GetSequence()))
	}
	same(t, got, []string{"epoch1/1", "epoch1/2", "epoch1/3"})
}

func TestBadInputIsNamed(t *testing.T) {
	dir := t.TempDir()
	empty, junk := filepath.Join(dir, "empty"), filepath.Join(dir, "junk.pem")
	for _, f := range []string{empty, junk} {
		if err := os.WriteFile(f, []byte("\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, change := range map[string]func(*Options){
		`(--server) is "http://x:1": want https`:               func(o *Options) { o.Server = "http://x:1" },
		`(--server) is "x:1"`:                                  func(o *Options) { o.Server = "x:1" },
		"give --cluster and --node":                            func(o *Options) { o.Node = "" },
		"give --spool-dir":                                     func(o *Options) { o.SpoolDir = "" },
		"give each at least 1 MiB":                             func(o *Options) { o.SpoolLimit = 1 },
		"making the spool directory (--spool-dir)":             func(o *Options) { o.SpoolDir = filepath.Join(empty, "x") },
		"(--ca-file): " + junk + " holds no PEM certificate":   func(o *Options) { o.CAFile = junk },
		"(--ca-file): stat " + dir + "/none":                   func(o *Options) { o.CAFile = dir + "/none" },
		"(--token-file): " + empty + " does not hold one line": func(o *Options) { o.TokenFile = empty },
		"(--token-file): open " + dir + "/none: no such file":  func(o *Options) { o.TokenFile = dir + "/none" },
		"durations must be positive and in order":              func(o *Options) { o.MaxBackoff = 0 },
	} {
		t.Run(want, func(t *testing.T) {
			var log bytes.Buffer
			o := testOptions(t, filepath.Join(t.TempDir(), "spool"), &log)
			change(&o)
			e, err := New(o)
			if err == nil {
				defer e.Close()
				err = e.Check()
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		})
	}
}
